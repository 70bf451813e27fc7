// SPDX-License-Identifier: GPL-2.0-or-later
// The one place where the agent waits.
#pragma once

#include "linux/file_descriptor.hpp"
#include "protocol/link.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include <sys/epoll.h>

namespace testcard::agent
{

/// What a descriptor is watched for.
inline constexpr std::uint32_t watchNothing = 0;
inline constexpr std::uint32_t watchRead = EPOLLIN;
inline constexpr std::uint32_t watchWrite = EPOLLOUT;

/// CLOCK_MONOTONIC.
Time now();

class Loop
{
public:
    using Handler = std::function<void(std::uint32_t events)>;

    Loop();

    /// Calls `handler` with what epoll reports for `fd`. EPOLLHUP and EPOLLERR are always reported.
    void watch(int fd, std::uint32_t events, Handler handler);
    /// Changes what is watched for. 0: nothing at all, not even a hang-up.
    void change(int fd, std::uint32_t events);
    /// To be called before the descriptor is closed. A handler may forget any descriptor.
    void forget(int fd);

    /// Waits for events until `deadline` (for ever without one) and calls their handlers.
    void wait(std::optional<Time> deadline);

private:
    struct Watch {
        std::shared_ptr<const Handler> handler; ///< shared: it may forget itself while it runs
        std::uint32_t events = 0;
        std::uint32_t generation = 0; ///< events of a forgotten watch may still be in hand
    };

    void apply(int operation, int fd, const Watch &watch);

    FileDescriptor epoll_;
    std::map<int, Watch> watches_;
    std::uint32_t generation_ = 0;
};

} // namespace testcard::agent
