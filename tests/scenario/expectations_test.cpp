// SPDX-License-Identifier: GPL-2.0-or-later
#include "parsing.hpp"
#include "scenario/expectations.hpp"

#include <catch2/catch_test_macros.hpp>

namespace testcard::scenario
{

namespace
{

using Texts = std::vector<std::string>;

RunCommand expecting(const std::string &expect, bool metrics = false)
{
    const Scenario scenario =
        parsed("schema = 1\ntitle = \"T\"\n[[step]]\nrun = \"x\"\n" +
               std::string(metrics ? "metrics = \"json\"\n" : "") + "expect = " + expect + "\n");
    return std::get<RunCommand>(scenario.steps[0].action);
}

Observed ended(int code)
{
    Observed out;
    out.number = code;
    out.endText = "exit code " + std::to_string(code);
    return out;
}

Observed killed(int signal)
{
    Observed out;
    out.ending = Observed::Ending::killed;
    out.number = signal;
    out.endText = "killed by signal " + std::to_string(signal);
    return out;
}

} // namespace

TEST_CASE("How a command ends is compared with what is expected", "[scenario]")
{
    CHECK(unmet(expecting("{ exit = 3 }"), ended(3)).empty());
    CHECK(unmet(expecting("{ exit = 3 }"), ended(0)) ==
          Texts{"expected exit code 3, found exit code 0"});
    CHECK(unmet(expecting("{ exit = \"nonzero\" }"), ended(1)).empty());
    CHECK(unmet(expecting("{ exit = \"nonzero\" }"), ended(0)) ==
          Texts{"expected an exit code other than 0, found exit code 0"});
    CHECK(unmet(expecting("{ exit = \"nonzero\" }"), killed(11)).size() == 1);
    CHECK(unmet(expecting("{ signal = \"SEGV\" }"), killed(11)).empty());
    CHECK(unmet(expecting("{ signal = \"SEGV\" }"), killed(9)) ==
          Texts{"expected an end by signal 11, found killed by signal 9"});
    CHECK(unmet(expecting("{ signal = 9 }"), ended(9)).size() == 1);
    CHECK(unmet(expecting("{ timeout = true }"), ended(0)) ==
          Texts{"expected it still to run at its timeout, found exit code 0"});
}

TEST_CASE("What a command writes is compared with what is expected", "[scenario]")
{
    Observed observed = ended(0);
    observed.output = "one\ntwo\n";
    observed.errorOutput = "warning: x\n";
    const auto judged = [&](const char *expect) { return unmet(expecting(expect), observed); };
    CHECK(judged("{ stdout = [\"^one$\", \"^two$\"], stderr = \"warn\" }").empty());
    CHECK(judged("{ stdout = \"three\" }") == Texts{"expected stdout to have \"three\""});
    CHECK(judged("{ stdout-lacks = \"two\" }") == Texts{"expected stdout to lack \"two\""});
    CHECK(judged("{ stderr = \"error\" }") == Texts{"expected stderr to have \"error\""});
    CHECK(judged("{ stderr-lacks = \"warning\" }") == Texts{"expected stderr to lack \"warning\""});
    CHECK(judged("{ exit = 1, stdout = \"x\" }").size() == 2);
}

TEST_CASE("Metrics are compared by value or by bounds", "[scenario]")
{
    Observed observed = ended(0);
    observed.metrics =
        Metrics::parse(R"({"n": 5, "name": "x", "ok": true, "inner": {"list": [7, 8]}})");
    const auto judged = [&](const std::string &rules) {
        return unmet(expecting("{ metrics = {" + rules + "} }", true), observed);
    };
    CHECK(judged("n = 5, name = \"x\", ok = true, inner = { list = { 1 = 8 } }").empty());
    CHECK(judged("n = { min = 5, max = 5 }").empty());
    CHECK(judged("n = { min = 6 }") == Texts{"expected n at least 6, found 5"});
    CHECK(judged("n = { max = 4.5 }") == Texts{"expected n at most 4.5, found 5"});
    CHECK(judged("n = { min = 1, max = 2 }") == Texts{"expected n from 1 to 2, found 5"});
    CHECK(judged("n = \"5\"") == Texts{"expected n \"5\", found 5"});
    CHECK(judged("name = { min = 1 }") == Texts{"expected name at least 1, found \"x\""});
    CHECK(judged("ok = false") == Texts{"expected ok false, found true"});
    CHECK(judged("nme = \"x\"") == Texts{"stdout has no metric \"nme\"; did you mean \"name\"?"});
}

TEST_CASE("A step that reads metrics must write some", "[scenario]")
{
    CHECK(unmet(expecting("{ metrics = { n = 5 } }", true), ended(0)) ==
          Texts{"no line of stdout is a JSON object with metrics"});
}

TEST_CASE("Metrics are the last line that is a JSON object", "[scenario]")
{
    const auto metrics = Metrics::lastLine("{\"a\":1}\ntext {\n{\"a\":2}\n[3]\n\n");
    REQUIRE(metrics);
    CHECK(std::get<double>(*metrics->find("a")) == 2);
    CHECK(metrics->find("b") == nullptr);
    CHECK_FALSE(Metrics::lastLine(""));
    CHECK_FALSE(Metrics::lastLine("no\n{broken\n"));
}

TEST_CASE("Metrics of a hostile guest are bounded", "[scenario]")
{
    CHECK_FALSE(Metrics::parse("{\"a\":\"" + std::string(70'000, 'x') + "\"}"));
    std::string deep;
    for (int i = 0; i < 9; ++i)
        deep += "{\"a\":";
    CHECK_FALSE(Metrics::parse(deep + "1" + std::string(9, '}')));
    CHECK_FALSE(Metrics::parse(std::string(60'000, '[')));
    CHECK(Metrics::parse("{\"a\":\"\xff\"}") == std::nullopt);
    CHECK(Metrics::parse("{\"a\":1e999}") == std::nullopt);
}

} // namespace testcard::scenario
