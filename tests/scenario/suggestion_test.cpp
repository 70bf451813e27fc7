// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/pattern.hpp"
#include "scenario/suggestion.hpp"
#include "scenario/table_reader.hpp"

#include <catch2/catch_test_macros.hpp>

namespace testcard::scenario
{

using namespace std::chrono_literals;

TEST_CASE("The edit distance counts insertions, deletions, substitutions and swaps", "[scenario]")
{
    CHECK(editDistance("", "") == 0);
    CHECK(editDistance("", "abc") == 3);
    CHECK(editDistance("abc", "abc") == 0);
    CHECK(editDistance("abc", "abd") == 1);
    CHECK(editDistance("abc", "acb") == 1);
    CHECK(editDistance("abc", "xabc") == 1);
    CHECK(editDistance("kitten", "sitting") == 3);
    CHECK(editDistance("ca", "abc") == 3); // each place is edited once
}

TEST_CASE("A suggestion is near, or it is none", "[scenario]")
{
    const std::vector<std::string> words{"stdout", "stderr", "stdout-lacks", "exit"};
    CHECK(nearest("stdot", words) == "stdout");
    CHECK(nearest("STDERR", words) == "stderr");
    CHECK(nearest("stdout_lacks", words) == "stdout-lacks");
    CHECK(nearest("exti", words) == "exit");
    CHECK(nearest("banana", words).empty());
    CHECK(didYouMean("stdot", words) == "did you mean \"stdout\"?");
    CHECK(didYouMean("banana", std::vector<std::string>{"a1", "b2"}) == "known are \"a1\", \"b2\"");
    CHECK(didYouMean("banana", std::vector<std::string>{}).empty());
}

TEST_CASE("Durations and sizes have units", "[scenario]")
{
    CHECK(parseDuration("500ms") == 500ms);
    CHECK(parseDuration("1.5s") == 1500ms);
    CHECK(parseDuration("2 min") == 2min);
    CHECK(parseDuration("1h") == 1h);
    for (const char *wrong : {"", "5", "s", "-1s", "1e3s", "5 sec", "nans", "infs", "9999999h"})
        CHECK_FALSE(parseDuration(wrong));
    CHECK(parseSize("64K") == 65536u);
    CHECK(parseSize("1.5M") == 1572864u);
    CHECK(parseSize("1G") == 1u << 30);
    for (const char *wrong : {"", "1", "1B", "-1M", "1T", "9999999999G"})
        CHECK_FALSE(parseSize(wrong));
}

TEST_CASE("Patterns see lines, and any bytes", "[scenario]")
{
    CHECK(Matcher::compile("^b$")->matches("a\nb\nc"));
    CHECK_FALSE(Matcher::compile("a.b")->matches("a\nb"));
    CHECK(Matcher::compile("after")->matches(std::string_view("x\0after", 7)));
    CHECK_FALSE(Matcher::compile("x")->matches(std::string_view("yx", 1)));
    CHECK_FALSE(Matcher::compile("["));
}

TEST_CASE("Expressions that would exhaust the stack of their compiler are refused", "[scenario]")
{
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '(') + "x" + std::string(depth, ')');
    };
    CHECK(Matcher::compile(nested(50))->matches("x"));
    CHECK(Matcher::compile(nested(51)).error() == "51 groups deep; at most 50");
    CHECK(Matcher::compile(nested(100'000)).error() == "200001 bytes long; at most 1024");
    CHECK(Matcher::compile("^[0-9]{1,3}(x{9}){99}$"));
    CHECK(Matcher::compile("(((x{255}){255}){255}){255}").error() ==
          "its repetitions multiply to more than 10000 copies");
    CHECK_FALSE(Matcher::compile("(x{1,200}){0,200}"));
    CHECK_FALSE(Matcher::compile("(x{200,}){200,}"));
    CHECK(Matcher::compile("a\\{99999999}b{2}")->matches("a{99999999}bb"));
    CHECK(Matcher::compile(std::string(1024, 'x')));
    CHECK(Matcher::compile(std::string(1025, 'x')).error() == "1025 bytes long; at most 1024");
    std::string escaped;
    for (int i = 0; i < 60; ++i)
        escaped += "\\(";
    CHECK(Matcher::compile(escaped));
}

TEST_CASE("A pattern that matches everything is known as such", "[scenario]")
{
    for (const char *everything : {".*", "a*", "^", "$", "(x|)", "x?"})
        CHECK(Matcher::compile(everything)->matchesEverything());
    for (const char *something : {"a", "^$", "a+", "[0-9]", "^x*$"})
        CHECK_FALSE(Matcher::compile(something)->matchesEverything());
}

} // namespace testcard::scenario
