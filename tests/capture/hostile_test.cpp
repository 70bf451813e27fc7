// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest can do wrong ends in a status, never in a crash, a hang or a stray write.
#include "capture_bench.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace testcard;
using test::allBytesAre;
using test::CaptureBench;
using test::framePeriod_ns;

namespace
{

/// Posts the descriptor and the pieces that the test has written and takes one frame.
capture_completion captureOne(CaptureBench &bench)
{
    bench.setStream(STREAM_DOORBELL, ++bench.posted);
    bench.run();
    bench.advance(framePeriod_ns - 1);
    return bench.completion(bench.posted - 1);
}

} // namespace

TEST_CASE("A scatter-gather list that cannot be right comes back as BAD_LIST", "[capture][hostile]")
{
    CaptureBench bench;
    bench.commit();
    bench.piece(0) = {CaptureBench::bufferAddress, CaptureBench::pictureSize, 0};
    bench.descriptor(0) = {CaptureBench::listAddress, 1, 0, 42, 0};
    SECTION("no entries")
    {
        bench.descriptor(0).sg_count = 0;
    }
    SECTION("too many entries")
    {
        bench.descriptor(0).sg_count = CAPTURE_SG_MAX + 1;
    }
    SECTION("more entries than any memory")
    {
        bench.descriptor(0).sg_count = 0xFFFFFFFF;
    }
    SECTION("an empty piece")
    {
        bench.piece(0).length = 0;
    }
    SECTION("a piece that wraps")
    {
        bench.piece(0).address = ~0ull - 5;
    }
    SECTION("a list outside memory")
    {
        bench.descriptor(0).sg_address = 0x10;
    }
    SECTION("a list at the end of the address space")
    {
        bench.descriptor(0).sg_address = ~0ull;
    }
    const capture_completion completion = captureOne(bench);
    CHECK(completion.status == CAPTURE_FRAME_BAD_LIST);
    CHECK(completion.bytes == 0);
    CHECK(completion.cookie == 42);
    CHECK(bench.index().completed == 1);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_RUNNING) != 0); // the stream goes on
}

TEST_CASE("Buffers that are too small are filled and reported as SHORT", "[capture][hostile]")
{
    CaptureBench bench;
    bench.commit();
    bench.advance(framePeriod_ns);
    bench.piece(0) = {CaptureBench::bufferAddress, 1000, 0};
    bench.descriptor(0) = {CaptureBench::listAddress, 1, 0, 1, 0};
    const capture_completion completion = captureOne(bench);
    CHECK(completion.status == CAPTURE_FRAME_SHORT);
    CHECK(completion.bytes == 1000);
    const auto memory = bench.machine.bytes(CaptureBench::bufferAddress, 1001);
    CHECK(allBytesAre(memory.first(1000), std::byte{1}));
    CHECK(memory[1000] == std::byte{0});
}

TEST_CASE("A piece in no memory ends the frame with DMA_ERROR and what had arrived",
          "[capture][hostile]")
{
    CaptureBench bench;
    bench.commit();
    bench.piece(0) = {CaptureBench::bufferAddress, 600, 0};
    bench.piece(1) = {0x40, 100, 0};
    bench.piece(2) = {CaptureBench::bufferAddress + 600, CaptureBench::pictureSize, 0};
    bench.descriptor(0) = {CaptureBench::listAddress, 3, 0, 1, 0};
    const capture_completion completion = captureOne(bench);
    CHECK(completion.status == CAPTURE_FRAME_DMA_ERROR);
    CHECK(completion.bytes == 600);
}

TEST_CASE("A doorbell beyond the ring stops the stream with an error", "[capture][hostile]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(1);
    bench.setStream(STREAM_DOORBELL, 9); // a ring of 8
    bench.run();
    bench.advance(framePeriod_ns);
    CHECK(bench.stream(STREAM_ERROR) == STREAM_ERROR_RING);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_IDLE) != 0);
    const std::uint32_t causes = CAPTURE_IRQ_ERROR(0) | CAPTURE_IRQ_IDLE(0);
    CHECK((bench.machine.read(CAPTURE_IRQ_STATUS) & causes) == causes);

    // ABORT gives back a ring of descriptors at the most.
    bench.setStream(STREAM_DOORBELL, 0xFFFFFFFF);
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.advance(0);
    CHECK(bench.index().completed == 8);
}

TEST_CASE("ABORT returns a ring of descriptors at the most, the one in the card's hands included",
          "[capture][hostile]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(8);
    bench.run();
    bench.advance(framePeriod_ns / 2); // the first one is held
    bench.setStream(STREAM_DOORBELL, 100);
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.advance(0);
    CHECK(bench.index().completed == 8);
}

TEST_CASE("A ring outside memory stops the stream, and so does a completion ring",
          "[capture][hostile]")
{
    CaptureBench bench;
    bench.configure();
    SECTION("descriptors")
    {
        bench.setStream(STREAM_RING_HIGH, 0xFFFFFFFF);
    }
    SECTION("completions")
    {
        bench.setStream(STREAM_COMPLETION_HIGH, 1);
    }
    SECTION("index")
    {
        bench.setStream(STREAM_INDEX_LOW, 0);
    }
    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
    REQUIRE(bench.stream(STREAM_ERROR) == STREAM_ERROR_NONE);
    bench.post(2);
    bench.run();
    bench.advance(3 * framePeriod_ns);
    CHECK(bench.stream(STREAM_ERROR) == STREAM_ERROR_RING_DMA);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_IDLE) != 0);
    CHECK(bench.stream(STREAM_CONTROL) == 0);

    bench.setStream(STREAM_COMMAND, STREAM_COMMAND_ABORT);
    bench.advance(0);
    CHECK((bench.stream(STREAM_STATUS) & STREAM_STATUS_IDLE) != 0);
}

TEST_CASE("Without bus mastering the stream stops with an error", "[capture][hostile]")
{
    CaptureBench bench;
    bench.commit();
    bench.post(2);
    bench.run();
    bench.machine.configWrite16(0x04, 0x0002);
    bench.advance(framePeriod_ns);
    CHECK(bench.stream(STREAM_ERROR) == STREAM_ERROR_RING_DMA);
    CHECK(bench.machine.interrupts.messages.empty());
}

TEST_CASE("Wrong widths and unaligned accesses read zero and change nothing", "[capture][hostile]")
{
    CaptureBench bench;
    std::array<std::byte, 2> two{std::byte{0xFF}, std::byte{0xFF}};
    bench.machine.function.barWrite(0, CAPTURE_SCRATCH, two);
    CHECK(bench.machine.read(CAPTURE_SCRATCH) == 0);
    bench.machine.function.barRead(0, CAPTURE_ID, two);
    CHECK(two[0] == std::byte{0});
    CHECK(bench.machine.read(CAPTURE_ID + 2) == 0);

    std::array<std::byte, 8> eight{};
    std::ranges::fill(eight, std::byte{0x11});
    bench.machine.function.barWrite(0, CAPTURE_IRQ_STATUS, eight); // a multiple of 8: ignored
    CHECK(bench.machine.read(CAPTURE_IRQ_MASK) == 0);
    bench.machine.function.barWrite(0, CAPTURE_IRQ_MASK, eight); // else two registers
    CHECK(bench.machine.read(CAPTURE_IRQ_MASK) == 0x00111111);
    CHECK(bench.machine.read(CAPTURE_SCRATCH) == 0x11111111);
    bench.machine.function.barRead(0, CAPTURE_ID, eight);
    CHECK(allBytesAre(eight, std::byte{0}));
}

TEST_CASE("Every offset of the BAR takes reads and hostile writes", "[capture][hostile]")
{
    CaptureBench bench;
    for (const std::uint32_t value : {0xFFFFFFFFu, 0u, 0x80000000u, 0x5A5A5A5Au}) {
        for (std::uint32_t offset = 0; offset < CAPTURE_BAR_SIZE; offset += 4) {
            bench.machine.write(offset, value);
            bench.machine.read(offset);
        }
        bench.advance(3 * framePeriod_ns);
    }
    bench.machine.write(CAPTURE_CONTROL, CAPTURE_CONTROL_RESET);
    bench.commit();
    bench.post();
    bench.run();
    bench.advance(framePeriod_ns);
    CHECK(bench.completion(0).status == CAPTURE_FRAME_OK);
}
