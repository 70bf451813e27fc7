// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture_bench.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace testcard;
using test::activeTime_ns;
using test::allBytesAre;
using test::CaptureBench;
using test::framePeriod_ns;
using test::PlainSource;

TEST_CASE("The card identifies itself", "[capture]")
{
    CaptureBench bench;
    CHECK(bench.machine.read(CAPTURE_ID) == 0x43564354);
    CHECK(bench.machine.read(CAPTURE_VERSION) == 0x00010000);
    const std::uint32_t capabilities = bench.machine.read(CAPTURE_CAPABILITIES);
    CHECK(CAPTURE_CAP_STREAMS(capabilities) == 1);
    CHECK(CAPTURE_CAP_FORMATS(capabilities) ==
          (1u << CAPTURE_FORMAT_YUYV | 1u << CAPTURE_FORMAT_BGR24));
    CHECK(CAPTURE_CAP_RING_SHIFT(capabilities) == 10);
    bench.machine.write(CAPTURE_SCRATCH, 0xCAFEF00D);
    CHECK(bench.machine.read(CAPTURE_SCRATCH) == 0xCAFEF00D);
}

TEST_CASE("The clock is latched and counts nanoseconds", "[capture]")
{
    CaptureBench bench;
    bench.machine.clock.advanceTo(0x2'0000'0001);
    CHECK(bench.machine.read(CAPTURE_CLOCK_LOW) == 0);
    bench.machine.write(CAPTURE_CLOCK_LATCH, 1);
    bench.advance(1000);
    CHECK(bench.machine.read(CAPTURE_CLOCK_LOW) == 1);
    CHECK(bench.machine.read(CAPTURE_CLOCK_HIGH) == 2);
}

TEST_CASE("With INTx the line is the OR of status AND mask", "[capture][interrupts]")
{
    CaptureBench bench{capture::Interrupts::intx};
    bench.commit();
    bench.machine.write(CAPTURE_IRQ_MASK, 0);
    bench.post(3);
    bench.run();
    bench.advance(framePeriod_ns);
    CHECK(bench.machine.read(CAPTURE_IRQ_STATUS) == CAPTURE_IRQ_FRAME(0)); // latched while masked
    CHECK_FALSE(bench.machine.interrupts.level);
    bench.machine.write(CAPTURE_IRQ_MASK, CAPTURE_IRQ_FRAME(0));
    CHECK(bench.machine.interrupts.level);
    bench.machine.write(CAPTURE_IRQ_STATUS, CAPTURE_IRQ_FRAME(0));
    CHECK_FALSE(bench.machine.interrupts.level);
    bench.advance(framePeriod_ns);
    CHECK(bench.machine.interrupts.level);
    bench.machine.write(CAPTURE_IRQ_MASK, 0);
    CHECK_FALSE(bench.machine.interrupts.level);
    CHECK(bench.machine.interrupts.messages.empty());
}

TEST_CASE("Unmasking a latched cause sends its message", "[capture][interrupts]")
{
    CaptureBench bench;
    bench.commit();
    bench.machine.write(CAPTURE_IRQ_MASK, 0);
    bench.post();
    bench.run();
    bench.advance(framePeriod_ns);
    CHECK(bench.machine.interrupts.messages.empty());
    bench.machine.write(CAPTURE_IRQ_MASK, CAPTURE_IRQ_FRAME(0));
    CHECK(bench.machine.interrupts.messages.size() == 1);
    CHECK(bench.index().events == 0);
}

TEST_CASE("With MSI-X the source change and each stream have a vector of their own",
          "[capture][interrupts]")
{
    CaptureBench bench{capture::Interrupts::msix};
    bench.machine.configWrite16(bus::ConfigSpace::msixCapability + 2, 0x8000);
    bench.commit();
    bench.post(2);
    bench.run();
    bench.advance(activeTime_ns);
    bench.source.setSignal({});
    bench.advance(0);
    CHECK(bench.machine.interrupts.messages == std::vector<unsigned>{1, 0});
}

TEST_CASE("Every reset stops DMA in mid-frame and forgets all state", "[capture][reset]")
{
    CaptureBench bench;
    bench.commit();
    bench.machine.write(CAPTURE_SCRATCH, 7);
    bench.post(4);
    bench.run();
    bench.advance(framePeriod_ns + activeTime_ns / 2);
    SECTION("register")
    {
        bench.machine.write(CAPTURE_CONTROL, CAPTURE_CONTROL_RESET);
    }
    SECTION("FLR")
    {
        bench.machine.configWrite16(bus::ConfigSpace::expressCapability + 8, 0x8000);
        bench.machine.enable();
    }
    SECTION("D3hot to D0")
    {
        bench.machine.configWrite16(bus::ConfigSpace::pmCapability + 4, 3);
        bench.advance(framePeriod_ns); // the signal goes on, the card is asleep
        bench.machine.configWrite16(bus::ConfigSpace::pmCapability + 4, 0);
        bench.machine.enable();
    }
    SECTION("power-on")
    {
        bench.machine.function.reset();
        bench.machine.enable();
    }
    const std::uint32_t completed = bench.index().completed;
    bench.advance(10 * framePeriod_ns);
    CHECK(bench.index().completed == completed);
    CHECK(completed == 1);
    CHECK(bench.machine.read(CAPTURE_SCRATCH) == 0);
    CHECK(bench.machine.read(CAPTURE_IRQ_MASK) == 0);
    CHECK(bench.machine.read(CAPTURE_IRQ_STATUS) == 0);
    CHECK(bench.stream(STREAM_STATUS) == STREAM_STATUS_IDLE);
    CHECK(bench.stream(STREAM_RING_LOW) == 0);
    CHECK(bench.machine.read(CAPTURE_SIGNAL_WIDTH) == 64);

    bench.commit(); // and it works again
    bench.post();
    bench.run();
    bench.advance(2 * framePeriod_ns);
    CHECK(bench.index().completed == 1);
    CHECK(bench.completion(0).status == CAPTURE_FRAME_OK);
}

TEST_CASE("A saved card goes on exactly where it was", "[capture][state]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(6);
    bench.run();
    bench.advance(framePeriod_ns + activeTime_ns / 2);
    const auto state = bench.machine.function.save();

    CaptureBench twin;
    std::ranges::copy(bench.machine.ram, twin.machine.ram.begin());
    twin.machine.clock.advanceTo(bench.machine.clock.now());
    REQUIRE(twin.machine.function.restore(state));
    CHECK(twin.machine.function.save() == state);

    bench.advance(3 * framePeriod_ns);
    twin.advance(3 * framePeriod_ns);
    CHECK(twin.index().completed == 4);
    CHECK(twin.machine.function.save() == bench.machine.function.save());
    CHECK(twin.machine.ram == bench.machine.ram);
}

TEST_CASE("A state that is no saved card is refused and the card is as after power-on",
          "[capture][state]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(2);
    bench.run();
    bench.advance(framePeriod_ns);
    auto state = bench.card.save();
    CHECK_FALSE(bench.card.restore(std::span{state}.first(state.size() - 1)));
    CHECK(bench.stream(STREAM_STATUS) == STREAM_STATUS_IDLE);
    for (std::size_t byte = 0; byte < state.size(); ++byte) { // no byte of it can hurt
        auto broken = state;
        broken[byte] ^= std::byte{0xFF};
        bench.card.restore(broken);
        bench.advance(framePeriod_ns);
    }
    CHECK(bench.card.restore(state));
}

TEST_CASE("Semantic faults do what their description says", "[capture][faults]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(4);
    bench.advance(3 * framePeriod_ns - 1);
    bench.run();
    using enum capture::Fault;
    const auto frameWith = [&](capture::Fault fault) {
        bench.faults.armed = fault;
        bench.advance(framePeriod_ns);
        bench.faults.armed.reset();
    };
    SECTION("drop-frame")
    {
        frameWith(dropFrame);
        CHECK(bench.index().completed == 0);
        CHECK(bench.stream(STREAM_DROPPED) == 1);
        bench.advance(framePeriod_ns);
        CHECK(bench.completion(0).sequence == 1);
    }
    SECTION("overrun-fifo")
    {
        frameWith(overrunFifo);
        CHECK(bench.index().completed == 0);
        CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_OVERRUN(0)) != 0);
    }
    SECTION("tear-frame")
    {
        frameWith(tearFrame);
        CHECK(allBytesAre(bench.buffer(0).first(24 * 128), PlainSource::byteOf(3)));
        CHECK(allBytesAre(bench.buffer(0).subspan(24 * 128), PlainSource::byteOf(2)));
    }
    SECTION("repeat-frame")
    {
        frameWith(repeatFrame);
        CHECK(allBytesAre(bench.buffer(0), PlainSource::byteOf(2)));
    }
    SECTION("truncate-frame")
    {
        frameWith(truncateFrame);
        CHECK(bench.completion(0).bytes == CaptureBench::pictureSize / 2);
        CHECK(bench.completion(0).status == CAPTURE_FRAME_OK);
    }
    CHECK(bench.card.faultPoints().size() == 5);
}
