// SPDX-License-Identifier: GPL-2.0-or-later
// Files are read and written by forked children, so that a file system or a device that hangs holds
// nobody up, and a cancel is a kill.
#pragma once

#include "linux/supervisor.hpp"
#include "protocol/messages.hpp"

namespace testcard::agent
{

/// Reads the file into streams.output. Reports File, then Done or Failed.
[[noreturn]] void readFile(const GetRequest &get, const ChildStreams &streams);
/// Writes streams.input into the file. Reports Temporary if it makes one, then Done or Failed.
[[noreturn]] void writeFile(const PutRequest &put, const ChildStreams &streams);
/// Reports Done or Failed.
[[noreturn]] void makeDirectories(const MakeDirectoryRequest &make, const ChildStreams &streams);

} // namespace testcard::agent
