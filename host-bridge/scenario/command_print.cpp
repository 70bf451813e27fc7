// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/commands.hpp"
#include "scenario/exit_codes.hpp"
#include "scenario/host_bench.hpp"
#include "scenario/runner.hpp"
#include "scenario/session.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <functional>

#include <unistd.h>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

/// Where sockets are when nobody says otherwise: the same for `serve` and for the guest.
fs::path socketFolder()
{
    const char *runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime && *runtime) return fs::path(runtime) / "testcard";
    return fmt::format("/tmp/testcard-{}", getuid());
}

/// What has to be done before the guest starts, on standard error: standard output is for pasting.
void printPreparations(const Scenario &scenario, const launcher::GuestConfig &config,
                       const fs::path &folder)
{
    fmt::print(stderr, "# Before the guest starts:\n    mkdir -p -m 0700 {}\n", folder.string());
    for (std::size_t i = 0; i < scenario.cards.size(); ++i)
        fmt::print(stderr, "    testcard serve {} --socket {} --control {} &\n",
                   scenario.cards[i].description(scenario.seed), config.cards[i].socket.string(),
                   config.cards[i].socket.string() + ".ctl");
    for (std::size_t i = 0; i < scenario.cards.size(); ++i)
        if (!scenario.cards[i].plugged)
            fmt::print(stderr, "# To plug {} in later: device_add '{}'\n", scenario.cards[i].name,
                       launcher::cardDevice(config.cards[i], launcher::rootPortName(i)));
}

using Form = std::function<std::string(const launcher::GuestConfig &)>;

int print(const PrintArguments &arguments, const Form &form)
{
    const auto scenario = loadNamed(arguments.scenario);
    if (!scenario) return exitUsage;
    auto session = openSession(arguments.guest);
    if (!session) return exitInfrastructure;
    const launcher::SignalGuard signals((*session)->interrupt());
    const auto bench = makeHostBench(**session, Places::ofThisBuild(),
                                     {arguments.guest.accelerator, arguments.guest.connect});
    const auto fail = [](const Failure &failure) {
        fmt::print(stderr, "testcard: {}\n", failure.message);
        return exitInfrastructure;
    };
    const auto image = bench->buildImage(
        scenario->guest, [](const std::string &line) { fmt::print(stderr, "# {}\n", line); });
    if (!image) return fail(image.error());
    const auto emulator = bench->emulator(*image);
    if (!emulator) return fail(emulator.error());

    const fs::path folder =
        arguments.sockets.empty() ? socketFolder() : fs::absolute(arguments.sockets);
    launcher::GuestConfig config = guestConfig(*scenario, *image, *emulator);
    for (const Card &card : scenario->cards)
        config.cards.push_back({card.name, folder / card.name, card.plugged});
    config.agentSocket = folder / "agent";
    config.serialLog = folder / "serial.log";
    if (const auto checked = launcher::check(config); !checked) {
        fmt::print(stderr, "testcard: {}\n", checked.error().message);
        return exitUsage;
    }
    printPreparations(*scenario, config, folder);
    fmt::print("{}\n", form(config));
    return exitPassed;
}

} // namespace

int xmlCommand(const PrintArguments &arguments)
{
    return print(arguments, launcher::domainXml);
}

int argsCommand(const PrintArguments &arguments)
{
    return print(arguments, [](const launcher::GuestConfig &config) {
        return launcher::shellCommand(launcher::qemuArguments(config));
    });
}

} // namespace testcard::scenario
