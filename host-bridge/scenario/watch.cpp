// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/watch.hpp"

#include <fmt/format.h>

#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

namespace testcard::scenario
{

namespace
{

/// How often the watch looks: soon enough for a person, seldom enough to cost nothing.
constexpr std::chrono::milliseconds lookEvery{25};

} // namespace

Failure failureOf(const launcher::MachineStatus &status)
{
    using launcher::MachineState;
    const auto because = [&](Cause cause) {
        return Failure{cause, status.message.empty()
                                  ? fmt::format("the machine is {}", name(status.state))
                                  : status.message};
    };
    switch (status.state) {
    case MachineState::panicked: return because(Cause::guestPanic);
    case MachineState::shutDown:
    case MachineState::restarted: return because(Cause::guestEnded);
    case MachineState::running:
    case MachineState::stopped:
    case MachineState::emulatorEnded:
    case MachineState::destroyed: break;
    }
    return because(Cause::emulatorEnded);
}

Watch::Watch(launcher::Interrupt &interrupt, Clock::time_point deadline,
             std::chrono::milliseconds limit)
    : interrupt_(interrupt),
      deadline_(deadline),
      limit_(limit),
      halt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { work(); })
{
}

void Watch::add(std::string name, CardProcess &card)
{
    const std::lock_guard lock(mutex_);
    cards_.emplace_back(std::move(name), &card);
}

void Watch::add(launcher::Machine &machine)
{
    const std::lock_guard lock(mutex_);
    machine_ = &machine;
}

std::optional<Failure> Watch::cause() const
{
    const std::lock_guard lock(mutex_);
    return cause_;
}

std::optional<Failure> Watch::causeWithin(std::chrono::milliseconds limit)
{
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [this] { return cause_ || stopping_; });
    return cause_;
}

void Watch::stop()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void Watch::work()
{
    std::unique_lock lock(mutex_);
    while (!stopping_ && !cause_) {
        if (auto failure = look())
            halt(*std::move(failure));
        else
            changed_.wait_for(lock, lookEvery);
    }
}

std::optional<Failure> Watch::look()
{
    if (interrupt_.raised()) return Failure{Cause::interrupted, "interrupted"};
    // A card that dies may take the guest with it, so it is looked at first.
    if (auto failure = lookAtCards()) return failure;
    if (auto failure = lookAtMachine()) return failure;
    if (Clock::now() < deadline_) return {};
    return Failure{Cause::timeout, fmt::format("the scenario took longer than {:.0f} s",
                                               std::chrono::duration<double>(limit_).count())};
}

std::optional<Failure> Watch::lookAtCards()
{
    for (const auto &[name, card] : cards_)
        if (const auto end = card->unexpectedEnd())
            return Failure{Cause::cardEnded, fmt::format("card {} {}", name, *end)};
    return {};
}

std::optional<Failure> Watch::lookAtMachine()
{
    if (!machine_) return {};
    const launcher::MachineStatus status = machine_->status();
    if (status.state == launcher::MachineState::running) return {};
    return failureOf(status);
}

void Watch::halt(Failure failure)
{
    cause_ = std::move(failure);
    constexpr std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(halt_.get(), &one, sizeof(one));
    changed_.notify_all();
}

} // namespace testcard::scenario
