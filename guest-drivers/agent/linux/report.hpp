// SPDX-License-Identifier: GPL-2.0-or-later
// How the agent talks with the children that it forks: one packet each on a SOCK_SEQPACKET pair.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace testcard::agent
{

/// From a child to the agent.
struct Report {
    enum class Kind : std::uint32_t {
        Started,   ///< `number` is the command's process
        Exited,    ///< `number` is its wait status, `value` its duration in nanoseconds
        AllGone,   ///< nothing of the command is left; the child ends
        File,      ///< `number` is a file's mode, `value` its size
        Temporary, ///< `text` is the path of a file to remove if the child dies before Done
        Done,      ///< the file's whole; `value` is the number of bytes
        Failed,    ///< `number` is errno, `text` says what failed
    };
    Kind kind = Kind::Failed;
    std::int32_t number = 0;
    std::uint64_t value = 0;
    std::array<char, 4480> text{}; ///< NUL-terminated: a path and a few words
};

/// From the agent to a supervisor.
struct Order {
    enum class Kind : std::uint32_t {
        Signal, ///< `number` to the command's process group
        Kill,   ///< everything dies
    };
    Kind kind = Kind::Kill;
    std::int32_t number = 0;
};

/// Sends a report; waits while the agent is behind.
void sendReport(int control, Report::Kind kind, int number, std::uint64_t value = 0,
                std::string_view text = {});

/// Closes all descriptors above 2 but `keep`: a forked child holds the agent's line and the pipes
/// of other commands open otherwise.
void closeAllBut(int keep);

} // namespace testcard::agent
