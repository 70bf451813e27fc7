// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/stamp.hpp"
#include "sample_frames.hpp"

#include <catch2/catch_test_macros.hpp>

#include <vector>

using namespace testcard::feed;

namespace
{

// What follows is written from README.md with plain loops and shares nothing with stamp.cpp.

/// The 64 blocks of stream 3, frame 01020304h. 45h is the CRC-8 of 03 01 02 03 04.
constexpr char blocksOfTheExample[] = "10100101"
                                      "00000011"
                                      "00000001"
                                      "00000010"
                                      "00000011"
                                      "00000100"
                                      "01000101"
                                      "01011010";

/// The example's picture before stamping: one colour, YUYV 640x480.
std::vector<std::uint8_t> examplePicture()
{
    std::vector<std::uint8_t> bytes;
    for (int pair = 0; pair < 640 / 2 * 480; ++pair)
        bytes.insert(bytes.end(), {100, 90, 101, 160}); // Y0 Cb Y1 Cr
    return bytes;
}

/// The example's picture as the specification wants it stamped: blocks of 16x13 pixels from
/// (64, 13) on.
std::vector<std::uint8_t> exampleStamped()
{
    std::vector<std::uint8_t> bytes = examplePicture();
    for (int bit = 0; bit < 64; ++bit)
        for (int y = 0; y < 13; ++y)
            for (int x = 0; x < 16; ++x) {
                const int row = 13 + bit / 32 * 13 + y, column = 64 + bit % 32 * 16 + x;
                bytes[row * 1280 + column * 2] = blocksOfTheExample[bit] == '1' ? 235 : 16;
                bytes[row * 1280 + column * 2 + 1] = 128;
            }
    for (int line = 0; line < 480; ++line) {
        std::uint8_t *const counter = &bytes[line * 1280];
        counter[0] = 0x04;
        counter[1] = 0x03;
        counter[2] = 0x02;
        counter[3] = 0x01;
        counter[4] = static_cast<std::uint8_t>(line % 256);
        counter[5] = static_cast<std::uint8_t>(line / 256);
        counter[6] = 3;
        counter[7] = static_cast<std::uint8_t>(0x54 ^ 0x04 ^ 0x03 ^ 0x02 ^ 0x01 ^ counter[4] ^
                                               counter[5] ^ 3);
    }
    for (int i = 8; i < 16; ++i)
        bytes[i] = 0;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) // 1280 bytes a line are whole words
        sum += static_cast<std::uint64_t>(bytes[i]) << (i % 8 * 8);
    for (int i = 0; i < 8; ++i)
        bytes[8 + i] = static_cast<std::uint8_t>(sum >> (8 * i));
    return bytes;
}

} // namespace

TEST_CASE("A stamped picture is the specification's, byte by byte", "[stamp]")
{
    const Shape shape{PixelFormat::yuyv, 640, 480};
    std::vector<std::uint8_t> bytes = examplePicture();
    Canvas canvas{shape, bytes, sumOfPicture(viewOf(shape, bytes))};
    applyStamp(canvas, {3, 0x01020304});
    CHECK(bytes == exampleStamped());
}

TEST_CASE("The first line starts with counter and sum", "[stamp]")
{
    const Shape shape{PixelFormat::bgr24, 80, 32};
    std::vector<std::uint8_t> bytes(shape.bytes());
    Canvas canvas = Canvas::cleared(shape, bytes);
    applyStamp(canvas, {3, 0x01020304});
    const std::vector<std::uint8_t> counter{0x04, 0x03, 0x02, 0x01, 0x00, 0x00, 0x03, 0x53};
    CHECK(std::vector(bytes.begin(), bytes.begin() + 8) == counter);
    CHECK(storedSum(viewOf(shape, bytes)) == expectedSum(viewOf(shape, bytes)));
}

TEST_CASE("Blocks carry sync, stream, frame, CRC and end", "[stamp]")
{
    CHECK(encodeBlocks({3, 0x01020304}) == 0xA503'01020304'455Aull);
    CHECK(encodeBlocks({0, 0}) == 0xA500'00000000'005Aull);
    CHECK(encodeBlocks({0, 1}) == 0xA500'00000001'075Aull); // the polynomial itself
}

TEST_CASE("Any flipped block is noticed", "[stamp]")
{
    const std::uint64_t bits = encodeBlocks({7, 0xDEADBEEF});
    CHECK(decodeBlocks(bits) == Stamp{7, 0xDEADBEEF});
    for (int bit = 0; bit < 64; ++bit)
        CHECK_FALSE(decodeBlocks(bits ^ (1ull << bit)));
    CHECK_FALSE(decodeBlocks(0));
    CHECK_FALSE(decodeBlocks(~0ull));
}

TEST_CASE("Any changed byte of a line counter is noticed", "[stamp]")
{
    const auto good = encodeCounter({0xCAFE0001, 719, 5});
    CHECK(decodeCounter(good) == LineCounter{0xCAFE0001, 719, 5});
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] ^= 0x10;
        CHECK_FALSE(decodeCounter(bad));
    }
    CHECK_FALSE(decodeCounter(std::vector<std::uint8_t>(8)));
    CHECK_FALSE(decodeCounter(std::vector<std::uint8_t>(8, 0xFF)));
}

TEST_CASE("The stamp of every standard size and format reads back", "[stamp]")
{
    for (const Shape &shape : sampleShapes()) {
        INFO(formatName(shape.format) << " " << shape.width << "x" << shape.height);
        REQUIRE(canStamp(shape));
        const auto bytes = sampleFrame(shape, {9, 0xFFFFFFFE});
        const PictureView picture = viewOf(shape, bytes);
        CHECK(readBlocks(picture) == Stamp{9, 0xFFFFFFFE});
        CHECK(storedSum(picture) == expectedSum(picture));
        for (std::uint32_t line = 0; line < shape.height; ++line)
            if (decodeCounter(picture.line(0, line)) !=
                LineCounter{0xFFFFFFFE, static_cast<std::uint16_t>(line), 9})
                FAIL("line " << line);
    }
}

TEST_CASE("The stamp does not depend on what was under it but for the sum", "[stamp]")
{
    const Shape shape{PixelFormat::bgr24, 98, 40};
    std::vector<std::uint8_t> bytes(shape.bytes(), 0xAB);
    Canvas canvas{shape, bytes, sumOfPicture(viewOf(shape, bytes))};
    applyStamp(canvas, {1, 2});
    applyStamp(canvas, {3, 4});
    CHECK(readBlocks(viewOf(shape, bytes)) == Stamp{3, 4});
    CHECK(storedSum(viewOf(shape, bytes)) == expectedSum(viewOf(shape, bytes)));
}

TEST_CASE("Pictures that are too small or odd cannot be stamped", "[stamp]")
{
    CHECK(canStamp({PixelFormat::yuyv, 80, 32}));
    CHECK_FALSE(canStamp({PixelFormat::yuyv, 78, 32}));
    CHECK_FALSE(canStamp({PixelFormat::yuyv, 81, 32}));
    CHECK_FALSE(canStamp({PixelFormat::yuyv, 80, 31}));
    CHECK_FALSE(canStamp({PixelFormat::yuyv, 80, 0x10001}));
    CHECK_FALSE(readBlocks(viewOf({PixelFormat::yuyv, 0, 0}, {})));
}
