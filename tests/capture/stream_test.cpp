// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture_bench.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace testcard;
using test::activeTime_ns;
using test::allBytesAre;
using test::CaptureBench;
using test::framePeriod_ns;
using test::PlainSource;

TEST_CASE("Capture fills the buffer, writes completion and index, then interrupts", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    REQUIRE(bench.stream(STREAM_STATUS) == (STREAM_STATUS_IDLE | STREAM_STATUS_COMMITTED));
    bench.post();
    bench.run();
    REQUIRE(bench.stream(STREAM_STATUS) == (STREAM_STATUS_RUNNING | STREAM_STATUS_COMMITTED));

    bench.advance(activeTime_ns - 1);
    CHECK(bench.index().completed == 0);
    CHECK(bench.machine.interrupts.messages.empty());
    bench.advance(1);

    CHECK(allBytesAre(bench.buffer(0), PlainSource::byteOf(0)));
    const capture_completion completion = bench.completion(0);
    CHECK(completion.cookie == 100);
    CHECK(completion.sequence == 0);
    CHECK(completion.status == CAPTURE_FRAME_OK);
    CHECK(completion.field == CAPTURE_FIELD_PROGRESSIVE);
    CHECK(completion.bytes == CaptureBench::pictureSize);
    CHECK(completion.start_ns == 0);
    CHECK(completion.end_ns == activeTime_ns);
    CHECK(completion.dropped == 0);
    CHECK(completion.generation == bench.machine.read(CAPTURE_SIGNAL_GENERATION));
    CHECK(bench.index().completed == 1);
    CHECK(bench.index().events == 0);
    CHECK(bench.machine.interrupts.messages.size() == 1);
    CHECK(bench.machine.read(CAPTURE_IRQ_STATUS) == CAPTURE_IRQ_FRAME(0));
}

TEST_CASE("Frames come at the signal's rate and wrap around the ring", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(4);
    bench.run();
    for (std::uint32_t frame = 0; frame < 40; ++frame) {
        bench.advance(framePeriod_ns);
        REQUIRE(bench.index().completed == frame + 1);
        const capture_completion completion = bench.completion(frame);
        CHECK(completion.cookie == 100 + frame);
        CHECK(completion.sequence == frame);
        CHECK(completion.start_ns == frame * framePeriod_ns);
        CHECK(allBytesAre(bench.buffer(frame), PlainSource::byteOf(frame)));
        bench.post();
    }
    CHECK(bench.machine.interrupts.messages.size() == 40);
    CHECK(bench.stream(STREAM_DROPPED) == 0);
}

TEST_CASE("A message is sent for every frame though the status bit is never cleared", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(3);
    bench.run();
    bench.advance(3 * framePeriod_ns - 1);
    CHECK(bench.machine.interrupts.messages.size() == 3);
}

TEST_CASE("The signal does not wait: frames without a buffer are dropped and counted", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(1);
    bench.run();
    bench.advance(4 * framePeriod_ns); // frame 0 captured; 1, 2, 3 dropped; 4 has begun: dropped
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_STARVED) != 0);
    CHECK(bench.stream(STREAM_DROPPED) == 4);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_STARVED(0)) != 0);
    CHECK(bench.index().events == 4);

    bench.post(1);
    bench.advance(2 * framePeriod_ns);
    const capture_completion completion = bench.completion(1);
    CHECK(completion.sequence == 5);
    CHECK(completion.dropped == 4);
    CHECK(allBytesAre(bench.buffer(1), PlainSource::byteOf(5)));
    CHECK((bench.card.counters().streams.at(0).dropped) >= 4);
}

TEST_CASE("On demand the signal waits for a buffer and nothing is dropped", "[capture]")
{
    CaptureBench bench{capture::Interrupts::msi, capture::Pacing::onDemand};
    bench.commit();
    bench.run();
    bench.advance(10 * framePeriod_ns);
    CHECK(bench.index().completed == 0);
    for (std::uint32_t frame = 0; frame < 20; ++frame) {
        bench.post();
        bench.advance(1'000'000);
        REQUIRE(bench.index().completed == frame + 1);
        CHECK(bench.completion(frame).sequence == frame);
        CHECK(bench.completion(frame).end_ns > bench.completion(frame).start_ns);
        CHECK(allBytesAre(bench.buffer(frame), PlainSource::byteOf(frame)));
    }
    CHECK(bench.stream(STREAM_DROPPED) == 0);
}

TEST_CASE("RUN joins a signal that has been there all along at its next frame", "[capture]")
{
    CaptureBench bench;
    bench.advance(3 * framePeriod_ns + 1);
    bench.commit();
    bench.post();
    bench.run();
    bench.advance(2 * framePeriod_ns);
    CHECK(bench.completion(0).sequence == 0);
    CHECK(bench.completion(0).start_ns == 4 * framePeriod_ns);
    CHECK(allBytesAre(bench.buffer(0), PlainSource::byteOf(4)));
}

TEST_CASE("Clearing RUN ends after the frame under way and keeps the other buffers", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(3);
    bench.run();
    bench.advance(framePeriod_ns + 1);
    bench.setStream(STREAM_CONTROL, 0);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_IDLE) == 0);
    bench.advance(5 * framePeriod_ns);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_IDLE) != 0);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_IDLE(0)) != 0);
    CHECK(bench.index().completed == 2);
    CHECK(bench.stream(STREAM_CONSUMED) == 2);

    bench.run(); // and goes on with what is left, counting anew
    bench.advance(2 * framePeriod_ns);
    CHECK(bench.index().completed == 3);
    CHECK(bench.completion(2).sequence == 0);
    CHECK(bench.completion(2).cookie == 102);
}

TEST_CASE("Clearing RUN between frames makes the stream idle at once, setting it again in time "
          "keeps it running",
          "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(2);
    bench.run();
    bench.advance(framePeriod_ns - 1); // in the blanking
    bench.setStream(STREAM_CONTROL, 0);
    bench.run();
    bench.advance(framePeriod_ns);
    CHECK(bench.index().completed == 2);
    bench.advance(framePeriod_ns / 2 + framePeriod_ns / 4 + framePeriod_ns / 8); // in the blanking
    bench.setStream(STREAM_CONTROL, 0);
    bench.advance(0);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_IDLE) != 0);
}

TEST_CASE("RUN that returns before the frame has ended goes on without IDLE, counting on",
          "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(4);
    bench.run();
    bench.advance(framePeriod_ns + activeTime_ns / 2);
    bench.setStream(STREAM_CONTROL, 0);
    bench.run();
    bench.advance(2 * framePeriod_ns);
    CHECK(bench.completion(2).sequence == 2);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_IDLE(0)) == 0);
}

TEST_CASE("ABORT returns every buffer at once, the one under way included", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(5);
    bench.run();
    bench.advance(framePeriod_ns + activeTime_ns / 2);
    REQUIRE(bench.index().completed == 1);
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    CHECK(bench.index().completed == 1); // register handlers do no DMA
    bench.advance(0);
    CHECK(bench.index().completed == 5);
    for (std::uint32_t n = 1; n < 5; ++n) {
        CHECK(bench.completion(n).cookie == 100 + n);
        CHECK(bench.completion(n).status == CAPTURE_FRAME_ABORTED);
        CHECK(bench.completion(n).bytes == 0);
    }
    CHECK(bench.stream(STREAM_STATUS) == (STREAM_STATUS_IDLE | STREAM_STATUS_COMMITTED));
    CHECK(bench.stream(STREAM_CONTROL) == 0);
    const std::uint32_t causes = CAPTURE_IRQ_FRAME(0) | CAPTURE_IRQ_IDLE(0);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & causes) == causes);

    bench.advance(10 * framePeriod_ns);
    CHECK(bench.index().completed == 5);
    CHECK(allBytesAre(bench.buffer(1), std::byte{0}));
}

TEST_CASE("After ABORT no frame reaches memory, even if its end was due before", "[capture]")
{
    CaptureBench bench{capture::Interrupts::msi, capture::Pacing::onDemand};
    bench.commit();
    bench.source.drawn = 0;
    bench.post(4);
    bench.run();
    bench.advance(50'000); // a frame is under way
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.machine.clock.catchUpTo(5'000'000'000); // the host was busy for five seconds
    CHECK(bench.source.drawn == 0);
    CHECK(bench.index().completed == 4);
    CHECK(bench.completion(0).status == CAPTURE_FRAME_ABORTED);
}

TEST_CASE("ABORT of an idle stream latches IDLE again", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.advance(0);
    CHECK(bench.machine.read(CAPTURE_IRQ_STATUS) == CAPTURE_IRQ_IDLE(0));
    CHECK(bench.machine.interrupts.messages.size() == 1);
}

TEST_CASE("COMMIT refuses what the card cannot do and says why", "[capture]")
{
    CaptureBench bench;
    const auto refused = [&](std::uint32_t offset, std::uint32_t value, std::uint32_t error) {
        bench.commit();
        REQUIRE(bench.stream(STREAM_ERROR) == STREAM_ERROR_NONE);
        bench.setStream(offset, value);
        bench.setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
        CHECK(bench.stream(STREAM_ERROR) == error);
        CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_COMMITTED) == 0);
    };
    refused(STREAM_FORMAT, 0, STREAM_ERROR_FORMAT);
    refused(STREAM_FORMAT, 77, STREAM_ERROR_FORMAT);
    refused(STREAM_WIDTH, 0, STREAM_ERROR_SIZE);
    refused(STREAM_WIDTH, 63, STREAM_ERROR_SIZE);
    refused(STREAM_WIDTH, CAPTURE_WIDTH_MAX + 2, STREAM_ERROR_SIZE);
    refused(STREAM_HEIGHT, 0, STREAM_ERROR_SIZE);
    refused(STREAM_HEIGHT, CAPTURE_HEIGHT_MAX + 1, STREAM_ERROR_SIZE);
    refused(STREAM_STRIDE, 127, STREAM_ERROR_STRIDE);
    refused(STREAM_STRIDE, 0, STREAM_ERROR_STRIDE);
    refused(STREAM_STRIDE, static_cast<std::uint32_t>(-128), STREAM_ERROR_STRIDE); // OFFSET is 0
    refused(STREAM_STRIDE, 0x80000000u, STREAM_ERROR_STRIDE);
    refused(STREAM_RING_SHIFT, CAPTURE_RING_SHIFT_MAX + 1, STREAM_ERROR_RING);
}

TEST_CASE("COMMIT while running is refused and changes nothing", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(2);
    bench.run();
    bench.setStream(STREAM_FORMAT, CAPTURE_FORMAT_BGR24);
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
    CHECK(bench.stream(STREAM_ERROR) == STREAM_ERROR_BUSY);
    bench.advance(framePeriod_ns);
    CHECK(bench.completion(0).bytes == CaptureBench::pictureSize);
    CHECK(bench.index().completed == 1);
}

TEST_CASE("RUN without COMMIT is an error", "[capture]")
{
    CaptureBench bench;
    bench.configure();
    bench.run();
    CHECK(bench.stream(STREAM_CONTROL) == 0);
    CHECK(bench.stream(STREAM_ERROR) == STREAM_ERROR_UNCOMMITTED);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & CAPTURE_IRQ_ERROR(0)) != 0);
}

TEST_CASE("BGR24, padded lines and upside-down pictures land where the driver wants them",
          "[capture]")
{
    CaptureBench bench;
    bench.configure();
    bench.setStream(STREAM_FORMAT, CAPTURE_FORMAT_BGR24);
    const std::uint32_t stride = 200; // 192 bytes of picture
    SECTION("padded")
    {
        bench.setStream(STREAM_STRIDE, stride);
        bench.setStream(STREAM_OFFSET, 8);
    }
    SECTION("upside down")
    {
        bench.setStream(STREAM_STRIDE, static_cast<std::uint32_t>(-200));
        bench.setStream(STREAM_OFFSET, 8 + 47 * stride);
    }
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
    REQUIRE(bench.stream(STREAM_ERROR) == STREAM_ERROR_NONE);
    bench.advance(3 * framePeriod_ns); // frame 3 is not black
    bench.piece(0) = {CaptureBench::bufferAddress, 48 * stride + 8, 0};
    bench.descriptor(0) = {CaptureBench::listAddress, 1, 0, 1, 0};
    bench.setStream(STREAM_DOORBELL, 1);
    bench.run();
    bench.advance(framePeriod_ns);
    REQUIRE(bench.completion(0).status == CAPTURE_FRAME_OK);
    CHECK(bench.completion(0).bytes == 192 * 48);
    const auto memory = bench.machine.bytes(CaptureBench::bufferAddress, 48 * stride + 8);
    CHECK(allBytesAre(memory.first(8), std::byte{0}));
    for (std::size_t line = 0; line < 48; ++line) {
        CHECK(allBytesAre(memory.subspan(8 + line * stride, 192), PlainSource::byteOf(3)));
        if (line < 47) CHECK(allBytesAre(memory.subspan(8 + line * stride + 192, 8), std::byte{0}));
    }
}

TEST_CASE("Buffers may lie in pieces of any length at any address", "[capture]")
{
    CaptureBench bench;
    bench.commit();
    bench.advance(5 * framePeriod_ns);
    // 1 byte, 2 bytes, 3 bytes, ... each at an odd distance from the one before
    std::uint32_t rest = CaptureBench::pictureSize;
    std::uint32_t count = 0;
    std::uint64_t address = CaptureBench::bufferAddress + 1;
    while (rest > 0) {
        const std::uint32_t length = std::min(rest, count + 1);
        bench.piece(count++) = {address, length, 0};
        address += length + 13;
        rest -= length;
    }
    bench.descriptor(0) = {CaptureBench::listAddress, count, 0, 1, 0};
    bench.setStream(STREAM_DOORBELL, 1);
    bench.run();
    bench.advance(framePeriod_ns);
    REQUIRE(bench.completion(0).status == CAPTURE_FRAME_OK);
    for (std::uint32_t n = 0; n < count; ++n) {
        const capture_sg piece = bench.piece(n);
        CHECK(
            allBytesAre(bench.machine.bytes(piece.address, piece.length), PlainSource::byteOf(5)));
        CHECK(allBytesAre(bench.machine.bytes(piece.address + piece.length, 13), std::byte{0}));
    }
}
