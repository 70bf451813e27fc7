// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/interrupt.hpp"

#include "launcher/waiting.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

namespace testcard::launcher
{
namespace
{

constexpr std::array guardedSignals{SIGINT, SIGTERM, SIGHUP};

std::atomic<Interrupt *> guarded{nullptr};
std::array<struct sigaction, guardedSignals.size()> previousActions;

extern "C" void signalArrived(int number)
{
    const int saved = errno;
    Interrupt *interrupt = guarded.load();
    if (interrupt == nullptr || interrupt->signal() != 0) {
        // The second one: somebody is impatient. A hang-up may simply follow SIGINT when a terminal
        // closes.
        if (number != SIGHUP) _exit(128 + number);
    } else {
        interrupt->raise(number);
    }
    errno = saved;
}

} // namespace

Interrupt::Interrupt() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Interrupt::~Interrupt() = default;

void Interrupt::raise(int signal) noexcept
{
    if (signal != 0) signal_.store(signal, std::memory_order_relaxed);
    raised_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(fd_.get(), &one, sizeof one);
}

SignalGuard::SignalGuard(Interrupt &interrupt)
{
    guarded.store(&interrupt);
    struct sigaction action {
    };
    action.sa_handler = signalArrived;
    sigfillset(&action.sa_mask);
    for (std::size_t i = 0; i < guardedSignals.size(); ++i) {
        sigaction(guardedSignals[i], nullptr, &previousActions[i]);
        // nohup and background jobs of a shell without job control ask for deafness: respect it.
        if (previousActions[i].sa_handler == SIG_IGN) continue;
        sigaction(guardedSignals[i], &action, nullptr);
    }
}

SignalGuard::~SignalGuard()
{
    for (std::size_t i = 0; i < guardedSignals.size(); ++i)
        sigaction(guardedSignals[i], &previousActions[i], nullptr);
    guarded.store(nullptr);
}

Wake waitFor(int fd, std::chrono::steady_clock::time_point deadline, const Interrupt *interrupt)
{
    return waitForEither(fd, -1, deadline, interrupt);
}

Wake waitForEither(int first, int second, std::chrono::steady_clock::time_point deadline,
                   const Interrupt *interrupt)
{
    using std::chrono::ceil;
    using std::chrono::milliseconds;
    for (;;) {
        const auto left = ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        // Waits of years overflow poll's int; waking once an hour costs nothing.
        const auto slice = std::clamp(left, milliseconds{0}, milliseconds{3'600'000});
        std::array<pollfd, 3> fds{pollfd{first, POLLIN, 0}, pollfd{second, POLLIN, 0},
                                  pollfd{interrupt != nullptr ? interrupt->fd() : -1, POLLIN, 0}};
        const int count = poll(fds.data(), fds.size(), static_cast<int>(slice.count()));
        if (fds[2].revents != 0) return Wake::interrupted;
        if (count > 0) return Wake::ready;
        if (count == 0 && slice == left) return Wake::timedOut;
        if (count == 0 && left <= milliseconds{0}) return Wake::timedOut;
        // EINTR: a signal that raises the interrupt shows in the next round.
    }
}

} // namespace testcard::launcher
