// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/pattern.hpp"

#include <array>

#include <regex.h>

namespace testcard::scenario
{

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
