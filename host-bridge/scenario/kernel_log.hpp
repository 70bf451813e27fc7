// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Finds in a guest's kernel log what a correct driver never causes.
#pragma once

#include "scenario/scenario.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// The lines by which Linux reports its own bugs (BUG, WARNING, Oops, KASAN, lockups, hung tasks)
/// and those that the scenario refuses, but for those that it allows; without time stamps, each
/// once, at most ten.
std::vector<std::string> findKernelBugs(std::string_view log, const Verdict &verdict);

} // namespace testcard::scenario
