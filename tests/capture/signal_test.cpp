// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture_bench.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace testcard;
using test::activeTime_ns;
using test::allBytesAre;
using test::CaptureBench;
using test::framePeriod_ns;

namespace
{

capture::Signal changed(const capture::Signal &signal, bool present, bool locked, bool inRange)
{
    return {present, locked, inRange, signal.timings};
}

} // namespace

TEST_CASE("The registers describe the signal", "[capture][signal]")
{
    CaptureBench bench;
    CHECK(bench.machine.read(CAPTURE_SIGNAL_STATUS) ==
          (CAPTURE_SIGNAL_PRESENT | CAPTURE_SIGNAL_LOCKED | CAPTURE_SIGNAL_IN_RANGE));
    CHECK(bench.machine.read(CAPTURE_SIGNAL_WIDTH) == 64);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_HFRONT) == 8);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_HSYNC) == 8);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_HBACK) == 20);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_HEIGHT) == 48);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_VFRONT) == 2);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_VSYNC) == 2);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_VBACK) == 8);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_CLOCK_LOW) == 600'000);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_CLOCK_HIGH) == 0);
}

TEST_CASE("Each degree of a bad signal shows in the status, and timings read zero",
          "[capture][signal]")
{
    CaptureBench bench;
    const capture::Signal good = bench.source.signal();
    const auto statusOf = [&](const capture::Signal &signal) {
        bench.source.setSignal(signal);
        bench.advance(0);
        return bench.machine.read(CAPTURE_SIGNAL_STATUS);
    };
    CHECK(statusOf(changed(good, false, true, true)) == 0);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_WIDTH) == 0);
    CHECK(statusOf(changed(good, true, false, true)) == CAPTURE_SIGNAL_PRESENT);
    CHECK(statusOf(changed(good, true, true, false)) ==
          (CAPTURE_SIGNAL_PRESENT | CAPTURE_SIGNAL_LOCKED));
    capture::Signal impossible = good;
    impossible.timings.pixelClock_hz = 0;
    CHECK(statusOf(impossible) == (CAPTURE_SIGNAL_PRESENT | CAPTURE_SIGNAL_LOCKED));
    CHECK(statusOf(good) ==
          (CAPTURE_SIGNAL_PRESENT | CAPTURE_SIGNAL_LOCKED | CAPTURE_SIGNAL_IN_RANGE));
}

TEST_CASE("A change of the signal moves the generation and interrupts", "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    const std::uint32_t before = bench.machine.read(CAPTURE_SIGNAL_GENERATION);
    bench.source.setSignal(changed(bench.source.signal(), false, false, false));
    CHECK(bench.machine.read(CAPTURE_SIGNAL_GENERATION) == before); // noticed as an event
    bench.advance(0);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_GENERATION) == before + 1);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_SOURCE_CHANGE) != 0);
    CHECK(bench.machine.interrupts.messages.size() == 1);
}

TEST_CASE(
    "A source change counts as an event while the stream runs, and touches no memory while it "
    "is idle",
    "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    const capture::Signal good = bench.source.signal();
    bench.source.setSignal(changed(good, false, false, false));
    bench.advance(0);
    CHECK(bench.index().events == 0);
    CHECK(bench.machine.interrupts.messages.size() == 1);
    bench.post(1);
    bench.run();
    bench.source.setSignal(good);
    bench.advance(0);
    CHECK(bench.index().events == 1);
    CHECK(bench.machine.interrupts.messages.size() == 2);

    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.advance(0);
    CHECK(bench.index().events == 2); // IDLE
    bench.source.setSignal(changed(good, false, false, false));
    bench.advance(framePeriod_ns);
    CHECK(bench.index().events == 2);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_SOURCE_CHANGE) != 0);
}

TEST_CASE("A frame that loses its signal comes back CORRUPT with the lines that had arrived",
          "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(3);
    bench.run();
    bench.advance(framePeriod_ns + activeTime_ns / 4);
    bench.source.setSignal(changed(bench.source.signal(), false, false, false));
    bench.advance(0);
    REQUIRE(bench.index().completed == 2);
    CHECK(bench.completion(1).status == CAPTURE_FRAME_CORRUPT);
    CHECK(bench.completion(1).bytes == 12 * 128);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_MISMATCH) != 0);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_RUNNING) != 0);
}

TEST_CASE("Capture goes on by itself when the same signal returns", "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(4);
    bench.run();
    bench.advance(framePeriod_ns);
    const capture::Signal good = bench.source.signal();
    bench.source.setSignal(changed(good, false, false, false));
    bench.advance(50 * framePeriod_ns);
    const std::uint32_t completed = bench.index().completed;
    CHECK(bench.stream(STREAM_DROPPED) == 0); // no signal, no frames to drop
    bench.source.setSignal(good);
    bench.advance(framePeriod_ns);
    CHECK(bench.index().completed == completed + 1);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_MISMATCH) == 0);
    CHECK(bench.completion(completed).status == CAPTURE_FRAME_OK);
    CHECK(bench.completion(completed).generation == bench.machine.read(CAPTURE_SIGNAL_GENERATION));
}

TEST_CASE("A signal of another size is not captured until it is committed", "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(3);
    capture::Signal other = bench.source.signal();
    other.timings.width = 32;
    bench.source.setSignal(other);
    bench.run();
    bench.advance(5 * framePeriod_ns);
    CHECK(bench.index().completed == 0);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_MISMATCH) != 0);

    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.advance(0);
    bench.configure();
    bench.setStream(STREAM_WIDTH, 32);
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
    bench.posted = 0;
    bench.post(1);
    bench.run();
    bench.advance(2 * framePeriod_ns);
    CHECK(bench.completion(0).bytes == 32 * 48 * 2);
}

TEST_CASE("On demand, a stream that does not match its signal costs no frames and no time",
          "[capture][signal]")
{
    CaptureBench bench{capture::Interrupts::msi, capture::Pacing::onDemand};
    bench.configure();
    bench.setStream(STREAM_WIDTH, 32);
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
    bench.post(3);
    bench.run();
    bench.advance(framePeriod_ns);
    CHECK_FALSE(bench.machine.clock.nextDue());
    CHECK(bench.index().completed == 0);
}

TEST_CASE("A host that is late by more than the FIFO loses frames, counted", "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(8);
    bench.run();
    bench.advance(framePeriod_ns + 1); // frame 1 is under way
    REQUIRE(bench.index().completed == 1);

    SECTION("a little late: the FIFO holds the frame")
    {
        bench.machine.clock.catchUpTo(2 * framePeriod_ns + activeTime_ns);
        CHECK(bench.completion(1).status == CAPTURE_FRAME_OK);
        CHECK(bench.stream(STREAM_DROPPED) == 0);
        CHECK(allBytesAre(bench.buffer(1), std::byte{1}));
    }
    SECTION("much too late: frames 1 to 8 are gone, 9 is in the FIFO")
    {
        bench.machine.clock.catchUpTo(10 * framePeriod_ns + 1);
        CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_OVERRUN(0)) != 0);
        REQUIRE(bench.index().completed == 2);
        CHECK(bench.completion(1).sequence == 9);
        CHECK(bench.completion(1).start_ns == 9 * framePeriod_ns);
        CHECK(bench.completion(1).dropped == 8);
        CHECK(allBytesAre(bench.buffer(1), std::byte{9}));
        bench.advance(framePeriod_ns);
        CHECK(bench.completion(2).sequence == 10);
        CHECK(bench.completion(2).dropped == 8);
    }
}

TEST_CASE("A host that sleeps for a year catches up in a bounded number of steps",
          "[capture][signal]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(8);
    bench.run();
    bench.advance(framePeriod_ns / 2);
    const bus::Nanoseconds year = 365ull * 24 * 3600 * 1'000'000'000;
    bench.machine.clock.catchUpTo(year, 8);
    CHECK(bench.index().completed >= 1);
    CHECK(bench.stream(STREAM_DROPPED) > 3'000'000'000u);
}

TEST_CASE("Frame times are exact after a million frames", "[capture][signal]")
{
    CaptureBench bench;
    capture::Signal signal = bench.source.signal();
    signal.timings.pixelClock_hz = 599'401; // 99.9 frames/s and a bit: no whole nanoseconds
    bench.source.setSignal(signal);
    bench.advance(0);
    bench.commit();
    const std::uint64_t frame = 1'000'000;
    const auto start =
        static_cast<bus::Nanoseconds>(static_cast<long double>(frame) * 6000 * 1e9L / 599'401);
    bench.advance(start - framePeriod_ns / 2);
    bench.post();
    bench.run();
    bench.advance(2 * framePeriod_ns);
    CHECK(bench.completion(0).start_ns == start);
}
