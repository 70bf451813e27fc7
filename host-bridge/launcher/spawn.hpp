// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// fork and exec, done once and with care. Users take ChildProcess.
#pragma once

#include "launcher/error.hpp"
#include "launcher/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace testcard::launcher
{

struct SpawnRequest {
    std::vector<std::string> argv{}; ///< argv[0] is looked up in PATH unless it holds a slash
    std::vector<std::string> environment{}; ///< KEY=VALUE over the parent's
    std::filesystem::path log{};            ///< stdout and stderr are appended; empty: /dev/null
    bool readyDescriptor = false; ///< give it one end of a pipe, named by TESTCARD_READY_FD
};

struct Spawned {
    pid_t pid = -1;
    UniqueFd pidfd;
    UniqueFd readyPipe; ///< our end
};

/// Starts the program in a process group of its own, with default signals and no descriptor but 0
/// (null), 1, 2 and the ready one. Started from the main thread it dies with this process by the
/// kernel's hand; from another thread it does not, because the kernel would kill it when that
/// thread ends: the reaper is there for it. An exec that fails is an error here.
Result<Spawned> spawn(const SpawnRequest &request);

} // namespace testcard::launcher
