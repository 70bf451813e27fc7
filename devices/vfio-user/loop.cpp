// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/loop.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

namespace testcard::vfio_user
{

namespace
{

/// The longest that the loop sleeps; only a bound for arithmetic.
constexpr std::chrono::nanoseconds longestSleep = std::chrono::hours{1};

// What events may take before the descriptors get their turn.
constexpr unsigned mostEvents = 64;
constexpr std::chrono::nanoseconds mostEventTime = std::chrono::milliseconds{1};

// A process that was kept from running for so long first hears what it has missed: the guest may
// have given up on the card, and what it said then must come before DMA that was due earlier.
constexpr bus::Nanoseconds longestStall = 100'000'000;
constexpr std::chrono::nanoseconds longestHearing = std::chrono::milliseconds{20};

int makeEvent()
{
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
    return fd;
}

} // namespace

Loop::Loop(bus::Clock &clock)
    : clock_{clock},
      start_{std::chrono::steady_clock::now() - std::chrono::nanoseconds{clock.now()}},
      stopEvent_{makeEvent()}
{
    watch(stopEvent_.get(), POLLIN, [this](short) { stopped_ = true; });
}

Loop::~Loop() = default;

Loop::WatchId Loop::watch(int fd, short events, Handler handler)
{
    const WatchId id = nextId_++;
    watches_.emplace(id, Watch{fd, events, std::make_shared<Handler>(std::move(handler))});
    return id;
}

void Loop::change(WatchId watch, short events)
{
    const auto found = watches_.find(watch);
    if (found != watches_.end()) found->second.events = events;
}

void Loop::unwatch(WatchId watch)
{
    watches_.erase(watch);
    turnHandlers_.erase(watch);
}

Loop::WatchId Loop::eachTurn(std::chrono::milliseconds period, std::function<void()> handler)
{
    const WatchId id = nextId_++;
    turnHandlers_.emplace(
        id, TurnHandler{period, std::make_shared<std::function<void()>>(std::move(handler))});
    return id;
}

void Loop::run()
{
    while (!stopped_)
        turn(longestSleep);
    stopped_ = false;
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = ::read(stopEvent_.get(), &count, sizeof count);
}

void Loop::stop()
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t size = ::write(stopEvent_.get(), &one, sizeof one);
}

void Loop::stayAwake(std::chrono::microseconds duration)
{
    awakeUntil_ = std::max(awakeUntil_, std::chrono::steady_clock::now() + duration);
}

void Loop::catchUp()
{
    const auto due = clock_.nextDue();
    const Time now = std::chrono::steady_clock::now();
    if (!hearing_ && due && cardTime(now) > *due + longestStall) {
        hearing_ = true;
        hearUntil_ = now + longestHearing;
    }
    if (hearing_)
        clock_.catchUpTo(cardTime(now), 0); // it is this late, but nothing happens yet
    else
        runEvents();
}

void Loop::runEvents()
{
    const Time begin = std::chrono::steady_clock::now();
    for (unsigned count = 0; count < mostEvents; ++count) {
        clock_.catchUpTo(cardTime(begin), 1);
        const auto due = clock_.nextDue();
        if (!due || *due > clock_.now()) return;
        if (std::chrono::steady_clock::now() - begin > mostEventTime) return;
    }
}

bus::Nanoseconds Loop::cardTime(Time time) const
{
    return static_cast<bus::Nanoseconds>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time - start_).count());
}

void Loop::turn(std::chrono::nanoseconds longest)
{
    catchUp();
    callTurnHandlers();
    const bool ready = wait(sleepTime(longest));
    if (hearing_ && (!ready || std::chrono::steady_clock::now() > hearUntil_)) {
        hearing_ = false;
        runEvents();
    } else {
        catchUp();
    }
    callHandlers();
}

void Loop::callTurnHandlers()
{
    // Handlers may add and remove handlers; those that are added wait for the next turn.
    turnIds_.clear();
    for (const auto &[id, handler] : turnHandlers_)
        turnIds_.push_back(id);
    for (const WatchId id : turnIds_) {
        const auto found = turnHandlers_.find(id);
        if (found == turnHandlers_.end()) continue;
        const auto handler = found->second.handler; // outlives its own removal
        (*handler)();
    }
}

std::chrono::nanoseconds Loop::sleepTime(std::chrono::nanoseconds longest) const
{
    const Time now = std::chrono::steady_clock::now();
    if (now < awakeUntil_) return std::chrono::nanoseconds{0};
    auto sleep = std::min(longest, longestSleep);
    for (const auto &[id, handler] : turnHandlers_)
        sleep = std::min<std::chrono::nanoseconds>(sleep, handler.period);
    if (const auto due = clock_.nextDue()) {
        const bus::Nanoseconds elapsed = cardTime(now);
        const auto left = *due > elapsed ? *due - elapsed : 0;
        const auto most = static_cast<bus::Nanoseconds>(sleep.count());
        sleep = std::chrono::nanoseconds{std::min(left, most)};
    }
    return std::max(sleep, std::chrono::nanoseconds{0});
}

/// Sleeps until a descriptor is ready or the time is over; true if one is ready.
bool Loop::wait(std::chrono::nanoseconds timeout)
{
    polled_.clear();
    polledIds_.clear();
    for (const auto &[id, watch] : watches_) {
        polled_.push_back({watch.fd, watch.events, 0});
        polledIds_.push_back(id);
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec limit{seconds.count(), (timeout - seconds).count()};
    if (::ppoll(polled_.data(), polled_.size(), &limit, nullptr) > 0) return true;
    for (pollfd &polled : polled_)
        polled.revents = 0; // the time is over, or a signal came
    return false;
}

void Loop::callHandlers()
{
    for (std::size_t index = 0; index < polled_.size(); ++index) {
        const short revents = polled_[index].revents;
        if (revents == 0) continue;
        const auto found = watches_.find(polledIds_[index]);
        if (found == watches_.end()) continue;      // a handler before has removed it
        const auto handler = found->second.handler; // outlives its own removal
        (*handler)(revents);
    }
}

} // namespace testcard::vfio_user
