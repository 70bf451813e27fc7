// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/loop.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <utility>

#include <sys/epoll.h>
#include <time.h>

namespace testcard::agent
{

Time now()
{
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

void Loop::apply(int operation, int fd, const Watch &watch)
{
    epoll_event event{};
    event.events = watch.events;
    event.data.u64 = std::uint64_t{watch.generation} << 32 | static_cast<std::uint32_t>(fd);
    epoll_ctl(epoll_.get(), operation, fd, &event);
}

void Loop::watch(int fd, std::uint32_t events, Handler handler)
{
    forget(fd);
    Watch &watch = watches_[fd];
    watch = {std::make_shared<const Handler>(std::move(handler)), events, ++generation_};
    if (events != 0) apply(EPOLL_CTL_ADD, fd, watch);
}

void Loop::change(int fd, std::uint32_t events)
{
    const auto found = watches_.find(fd);
    if (found == watches_.end() || found->second.events == events) return;
    const std::uint32_t before = std::exchange(found->second.events, events);
    if (events == 0)
        apply(EPOLL_CTL_DEL, fd, found->second);
    else
        apply(before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, found->second);
}

void Loop::forget(int fd)
{
    const auto found = watches_.find(fd);
    if (found == watches_.end()) return;
    if (found->second.events != 0) apply(EPOLL_CTL_DEL, fd, found->second);
    watches_.erase(found);
}

void Loop::wait(std::optional<Time> deadline)
{
    int timeout_ms = -1;
    if (deadline) {
        // Rounded up: waking just before the deadline would find nothing to do.
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now()).count();
        timeout_ms = static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
    }
    std::array<epoll_event, 32> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms);
    for (int i = 0; i < count; ++i) {
        const epoll_event &event = events[static_cast<std::size_t>(i)];
        const int fd = static_cast<int>(event.data.u64 & 0xFFFFFFFF);
        const auto found = watches_.find(fd);
        if (found == watches_.end() || found->second.generation != event.data.u64 >> 32) continue;
        const auto handler = found->second.handler;
        (*handler)(event.events);
    }
}

} // namespace testcard::agent
