// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/child_process.hpp"

#include "launcher/process_table.hpp"
#include "launcher/reaper.hpp"
#include "launcher/spawn.hpp"
#include "launcher/text_file.hpp"
#include "launcher/unique_fd.hpp"
#include "launcher/waiting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// P_PIDFD is an enumerator that some C libraries lack a name for; 3 is the kernel's number.
constexpr auto waitByPidfd = static_cast<idtype_t>(3);

} // namespace

std::string ChildStatus::describe() const
{
    if (signal) return fmt::format("was killed by SIG{}", sigabbrev_np(*signal));
    return fmt::format("exited with code {}", code.value_or(-1));
}

struct ChildProcess::Impl {
    ChildOptions options;
    pid_t pid = -1;
    UniqueFd pidfd;
    UniqueFd readyPipe;
    bool saidReady = false;
    std::optional<ChildStatus> status;

    bool socketsListen() const { return std::ranges::all_of(options.readySockets, socketListens); }

    Error endedEarly(const ChildStatus &how, std::string_view during) const
    {
        const std::string tail = tailOf(options.log);
        std::string message = fmt::format("{} {} {}", options.name, how.describe(), during);
        if (!tail.empty())
            message += fmt::format("; its log {} ends with:\n{}", options.log.string(), tail);
        return {Error::Kind::ended, std::move(message)};
    }
};

ChildProcess::ChildProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ChildProcess::~ChildProcess()
{
    stop();
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(ChildOptions options, Reaper *reaper)
{
    auto impl = std::make_unique<Impl>();
    if (options.name.empty() && !options.argv.empty()) options.name = options.argv.front();
    SpawnRequest request{.argv = options.argv,
                         .environment = options.environment,
                         .log = options.log,
                         .readyDescriptor = options.readyByDescriptor};
    if (reaper != nullptr)
        request.environment.push_back(
            fmt::format("{}={}", runtimeFolderVariable, reaper->folder().string()));
    auto spawned = spawn(request);
    if (!spawned)
        return failure(spawned.error().kind,
                       fmt::format("cannot start {}: {}", options.name, spawned.error().message));
    impl->pid = spawned->pid;
    impl->pidfd = std::move(spawned->pidfd);
    impl->readyPipe = std::move(spawned->readyPipe);
    impl->saidReady = !options.readyByDescriptor;
    impl->options = std::move(options);
    if (reaper != nullptr) reaper->watch(impl->pidfd.get());
    return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(impl)));
}

Result<void> ChildProcess::waitReady(std::chrono::milliseconds limit, const Interrupt *interrupt)
{
    const auto deadline = Clock::now() + limit;
    for (;;) {
        if (const auto how = status())
            return tl::unexpected(impl_->endedEarly(*how, "before it was ready"));
        if (impl_->saidReady && impl_->socketsListen()) return {};
        if (Clock::now() >= deadline)
            return failure(Error::Kind::timedOut,
                           fmt::format("{} was not ready within {} ms; see its log {}",
                                       impl_->options.name, limit.count(),
                                       impl_->options.log.string()));
        // The socket table cannot be waited on: it is looked at every 2 ms, which costs less than a
        // start.
        const auto look = impl_->saidReady ? std::min(deadline, Clock::now() + 2ms) : deadline;
        if (waitForEither(impl_->pidfd.get(), impl_->readyPipe.get(), look, interrupt) ==
            Wake::interrupted)
            return failure(Error::Kind::interrupted,
                           fmt::format("interrupted while {} was starting", impl_->options.name));
        if (waitFor(impl_->readyPipe.get(), Clock::now(), nullptr) == Wake::ready) {
            char byte = 0;
            impl_->saidReady = read(impl_->readyPipe.get(), &byte, 1) == 1;
            impl_->readyPipe.reset(); // said, or closed without a word: there is no more to come
        }
    }
}

Result<ChildStatus> ChildProcess::wait(std::chrono::milliseconds limit, const Interrupt *interrupt)
{
    switch (waitFor(impl_->pidfd.get(), Clock::now() + limit, interrupt)) {
    case Wake::interrupted:
        return failure(Error::Kind::interrupted,
                       fmt::format("interrupted while waiting for {}", impl_->options.name));
    case Wake::timedOut:
        return failure(Error::Kind::timedOut,
                       fmt::format("{} still ran after {} ms", impl_->options.name, limit.count()));
    case Wake::ready: break;
    }
    return *status();
}

std::optional<ChildStatus> ChildProcess::status()
{
    if (impl_->status) return impl_->status;
    const auto id = static_cast<id_t>(impl_->pidfd.get());
    siginfo_t info{};
    if (waitid(waitByPidfd, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return std::nullopt;
    // Until it is reaped its group keeps its number: end what it left behind in there.
    ::kill(-impl_->pid, SIGKILL);
    waitid(waitByPidfd, id, &info, WEXITED);
    ChildStatus how;
    (info.si_code == CLD_EXITED ? how.code : how.signal) = info.si_status;
    impl_->status = how;
    return how;
}

ChildStatus ChildProcess::stop(std::chrono::milliseconds grace)
{
    if (const auto how = status()) return *how;
    ::kill(-impl_->pid, SIGTERM);
    ::kill(-impl_->pid, SIGCONT); // a stopped process could not obey
    if (waitFor(impl_->pidfd.get(), Clock::now() + grace, nullptr) != Wake::ready)
        ::kill(-impl_->pid, SIGKILL);
    waitFor(impl_->pidfd.get(), Clock::time_point::max(), nullptr);
    return *status();
}

void ChildProcess::signal(int number)
{
    // By pidfd: a process that has ended cannot be mistaken for another.
    syscall(SYS_pidfd_send_signal, impl_->pidfd.get(), number, nullptr, 0);
}

pid_t ChildProcess::pid() const
{
    return impl_->pid;
}
int ChildProcess::pidfd() const
{
    return impl_->pidfd.get();
}
const std::string &ChildProcess::name() const
{
    return impl_->options.name;
}
std::string ChildProcess::logTail() const
{
    return tailOf(impl_->options.log);
}

} // namespace testcard::launcher
