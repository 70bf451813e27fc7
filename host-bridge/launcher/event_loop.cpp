// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/event_loop.hpp"

#include <libvirt/libvirt.h>

#include <mutex>
#include <utility>

namespace testcard::launcher
{
namespace
{

using Action = std::function<void()>;

void freeAction(void *action)
{
    delete static_cast<Action *>(action);
}

void readable(int, int, int, void *action)
{
    (*static_cast<Action *>(action))();
}

void timerFired(int timer, void *action)
{
    // Removed first: libvirt frees it only after this function, and never calls it again.
    virEventRemoveTimeout(timer);
    (*static_cast<Action *>(action))();
}

} // namespace

EventLoop::EventLoop()
{
    static std::once_flag once;
    std::call_once(once, [] { virEventRegisterDefaultImpl(); });
    thread_ = std::jthread([this] {
        while (running_)
            virEventRunDefaultImpl();
    });
}

EventLoop::~EventLoop()
{
    running_ = false;
    callLater(std::chrono::milliseconds{0}, [] {}); // wakes it up
}

ReadWatch::ReadWatch(int fd, std::function<void()> action)
    : watch_(virEventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, readable,
                               new Action(std::move(action)), freeAction))
{
}

ReadWatch::~ReadWatch()
{
    if (watch_ >= 0) virEventRemoveHandle(watch_);
}

void callLater(std::chrono::milliseconds delay, std::function<void()> action)
{
    auto *owned = new Action(std::move(action));
    if (virEventAddTimeout(static_cast<int>(delay.count()), timerFired, owned, freeAction) < 0)
        freeAction(owned);
}

} // namespace testcard::launcher
