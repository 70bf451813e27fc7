// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_bench.hpp"
#include "parsing.hpp"
#include "scenario/result_files.hpp"
#include "scenario/runner.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace testcard::scenario
{

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace
{

/// Runs scenarios in a fake world and keeps their artifacts until the test ends.
struct Laboratory {
    FakeWorld world;
    TemporaryFolder folder;
    RunOptions options;

    RunResult run(const std::string &text)
    {
        std::ofstream(folder.path() / "test.toml") << text;
        const auto scenario = parseScenario(text, folder.path() / "test.toml");
        if (!scenario) throw std::runtime_error(scenario.error().front().text());
        options.artifacts = folder.path() / "artifacts";
        const auto bench = makeFakeBench(world);
        const auto progress = silentProgress();
        return runScenario(*scenario, options, *bench, *progress);
    }

    std::string artifact(const std::string &name) const
    {
        std::ifstream in(folder.path() / "artifacts" / name);
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }
};

const std::string head = "schema = 1\ntitle = \"T\"\n";
const std::string card = "[[card]]\ntype = \"capture\"\n";

std::string step(const std::string &lines)
{
    return "[[step]]\n" + lines + "\n";
}

std::vector<Outcome> outcomes(const RunResult &result)
{
    std::vector<Outcome> out;
    for (const StepResult &one : result.steps)
        out.push_back(one.outcome);
    return out;
}

} // namespace

TEST_CASE("A scenario whose steps do as expected passes and leaves its evidence", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["hello"] = {{.output = "world\n", .errorOutput = "hm\n"}};
    lab.world.commands["dmesg"] = {{.output = "[1.0] fine\n"}};
    const RunResult result = lab.run(
        head + card + step("name = \"greet\"\nrun = \"hello\"\nexpect = { stdout = \"^world$\" }"));
    CHECK(result.outcome == Outcome::passed);
    CHECK(result.cause == Cause::none);
    CHECK(result.messages.empty());
    CHECK(outcomes(result) == std::vector{Outcome::passed});
    CHECK(result.steps[0].ending == "exit code 0");
    CHECK(result.steps[0].attempts == 1);
    CHECK(lab.artifact("steps/01-greet.stdout") == "world\n");
    CHECK(lab.artifact("steps/01-greet.stderr") == "hm\n");
    CHECK(lab.artifact("kernel.log") == "[1.0] fine\n");
    CHECK(lab.artifact("scenario.toml").starts_with(head));
    for (const char *name : {"resolved.json", "result.json", "junit.xml", "domain.xml", "qemu.txt"})
        CHECK_FALSE(lab.artifact(name).empty());
    CHECK(lab.world.did("mark testcard: step greet"));
    using Version = std::pair<std::string, std::string>;
    for (const Version &version : {Version{"testcard", "0"}, Version{"qemu", "11.1.3 (fake)"},
                                   Version{"kernel", "6.1.0-fake"}, Version{"accelerator", "tcg"},
                                   Version{"kernel-sha256", "0123"}})
        CHECK(std::find(result.versions.begin(), result.versions.end(), version) !=
              result.versions.end());
}

TEST_CASE("Everything is taken down in order: agent, machine, cards", "[scenario]")
{
    Laboratory lab;
    lab.run(head + card + step("run = \"x\""));
    const auto &journal = lab.world.journal;
    REQUIRE(journal.size() >= 4);
    CHECK(std::vector<std::string>(journal.end() - 4, journal.end()) ==
          std::vector<std::string>{"agent gone", "destroy", "machine gone", "card gone capture0"});
}

TEST_CASE("Artifacts of an earlier run are replaced, a folder with anything else is refused",
          "[scenario]")
{
    Laboratory lab;
    lab.run(head + step("run = \"x\""));
    std::ofstream(lab.folder.path() / "artifacts" / "old") << "x";
    CHECK(lab.run(head + step("run = \"x\"")).outcome == Outcome::passed);
    CHECK_FALSE(fs::exists(lab.folder.path() / "artifacts" / "old"));

    fs::remove_all(lab.folder.path() / "artifacts");
    fs::create_directory(lab.folder.path() / "artifacts");
    std::ofstream(lab.folder.path() / "artifacts" / "thesis") << "x";
    const RunResult refused = lab.run(head + step("run = \"x\""));
    CHECK(refused.outcome == Outcome::error);
    CHECK(refused.messages.at(0).find("is not empty and holds no artifacts") != std::string::npos);
    CHECK(fs::exists(lab.folder.path() / "artifacts" / "thesis"));
}

TEST_CASE("A seed from outside replaces the scenario's", "[scenario]")
{
    Laboratory lab;
    lab.options.seed = 42;
    CHECK(lab.run(head + "seed = 5\n" + step("run = \"x\"")).seed == 42);
}

TEST_CASE("After a failure only steps with always happen", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["bad"] = {{.errorOutput = "no\n", .code = 3}};
    const RunResult result =
        lab.run(head + step("name = \"a\"\nrun = \"bad\"") + step("run = \"skipped\"") +
                step("run = \"evidence\"\nalways = true"));
    CHECK(result.outcome == Outcome::failed);
    CHECK(result.cause == Cause::expectation);
    CHECK(result.messages ==
          std::vector<std::string>{"step \"a\": expected exit code 0, found exit code 3"});
    CHECK(outcomes(result) == std::vector{Outcome::failed, Outcome::skipped, Outcome::passed});
    CHECK_FALSE(lab.world.did("run skipped"));
    CHECK(lab.world.did("run evidence"));
}

TEST_CASE("A command that takes too long is a timeout, unless that is expected", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["slow"] = {{.duration = 10s}};
    const RunResult late = lab.run(head + step("run = \"slow\"\ntimeout = \"30ms\""));
    CHECK(late.outcome == Outcome::failed);
    CHECK(late.cause == Cause::timeout);
    CHECK(lab.run(head + step("run = \"slow\"\ntimeout = \"30ms\"\nexpect = { timeout = true }"))
              .outcome == Outcome::passed);
}

TEST_CASE("A step with within is tried until it holds", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["probe"] = {{.code = 1}, {.code = 1}, {.code = 0}};
    const RunResult result = lab.run(head + step("run = \"probe\"\nwithin = \"5s\""));
    CHECK(result.outcome == Outcome::passed);
    CHECK(result.steps[0].attempts == 3);

    lab.world.commands["never"] = {{.code = 1}};
    const RunResult failed =
        lab.run(head + step("name = \"n\"\nrun = \"never\"\nwithin = \"250ms\""));
    CHECK(failed.outcome == Outcome::failed);
    CHECK(failed.steps[0].attempts >= 2);
    CHECK(failed.messages.at(0).find("attempts over 0.2 s") != std::string::npos);
}

TEST_CASE("A step in the background is judged when somebody waits for it", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["stream"] = {{.output = "ready\n", .code = 2, .duration = 100ms}};
    const std::string stream = head + step("name = \"s\"\nrun = \"stream\"\nbackground = true") +
                               step("wait = \"s\"\nuntil = \"^ready\"") +
                               step("run = \"between\"") + step("wait = \"s\"");
    const RunResult result = lab.run(stream);
    CHECK(outcomes(result) ==
          std::vector{Outcome::failed, Outcome::passed, Outcome::passed, Outcome::passed});
    CHECK(result.messages ==
          std::vector<std::string>{"step \"s\": expected exit code 0, found exit code 2"});
    CHECK(result.steps[0].duration >= 100ms);
    CHECK(lab.world.did("run between"));
}

TEST_CASE("Waiting for words that never come says so", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["stream"] = {{.output = "hm\n", .duration = 50ms}};
    const std::string start = head + step("name = \"s\"\nrun = \"stream\"\nbackground = true");
    const RunResult ended = lab.run(start + step("name = \"w\"\nwait = \"s\"\nuntil = \"ready\"") +
                                    step("cancel = \"s\""));
    CHECK(ended.cause == Cause::expectation);
    CHECK(ended.messages.at(0) ==
          "step \"w\": step \"s\" ended without writing \"ready\": exit code 0");

    lab.world.commands["stream"] = {{.duration = 20s}};
    const RunResult late =
        lab.run(start + step("name = \"w\"\nwait = \"s\"\nuntil = \"ready\"\ntimeout = \"60ms\"") +
                step("cancel = \"s\""));
    CHECK(late.cause == Cause::timeout);
    CHECK(late.messages.at(0) == "step \"w\": step \"s\" has not written \"ready\" within 0.1 s");
    CHECK(late.steps[0].outcome == Outcome::skipped);
    CHECK(late.steps[0].messages.at(0) ==
          "still ran when another step's failure ended the scenario");
}

TEST_CASE("A cancelled step is judged by its output, not by its end", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["stream"] = {{.output = "frame 1\n", .duration = 20s}};
    const auto cancelled = [&](const std::string &expect) {
        return lab.run(
            head + step("name = \"s\"\nrun = \"stream\"\nbackground = true\nexpect = " + expect) +
            step("cancel = \"s\""));
    };
    CHECK(cancelled("{ stdout = \"frame\" }").outcome == Outcome::passed);
    const RunResult result = cancelled("{ stdout-lacks = \"frame\" }");
    CHECK(result.outcome == Outcome::failed);
    CHECK(result.messages ==
          std::vector<std::string>{"step \"s\": expected stdout to lack \"frame\""});
}

TEST_CASE("Metrics are judged, and make up the table of frames", "[scenario]")
{
    Laboratory lab;
    lab.world.cardStatus["capture0"] =
        R"({"frames-sent": 124, "signal": {"timings": "1280x720p60"}})";
    lab.world.commands["check"] = {
        {.output = "noise\n{\"received\":120,\"dropped\":0,\"torn\":1,\"repeated\":0,"
                   "\"out-of-order\":0,\"wrong\":0,\"driver\":\"testcard\",\"format\":\"YUYV\","
                   "\"first-frame-ms\":29.7}\n"}};
    const RunResult result =
        lab.run(head + card +
                step("name = \"c\"\nrun = \"check\"\nmetrics = \"json\"\n"
                     "expect = { metrics = { torn = 0, received = { min = 100 } } }") +
                "[verdict]\nframes = { step = \"c\", card = \"capture0\" }\n");
    CHECK(result.messages == std::vector<std::string>{"step \"c\": expected torn 0, found 1"});
    REQUIRE(result.frames);
    CHECK(result.frames->sent == 124);
    CHECK(result.frames->received == 120);
    CHECK(result.frames->torn == 1);
    CHECK(result.frames->driver == "testcard");
    CHECK(result.frames->signal == "1280x720p60, YUYV");
    REQUIRE(result.times.firstFrame);
    CHECK(*result.times.firstFrame == result.steps[0].start + 29ms);
    const std::string report = reportText(result);
    CHECK(report.starts_with("test: FAILED (expectation)\n"
                             "  why        step \"c\": expected torn 0, found 1\n"));
    CHECK(report.find("  frames     124 sent, 120 received, 0 dropped, 4 left in buffers, 1 torn, "
                      "0 repeated, 0 out of order, 0 wrong\n") != std::string::npos);
}

TEST_CASE("Host actions reach the card and the machine", "[scenario]")
{
    Laboratory lab;
    lab.world.cardStatus["capture0"] = R"({"frames-sent": 5})";
    const RunResult result = lab.run(
        head + card + step("signal = { card = \"capture0\", present = false }") +
        step("status = \"capture0\"\nexpect = { metrics = { frames-sent = { min = 1 } } }") +
        step("pause = \"capture0\"") + step("resume = \"capture0\"") + step("kill = \"capture0\"") +
        step("unplug = \"capture0\"\ntimeout = \"9s\"") + step("restart = \"capture0\"") +
        step("plug = \"capture0\"") + step("sleep = \"1ms\""));
    CHECK(result.outcome == Outcome::passed);
    for (const char *deed :
         {"signal capture0 present=no", "pause capture0", "resume capture0", "kill capture0",
          "unplug capture0 within 9000 ms", "restart capture0", "plug capture0"})
        CHECK(lab.world.did(deed));
}

TEST_CASE("A card that the guest does not let go is the guest's failure", "[scenario]")
{
    Laboratory lab;
    lab.world.unplugTimesOut = true;
    const RunResult result =
        lab.run(head + card + step("name = \"u\"\nunplug = \"capture0\"") + step("run = \"x\""));
    CHECK(result.outcome == Outcome::failed);
    CHECK(result.cause == Cause::timeout);
    CHECK(result.messages == std::vector<std::string>{"step \"u\": the guest keeps capture0"});
}

TEST_CASE("A card's status that does not hold in time is told", "[scenario]")
{
    Laboratory lab;
    lab.world.cardStatus["capture0"] = R"({"frames-sent": 5})";
    const auto judged = [&](const std::string &rule) {
        return lab
            .run(head + card +
                 step("status = \"capture0\"\nwithin = \"150ms\"\nexpect = { metrics = {" + rule +
                      "} }"))
            .messages;
    };
    CHECK(judged("frames-sent = 6").at(0) == "step \"1: status\": expected frames-sent 6, found 5");
    CHECK(judged("frames-set = 5").at(0) ==
          "step \"1: status\": the card's status has no metric \"frames-set\"; did you mean "
          "\"frames-sent\"?");
}

TEST_CASE("What ends a scenario from outside has a verdict of its own", "[scenario]")
{
    Laboratory lab;
    const std::string text =
        head + card + step("run = \"long\"") + step("run = \"after\"\nalways = true");
    const auto runWith = [&](std::function<void()> meanwhile) {
        lab.world.commands["long"] = {{.duration = 20s, .meanwhile = std::move(meanwhile)}};
        return lab.run(text);
    };
    SECTION("a panic")
    {
        const RunResult result = runWith([&] { lab.world.panic("Kernel panic - not syncing: X"); });
        CHECK(result.outcome == Outcome::failed);
        CHECK(result.cause == Cause::guestPanic);
        CHECK(result.messages ==
              std::vector<std::string>{"step \"1: run\": Kernel panic - not syncing: X"});
        CHECK(outcomes(result) == std::vector{Outcome::failed, Outcome::skipped});
    }
    SECTION("QEMU's end")
    {
        const RunResult result = runWith([&] {
            const std::lock_guard lock(lab.world.mutex);
            lab.world.machineStatus = {launcher::MachineState::emulatorEnded, "SIGSEGV"};
        });
        CHECK(result.outcome == Outcome::error);
        CHECK(result.cause == Cause::emulatorEnded);
    }
    SECTION("the guest's power-off")
    {
        const RunResult result = runWith([&] {
            const std::lock_guard lock(lab.world.mutex);
            lab.world.machineStatus = {launcher::MachineState::shutDown, ""};
        });
        CHECK(result.outcome == Outcome::failed);
        CHECK(result.cause == Cause::guestEnded);
    }
    SECTION("a card's crash")
    {
        const RunResult result =
            runWith([&] { lab.world.endCard("capture0", "was killed by SIGSEGV"); });
        CHECK(result.outcome == Outcome::failed);
        CHECK(result.cause == Cause::cardEnded);
        CHECK(result.messages.at(0).find("card capture0 was killed by SIGSEGV") !=
              std::string::npos);
    }
    SECTION("Ctrl-C")
    {
        const RunResult result = runWith([&] { lab.world.interrupt.raise(2); });
        CHECK(result.outcome == Outcome::error);
        CHECK(result.cause == Cause::interrupted);
    }
    SECTION("the time")
    {
        lab.options.timeout = 100ms;
        const RunResult result = runWith({});
        CHECK(result.outcome == Outcome::failed);
        CHECK(result.cause == Cause::timeout);
    }
    CHECK_FALSE(lab.world.did("run after"));
    CHECK(lab.world.did("destroy"));
}

TEST_CASE("A guest that cannot be built or does not boot ends the run", "[scenario]")
{
    Laboratory lab;
    SECTION("no image")
    {
        lab.world.imageFailure = "no network";
        const RunResult result = lab.run(head + step("run = \"x\""));
        CHECK(result.outcome == Outcome::error);
        CHECK(result.cause == Cause::infrastructure);
        CHECK(result.messages == std::vector<std::string>{"no network"});
        CHECK(result.steps.empty());
    }
    SECTION("no boot")
    {
        lab.world.bootFailure = "no agent answered";
        const RunResult result =
            lab.run(head + "[guest]\nboot-timeout = \"5s\"\n" + step("run = \"x\""));
        CHECK(result.outcome == Outcome::failed);
        CHECK(result.cause == Cause::guestSilent);
        CHECK(result.messages.at(0) == "the guest has not booted within 5 s: no agent answered; "
                                       "serial.log says how far it came");
        CHECK(lab.world.did("destroy"));
    }
}

TEST_CASE("The kernel's own reports of bugs fail a scenario, unless it allows them", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["dmesg"] = {
        {.output =
             "[    1.000000] WARNING: CPU: 0 PID: 1 at drivers/x.c:1\n[    2.0] capture: lost\n"}};
    const std::string text = head + step("run = \"x\"") + "[verdict]\n";
    const RunResult result = lab.run(text);
    CHECK(result.outcome == Outcome::failed);
    CHECK(result.cause == Cause::kernelLog);
    CHECK(result.messages == std::vector<std::string>{"the guest's kernel logged: WARNING: CPU: 0 "
                                                      "PID: 1 at drivers/x.c:1"});
    CHECK(lab.run(text + "kernel-log = { allow = \"WARNING: .*x\\\\.c\" }\n").outcome ==
          Outcome::passed);
    CHECK(lab.run(text + "kernel-log = { allow = \"WARNING\", refuse = \"capture: lost\" }\n")
              .messages == std::vector<std::string>{"the guest's kernel logged: capture: lost"});
}

TEST_CASE("Files are collected from the guest, but never outside the artifacts", "[scenario]")
{
    Laboratory lab;
    lab.world.files = {{"/tmp/a/one", "1"}, {"/tmp/a/b/two", "2"}};
    const std::string text = head + step("name = \"c\"\nrun = \"x\"\ncollect = \"/tmp/a\"");
    SECTION("files")
    {
        lab.world.commands["find /tmp/a -type f"] = {{.output = "/tmp/a/one\n/tmp/a/b/two\n"}};
        CHECK(lab.run(text).outcome == Outcome::passed);
        CHECK(lab.artifact("guest/tmp/a/one") == "1");
        CHECK(lab.artifact("guest/tmp/a/b/two") == "2");
    }
    SECTION("a path that leads away")
    {
        lab.world.commands["find /tmp/a -type f"] = {{.output = "../../../../evil\n"}};
        lab.world.files["../../../../evil"] = "x";
        const RunResult result = lab.run(text);
        CHECK(result.outcome == Outcome::failed);
        CHECK(result.messages ==
              std::vector<std::string>{"step \"c\": collect /tmp/a: the guest lists the file "
                                       "../../../../evil"});
    }
    SECTION("nothing there")
    {
        lab.world.commands["find /tmp/a -type f"] = {
            {.errorOutput = "find: /tmp/a: No such file or directory\n", .code = 1}};
        CHECK(lab.run(text).messages ==
              std::vector<std::string>{
                  "step \"c\": collect /tmp/a: find: /tmp/a: No such file or directory"});
    }
    SECTION("after a failure what is missing is no news")
    {
        lab.world.commands["x"] = {{.code = 1}};
        lab.world.commands["find /tmp/a -type f"] = {{.code = 1}};
        CHECK(lab.run(text).messages ==
              std::vector<std::string>{"step \"c\": expected exit code 0, found exit code 1"});
    }
}

TEST_CASE("Thumbnails become a contact sheet; broken ones are a failure", "[scenario]")
{
    Laboratory lab;
    lab.world.commands["find /tmp/f -type f"] = {{.output = "/tmp/f/thumbnail-000.ppm\n"}};
    const std::string text = head + step("name = \"c\"\nrun = \"x\"\ncontact-sheet = \"/tmp/f\"");
    lab.world.files["/tmp/f/thumbnail-000.ppm"] = "P6 not a picture";
    CHECK(lab.run(text).outcome == Outcome::failed);
    lab.world.files["/tmp/f/thumbnail-000.ppm"] = "P6\n2 1\n255\nabcdef";
    const RunResult result = lab.run(text);
    CHECK(result.messages.empty());
    CHECK(lab.artifact("contact-sheet.png").starts_with("\x89PNG"));
}

} // namespace testcard::scenario
