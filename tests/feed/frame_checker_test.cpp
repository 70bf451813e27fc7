// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/frame_checker.hpp"
#include "sample_frames.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <vector>

using namespace testcard::feed;
using Catch::Matchers::ContainsSubstring;

namespace
{

constexpr Shape shape{PixelFormat::yuyv, 96, 48};
constexpr std::size_t lineBytes = 192;

using Bytes = std::vector<std::uint8_t>;

Bytes frame(std::uint32_t number, std::uint8_t stream = 1)
{
    return sampleFrame(shape, {stream, number});
}

/// The upper lines of one frame over the lower of another.
Bytes torn(std::uint32_t upper, std::uint32_t lower, std::size_t line)
{
    Bytes bytes = frame(lower);
    const Bytes above = frame(upper);
    std::copy_n(above.begin(), line * lineBytes, bytes.begin());
    return bytes;
}

/// A checker and the short forms that a test of it needs.
struct Bench {
    FrameChecker checker;

    Finding receive(const Bytes &bytes, std::optional<std::uint32_t> sequence = std::nullopt)
    {
        return checker.check(viewOf(shape, bytes), {.sequence = sequence});
    }
    Finding receive(std::uint32_t number, std::optional<std::uint32_t> sequence = std::nullopt)
    {
        return receive(frame(number), sequence);
    }
    const FrameCounts &counts() const { return checker.counts(); }
};

} // namespace

TEST_CASE("A sound stream passes", "[checker]")
{
    Bench bench;
    for (std::uint32_t i = 0; i < 20; ++i)
        CHECK(bench.receive(100 + i, i) == Finding::good);
    CHECK(bench.counts().received == 20);
    CHECK(bench.counts().dropped == 0);
    CHECK(bench.counts().droppedBySequence == 0);
    CHECK(bench.checker.lastFrame() == 119);
    CHECK(bench.checker.passed());
}

TEST_CASE("Nothing received is no pass", "[checker]")
{
    CHECK_FALSE(FrameChecker{}.passed());
}

TEST_CASE("Dropped frames are counted exactly, by stamp and by sequence", "[checker]")
{
    Bench bench;
    bench.receive(0, 0);
    CHECK(bench.receive(3, 3) == Finding::good);
    CHECK_THAT(bench.checker.remark(), ContainsSubstring("2 dropped"));
    bench.receive(4, 4);
    bench.receive(100, 100);
    CHECK(bench.counts().dropped == 2 + 95);
    CHECK(bench.counts().droppedBySequence == 2 + 95);
    CHECK(bench.checker.dropsAgree());
    CHECK(bench.checker.passed()); // drops are counted, not judged
}

TEST_CASE("A driver that hides drops is found out", "[checker]")
{
    Bench bench;
    bench.receive(0, 0);
    bench.receive(2, 1);
    bench.receive(3, 2);
    CHECK(bench.counts().dropped == 1);
    CHECK(bench.counts().droppedBySequence == 0);
    CHECK(bench.counts().sequenceErrors == 1);
    CHECK_FALSE(bench.checker.passed());
}

TEST_CASE("A driver that invents drops is found out", "[checker]")
{
    Bench bench;
    bench.receive(0, 0);
    bench.receive(1, 2);
    CHECK(bench.counts().droppedBySequence == 1);
    CHECK_FALSE(bench.checker.passed());
}

TEST_CASE("Equal totals of drops in different places do not agree", "[checker]")
{
    Bench bench;
    bench.receive(0, 0);
    bench.receive(2, 1);
    bench.receive(3, 3);
    CHECK(bench.counts().dropped == bench.counts().droppedBySequence);
    CHECK_FALSE(bench.checker.dropsAgree());
}

TEST_CASE("A sequence that stands still or falls is an error", "[checker]")
{
    Bench bench;
    bench.receive(0, 5);
    bench.receive(1, 5);
    CHECK(bench.counts().sequenceErrors > 0);
    CHECK_FALSE(bench.checker.passed());
}

TEST_CASE("Numbers and sequence may wrap", "[checker]")
{
    Bench bench;
    bench.receive(0xFFFFFFFE, 0xFFFFFFFF);
    bench.receive(0xFFFFFFFF, 0);
    bench.receive(1, 2);
    bench.receive(2, 3);
    CHECK(bench.counts().dropped == 1);
    CHECK(bench.counts().droppedBySequence == 1);
    CHECK(bench.checker.passed());
}

TEST_CASE("A repeated frame is found, at once or later", "[checker]")
{
    Bench bench;
    bench.receive(7);
    CHECK(bench.receive(7) == Finding::repeated);
    bench.receive(8);
    bench.receive(9);
    CHECK(bench.receive(8) == Finding::repeated);
    CHECK(bench.counts().repeated == 2);
    CHECK(bench.counts().outOfOrder == 0);
    CHECK_FALSE(bench.checker.passed());
}

TEST_CASE("A late frame is out of order and not dropped any more", "[checker]")
{
    Bench bench;
    bench.receive(1);
    bench.receive(3);
    CHECK(bench.counts().dropped == 1);
    CHECK(bench.receive(2) == Finding::outOfOrder);
    CHECK(bench.counts().dropped == 0);
    CHECK(bench.receive(2) == Finding::repeated);
    CHECK(bench.receive(4) == Finding::good);
    CHECK(bench.counts().dropped == 0);
    CHECK_FALSE(bench.checker.passed());
}

TEST_CASE("Frames from before the first are out of order and owe nothing", "[checker]")
{
    Bench bench;
    bench.receive(5000);
    bench.receive(5002);
    CHECK(bench.receive(4999) == Finding::outOfOrder);
    CHECK(bench.receive(10) == Finding::outOfOrder);
    CHECK(bench.counts().dropped == 1);
}

TEST_CASE("A torn frame is found wherever it is torn", "[checker]")
{
    for (const std::size_t line : {1u, 2u, 10u, 24u, 46u, 47u}) {
        Bench bench;
        bench.receive(10, 0);
        CHECK(bench.receive(torn(12, 11, line), 1) == Finding::torn);
        CHECK_THAT(bench.checker.remark(),
                   ContainsSubstring("from line " + std::to_string(line) + " frame 11"));
        bench.receive(12, 2);
        CHECK(bench.counts().torn == 1);
        CHECK(bench.counts().dropped == 0); // the torn one took frame 11's place
        CHECK(bench.checker.dropsAgree());
        CHECK_FALSE(bench.checker.passed());
    }
}

TEST_CASE("Any changed byte makes a frame wrong", "[checker]")
{
    const Bytes good = frame(5);
    for (std::size_t i = 0; i < good.size(); i += 13) {
        Bytes bad = good;
        bad[i] ^= 1;
        Bench bench;
        if (bench.receive(bad) != Finding::wrong) FAIL("byte " << i);
    }
}

TEST_CASE("Swapped lines are wrong", "[checker]")
{
    Bytes bytes = frame(5);
    std::swap_ranges(bytes.begin() + 40 * lineBytes, bytes.begin() + 41 * lineBytes,
                     bytes.begin() + 41 * lineBytes);
    Bench bench;
    CHECK(bench.receive(bytes) == Finding::wrong);
    CHECK_THAT(bench.checker.remark(), ContainsSubstring("line 40 says that it is line 41"));
}

TEST_CASE("A picture without a stamp is wrong", "[checker]")
{
    Bench bench;
    CHECK(bench.receive(Bytes(shape.bytes())) == Finding::wrong);
    CHECK(bench.receive(Bytes(shape.bytes(), 0x80)) == Finding::wrong);
    CHECK(bench.counts().wrong == 2);
}

TEST_CASE("Blocks of another frame are wrong", "[checker]")
{
    // The counters of one frame over the blocks of another, with the right sum.
    Bytes bytes = frame(5);
    const Bytes other = frame(6);
    const BlockGrid grid = blockGrid(shape.width, shape.height);
    for (std::uint32_t y = grid.y; y < grid.y + 2 * grid.height; ++y)
        std::copy_n(other.begin() + y * lineBytes + 8, lineBytes - 8,
                    bytes.begin() + y * lineBytes + 8);
    const std::uint64_t sum = expectedSum(viewOf(shape, bytes));
    for (unsigned i = 0; i < sumBytes; ++i)
        bytes[sumOffset + i] = static_cast<std::uint8_t>(sum >> (8 * i));
    Bench bench;
    CHECK(bench.receive(bytes) == Finding::wrong);
    CHECK_THAT(bench.checker.remark(), ContainsSubstring("the blocks say frame 6"));
}

TEST_CASE("Too few bytes are wrong", "[checker]")
{
    Bytes bytes = frame(5);
    bytes.pop_back();
    Bench bench;
    CHECK(bench.receive(bytes) == Finding::wrong);
    CHECK(bench.receive(Bytes{}) == Finding::wrong);
}

TEST_CASE("Frames of another stream are wrong", "[checker]")
{
    Bench any;
    any.receive(frame(1, 4));
    CHECK(any.receive(frame(2, 5)) == Finding::wrong);
    CHECK(any.receive(frame(3, 4)) == Finding::good);
    Bench one{FrameChecker{2}};
    CHECK(one.receive(frame(1, 4)) == Finding::wrong);
    CHECK(one.receive(frame(1, 2)) == Finding::good);
}

TEST_CASE("Lines of different streams are wrong", "[checker]")
{
    Bytes bytes = frame(5, 1);
    const Bytes other = frame(5, 2);
    std::copy_n(other.begin() + 30 * lineBytes, lineBytes, bytes.begin() + 30 * lineBytes);
    Bench bench;
    CHECK(bench.receive(bytes) == Finding::wrong);
}

TEST_CASE("A frame that the driver marks as bad takes its place and is not judged", "[checker]")
{
    Bench bench;
    bench.receive(0, 0);
    const Bytes rubbish(shape.bytes());
    CHECK(bench.checker.check(viewOf(shape, rubbish), {.sequence = 1, .flagged = true}) ==
          Finding::flagged);
    bench.receive(2, 2);
    CHECK(bench.counts().flagged == 1);
    CHECK(bench.counts().dropped == 0);
    CHECK(bench.checker.passed());
}

TEST_CASE("A padded frame is as good as a packed one", "[checker]")
{
    const Bytes packed = frame(5);
    constexpr std::size_t stride = 256;
    Bytes padded(stride * shape.height, 0xCC);
    for (std::size_t y = 0; y < shape.height; ++y)
        std::copy_n(packed.begin() + y * lineBytes, lineBytes, padded.begin() + y * stride);
    FrameChecker checker;
    CHECK(checker.check({shape, padded, stride}) == Finding::good);
}

TEST_CASE("After a restart numbers and sequence begin anew", "[checker]")
{
    Bench bench;
    bench.receive(500, 20);
    bench.checker.restart();
    CHECK(bench.receive(3, 0) == Finding::good);
    CHECK(bench.receive(4, 1) == Finding::good);
    CHECK(bench.counts().received == 3);
    CHECK(bench.counts().dropped == 0);
    CHECK(bench.checker.passed());
}

TEST_CASE("Without sequence numbers there is nothing to disagree with", "[checker]")
{
    Bench bench;
    bench.receive(1);
    bench.receive(5);
    CHECK(bench.counts().dropped == 3);
    CHECK(bench.checker.dropsAgree());
}

TEST_CASE("A jump beyond the history is a drop like any other", "[checker]")
{
    Bench bench;
    bench.receive(0);
    bench.receive(1'000'000);
    CHECK(bench.counts().dropped == 999'999);
    CHECK(bench.receive(999'999) == Finding::outOfOrder);
    CHECK(bench.receive(0) == Finding::outOfOrder); // too long ago to know better
}
