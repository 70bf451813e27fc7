// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include <regex.h>

namespace testcard::scenario
{

namespace
{

// regcomp recurses over an expression, and some thousand parentheses are the end of its stack.
constexpr std::size_t longest_bytes = 1024;
constexpr std::size_t deepest = 50;
// It also writes out what {n} repeats: counts within counts take memory without end.
constexpr std::uint64_t mostCopies = 10'000;

/// How deep its groups nest at most; parentheses in brackets count, too.
std::size_t depthOf(std::string_view expression)
{
    std::size_t depth = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < expression.size(); ++i) {
        if (expression[i] == '\\')
            ++i; // and what it escapes
        else if (expression[i] == '(')
            most = std::max(most, ++depth);
        else if (expression[i] == ')' && depth > 0)
            --depth;
    }
    return most;
}

/// The product of its {n} and {n,m}: more than the copies that regcomp makes of anything in it.
std::uint64_t copiesIn(std::string_view expression)
{
    std::uint64_t product = 1;
    for (std::size_t i = 0; i < expression.size(); ++i) {
        if (expression[i] == '\\') {
            ++i;
            continue;
        }
        if (expression[i] != '{') continue;
        std::uint64_t count = 1;
        for (const char *digits = expression.data() + i + 1;
             ;) { // {n}, {n,} or {n,m}: the larger one
            std::uint64_t bound = 0;
            const auto [end, error] =
                std::from_chars(digits, expression.data() + expression.size(), bound);
            count = std::max(count, error == std::errc::result_out_of_range ? mostCopies : bound);
            if (end == expression.data() + expression.size() || *end != ',') break;
            digits = end + 1;
        }
        product *= std::clamp<std::uint64_t>(count, 1, mostCopies + 1);
        product = std::min(product, mostCopies + 1);
    }
    return product;
}

} // namespace

struct Matcher::Compiled {
    Compiled() = default;
    Compiled(const Compiled &) = delete;
    Compiled &operator=(const Compiled &) = delete;
    ~Compiled()
    {
        if (valid) regfree(&expression);
    }

    regex_t expression{};
    bool valid = false;
};

tl::expected<Matcher, std::string> Matcher::compile(const std::string &expression)
{
    if (expression.size() > longest_bytes)
        return tl::make_unexpected(
            fmt::format("{} bytes long; at most {}", expression.size(), longest_bytes));
    if (const std::size_t depth = depthOf(expression); depth > deepest)
        return tl::make_unexpected(fmt::format("{} groups deep; at most {}", depth, deepest));
    if (copiesIn(expression) > mostCopies)
        return tl::make_unexpected(
            fmt::format("its repetitions multiply to more than {} copies", mostCopies));
    auto compiled = std::make_shared<Compiled>();
    const int error =
        regcomp(&compiled->expression, expression.c_str(), REG_EXTENDED | REG_NEWLINE);
    if (error != 0) {
        std::array<char, 256> text{};
        regerror(error, &compiled->expression, text.data(), text.size());
        return tl::make_unexpected(std::string(text.data()));
    }
    compiled->valid = true;
    return Matcher(std::move(compiled));
}

bool Matcher::matches(std::string_view text) const
{
    // REG_STARTEND gives the length, so that a guest's NUL byte does not end the search.
    regmatch_t range{};
    range.rm_so = 0;
    range.rm_eo = static_cast<regoff_t>(text.size());
    const char *begin = text.empty() ? "" : text.data();
    return regexec(&compiled_->expression, begin, 1, &range, REG_STARTEND) == 0;
}

bool Matcher::matchesEverything() const
{
    // An expression that finds something in no text and in texts of nothing likely finds something
    // anywhere; an anchored one such as ^$ does not.
    return matches("") && matches("\x01") && matches("~\x02~\n\x03");
}

} // namespace testcard::scenario
