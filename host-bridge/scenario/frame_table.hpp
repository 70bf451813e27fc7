// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The table of frames that a report about video begins with.
#pragma once

#include "scenario/bench.hpp"
#include "scenario/results.hpp"
#include "scenario/scenario.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace testcard::scenario
{

/// Of the step and the card that the scenario's verdict.frames names. What neither tells is left
/// out.
FrameTable frameTable(const Scenario &scenario, const std::vector<StepResult> &steps,
                      CardProcess &card);

/// When the step received its first frame, since the scenario's start.
std::optional<std::chrono::milliseconds> firstFrame(const Scenario &scenario,
                                                    const std::vector<StepResult> &steps);

} // namespace testcard::scenario
