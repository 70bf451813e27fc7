// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/running_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <sys/eventfd.h>

namespace testcard::agent
{

namespace
{

double seconds(std::chrono::milliseconds time)
{
    return static_cast<double>(time.count()) / 1000;
}

ExitStatus statusOf(const ExitReport &report)
{
    ExitStatus status;
    if (report.bySignal)
        status.signal = static_cast<int>(report.value);
    else
        status.code = static_cast<int>(report.value);
    status.timedOut = report.timedOut;
    status.cancelled = report.cancelled;
    status.stuck = report.stuck;
    status.duration = std::chrono::nanoseconds(report.duration_ns);
    return status;
}

} // namespace

int makeEvent()
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

Command Command::shell(std::string script)
{
    Command command;
    command.argv = {"/bin/sh", "-c", std::move(script)};
    return command;
}

RunningCommand::RunningCommand(std::shared_ptr<State> state) : state_(std::move(state)) {}
RunningCommand::RunningCommand(RunningCommand &&) noexcept = default;
RunningCommand &RunningCommand::operator=(RunningCommand &&) noexcept = default;
RunningCommand::~RunningCommand() = default;

tl::expected<std::optional<ExitStatus>, Error>
RunningCommand::waitFor(std::chrono::milliseconds limit)
{
    auto deadline =
        Clock::now() + std::clamp<std::chrono::milliseconds>(limit, std::chrono::milliseconds(0),
                                                             std::chrono::hours(10'000));
    // The guest ends the command when its time is over. If it does not we do.
    const auto own = state_->startedAt + state_->timeout + state_->client->options().answer;
    const bool hasOwn = state_->timeout.count() > 0;
    if (hasOwn) deadline = std::min(deadline, own);
    const bool over = state_->client->waitUntil(*state_->request, deadline);
    std::optional<ExitReport> exit;
    std::optional<Error> error;
    state_->client->locked([&] {
        exit = state_->request->exit;
        error = state_->request->error;
    });
    if (error) return tl::unexpected(*error);
    if (exit) return statusOf(*exit);
    if (over)
        return tl::unexpected(
            Error{ErrorKind::Protocol, "the guest's agent ended a command without saying how"});
    if (hasOwn && Clock::now() >= own)
        return tl::unexpected(
            Error{ErrorKind::Timeout,
                  fmt::format(
                      "the guest was to end the command after {:.1f} s, but said nothing {:.1f} s "
                      "later",
                      seconds(state_->timeout), seconds(state_->client->options().answer))});
    return std::nullopt;
}

tl::expected<ExitStatus, Error> RunningCommand::wait()
{
    for (;;) {
        auto status = waitFor(std::chrono::hours(1));
        if (!status) return tl::unexpected(status.error());
        if (*status) return **status;
    }
}

void RunningCommand::cancel()
{
    state_->client->post(*state_->request,
                         makeMessage(MessageType::Cancel, state_->request->number));
}

void RunningCommand::signal(int number)
{
    if (number < 1 || number > 64) return;
    state_->client->post(*state_->request,
                         encodeNumber(MessageType::Signal, state_->request->number,
                                      static_cast<std::uint32_t>(number)));
}

tl::expected<void, Error> RunningCommand::write(std::string_view bytes)
{
    return state_->client->write(state_->request, bytes);
}

tl::expected<std::size_t, Error> RunningCommand::writeSome(std::string_view bytes)
{
    return state_->client->writeSome(*state_->request, bytes);
}

tl::expected<void, Error> RunningCommand::closeInput()
{
    state_->client->endInput(*state_->request);
    std::optional<Error> error;
    state_->client->locked([&] { error = state_->request->error; });
    if (error) return tl::unexpected(*error);
    return {};
}

void RunningCommand::resize(TerminalSize size)
{
    state_->client->post(*state_->request,
                         encodeResize(state_->request->number, {size.rows, size.columns}));
}

int RunningCommand::eventFd() const
{
    return state_->request->event.get();
}

void RunningCommand::clearEvent()
{
    std::uint64_t count = 0;
    static_cast<void>(!::read(eventFd(), &count, sizeof count));
}

int RunningCommand::processId() const
{
    int process = 0;
    state_->client->locked(
        [&] { process = static_cast<int>(state_->request->process.value_or(0)); });
    return process;
}

// Words ---------------------------------------------------------------------------------------

std::string describe(const ExitStatus &status)
{
    const double duration =
        seconds(std::chrono::duration_cast<std::chrono::milliseconds>(status.duration));
    const std::string_view hangs = status.stuck ? ", but hangs in the guest's kernel" : "";
    if (status.timedOut && status.stuck)
        return "timed out and was killed, but hangs in the guest's kernel";
    if (status.timedOut) return fmt::format("timed out after {:.1f} s", duration);
    if (status.cancelled) return fmt::format("was cancelled{}", hangs);
    if (status.signal) {
        const char *name = sigabbrev_np(*status.signal);
        return fmt::format("killed by signal {}{}{}{}", *status.signal, name ? " (SIG" : "",
                           name ? name : "", name ? ")" : "");
    }
    return fmt::format("exit code {}", status.code.value_or(-1));
}

std::string_view toString(ErrorKind kind)
{
    switch (kind) {
    case ErrorKind::Connect: return "connect";
    case ErrorKind::Closed: return "closed";
    case ErrorKind::Silent: return "silent";
    case ErrorKind::SessionLost: return "session-lost";
    case ErrorKind::Timeout: return "timeout";
    case ErrorKind::Stopped: return "stopped";
    case ErrorKind::Protocol: return "protocol";
    case ErrorKind::Refused: return "refused";
    case ErrorKind::TooLarge: return "too-large";
    case ErrorKind::Local: return "local";
    }
    return "unknown";
}

} // namespace testcard::agent
