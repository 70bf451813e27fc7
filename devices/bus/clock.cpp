// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/clock.hpp"

#include <algorithm>

namespace testcard::bus
{

Clock::EventId Clock::schedule(Nanoseconds due, Handler handler)
{
    const EventId id = nextId_++;
    events_.emplace(Key{due, id}, std::move(handler));
    dueOf_.emplace(id, due);
    return id;
}

void Clock::cancel(EventId event)
{
    const auto found = dueOf_.find(event);
    if (found == dueOf_.end()) return;
    events_.erase(Key{found->second, event});
    dueOf_.erase(found);
}

std::optional<Nanoseconds> Clock::nextDue() const
{
    if (events_.empty()) return std::nullopt;
    return events_.begin()->first.first;
}

bool Clock::runFirstDue(Nanoseconds limit, bool stepTime)
{
    if (events_.empty() || events_.begin()->first.first > limit) return false;
    auto node = events_.extract(events_.begin());
    dueOf_.erase(node.key().second);
    if (stepTime) now_ = std::max(now_, node.key().first);
    node.mapped()();
    return true;
}

void Clock::advanceTo(Nanoseconds target)
{
    while (runFirstDue(target, true)) {
    }
    now_ = std::max(now_, target);
}

void Clock::catchUpTo(Nanoseconds target, unsigned limit)
{
    now_ = std::max(now_, target);
    while (limit-- > 0 && runFirstDue(now_, false)) {
    }
}

void Timer::startAt(Nanoseconds due)
{
    stop();
    due_ = due;
    event_ = clock_.schedule(due, [this] { fired(); });
}

void Timer::stop()
{
    if (due_) clock_.cancel(event_);
    due_.reset();
}

void Timer::fired()
{
    due_.reset();
    handler_();
}

} // namespace testcard::bus
