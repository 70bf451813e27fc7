// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/clock.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace testcard::bus;

TEST_CASE("Events run in the order of their due times and, at one instant, of scheduling",
          "[bus][clock]")
{
    Clock clock;
    std::string order;
    clock.schedule(20, [&] { order += 'c'; });
    clock.schedule(10, [&] { order += 'a'; });
    clock.schedule(10, [&] { order += 'b'; });
    clock.advanceTo(15);
    CHECK(order == "ab");
    clock.advanceTo(20);
    CHECK(order == "abc");
    CHECK_FALSE(clock.nextDue());
}

TEST_CASE("The manual clock shows each event its own due time", "[bus][clock]")
{
    Clock clock;
    std::vector<Nanoseconds> seen;
    clock.schedule(10, [&] { seen.push_back(clock.now()); });
    clock.schedule(30, [&] { seen.push_back(clock.now()); });
    clock.advanceTo(100);
    CHECK(seen == std::vector<Nanoseconds>{10, 30});
    CHECK(clock.now() == 100);
}

TEST_CASE("The real clock shows events how late they are and runs a bounded number", "[bus][clock]")
{
    Clock clock;
    std::vector<Nanoseconds> seen;
    for (int i = 0; i < 3; ++i)
        clock.schedule(10, [&] { seen.push_back(clock.now()); });
    clock.catchUpTo(50, 2);
    CHECK(seen == std::vector<Nanoseconds>{50, 50});
    CHECK(clock.nextDue() == 10);
    clock.catchUpTo(60, 2);
    CHECK(seen.back() == 60);
}

TEST_CASE("Time never goes back", "[bus][clock]")
{
    Clock clock;
    clock.advanceTo(50);
    clock.advanceTo(10);
    CHECK(clock.now() == 50);
    clock.catchUpTo(20);
    CHECK(clock.now() == 50);
}

TEST_CASE("A cancelled event does not run, and cancelling twice is harmless", "[bus][clock]")
{
    Clock clock;
    bool ran = false;
    const auto event = clock.schedule(10, [&] { ran = true; });
    clock.cancel(event);
    clock.cancel(event);
    clock.advanceTo(100);
    CHECK_FALSE(ran);
}

TEST_CASE("Handlers may schedule and cancel", "[bus][clock]")
{
    Clock clock;
    bool cancelled = true;
    int nested = 0;
    const auto victim = clock.schedule(20, [&] { cancelled = false; });
    clock.schedule(10, [&] {
        clock.cancel(victim);
        clock.schedule(10, [&] { ++nested; });
    });
    clock.advanceTo(30);
    CHECK(cancelled);
    CHECK(nested == 1);
}

TEST_CASE("A timer runs once, can be moved and stops when it goes", "[bus][clock]")
{
    Clock clock;
    int fired = 0;
    {
        Timer timer{clock, [&] { ++fired; }};
        timer.startAt(10);
        timer.startAt(20);
        clock.advanceTo(15);
        CHECK(fired == 0);
        CHECK(timer.due() == 20);
        clock.advanceTo(25);
        CHECK(fired == 1);
        CHECK_FALSE(timer.due());
        timer.startAt(30);
    }
    clock.advanceTo(40);
    CHECK(fired == 1);
}
