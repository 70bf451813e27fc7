// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Sees what ends a scenario from outside, whatever the runner waits for just then.
#pragma once

#include "launcher/unique_fd.hpp"
#include "scenario/bench.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace testcard::scenario
{

/// A thread that looks at Ctrl-C, at the cards' processes, at the machine and at the time. Once one
/// of them ends the scenario, haltFd() polls readable for good, which ends every call to the agent,
/// and cause() tells why.
class Watch
{
public:
    using Clock = std::chrono::steady_clock;

    Watch(launcher::Interrupt &interrupt, Clock::time_point deadline,
          std::chrono::milliseconds limit);
    ~Watch() { stop(); }
    Watch(const Watch &) = delete;
    Watch &operator=(const Watch &) = delete;

    /// These must outlive the watch, or its stop().
    void add(std::string name, CardProcess &card);
    void add(launcher::Machine &machine);

    int haltFd() const { return halt_.get(); }
    bool halted() const { return cause().has_value(); }
    std::optional<Failure> cause() const;
    /// For somebody whose call has failed: waits a moment for the reason to show.
    std::optional<Failure> causeWithin(std::chrono::milliseconds limit);

    void stop();

private:
    void work();
    std::optional<Failure> look();
    std::optional<Failure> lookAtCards();
    std::optional<Failure> lookAtMachine();
    void halt(Failure failure);

    launcher::Interrupt &interrupt_;
    const Clock::time_point deadline_;
    const std::chrono::milliseconds limit_; ///< for the message
    launcher::UniqueFd halt_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::string, CardProcess *>> cards_;
    launcher::Machine *machine_ = nullptr;
    std::optional<Failure> cause_;
    bool stopping_ = false;
    std::thread thread_;
};

/// What the end of a machine means.
Failure failureOf(const launcher::MachineStatus &status);

} // namespace testcard::scenario
