// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Waiting for a descriptor with a deadline, in a way that Ctrl-C can end.
#pragma once

#include "launcher/interrupt.hpp"

#include <chrono>

namespace testcard::launcher
{

enum class Wake { ready, timedOut, interrupted };

/// Waits until `fd` polls readable (or hung up). A negative fd waits for time or interruption only.
/// An interrupt wins over a ready descriptor; `interrupt` may be nullptr.
Wake waitFor(int fd, std::chrono::steady_clock::time_point deadline, const Interrupt *interrupt);

/// For two descriptors; `ready` tells nothing about which.
Wake waitForEither(int first, int second, std::chrono::steady_clock::time_point deadline,
                   const Interrupt *interrupt);

} // namespace testcard::launcher
