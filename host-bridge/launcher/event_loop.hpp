// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The thread that runs libvirt's event loop.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace testcard::launcher
{

/// libvirt's default event loop, which is one per process and cannot be unregistered; so only one
/// at a time.
class EventLoop
{
public:
    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop &) = delete;
    EventLoop &operator=(const EventLoop &) = delete;

private:
    std::atomic<bool> running_{true};
    std::jthread thread_;
};

/// Calls `action` on the loop's thread when `fd` is readable, until it is destroyed. A call that
/// has begun may still run then: what `action` captures must keep itself alive.
class ReadWatch
{
public:
    ReadWatch(int fd, std::function<void()> action);
    ~ReadWatch();
    ReadWatch(const ReadWatch &) = delete;
    ReadWatch &operator=(const ReadWatch &) = delete;

private:
    int watch_;
};

/// Calls `action` once on the loop's thread after `delay`, unless the loop ends first.
void callLater(std::chrono::milliseconds delay, std::function<void()> action);

} // namespace testcard::launcher
