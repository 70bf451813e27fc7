// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One event that ends every wait of a testcard process: Ctrl-C, SIGTERM, or the program's own
/// wish.
#pragma once

#include "launcher/unique_fd.hpp"

#include <atomic>

namespace testcard::launcher
{

/// Once raised it stays raised; fd() polls readable from then on. raise() is async-signal-safe.
class Interrupt
{
public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt &) = delete;
    Interrupt &operator=(const Interrupt &) = delete;

    void raise(int signal = 0) noexcept;
    bool raised() const noexcept { return raised_.load(std::memory_order_relaxed); }
    /// The signal that raised it; 0 for none or for raise() by the program.
    int signal() const noexcept { return signal_.load(std::memory_order_relaxed); }
    int fd() const noexcept { return fd_.get(); }
    /// For other people's waits that take a flag.
    const std::atomic<bool> &flag() const noexcept { return raised_; }

private:
    UniqueFd fd_; ///< eventfd, never read
    std::atomic<bool> raised_{false};
    std::atomic<int> signal_{0};
};

/// While it lives, SIGINT, SIGTERM and SIGHUP raise the interrupt. A second SIGINT or SIGTERM ends
/// the process at once with 128 + signal; the reaper then does the cleaning (see reaper.hpp). One
/// per process.
class SignalGuard
{
public:
    explicit SignalGuard(Interrupt &interrupt);
    ~SignalGuard();
    SignalGuard(const SignalGuard &) = delete;
    SignalGuard &operator=(const SignalGuard &) = delete;
};

} // namespace testcard::launcher
