// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/commands.hpp"
#include "scenario/config.hpp"
#include "scenario/exit_codes.hpp"
#include "scenario/host_bench.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/progress.hpp"
#include "scenario/resolved.hpp"
#include "scenario/result_files.hpp"
#include "scenario/runner.hpp"
#include "scenario/session.hpp"
#include "scenario/table_reader.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

void printPlan(const Scenario &scenario, const RunArguments &arguments)
{
    const std::uint64_t seed = arguments.seed.value_or(scenario.seed);
    fmt::print("{}: {}\n  seed     {}\n", scenario.name, scenario.title, seed);
    fmt::print("  guest    {} MiB, {} CPU{}\n", scenario.guest.memory_bytes >> 20,
               scenario.guest.cpus, scenario.guest.cpus == 1 ? "" : "s");
    for (const Card &card : scenario.cards)
        fmt::print("  card     {}{}\n", card.description(seed),
                   card.plugged ? "" : "   (not plugged at boot)");
    for (std::size_t i = 0; i < scenario.steps.size(); ++i)
        fmt::print("  {:<8} {}\n", fmt::format("step {}", i + 1), stepInWords(scenario.steps[i]));
}

/// BUILD/artifacts/2026-11-20T14-20-38, with `latest` beside it.
fs::path newArtifactsFolder()
{
    const fs::path all = Places::ofThisBuild().buildRoot / "artifacts";
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    const std::string name = fmt::format("{:%Y-%m-%dT%H-%M-%S}", fmt::localtime(now));
    std::error_code ignored;
    fs::path folder = all / name;
    for (unsigned again = 2; fs::exists(folder, ignored); ++again)
        folder = all / fmt::format("{}-{}", name, again);
    fs::create_directories(folder, ignored);
    fs::remove(all / "latest", ignored);
    fs::create_directory_symlink(folder.filename(), all / "latest", ignored);
    return folder;
}

bool writeFile(const fs::path &file, const std::string &text)
{
    std::error_code ignored;
    if (file.has_parent_path()) fs::create_directories(file.parent_path(), ignored);
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (out) return true;
    fmt::print(stderr, "testcard: {}: cannot be written\n", file.string());
    return false;
}

/// What ./scenarios/run has spent before it started this program.
std::chrono::milliseconds secondsBefore()
{
    const char *text = std::getenv("TESTCARD_SETUP_SECONDS");
    const auto spent = text ? parseDuration(fmt::format("{}s", text)) : std::nullopt;
    return spent.value_or(std::chrono::milliseconds(0));
}

void printSummary(const std::vector<RunResult> &results)
{
    const auto count = [&](Outcome outcome) {
        return std::count_if(results.begin(), results.end(),
                             [&](const RunResult &result) { return result.outcome == outcome; });
    };
    fmt::print("\n{} runs: {} passed, {} failed, {} without a verdict\n", results.size(),
               count(Outcome::passed), count(Outcome::failed), count(Outcome::error));
    for (const RunResult &result : results)
        if (result.outcome != Outcome::passed)
            fmt::print("  {:<7} {} ({})\n", toString(result.outcome), result.scenario,
                       toString(result.cause));
}

/// Runs all of it, until done or interrupted.
std::vector<RunResult> runAll(const std::vector<Scenario> &scenarios, const RunArguments &arguments,
                              const fs::path &artifacts, Bench &bench)
{
    const auto progress = makeProgress(progressKind());
    std::vector<RunResult> results;
    std::chrono::milliseconds before = secondsBefore();
    for (unsigned repetition = 1; repetition <= arguments.repeat; ++repetition) {
        for (const Scenario &scenario : scenarios) {
            if (bench.interrupt().raised()) return results;
            RunOptions options;
            options.seed = arguments.seed;
            options.timeout = arguments.timeout;
            options.repetition = repetition;
            options.spentBefore = std::exchange(before, std::chrono::milliseconds(0));
            options.artifacts =
                artifacts /
                (repetition == 1 ? scenario.name : fmt::format("{}-{}", scenario.name, repetition));
            results.push_back(runScenario(scenario, options, bench, *progress));
        }
    }
    return results;
}

} // namespace

int runCommand(const RunArguments &arguments)
{
    const auto selected = select(arguments.selection, fs::path(sourceRoot) / "scenarios");
    if (!selected) {
        fmt::print(stderr, "testcard: {}\n", selected.error());
        return exitUsage;
    }
    for (const Problem &problem : selected->problems)
        fmt::print(stderr, "{}\n", printable(problem.text()));
    if (!selected->problems.empty()) return exitUsage;
    if (selected->scenarios.empty()) {
        fmt::print(stderr, "testcard: no scenario has that name and those tags; `testcard list` "
                           "shows what there is\n");
        return exitNothingSelected;
    }
    if (arguments.dryRun) {
        for (const Scenario &scenario : selected->scenarios)
            printPlan(scenario, arguments);
        return exitPassed;
    }

    auto session = openSession(arguments.guest);
    if (!session) return exitInfrastructure;
    const launcher::SignalGuard signals((*session)->interrupt());
    const auto bench = makeHostBench(**session, Places::ofThisBuild(),
                                     {arguments.guest.accelerator, arguments.guest.connect});
    const fs::path artifacts =
        fs::absolute(arguments.artifacts.empty() ? newArtifactsFolder() : arguments.artifacts);
    const auto results = runAll(selected->scenarios, arguments, artifacts, *bench);
    if (results.size() > 1) printSummary(results);
    bool written = writeFile(artifacts / "results.json", resultJson(results)) &&
                   writeFile(artifacts / "junit.xml", resultJUnit(results));
    if (!arguments.junit.empty()) written &= writeFile(arguments.junit, resultJUnit(results));
    if (!arguments.json.empty()) written &= writeFile(arguments.json, resultJson(results));
    if ((*session)->interrupt().raised()) return exitSignalBase + (*session)->interrupt().signal();
    const int code = exitCode(results);
    return code == exitPassed && !written ? exitInfrastructure : code;
}

} // namespace testcard::scenario
