// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Puts up what a scenario's steps act on: guest image, cards, machine, agent; and takes it down.
#pragma once

#include "scenario/artifacts.hpp"
#include "scenario/bench.hpp"
#include "scenario/progress.hpp"
#include "scenario/scenario.hpp"
#include "scenario/step_runner.hpp"
#include "scenario/watch.hpp"

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace testcard::scenario
{

class StageSetup
{
public:
    /// All of it must outlive this.
    StageSetup(const Scenario &scenario, std::uint64_t seed, Bench &bench, Artifacts &artifacts,
               Progress &progress)
        : scenario_(scenario),
          seed_(seed),
          bench_(bench),
          artifacts_(artifacts),
          progress_(progress)
    {
    }
    ~StageSetup() { tearDown(); }
    StageSetup(const StageSetup &) = delete;
    StageSetup &operator=(const StageSetup &) = delete;

    /// The guest's image and the emulator, which may take minutes the first time.
    Result<void> prepare();
    /// The cards and the machine; `watch` looks at them from then on.
    Result<void> startMachine(Watch &watch);
    Result<void> connectAgent(Watch &watch);

    launcher::Machine &machine() { return *machine_; }
    GuestAgent &agent() { return *agent_; }
    std::map<std::string, RunningCard> &cards() { return cards_; }

    /// The guest's own record, which has all levels; empty if the guest cannot be asked any more.
    std::string kernelLog(Watch &watch);
    /// What the run is made of; waits for the hashes.
    std::vector<std::pair<std::string, std::string>> versions();

    /// Ends the agent's session, the machine and the cards, in this order.
    void tearDown();

private:
    Result<void> startCards(Watch &watch);
    void startHashing();

    const Scenario &scenario_;
    std::uint64_t seed_;
    Bench &bench_;
    Artifacts &artifacts_;
    Progress &progress_;

    GuestImage image_;
    Emulator emulator_;
    std::filesystem::path agentSocket_;
    std::vector<std::unique_ptr<CardProcess>> processes_;
    std::map<std::string, RunningCard> cards_;
    std::unique_ptr<launcher::Machine> machine_;
    std::unique_ptr<GuestAgent> agent_;
    std::string guestKernel_;
    std::vector<std::string> hashNames_;           ///< in results
    std::future<std::vector<std::string>> hashes_; ///< computed while the guest boots
};

} // namespace testcard::scenario
