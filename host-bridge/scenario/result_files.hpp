// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Results in the forms that people and other programs read.
#pragma once

#include "scenario/results.hpp"

#include <string>
#include <vector>

namespace testcard::scenario
{

/// The verdict as a person reads it, several lines.
std::string reportText(const RunResult &result);

/// JSON, schema 1: README.md of this folder defines it.
std::string resultJson(const std::vector<RunResult> &results);

/// JUnit XML: a suite for each run of a scenario, a case for each step and one for the run as a
/// whole; seed, artifacts and versions as properties.
std::string resultJUnit(const std::vector<RunResult> &results);

} // namespace testcard::scenario
