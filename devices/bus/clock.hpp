// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The clock of a card. A device model knows no other time: not the wall, not the VMM.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace testcard::bus
{

/// Nanoseconds since the card was powered on.
using Nanoseconds = std::uint64_t;

/// Time and the queue of events that wait for it.
///
/// The owner moves the time: a test by hand, `testcard serve` from CLOCK_MONOTONIC, replay from a
/// trace. Events run in the order of their due times, those of one instant in the order in which
/// they were scheduled. While an event runs, now() is never before its due time.
class Clock
{
public:
    using EventId = std::uint64_t;
    using Handler = std::function<void()>;

    Clock() = default;
    Clock(const Clock &) = delete;
    Clock &operator=(const Clock &) = delete;

    Nanoseconds now() const { return now_; }

    /// Runs `handler` once when the time reaches `due`; a due time in the past means at the next
    /// advance. Handlers may schedule and cancel.
    EventId schedule(Nanoseconds due, Handler handler);

    /// Forgets an event. An event that has run or was cancelled is ignored.
    void cancel(EventId event);

    /// The earliest due time, if anything waits.
    std::optional<Nanoseconds> nextDue() const;

    /// Moves the time to `target` (never back) and runs what is due, each event at its own due
    /// time. This is the manual clock.
    void advanceTo(Nanoseconds target);

    /// Moves the time to `target` at once and then runs what is due: events see how late they are.
    /// At most `limit` events run, so that an owner with other work gets its turn.
    /// This is the real clock: the owner passes the time that really is.
    void catchUpTo(Nanoseconds target, unsigned limit = 64);

private:
    using Key = std::pair<Nanoseconds, EventId>;

    bool runFirstDue(Nanoseconds limit, bool stepTime);

    Nanoseconds now_ = 0;
    EventId nextId_ = 1;
    std::map<Key, Handler> events_;
    std::map<EventId, Nanoseconds> dueOf_;
};

/// One event that a device may have under way; cancels itself when it goes out of scope.
class Timer
{
public:
    Timer(Clock &clock, Clock::Handler handler) : clock_{clock}, handler_{std::move(handler)} {}
    Timer(const Timer &) = delete;
    Timer &operator=(const Timer &) = delete;
    ~Timer() { stop(); }

    /// (Re)starts the timer for the instant `due`.
    void startAt(Nanoseconds due);
    void stop();

    /// The due time while the timer runs; a device saves it with its state.
    std::optional<Nanoseconds> due() const { return due_; }

private:
    void fired();

    Clock &clock_;
    Clock::Handler handler_;
    std::optional<Nanoseconds> due_;
    Clock::EventId event_ = 0;
};

} // namespace testcard::bus
