// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Which scenarios a command is about.
#pragma once

#include "scenario/problem.hpp"
#include "scenario/scenario.hpp"

#include <tl/expected.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace testcard::scenario
{

struct Selection {
    std::vector<std::string> names; ///< of scenarios, files or folders; empty: all of `folder`
    std::string filter;             ///< a shell pattern on scenario names; empty: any
    std::vector<std::string> tags;  ///< one of these, and none of those that begin with '!'
};

/// The files that `names` means: NAME in `folder`, a path of a file, or all files of a folder, in
/// that order and each once. The error says which name means nothing and what was meant.
tl::expected<std::vector<std::filesystem::path>, std::string>
scenarioFiles(const std::vector<std::string> &names, const std::filesystem::path &folder);

/// Does the selection, but for its names, take this scenario?
bool selects(const Selection &selection, const Scenario &scenario);

struct Selected {
    std::vector<Scenario> scenarios;
    std::vector<Problem> problems; ///< of files that cannot be read, whether selected or not
};

tl::expected<Selected, std::string> select(const Selection &selection,
                                           const std::filesystem::path &folder);

} // namespace testcard::scenario
