// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The small process that cleans up when testcard cannot: a crash, kill -9, the second Ctrl-C.
#pragma once

#include "launcher/error.hpp"
#include "launcher/unique_fd.hpp"

#include <filesystem>
#include <memory>

#include <sys/types.h>

namespace testcard::launcher
{

/// In the environment of every process of a session: the session's folder, by which the reaper
/// finds it.
inline constexpr const char *runtimeFolderVariable = "TESTCARD_RUNTIME";

/// Forks the reaper, which waits for its parent's end of a socket to close, however that happens.
/// Then it
///   - kills the processes that were registered, by pidfd;
///   - kills the processes that carry the folder's name (see sessionProcesses), until there are
///   none;
///   - removes the folder.
/// The same happens, in order, when this object is destroyed: there is one way to clean up, always
/// tested.
class Reaper
{
public:
    /// `folder` must be private to the session. Open it early: the reaper inherits nothing it does
    /// not need, but a fork in a program with threads is a copy of whatever these held.
    static Result<std::unique_ptr<Reaper>> start(const std::filesystem::path &folder);
    /// Lets the reaper do its work and waits for it, for up to ten seconds.
    ~Reaper();
    Reaper(const Reaper &) = delete;
    Reaper &operator=(const Reaper &) = delete;

    /// Registers a process whose name and environment may not tell that it is ours.
    void watch(int pidfd) noexcept;
    pid_t pid() const { return pid_; }
    const std::filesystem::path &folder() const { return folder_; }

private:
    Reaper(std::filesystem::path folder, pid_t pid, UniqueFd socket);

    std::filesystem::path folder_;
    pid_t pid_;
    UniqueFd socket_;
};

/// Kills every process of the session that owns `folder`: those with TESTCARD_RUNTIME=<folder> in
/// their environment, and emulators (a name that starts with "qemu-") that name the folder in their
/// arguments, as libvirt's capability probes do. Never the caller. Returns how many it signalled;
/// they may still be ending.
unsigned killSessionProcesses(const std::filesystem::path &folder, bool emulatorsOnly = false);

} // namespace testcard::launcher
