// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/guest_command.hpp"

#include <fmt/format.h>

namespace testcard::scenario
{

Failure failureOf(const agent::Error &error, Watch &watch)
{
    using agent::ErrorKind;
    switch (error.kind) {
    case ErrorKind::Refused:
    case ErrorKind::TooLarge: return {Cause::expectation, error.message};
    case ErrorKind::Local: return {Cause::infrastructure, error.message};
    case ErrorKind::Connect:
    case ErrorKind::Closed:
    case ErrorKind::Silent:
    case ErrorKind::SessionLost:
    case ErrorKind::Timeout:
    case ErrorKind::Stopped:
    case ErrorKind::Protocol: break;
    }
    // QEMU's end reaches the socket a little sooner than the watch.
    constexpr std::chrono::milliseconds moment{1000};
    if (const auto cause = watch.causeWithin(moment)) return *cause;
    return {Cause::guestSilent, fmt::format("the agent in the guest: {}", error.message)};
}

Result<std::unique_ptr<GuestCommand>> GuestCommand::start(GuestAgent &agent, const RunCommand &run,
                                                          std::chrono::milliseconds timeout,
                                                          Watch &watch)
{
    agent::Command command;
    command.argv = run.argv;
    command.environment = run.environment;
    command.directory = run.directory;
    command.timeout = timeout;

    std::unique_ptr<GuestCommand> out(new GuestCommand(run, watch));
    auto task =
        agent.start(command, [record = out->record_](agent::Stream stream, std::string_view bytes) {
            const std::lock_guard lock(record->mutex);
            (stream == agent::Stream::Output ? record->output : record->errorOutput).append(bytes);
        });
    if (!task) return tl::unexpected(failureOf(task.error(), watch));
    out->task_ = std::move(*task);
    return out;
}

Result<std::optional<Observed>> GuestCommand::waitFor(std::chrono::milliseconds limit)
{
    if (observed_) return observed_;
    const auto status = task_->waitFor(limit);
    if (!status) return tl::unexpected(failureOf(status.error(), watch_));
    if (*status) observed_ = observe(**status);
    return observed_;
}

Observed GuestCommand::observe(const agent::ExitStatus &status) const
{
    Observed out;
    out.endText = agent::describe(status);
    out.number = status.code.value_or(status.signal.value_or(0));
    if (status.timedOut)
        out.ending = Observed::Ending::timedOut;
    else if (status.cancelled)
        out.ending = Observed::Ending::cancelled;
    else if (status.signal)
        out.ending = Observed::Ending::killed;
    const std::lock_guard lock(record_->mutex);
    out.output = record_->output.text();
    out.errorOutput = record_->errorOutput.text();
    if (run_.readsMetrics) out.metrics = Metrics::lastLine(out.output);
    return out;
}

std::string GuestCommand::outputSoFar() const
{
    const std::lock_guard lock(record_->mutex);
    return record_->output.text() + record_->errorOutput.text();
}

std::uint64_t GuestCommand::outputBytes() const
{
    const std::lock_guard lock(record_->mutex);
    return record_->output.total_bytes() + record_->errorOutput.total_bytes();
}

} // namespace testcard::scenario
