// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/interrupt.hpp"
#include "launcher/waiting.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;

namespace
{
auto in(std::chrono::milliseconds time)
{
    return std::chrono::steady_clock::now() + time;
}
} // namespace

TEST_CASE("A raised interrupt ends waits, now and later", "[launcher][interrupt]")
{
    Interrupt interrupt;
    CHECK(waitFor(-1, in(1ms), &interrupt) == Wake::timedOut);
    const std::jthread raiser([&] {
        std::this_thread::sleep_for(20ms);
        interrupt.raise();
    });
    CHECK(waitFor(-1, in(10s), &interrupt) == Wake::interrupted);
    CHECK(waitFor(-1, in(10s), &interrupt) == Wake::interrupted);
    CHECK(interrupt.flag().load());
    CHECK(interrupt.signal() == 0);
}

TEST_CASE("A wait ends when its descriptor is ready or its deadline has passed",
          "[launcher][interrupt]")
{
    const Interrupt ready;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const UniqueFd reader{ends[0]}, writer{ends[1]};
    CHECK(waitFor(reader.get(), in(5ms), &ready) == Wake::timedOut);
    CHECK(waitFor(reader.get(), in(-5ms), nullptr) == Wake::timedOut);
    REQUIRE(write(writer.get(), "x", 1) == 1);
    CHECK(waitFor(reader.get(), in(-5ms), &ready) == Wake::ready);
    CHECK(waitForEither(-1, reader.get(), std::chrono::steady_clock::time_point::max(), &ready) ==
          Wake::ready);
}

TEST_CASE("Signals raise the interrupt while they are guarded", "[launcher][interrupt]")
{
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction inherited {
        };
        struct sigaction before {
        };
        before.sa_handler = SIG_DFL; // this test may run under nohup, which ignores SIGHUP
        sigaction(number, &before, &inherited);
        Interrupt interrupt;
        {
            const SignalGuard guard(interrupt);
            kill(getpid(), number);
            CHECK(waitFor(-1, in(5s), &interrupt) == Wake::interrupted);
            CHECK(interrupt.signal() == number);
        }
        struct sigaction after {
        };
        sigaction(number, nullptr, &after);
        CHECK(after.sa_handler == before.sa_handler);
        sigaction(number, &inherited, nullptr);
    }
}

TEST_CASE("A second Ctrl-C ends the process at once; a hang-up after the first does not",
          "[launcher][interrupt]")
{
    const pid_t child = fork();
    if (child == 0) {
        Interrupt interrupt;
        const SignalGuard guard(interrupt);
        raise(SIGINT);
        raise(SIGHUP);
        if (!interrupt.raised()) _exit(1);
        raise(SIGINT);
        _exit(2);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + SIGINT);
}

TEST_CASE("An ignored signal stays ignored", "[launcher][interrupt]")
{
    ::signal(SIGHUP, SIG_IGN); // as under nohup
    Interrupt interrupt;
    {
        const SignalGuard guard(interrupt);
        raise(SIGHUP);
    }
    ::signal(SIGHUP, SIG_DFL);
    CHECK_FALSE(interrupt.raised());
}
