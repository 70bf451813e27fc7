// SPDX-License-Identifier: GPL-2.0-or-later
#include "parsing.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <stdexcept>

namespace testcard::scenario
{

using namespace std::chrono_literals;

TEST_CASE("A scenario of three lines gets every default", "[scenario]")
{
    const Scenario scenario = parsed("schema = 1\ntitle = \"T\"\n[[step]]\nrun = \"true\"\n");
    CHECK(scenario.name == "test");
    CHECK(scenario.title == "T");
    CHECK(scenario.seed == 1);
    CHECK(scenario.timeout == 2min);
    CHECK(scenario.guest.memory_bytes == 512u << 20);
    CHECK(scenario.guest.cpus == 2);
    CHECK(scenario.guest.bootTimeout == 60s);
    CHECK(scenario.cards.empty());
    REQUIRE(scenario.steps.size() == 1);
    CHECK(scenario.steps[0].name == "1: run");
    CHECK(scenario.steps[0].timeout == 30s);
    CHECK_FALSE(scenario.steps[0].always);
    const auto &run = std::get<RunCommand>(scenario.steps[0].action);
    CHECK(run.argv == std::vector<std::string>{"/bin/sh", "-c", "true"});
    CHECK(run.expect.ending == Expectations::Ending::code);
    CHECK(run.expect.number == 0);
}

TEST_CASE("Keys of the file and of the guest are read", "[scenario]")
{
    const Scenario scenario = parsed(R"(
schema = 1
title = "T"
description = "D"
tags = ["guest", "a-1"]
seed = 7
timeout = "1.5min"
[guest]
kernel = "6.1.0-32-amd64"
packages = ["alsa-utils", "g++"]
memory = "1G"
cpus = 4
append = "debug"
boot-timeout = "90s"
[[step]]
run = ["ls", "-l"]
)");
    CHECK(scenario.description == "D");
    CHECK(scenario.tags == std::vector<std::string>{"guest", "a-1"});
    CHECK(scenario.seed == 7);
    CHECK(scenario.timeout == 90s);
    CHECK(scenario.guest.kernel == "6.1.0-32-amd64");
    CHECK(scenario.guest.packages == std::vector<std::string>{"alsa-utils", "g++"});
    CHECK(scenario.guest.memory_bytes == 1u << 30);
    CHECK(scenario.guest.cpus == 4);
    CHECK(scenario.guest.append == "debug");
    CHECK(scenario.guest.bootTimeout == 90s);
    CHECK(std::get<RunCommand>(scenario.steps[0].action).argv ==
          std::vector<std::string>{"ls", "-l"});
}

TEST_CASE("Host paths start at the folder of the scenario file", "[scenario]")
{
    namespace fs = std::filesystem;
    const fs::path folder = fs::temp_directory_path() / "testcard-parse-test";
    fs::create_directories(folder / "sub");
    std::ofstream(folder / "driver.ko") << "x";
    std::ofstream(folder / "clip") << "x";
    std::ofstream(folder / "sub" / "Kbuild") << "x";
    const auto scenario = parseScenario(R"(
schema = 1
title = "T"
[guest]
kernel = "../clip"
modules = ["../driver.ko", "./", "vivid"]
files = "../clip:/root/clip"
[[step]]
run = "true"
)",
                                        folder / "sub" / "x.toml");
    REQUIRE(scenario);
    CHECK(scenario->guest.kernel == folder / "clip");
    CHECK(scenario->guest.modules == std::vector<std::string>{(folder / "driver.ko").string(),
                                                              (folder / "sub/").string(), "vivid"});
    REQUIRE(scenario->guest.files.size() == 1);
    CHECK(scenario->guest.files[0].host == folder / "clip");
    CHECK(scenario->guest.files[0].guest == "/root/clip");
    fs::remove_all(folder);
}

TEST_CASE("A card's options become its description, in a fixed order", "[scenario]")
{
    const Scenario scenario = parsed(header + R"(
[[card]]
type = "capture"
rate = 59.94
media = "noise"
width = 1920
height = 1080
seed = 9
interrupts = "msix"
id = "1234:abcd"
[[card]]
type = "capture"
name = "second"
plugged = false
)");
    REQUIRE(scenario.cards.size() == 2);
    CHECK(scenario.cards[0].name == "capture0");
    CHECK(scenario.cards[0].plugged);
    CHECK(scenario.cards[0].description(1) ==
          "capture,media=noise,width=1920,height=1080,rate=59.94,seed=9,interrupts=msix,"
          "id=1234:abcd,name=capture0");
    CHECK(scenario.cards[1].name == "second");
    CHECK_FALSE(scenario.cards[1].plugged);
}

TEST_CASE("A card without a seed gets one from the run's seed and its own name alone", "[scenario]")
{
    const auto seedOf = [](const std::string &cards, std::size_t index, std::uint64_t seed) {
        return parsed(header + cards).cards[index].description(seed);
    };
    const std::string one = "[[card]]\ntype = \"capture\"\nname = \"one\"\n";
    const std::string two = "[[card]]\ntype = \"capture\"\nname = \"two\"\n";
    CHECK(seedOf(one, 0, 1) == seedOf(two + one, 1, 1));
    CHECK(seedOf(one, 0, 1) != seedOf(one, 0, 2));
    CHECK(seedOf(one + two, 0, 1) != seedOf(one + two, 1, 1));
    // Recorded once: results of old runs must stay repeatable.
    CHECK(seedOf(one, 0, 1) == "capture,seed=8958410011713722,name=one");
}

TEST_CASE("Each verb becomes its action", "[scenario]")
{
    const Scenario scenario = parsed(R"(
schema = 1
title = "T"
[[card]]
type = "capture"
[[step]]
name = "stream"
run = "cat"
background = true
timeout = "60s"
[[step]]
wait = "stream"
until = "ready$"
[[step]]
signal = { card = "capture0", present = false, locked = true, in-range = false, timings = "640x480p60" }
[[step]]
status = "capture0"
within = "2s"
expect = { metrics = { frames-sent = { min = 1, max = 9 }, streams = { 0 = { running = true } } } }
[[step]]
pause = "capture0"
[[step]]
resume = "capture0"
[[step]]
kill = "capture0"
[[step]]
cancel = "stream"
[[step]]
unplug = "capture0"
[[step]]
restart = "capture0"
[[step]]
plug = "capture0"
[[step]]
sleep = "250ms"
always = true
)");
    const auto verbs = [&] {
        std::vector<std::string> out;
        for (const Step &step : scenario.steps)
            out.push_back(verbOf(step));
        return out;
    }();
    CHECK(verbs == std::vector<std::string>{"run", "wait", "signal", "status", "pause", "resume",
                                            "kill", "cancel", "unplug", "restart", "plug",
                                            "sleep"});
    CHECK(std::get<RunCommand>(scenario.steps[0].action).background);
    CHECK(std::get<WaitFor>(scenario.steps[1].action).until->text == "ready$");
    const auto &signal = std::get<SetSignal>(scenario.steps[2].action);
    CHECK(signal.present == false);
    CHECK(signal.locked == true);
    CHECK(signal.inRange == false);
    CHECK(signal.timings == "640x480p60");
    const auto &status = std::get<ReadStatus>(scenario.steps[3].action);
    CHECK(status.within == 2s);
    REQUIRE(status.metrics.size() == 2);
    CHECK(status.metrics[0].path == "frames-sent");
    CHECK(status.metrics[0].min == 1);
    CHECK(status.metrics[0].max == 9);
    CHECK(status.metrics[1].path == "streams.0.running");
    CHECK(std::get<bool>(status.metrics[1].equals));
    CHECK(std::get<Sleep>(scenario.steps[11].action).duration == 250ms);
    CHECK(scenario.steps[11].always);
}

TEST_CASE("Expectations of a command are read", "[scenario]")
{
    const Scenario scenario = parsed(R"(
schema = 1
title = "T"
[[step]]
run = "x"
metrics = "json"
within = "5s"
environment = { A = "1", B = "two words" }
directory = "/tmp"
collect = ["/tmp/a", "/tmp/b"]
contact-sheet = "/tmp/frames"
[step.expect]
exit = 3
stdout = ["a", "b"]
stdout-lacks = "c"
stderr = "d"
stderr-lacks = ["e"]
[step.expect.metrics]
torn = 0
name = "x"
[[step]]
run = "y"
expect = { signal = "SEGV" }
[[step]]
run = "z"
expect = { exit = "nonzero" }
[[step]]
run = "z"
expect = { timeout = true }
[[step]]
run = "z"
expect = { exit = "any", stdout = "x" }
)");
    const auto &run = std::get<RunCommand>(scenario.steps[0].action);
    CHECK(run.readsMetrics);
    CHECK(run.within == 5s);
    CHECK(run.environment == std::vector<std::string>{"A=1", "B=two words"});
    CHECK(run.directory == "/tmp");
    CHECK(run.collect == std::vector<std::string>{"/tmp/a", "/tmp/b"});
    CHECK(run.contactSheet == "/tmp/frames");
    CHECK(run.expect.number == 3);
    CHECK(run.expect.stdoutHas.size() == 2);
    CHECK(run.expect.stdoutLacks.at(0).text == "c");
    CHECK(run.expect.stderrHas.at(0).text == "d");
    CHECK(run.expect.stderrLacks.at(0).text == "e");
    CHECK(run.expect.metrics.size() == 2);
    const auto ending = [&](std::size_t step) {
        return std::get<RunCommand>(scenario.steps[step].action).expect.ending;
    };
    CHECK(ending(1) == Expectations::Ending::signal);
    CHECK(std::get<RunCommand>(scenario.steps[1].action).expect.number == 11);
    CHECK(ending(2) == Expectations::Ending::nonzero);
    CHECK(ending(3) == Expectations::Ending::timeout);
    CHECK(ending(4) == Expectations::Ending::any);
}

TEST_CASE("The verdict names a step, a card and lines of the kernel's log", "[scenario]")
{
    const Scenario scenario = parsed(R"(
schema = 1
title = "T"
[[card]]
type = "capture"
[[step]]
name = "c"
run = "x"
metrics = "json"
[verdict]
frames = { step = "c", card = "capture0" }
kernel-log = { refuse = "capture: lost", allow = ["WARNING: a", "WARNING: b"] }
)");
    CHECK(scenario.verdict.frames.step.name == "c");
    CHECK(scenario.verdict.frames.card.name == "capture0");
    CHECK(scenario.verdict.kernelLogRefuse.size() == 1);
    CHECK(scenario.verdict.kernelLogAllow.size() == 2);
}

} // namespace testcard::scenario
