// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Programs of the host that answer on standard output while they tell their progress on standard
/// error.
#pragma once

#include "launcher/launcher.hpp"
#include "scenario/bench.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

struct Program {
    std::string name;                     ///< for messages
    std::vector<std::string> argv;        ///< argv[0] with its folder
    std::vector<std::string> environment; ///< KEY=VALUE, added
    std::chrono::milliseconds limit{0};
};

/// Runs it to its end and returns what it wrote to standard output; `progress` gets each line of
/// its standard error as it comes. An exit code other than 0 is a failure with the end of what it
/// said.
Result<std::string> runProgram(launcher::Session &session, const Program &program,
                               const std::function<void(const std::string &)> &progress);

/// The KEY=VALUE lines of a text; other lines are left out.
std::map<std::string, std::string> keyValues(std::string_view text);

} // namespace testcard::scenario
