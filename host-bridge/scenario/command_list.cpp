// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/commands.hpp"
#include "scenario/config.hpp"
#include "scenario/exit_codes.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/parse.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

namespace testcard::scenario
{

namespace
{

std::filesystem::path scenarioFolder()
{
    return std::filesystem::path(sourceRoot) / "scenarios";
}

int usageError(const std::string &message)
{
    fmt::print(stderr, "testcard: {}\n", printable(message));
    return exitUsage;
}

} // namespace

int listCommand(const Selection &selection)
{
    const auto selected = select(selection, scenarioFolder());
    if (!selected) return usageError(selected.error());
    std::size_t width = 0;
    for (const Scenario &scenario : selected->scenarios)
        width = std::max(width, scenario.name.size());
    for (const Scenario &scenario : selected->scenarios)
        fmt::print("{:<{}}  {}{}\n", scenario.name, width, printable(scenario.title),
                   scenario.tags.empty() ? std::string()
                                         : fmt::format("  [{}]", fmt::join(scenario.tags, " ")));
    for (const Problem &problem : selected->problems)
        fmt::print(stderr, "{}\n", printable(problem.text()));
    if (!selected->problems.empty()) return exitUsage;
    return selected->scenarios.empty() ? exitNothingSelected : exitPassed;
}

int validateCommand(const std::vector<std::string> &names)
{
    const auto files = scenarioFiles(names, scenarioFolder());
    if (!files) return usageError(files.error());
    std::size_t problems = 0;
    std::size_t wrong = 0;
    for (const auto &file : *files) {
        const auto scenario = loadScenario(file);
        if (scenario) continue;
        ++wrong;
        problems += scenario.error().size();
        for (const Problem &problem : scenario.error())
            fmt::print(stderr, "{}\n", printable(problem.text()));
    }
    if (files->empty()) return exitNothingSelected;
    if (wrong == 0) {
        fmt::print("{} scenario{} without a problem\n", files->size(),
                   files->size() == 1 ? "" : "s");
        return exitPassed;
    }
    fmt::print(stderr, "{} of {} scenarios with {} problem{}\n", wrong, files->size(), problems,
               problems == 1 ? "" : "s");
    return exitUsage;
}

} // namespace testcard::scenario
