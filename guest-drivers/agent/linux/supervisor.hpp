// SPDX-License-Identifier: GPL-2.0-or-later
// The process between the agent and a command. It is the subreaper of all that the command starts,
// so nothing escapes it by setsid() or by a double fork; and it outlives the command's first
// process as long as anything is left. When the agent dies it kills everything and follows.
#pragma once

#include "protocol/messages.hpp"

namespace testcard::agent
{

/// Descriptors of a forked child; for a terminal the three streams are its slave.
struct ChildStreams {
    int control = -1; ///< reports to and orders from the agent
    int input = -1;   ///< -1: /dev/null
    int output = -1;
    int error = -1;
};

/// The whole life of a supervisor, in a child that was just forked. Sends Started or Failed, then
/// Exited, then AllGone.
[[noreturn]] void supervise(const RunRequest &run, const ChildStreams &streams);

/// Makes `streams` the standard streams of this (forked) process and closes all other descriptors
/// of the agent except the control one.
void adoptStreams(const ChildStreams &streams);

} // namespace testcard::agent
