// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What /proc tells about other processes. Everything is bounded; what cannot be read is empty or
/// false.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace testcard::launcher
{

std::vector<pid_t> allProcesses();

struct ProcessState {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    bool zombie = false;
};
std::optional<ProcessState> processState(pid_t pid);

/// The kernel's name of it: at most 15 bytes.
std::string processName(pid_t pid);
/// Whether `entry` ("KEY=VALUE") stands in the environment that it was started with.
bool environmentHas(pid_t pid, std::string_view entry);
/// Whether `text` occurs in one of its arguments.
bool argumentsMention(pid_t pid, std::string_view text);
/// Whether somebody in this network namespace listens on the Unix socket that was bound to `path`.
bool socketListens(const std::filesystem::path &path);

} // namespace testcard::launcher
