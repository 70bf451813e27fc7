// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/artifacts.hpp"
#include "scenario/commands.hpp"
#include "scenario/exit_codes.hpp"
#include "scenario/host_bench.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/progress.hpp"
#include "scenario/results.hpp"
#include "scenario/session.hpp"
#include "scenario/stage_setup.hpp"
#include "scenario/watch.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace testcard::scenario
{

namespace
{

int failed(const Failure &failure, Bench &bench)
{
    fmt::print(stderr, "testcard: {}\n", printable(failure.message));
    return exitCode(failure, bench.interrupt().signal());
}

/// Boots the scenario's guest with its cards and leaves the rest to the person.
int openShell(const Scenario &scenario, const ShellArguments &arguments, Bench &bench)
{
    // What a run would keep goes with the session's folder.
    auto artifacts = Artifacts::create(bench.runtimeFolder() / "shell");
    if (!artifacts) return failed(artifacts.error(), bench);
    auto progress = makeProgress(progressKind());
    StageSetup setup(scenario, scenario.seed, bench, *artifacts, *progress);
    if (const auto prepared = setup.prepare(); !prepared) return failed(prepared.error(), bench);

    constexpr std::chrono::hours noLimit{24 * 365};
    Watch watch(bench.interrupt(), std::chrono::steady_clock::now() + noLimit, noLimit);
    if (const auto started = setup.startMachine(watch); !started)
        return failed(started.error(), bench);
    if (const auto booted = setup.connectAgent(watch); !booted)
        return failed(booted.error(), bench);
    progress.reset(); // the terminal is the guest's from here on
    if (arguments.command.empty())
        fmt::print(stderr,
                   "The guest of {} is up with {} card{}; the serial log is {}\n"
                   "Ctrl-] or `exit` ends it.\n",
                   scenario.name, scenario.cards.size(), scenario.cards.size() == 1 ? "" : "s",
                   artifacts->path("serial.log").string());
    const auto ended = setup.agent().interact(arguments.command);
    if (!ended) {
        const auto cause = watch.causeWithin(std::chrono::milliseconds(1000));
        return failed(cause ? *cause : Failure{Cause::guestSilent, ended.error().message}, bench);
    }
    if (arguments.command.empty()) return exitPassed;
    return ended->code ? *ended->code : exitSignalBase + ended->signal.value_or(0);
}

} // namespace

int shellCommand(const ShellArguments &arguments)
{
    const auto scenario = loadNamed(arguments.scenario);
    if (!scenario) return exitUsage;
    auto session = openSession(arguments.guest);
    if (!session) return exitInfrastructure;
    const launcher::SignalGuard signals((*session)->interrupt());
    const auto bench = makeHostBench(**session, Places::ofThisBuild(),
                                     {arguments.guest.accelerator, arguments.guest.connect});
    return openShell(*scenario, arguments, *bench);
}

} // namespace testcard::scenario
