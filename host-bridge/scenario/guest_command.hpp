// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A step's command in the guest, from its start to what was observed of it.
#pragma once

#include "scenario/bench.hpp"
#include "scenario/expectations.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/scenario.hpp"
#include "scenario/watch.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace testcard::scenario
{

/// What an error of the agent means; `watch` may know better why the agent is gone.
Failure failureOf(const agent::Error &error, Watch &watch);

/// A command that was started. Destroying it kills the command.
class GuestCommand
{
public:
    static Result<std::unique_ptr<GuestCommand>> start(GuestAgent &agent, const RunCommand &run,
                                                       std::chrono::milliseconds timeout,
                                                       Watch &watch);

    /// What was observed once it has ended, or nothing after `limit`.
    Result<std::optional<Observed>> waitFor(std::chrono::milliseconds limit);
    void cancel() { task_->cancel(); }

    /// What it wrote so far on both streams.
    std::string outputSoFar() const;
    std::uint64_t outputBytes() const;

private:
    struct Record {
        std::mutex mutex;
        KeptOutput output;
        KeptOutput errorOutput;
    };

    GuestCommand(const RunCommand &run, Watch &watch) : run_(run), watch_(watch) {}
    Observed observe(const agent::ExitStatus &status) const;

    const RunCommand &run_;
    Watch &watch_;
    std::shared_ptr<Record> record_ = std::make_shared<Record>();
    std::unique_ptr<GuestTask> task_;
    std::optional<Observed> observed_; ///< once it has ended
};

} // namespace testcard::scenario
