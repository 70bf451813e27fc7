// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/runner.hpp"

#include "scenario/artifacts.hpp"
#include "scenario/frame_table.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/kernel_log.hpp"
#include "scenario/resolved.hpp"
#include "scenario/result_files.hpp"
#include "scenario/stage_setup.hpp"
#include "scenario/step_runner.hpp"
#include "scenario/watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace testcard::scenario
{

namespace
{

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// One run of one scenario, from its start to its verdict.
class Run
{
public:
    Run(const Scenario &scenario, const RunOptions &options, Bench &bench, Progress &progress)
        : scenario_(scenario),
          options_(options),
          bench_(bench),
          progress_(progress),
          start_(Clock::now() - options.spentBefore)
    {
        result_.scenario = scenario.name;
        result_.file = scenario.file;
        result_.title = scenario.title;
        result_.tags = scenario.tags;
        result_.seed = options.seed.value_or(scenario.seed);
        result_.repetition = options.repetition;
        result_.outcome = Outcome::passed;
        result_.started = std::chrono::system_clock::now();
        result_.artifacts = options.artifacts;
    }

    RunResult run()
    {
        progress_.scenarioBegins(scenario_);
        auto artifacts = Artifacts::create(options_.artifacts);
        if (artifacts)
            runWith(*artifacts);
        else
            worsen(artifacts.error());
        result_.times.total = sinceStart();
        if (artifacts) writeResult(*artifacts);
        progress_.scenarioEnds(result_, reportText(result_));
        return std::move(result_);
    }

private:
    using Clock = std::chrono::steady_clock;

    milliseconds sinceStart() const { return duration_cast<milliseconds>(Clock::now() - start_); }
    void worsen(const Failure &failure) { result_.worsen(failure.cause, failure.message); }

    void runWith(Artifacts &artifacts)
    {
        artifacts.copy(scenario_.file, "scenario.toml");
        artifacts.write("resolved.json", resolvedScenario(scenario_, result_.seed));
        StageSetup setup(scenario_, result_.seed, bench_, artifacts, progress_);
        if (const auto prepared = setup.prepare(); !prepared) return worsen(prepared.error());

        const milliseconds limit = options_.timeout.value_or(scenario_.timeout);
        Watch watch(bench_.interrupt(), Clock::now() + limit, limit);
        if (const auto started = setup.startMachine(watch); !started) {
            result_.versions = setup.versions();
            return worsen(started.error());
        }
        result_.times.setUp = sinceStart();
        const auto booted = setup.connectAgent(watch);
        result_.times.boot = sinceStart() - result_.times.setUp;
        if (booted)
            performSteps(setup, watch, artifacts);
        else
            worsen(booted.error());
        result_.versions = setup.versions();
        judgeKernelLog(setup, watch, artifacts);
        watch.stop();
        progress_.phase("ending the guest");
        setup.tearDown();
    }

    void performSteps(StageSetup &setup, Watch &watch, Artifacts &artifacts)
    {
        StepRunner steps(
            {setup.machine(), setup.agent(), setup.cards(), watch, artifacts, progress_, start_});
        result_.steps = steps.perform(scenario_.steps);
        for (const StepResult &step : result_.steps)
            if (step.cause != Cause::none)
                result_.worsen(step.cause, fmt::format("step \"{}\": {}", step.name,
                                                       fmt::join(step.messages, "; ")));
        // Unless a step has met it and says so.
        if (const auto cause = watch.cause(); cause && cause->cause != result_.cause)
            worsen(*cause);
        if (scenario_.verdict.frames.step.name.empty()) return;
        RunningCard &card = setup.cards().at(scenario_.verdict.frames.card.name);
        result_.frames = frameTable(scenario_, result_.steps, *card.process);
        result_.times.firstFrame = firstFrame(scenario_, result_.steps);
    }

    void judgeKernelLog(StageSetup &setup, Watch &watch, Artifacts &artifacts)
    {
        progress_.phase("reading the guest's kernel log");
        std::string log = setup.kernelLog(watch);
        if (!log.empty()) artifacts.write("kernel.log", log);
        std::ifstream serial(artifacts.path("serial.log"), std::ios::binary);
        std::ostringstream serialText;
        serialText << serial.rdbuf();
        log += serialText.str();
        const auto bugs = findKernelBugs(log, scenario_.verdict);
        if (!bugs.empty())
            result_.worsen(Cause::kernelLog,
                           fmt::format("the guest's kernel logged: {}", fmt::join(bugs, "\n")));
    }

    void writeResult(Artifacts &artifacts)
    {
        artifacts.write("result.json", resultJson({result_}));
        artifacts.write("junit.xml", resultJUnit({result_}));
        for (const std::string &trouble : artifacts.troubles())
            progress_.detail(trouble);
    }

    const Scenario &scenario_;
    const RunOptions &options_;
    Bench &bench_;
    Progress &progress_;
    const Clock::time_point start_;
    RunResult result_;
};

} // namespace

RunResult runScenario(const Scenario &scenario, const RunOptions &options, Bench &bench,
                      Progress &progress)
{
    return Run(scenario, options, bench, progress).run();
}

} // namespace testcard::scenario
