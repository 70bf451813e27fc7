// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Runs one scenario on a bench: set-up, boot, steps, verdict.
#pragma once

#include "scenario/bench.hpp"
#include "scenario/progress.hpp"
#include "scenario/results.hpp"
#include "scenario/scenario.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <vector>

namespace testcard::scenario
{

struct RunOptions {
    std::optional<std::uint64_t> seed;                ///< instead of the scenario's
    std::optional<std::chrono::milliseconds> timeout; ///< instead of the scenario's
    unsigned repetition = 1;
    /// Of set-up before the program started; counts as set-up.
    std::chrono::milliseconds spentBefore{0};
    std::filesystem::path artifacts; ///< folder of this run of this scenario
};

/// Always comes back with a result, and with nothing left running.
RunResult runScenario(const Scenario &scenario, const RunOptions &options, Bench &bench,
                      Progress &progress);

/// The guest of a scenario as the launcher takes it. Sockets and logs are not filled in.
launcher::GuestConfig guestConfig(const Scenario &scenario, const GuestImage &image,
                                  const Emulator &emulator);

} // namespace testcard::scenario
