// SPDX-License-Identifier: GPL-2.0-or-later
// Killing a process with everything that descends from it, without cgroups.
#pragma once

#include <set>
#include <vector>

#include <sys/types.h>

namespace testcard::agent
{

/// All living descendants of `root` (without it). Whoever has himself made a child subreaper finds
/// here everything he ever started, daemons as well. `except` and what descends from it is left
/// out.
std::vector<pid_t> descendants(pid_t root, const std::set<pid_t> &except = {});

/// Sends SIGKILL to all descendants of the calling process. They are stopped first, so that they
/// cannot make children faster than these are found. Returns how many there were.
std::size_t killDescendants(const std::set<pid_t> &except = {});

} // namespace testcard::agent
