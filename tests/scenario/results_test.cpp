// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/exit_codes.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/kernel_log.hpp"
#include "scenario/result_files.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

namespace testcard::scenario
{

using namespace std::chrono_literals;

namespace
{

/// A run with one step of each outcome and text that no XML or JSON can hold.
RunResult troubledRun()
{
    RunResult run;
    run.scenario = "signal-loss";
    run.file = "scenarios/signal-loss.toml";
    run.title = "A & B < C";
    run.tags = {"guest", "v4l2"};
    run.seed = 42;
    run.outcome = Outcome::passed;
    run.times = {1500ms, 4000ms, 5600ms, 9000ms};
    run.versions = {{"qemu", "11.1.3"}, {"kernel", "6.1.0"}};
    run.artifacts = "/artifacts/signal-loss";
    StepResult good{.name = "first", .verb = "run", .outcome = Outcome::passed, .output = "fine\n"};
    good.metrics = R"({"torn":0})";
    good.duration = 1234ms;
    StepResult bad{.name = "second", .verb = "run", .outcome = Outcome::failed};
    bad.cause = Cause::expectation;
    bad.messages = {"expected exit code 0, found exit code 1", "and \x01 that"};
    bad.output = std::string("bin\0ary \xff\xfe \x1b[31m", 16);
    const StepResult skipped{.name = "third", .verb = "wait"};
    run.steps = {good, bad, skipped};
    run.worsen(Cause::expectation, "step \"second\": expected exit code 0, found exit code 1");
    return run;
}

} // namespace

TEST_CASE("JUnit results are XML with properties, cases and their outcomes", "[scenario]")
{
    pugi::xml_document document;
    const pugi::xml_parse_result parsed =
        document.load_string(resultJUnit({troubledRun(), RunResult{}}).c_str());
    REQUIRE(parsed);
    const pugi::xml_node root = document.child("testsuites");
    CHECK(root.attribute("tests").as_int() == 5);
    CHECK(root.attribute("failures").as_int() == 1);
    CHECK(root.attribute("errors").as_int() == 1); // the empty run never came to a verdict
    CHECK(root.attribute("skipped").as_int() == 1);
    const pugi::xml_node suite = root.child("testsuite");
    CHECK(suite.attribute("name").as_string() == std::string("signal-loss"));
    CHECK(suite.attribute("time").as_string() == std::string("9.000"));
    const auto property = [&](const char *name) {
        return std::string(suite.child("properties")
                               .find_child_by_attribute("property", "name", name)
                               .attribute("value")
                               .as_string());
    };
    CHECK(property("seed") == "42");
    CHECK(property("artifacts") == "/artifacts/signal-loss");
    CHECK(property("title") == "A & B < C");
    CHECK(property("qemu") == "11.1.3");
    const auto testcase = [&](const char *name) {
        return suite.find_child_by_attribute("testcase", "name", name);
    };
    CHECK(testcase("first").attribute("time").as_string() == std::string("1.234"));
    CHECK(testcase("first").child("system-out").text().as_string() == std::string("fine\n"));
    CHECK_FALSE(testcase("first").child("failure"));
    CHECK(testcase("second").child("failure").attribute("type").as_string() ==
          std::string("expectation"));
    CHECK(testcase("second").child("failure").attribute("message").as_string() ==
          std::string("expected exit code 0, found exit code 1"));
    CHECK(testcase("third").child("skipped"));
    // The step says it already; the whole does not fail a second time.
    CHECK_FALSE(testcase("the scenario as a whole").child("failure"));
}

TEST_CASE("What went wrong outside the steps fails the scenario as a whole", "[scenario]")
{
    RunResult run;
    run.scenario = "x";
    run.outcome = Outcome::passed;
    run.worsen(Cause::guestPanic, "Kernel panic");
    pugi::xml_document document;
    REQUIRE(document.load_string(resultJUnit({run}).c_str()));
    const pugi::xml_node failure =
        document.child("testsuites").child("testsuite").child("testcase").child("failure");
    CHECK(failure.attribute("type").as_string() == std::string("guest-panic"));
    CHECK(failure.text().as_string() == std::string("Kernel panic"));
}

TEST_CASE("JSON results have the same, for programs", "[scenario]")
{
    RunResult run = troubledRun();
    run.frames = FrameTable{.sent = 124, .received = 120, .driver = "testcard"};
    const auto json = nlohmann::json::parse(resultJson({run}));
    CHECK(json["schema"] == 1);
    CHECK(json["counts"]["failed"] == 1);
    const auto &first = json["runs"][0];
    CHECK(first["scenario"] == "signal-loss");
    CHECK(first["outcome"] == "failed");
    CHECK(first["cause"] == "expectation");
    CHECK(first["seed"] == 42);
    CHECK(first["seconds"]["boot"] == 4.0);
    CHECK(first["seconds"]["first-frame"] == 5.6);
    CHECK(first["frames"]["sent"] == 124);
    CHECK(first["frames"]["torn"].is_null());
    CHECK(first["steps"].size() == 3);
    CHECK(first["steps"][0]["metrics"]["torn"] == 0);
    CHECK(first["steps"][1]["outcome"] == "failed");
    CHECK(first["versions"]["kernel"] == "6.1.0");
}

TEST_CASE("The exit code is that of the worst verdict; a failure counts before an error",
          "[scenario]")
{
    const auto run = [](Outcome outcome) {
        RunResult out;
        out.outcome = outcome;
        return out;
    };
    CHECK(exitCode({}) == exitNothingSelected);
    CHECK(exitCode({run(Outcome::passed)}) == exitPassed);
    CHECK(exitCode({run(Outcome::passed), run(Outcome::failed)}) == exitFailed);
    CHECK(exitCode({run(Outcome::error), run(Outcome::passed)}) == exitInfrastructure);
    CHECK(exitCode({run(Outcome::error), run(Outcome::failed)}) == exitFailed);
}

TEST_CASE("A command that cannot go on ends by whose failure it was, or by its signal",
          "[scenario]")
{
    for (const Cause guests : {Cause::guestPanic, Cause::guestEnded, Cause::guestSilent,
                               Cause::timeout, Cause::cardEnded})
        CHECK(exitCode(Failure{guests, "why"}, 0) == exitFailed);
    for (const Cause hosts : {Cause::infrastructure, Cause::emulatorEnded})
        CHECK(exitCode(Failure{hosts, "why"}, 0) == exitInfrastructure);
    CHECK(exitCode(Failure{Cause::interrupted, "interrupted"}, 2) == 130);
    CHECK(exitCode(Failure{Cause::infrastructure, "build-guest was ended"}, 15) == 143);
}

TEST_CASE("What stopped the bench explains the failures before it", "[scenario]")
{
    RunResult run;
    run.outcome = Outcome::passed;
    run.worsen(Cause::expectation, "a");
    run.worsen(Cause::guestPanic, "b");
    CHECK(run.cause == Cause::expectation);
    run.worsen(Cause::emulatorEnded, "c");
    CHECK(run.cause == Cause::emulatorEnded);
    CHECK(run.outcome == Outcome::error);
    run.worsen(Cause::expectation, "d");
    CHECK(run.outcome == Outcome::error);
    CHECK(run.messages.size() == 4);
}

TEST_CASE("Of long output the beginning and the end are kept", "[scenario]")
{
    KeptOutput output(4);
    output.append("abcdef");
    CHECK(output.text() == "abcdef");
    output.append("gh");
    CHECK(output.text() == "abcdefgh");
    output.append("ijklmnopqrstuvwxyz");
    CHECK(output.text() == "abcd\n[18 bytes left out]\nwxyz");
    CHECK(output.total_bytes() == 26);
    for (int i = 0; i < 100; ++i)
        output.append("0123456789");
    CHECK(output.text() == "abcd\n[1018 bytes left out]\n6789");
}

TEST_CASE("The last lines are the last lines", "[scenario]")
{
    CHECK(lastLines("", 3).empty());
    CHECK(lastLines("a\nb\nc\n", 2) == "b\nc");
    CHECK(lastLines("a\nb", 5) == "a\nb");
    CHECK(lastLines("\n\n\n", 2).empty());
}

TEST_CASE("A guest's text is made fit for terminals and reports", "[scenario]")
{
    CHECK(printable("plain\ttext\r\n") == "plain\ttext\n");
    CHECK(printable("\x1b[31mred") == "?[31mred");
    CHECK(printable(std::string_view("a\0b", 3)) == "a?b");
    CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
    CHECK(printable("\xff\xc3") == "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(printable("\xc2\x9b") == "?");          // CSI as one character
    CHECK(printable("\xed\xa0\x80").size() == 9); // a surrogate is three wrong bytes
    CHECK(printable("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
    CHECK(printable("\xc0\xaf\xf5\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("Each report of the kernel counts once, and not too many of them", "[scenario]")
{
    std::string log = "[    1.000000] BUG: unable to handle page fault\r\n"
                      "[    2.000000] BUG: unable to handle page fault\r\n"
                      "[    3.000000] harmless\n";
    CHECK(findKernelBugs(log, {}) == std::vector<std::string>{"BUG: unable to handle page fault"});
    for (int i = 0; i < 100; ++i)
        log += "Oops: " + std::to_string(i) + "\n";
    CHECK(findKernelBugs(log, {}).size() == 10);
}

} // namespace testcard::scenario
