// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Short ways to parse scenarios in tests.
#pragma once

#include "scenario/parse.hpp"

#include <string>
#include <vector>

namespace testcard::scenario
{

/// A scenario that is complete but for what the test adds: lines 1 to 5 of the file.
inline const std::string header = "schema = 1\n"
                                  "title = \"A test\"\n"
                                  "[[step]]\n"
                                  "name = \"first\"\n"
                                  "run = \"true\"\n";

/// The texts of all problems, as a person reads them; empty if there are none.
inline std::vector<std::string> problemsOf(const std::string &text)
{
    std::vector<std::string> out;
    const auto scenario = parseScenario(text, "test.toml");
    if (scenario) return out;
    for (const Problem &problem : scenario.error())
        out.push_back(problem.text());
    return out;
}

/// The scenario, which has no problem.
inline Scenario parsed(const std::string &text)
{
    auto scenario = parseScenario(text, "folder/test.toml");
    if (scenario) return *std::move(scenario);
    throw std::runtime_error(scenario.error().front().text());
}

} // namespace testcard::scenario
