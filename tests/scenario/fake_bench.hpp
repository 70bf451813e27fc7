// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A bench without a guest: commands answer as the test has written down.
#pragma once

#include "scenario/bench.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace testcard::scenario
{

/// What one run of a guest command does.
struct FakeCommand {
    std::string output{};
    std::string errorOutput{};
    int code = 0;
    std::chrono::milliseconds duration{0}; ///< longer than its timeout: it times out
    std::function<void()> meanwhile{};     ///< called when it starts
};

/// What the test has written down and what has happened, shared by all parts of the bench.
struct FakeWorld {
    std::map<std::string, std::deque<FakeCommand>>
        commands;                                  ///< by the shell text; last one repeats
    std::map<std::string, std::string> files;      ///< of the guest
    std::vector<std::string> journal;              ///< what was done, in order
    std::map<std::string, std::string> cardStatus; ///< JSON by card
    std::map<std::string, std::string> cardEnd;    ///< cards whose process has ended
    launcher::MachineStatus machineStatus;
    std::mutex mutex; ///< the watch looks from its own thread

    std::string imageFailure;
    std::string bootFailure;
    bool unplugTimesOut = false;
    launcher::Interrupt interrupt;

    void note(std::string what)
    {
        const std::lock_guard lock(mutex);
        journal.push_back(std::move(what));
    }
    void panic(std::string message)
    {
        const std::lock_guard lock(mutex);
        machineStatus = {launcher::MachineState::panicked, std::move(message)};
    }
    void endCard(const std::string &name, std::string how)
    {
        const std::lock_guard lock(mutex);
        cardEnd[name] = std::move(how);
    }
    bool did(const std::string &what) const
    {
        return std::find(journal.begin(), journal.end(), what) != journal.end();
    }
};

/// `world` must outlive it.
std::unique_ptr<Bench> makeFakeBench(FakeWorld &world);

} // namespace testcard::scenario
