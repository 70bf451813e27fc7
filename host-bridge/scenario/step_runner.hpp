// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Performs the steps of a scenario, one after the other, and judges each.
#pragma once

#include "scenario/artifacts.hpp"
#include "scenario/bench.hpp"
#include "scenario/guest_command.hpp"
#include "scenario/progress.hpp"
#include "scenario/results.hpp"
#include "scenario/scenario.hpp"
#include "scenario/watch.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace testcard::scenario
{

/// A card of the scenario as steps see it.
struct RunningCard {
    CardProcess *process = nullptr;
    launcher::CardSocket socket;
};

/// What steps act on. All of it must outlive the StepRunner.
struct Stage {
    launcher::Machine &machine;
    GuestAgent &agent;
    std::map<std::string, RunningCard> &cards;
    Watch &watch;
    Artifacts &artifacts;
    Progress &progress;
    std::chrono::steady_clock::time_point start; ///< of the scenario
};

class StepRunner
{
public:
    explicit StepRunner(Stage stage) : stage_(stage) {}

    /// Performs all of them; after a failure only those with `always`, after the watch halted none.
    /// One result for each step, in their order.
    std::vector<StepResult> perform(const std::vector<Step> &steps);

private:
    using Clock = std::chrono::steady_clock;

    struct Background {
        std::size_t index = 0; ///< of its result
        const RunCommand *run = nullptr;
        std::unique_ptr<GuestCommand> command;
        Clock::time_point started;
    };

    void perform(const Step &step, StepResult &result);
    void act(const Step &step, const RunCommand &run, StepResult &result);
    void act(const Step &step, const WaitFor &wait, StepResult &result);
    void act(const Step &step, const Cancel &cancel, StepResult &result);
    void act(const Step &step, const SetSignal &signal, StepResult &result);
    void act(const Step &step, const ReadStatus &status, StepResult &result);
    void act(const Step &step, const CardAction &action, StepResult &result);
    void act(const Step &step, const Sleep &sleep, StepResult &result);

    void startBackground(const Step &step, const RunCommand &run, StepResult &result);
    void runOnce(const Step &step, const RunCommand &run, StepResult &result);
    void awaitOutput(const Step &step, const Pattern &until, Background &background,
                     StepResult &result);
    void finishBackground(const std::string &name, Clock::time_point deadline, StepResult &result);
    /// Keeps what is known of the steps that a failure has left running, and kills them.
    void abandonBackground();
    void judge(const RunCommand &run, Observed observed, StepResult &result);
    void collect(const RunCommand &run, StepResult &result);
    Result<void> performAction(const Step &step, const CardAction &action);
    /// Waits in small pieces; false if the watch has halted meanwhile.
    bool pause(std::chrono::milliseconds duration);

    Stage stage_;
    std::vector<StepResult> results_;
    std::map<std::string, Background> background_;
};

} // namespace testcard::scenario
