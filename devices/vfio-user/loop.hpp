// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The event loop of a card process: file descriptors, and the real clock of its cards.
#pragma once

#include "bus/clock.hpp"
#include "vfio-user/file_descriptor.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <poll.h>

namespace testcard::vfio_user
{

/// Runs everything of one process on one thread: the sockets of any number of servers, whatever
/// else its owner watches, and the events of the clock that all its cards share.
///
/// The clock follows CLOCK_MONOTONIC from the value that it had when the loop was made. Events see
/// how late they are (Clock::catchUpTo); after at most 64 of them, or a millisecond, the
/// descriptors get their turn, so that a clock that is far behind cannot starve a client. After a
/// stall (an event is late by more than 100 ms: the process was stopped) the descriptors come
/// first, until none is ready or for 20 ms: what the guest said meanwhile counts before what was
/// due.
class Loop
{
public:
    using WatchId = std::uint64_t;
    using Handler = std::function<void(short revents)>;

    /// `clock` must outlive the loop. Throws std::system_error if the kernel grants no eventfd.
    explicit Loop(bus::Clock &clock);
    ~Loop();
    Loop(const Loop &) = delete;
    Loop &operator=(const Loop &) = delete;

    /// Calls `handler` with poll's revents whenever `fd` has one of `events` (POLLIN, POLLOUT), an
    /// error or a hang-up. The descriptor stays the caller's and must be open while it is watched.
    /// Handlers may watch, change and unwatch anything, themselves included.
    WatchId watch(int fd, short events, Handler handler);
    void change(WatchId watch, short events);
    void unwatch(WatchId watch); ///< unknown ids are ignored

    /// Calls `handler` before each time the loop may sleep, and at least once per `period`.
    WatchId eachTurn(std::chrono::milliseconds period, std::function<void()> handler);

    /// Runs until stop().
    void run();

    /// One turn: sleeps until something is due or ready, at most `longest`, and handles it.
    void turn(std::chrono::nanoseconds longest);

    /// Ends run(), at once if it has not begun. Safe in a signal handler and from any thread.
    void stop();

    /// From now on and for `duration` the loop polls instead of sleeping: a client that has just
    /// accessed a register is likely to do it again, and a wake-up costs more than the access.
    void stayAwake(std::chrono::microseconds duration);

    /// Brings the clock to the real time and runs what is due, between two turns: before an access,
    /// so that the card sees it after the events that came before it.
    void catchUp();

    bus::Clock &clock() { return clock_; }

private:
    using Time = std::chrono::steady_clock::time_point;

    struct Watch {
        int fd;
        short events;
        std::shared_ptr<Handler> handler;
    };
    struct TurnHandler {
        std::chrono::milliseconds period;
        std::shared_ptr<std::function<void()>> handler;
    };

    std::chrono::nanoseconds sleepTime(std::chrono::nanoseconds longest) const;
    bus::Nanoseconds cardTime(Time time) const;
    void runEvents();
    bool wait(std::chrono::nanoseconds timeout);
    void callTurnHandlers();
    void callHandlers();

    bus::Clock &clock_;
    Time start_; ///< the instant of the clock's zero
    Time awakeUntil_{};
    FileDescriptor stopEvent_;
    bool stopped_ = false;
    bool hearing_ = false; ///< after a stall: descriptors only
    Time hearUntil_{};
    WatchId nextId_ = 1;
    std::map<WatchId, Watch> watches_;
    std::map<WatchId, TurnHandler> turnHandlers_;

    // What one turn goes through; members to spare the loop their making.
    std::vector<WatchId> turnIds_;
    std::vector<pollfd> polled_;
    std::vector<WatchId> polledIds_;
};

} // namespace testcard::vfio_user
