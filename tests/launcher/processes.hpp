// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Looking at processes from outside, as the tests of lifetimes must.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace testcard::launcher
{

/// 'R', 'S', 'T', 'Z', ... of /proc/PID/stat; 0 if there is no such process.
char stateOf(pid_t pid);

/// Whether it is there and not a zombie: init may take its time to bury.
bool runs(pid_t pid);

/// Asks every 5 ms, for up to `limit`.
bool becomesTrue(const std::function<bool()> &condition,
                 std::chrono::milliseconds limit = std::chrono::seconds{10});

/// All living processes with `text` in their arguments or environment, but the caller.
std::vector<pid_t> processesThatMention(const std::string &text);

/// As it was started with, entries ended by zero bytes.
std::string environmentOf(pid_t pid);

} // namespace testcard::launcher
