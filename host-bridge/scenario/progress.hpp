// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Tells a person, a log or GitHub what the runner is doing.
#pragma once

#include "scenario/results.hpp"
#include "scenario/scenario.hpp"

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>

namespace testcard::scenario
{

/// All functions are called on the runner's thread.
class Progress
{
public:
    virtual ~Progress() = default;

    virtual void scenarioBegins(const Scenario &scenario) = 0;
    /// What the runner is at: "building the guest", "booting". Until the next call.
    virtual void phase(const std::string &text) = 0;
    /// A line from within a phase.
    virtual void detail(const std::string &text) = 0;
    virtual void stepBegins(const std::string &name, std::size_t number, std::size_t count) = 0;
    virtual void stepEnds(const StepResult &step) = 0;
    /// With the report, which is many lines.
    virtual void scenarioEnds(const RunResult &result, const std::string &report) = 0;
};

enum class ProgressKind { terminal, lines, github };

/// GitHub's under GitHub Actions, a terminal's if stderr is one, else plain lines.
ProgressKind progressKind();

/// Progress goes to `progress`, reports go to `reports`; both must outlive it.
std::unique_ptr<Progress> makeProgress(ProgressKind kind, std::FILE *progress = stderr,
                                       std::FILE *reports = stdout);

/// Nothing is told to anybody.
std::unique_ptr<Progress> silentProgress();

} // namespace testcard::scenario
