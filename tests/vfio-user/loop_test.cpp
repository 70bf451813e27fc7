// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <thread>

#include <poll.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

namespace
{

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock;

} // namespace

TEST_CASE("The clock follows real time from where it stood", "[loop]")
{
    bus::Clock clock;
    clock.advanceTo(1'000'000'000);
    vfio_user::Loop loop{clock};
    const auto before = Time::now();
    loop.turn(0ns);
    const auto first = clock.now();
    CHECK(first >= 1'000'000'000);
    std::this_thread::sleep_for(2ms);
    loop.turn(0ns);
    CHECK(clock.now() - first >= 2'000'000);
    const auto elapsed = std::chrono::nanoseconds{Time::now() - before}.count();
    CHECK(clock.now() - 1'000'000'000 <= static_cast<std::uint64_t>(elapsed) + 50'000'000);
}

TEST_CASE("Events of the clock run when they are due, while nothing else happens", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    int events = 0;
    bus::Nanoseconds ranAt = 0;
    clock.schedule(3'000'000, [&] {
        ++events;
        ranAt = clock.now();
    });
    clock.schedule(5'000'000, [&] { loop.stop(); });
    loop.run();
    CHECK(events == 1);
    CHECK(ranAt >= 3'000'000);
}

TEST_CASE("Events without end leave the descriptors their turn", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    Event event;
    std::function<void()> again = [&] { clock.schedule(0, again); };
    again();
    bool handled = false;
    loop.watch(event.fd(), POLLIN, [&](short revents) {
        handled = revents & POLLIN;
        loop.stop();
    });
    event.signal();
    loop.run();
    CHECK(handled);
}

TEST_CASE("After a stall, what the descriptors have to say comes before what was due", "[loop]")
{
    bus::Clock clock;
    clock.advanceTo(1'000'000'000);
    vfio_user::Loop loop{clock};
    std::string order;
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const vfio_user::FileDescriptor reader{pipe[0]}, writer{pipe[1]};
    REQUIRE(::write(writer.get(), "ab", 2) == 2);
    loop.watch(reader.get(), POLLIN, [&](short) {
        char byte = 0;
        if (::read(reader.get(), &byte, 1) == 1) order += byte;
        loop.catchUp(); // as before each access
        CHECK(clock.now() >= 1'000'000'000);
    });
    clock.schedule(500'000'000, [&] { order += 'E'; }); // half a second ago
    for (int turns = 0; turns < 10; ++turns)
        loop.turn(0ns);
    CHECK(order == "abE");
}

TEST_CASE("After a stall, descriptors that never rest hold the clock up for a moment only",
          "[loop]")
{
    bus::Clock clock;
    clock.advanceTo(1'000'000'000);
    vfio_user::Loop loop{clock};
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const vfio_user::FileDescriptor reader{pipe[0]}, writer{pipe[1]};
    REQUIRE(::write(writer.get(), "x", 1) == 1);
    loop.watch(reader.get(), POLLIN, [](short) {}); // never read
    bool ran = false;
    clock.schedule(500'000'000, [&] { ran = true; });
    const auto end = Time::now() + 5s;
    while (!ran && Time::now() < end)
        loop.turn(0ns);
    CHECK(ran);
}

TEST_CASE("A handler may remove itself and others, and add more", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    Event first;
    Event second;
    int calls = 0;
    int added = 0;
    vfio_user::Loop::WatchId one = 0;
    vfio_user::Loop::WatchId two = 0;
    const auto handler = [&](short) {
        ++calls;
        loop.unwatch(one);
        loop.unwatch(two);
        loop.watch(second.fd(), POLLIN, [&](short) { ++added; });
    };
    one = loop.watch(first.fd(), POLLIN, handler);
    two = loop.watch(second.fd(), POLLIN, handler);
    first.signal();
    second.signal();
    loop.turn(1s);
    CHECK(calls == 1);
    CHECK(added == 0);
    loop.turn(1s);
    CHECK(added == 1);
}

TEST_CASE("A watch is changed to other events", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    Event event;
    short seen = 0;
    const auto watch = loop.watch(event.fd(), POLLIN, [&](short revents) { seen = revents; });
    loop.turn(0ns);
    CHECK(seen == 0);
    loop.change(watch, POLLOUT);
    loop.turn(0ns);
    CHECK(seen == POLLOUT);
}

TEST_CASE("stop() ends a loop that has not begun, one that sleeps, and lets it run again", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    loop.stop();
    loop.run();
    for (int count = 0; count < 3; ++count) {
        std::thread other{[&loop] {
            std::this_thread::sleep_for(2ms);
            loop.stop();
        }};
        loop.run();
        other.join();
    }
    SUCCEED();
}

TEST_CASE("A loop that is kept awake does not sleep until then", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    loop.stayAwake(3ms);
    const auto begin = Time::now();
    int turns = 0;
    while (Time::now() - begin < 2ms) {
        loop.turn(1h);
        ++turns;
    }
    CHECK(turns > 5);
    loop.turn(10ms);
    CHECK(Time::now() - begin < 1min);
}

TEST_CASE("A handler for each turn is called at least once per period", "[loop]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    int calls = 0;
    const auto watch = loop.eachTurn(5ms, [&] {
        if (++calls == 4) loop.stop();
    });
    loop.run();
    CHECK(calls >= 4);
    loop.unwatch(watch);
    calls = 0;
    loop.turn(0ns);
    CHECK(calls == 0);
}

} // namespace testcard::vfio_user_test
