// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// From a scenario file to a checked Scenario.
#pragma once

#include "scenario/problem.hpp"
#include "scenario/scenario.hpp"

#include <tl/expected.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// Reads and checks the text of a scenario. `file` names it in problems, and host paths in it are
/// relative to its folder. All that is wrong is reported at once, in the order of the file.
tl::expected<Scenario, std::vector<Problem>> parseScenario(std::string_view text,
                                                           const std::filesystem::path &file);

/// The same for a file, which also has to be there.
tl::expected<Scenario, std::vector<Problem>> loadScenario(const std::filesystem::path &file);

} // namespace testcard::scenario
