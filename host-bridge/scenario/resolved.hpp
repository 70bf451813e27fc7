// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A scenario with every default and seed filled in, as JSON, for the artifacts and --dry-run.
#pragma once

#include "scenario/scenario.hpp"

#include <cstdint>
#include <string>

namespace testcard::scenario
{

/// The whole scenario, with the keys of the scenario file.
std::string resolvedScenario(const Scenario &scenario, std::uint64_t seed);

/// What each step does, one line each, for people.
std::string stepInWords(const Step &step);

} // namespace testcard::scenario
