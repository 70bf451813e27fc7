// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture_regs.h"
#include "capture/frame_source.hpp"
#include "feed/canvas.hpp"
#include "feed/picture.hpp"

#include <catch2/catch_test_macros.hpp>

#include <numeric>
#include <vector>

using namespace testcard::feed;

namespace
{

/// The sum as README.md puts it: word by word, bytes shifted to their places.
std::uint64_t sumByDefinition(const PictureView &picture)
{
    std::uint64_t sum = 0;
    for (std::uint32_t line = 0; line < picture.shape.height; ++line) {
        const auto bytes = picture.line(0, line);
        for (std::size_t i = 0; i < bytes.size(); ++i)
            sum += std::uint64_t{bytes[i]} << (8 * (i % 8));
    }
    return sum;
}

std::vector<std::uint8_t> numbered(std::size_t count)
{
    std::vector<std::uint8_t> bytes(count);
    for (std::size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 37 + i / 251);
    return bytes;
}

} // namespace

TEST_CASE("Formats know their names and sizes, and agree with the card", "[picture]")
{
    CHECK(formatByName("YUYV") == PixelFormat::yuyv);
    CHECK(formatByName("BGR24") == PixelFormat::bgr24);
    CHECK_FALSE(formatByName("yuyv"));
    CHECK_FALSE(formatByName(""));
    CHECK(Shape{PixelFormat::yuyv, 1280, 720}.bytes() ==
          testcard::capture::pictureBytes({CAPTURE_FORMAT_YUYV, 1280, 720}));
    CHECK(Shape{PixelFormat::bgr24, 1366, 768}.bytes() ==
          testcard::capture::pictureBytes({CAPTURE_FORMAT_BGR24, 1366, 768}));
    CHECK(Shape{PixelFormat::bgr24, 1366, 768}.plane(0).lineBytes == 4098);
}

TEST_CASE("The sum takes each line as words of its own", "[picture]")
{
    for (const PixelFormat format : {PixelFormat::yuyv, PixelFormat::bgr24})
        for (const std::uint32_t width : {2u, 4u, 6u, 8u, 10u, 80u, 82u, 1366u}) {
            const Shape shape{format, width, 5};
            const auto bytes = numbered(shape.bytes());
            CHECK(sumOfPicture(viewOf(shape, bytes)) == sumByDefinition(viewOf(shape, bytes)));
        }
}

TEST_CASE("The sum leaves padding out", "[picture]")
{
    const Shape shape{PixelFormat::yuyv, 6, 3};
    const auto bytes = numbered(12 + 20 + 20);
    const PictureView padded{shape, bytes, 20};
    REQUIRE(padded.complete());
    std::vector<std::uint8_t> packed;
    for (std::uint32_t i = 0; i < 3; ++i)
        packed.insert(packed.end(), padded.line(0, i).begin(), padded.line(0, i).end());
    CHECK(sumOfPicture(padded) == sumOfPicture(viewOf(shape, packed)));
}

TEST_CASE("A part of a line counts at its place", "[picture]")
{
    const auto bytes = numbered(40);
    for (std::size_t offset = 0; offset < bytes.size(); ++offset)
        for (std::size_t count = 0; offset + count <= bytes.size(); ++count) {
            const std::span whole{bytes};
            const std::uint64_t parts = sumOfLine(whole.first(offset)) +
                                        sumOfLine(whole.subspan(offset, count), offset) +
                                        sumOfLine(whole.subspan(offset + count), offset + count);
            if (parts != sumOfLine(whole)) FAIL(offset << " and " << count);
        }
}

TEST_CASE("A picture that is too short for its shape is not complete", "[picture]")
{
    const Shape shape{PixelFormat::yuyv, 8, 4};
    const std::vector<std::uint8_t> bytes(64);
    CHECK(PictureView{shape, bytes, 16}.complete());
    CHECK_FALSE(PictureView{shape, std::span{bytes}.first(63), 16}.complete());
    CHECK_FALSE(PictureView{shape, bytes, 15}.complete());
    CHECK(PictureView{shape, std::span{bytes}.first(3 * 16 + 16), 16}.complete());
    CHECK_FALSE(PictureView{shape, bytes, 0xFFFFFFFF}.complete());
    CHECK_FALSE(PictureView{{PixelFormat::yuyv, 8, 0}, bytes, 16}.complete());
}

TEST_CASE("A canvas keeps its sum through everything that is drawn", "[canvas]")
{
    for (const PixelFormat format : {PixelFormat::yuyv, PixelFormat::bgr24})
        for (const std::uint32_t width : {90u, 94u, 128u}) {
            const Shape shape{format, width, 40};
            std::vector<std::uint8_t> bytes(shape.bytes(), 0xEE);
            Canvas canvas = Canvas::cleared(shape, bytes);
            CHECK(canvas.sum() == 0);
            canvas.fill({10, 3, 30, 20}, grey(200));
            canvas.fill({0, 0, width, 40}, colourFromRgb(Matrix::bt709, 750, 0, 250));
            canvas.fill({width - 4, 38, 100, 100}, grey(90)); // clipped
            canvas.fill({width, 0, 2, 2}, grey(90));          // outside
            canvas.put(0, 7, 3, numbered(21));
            const std::vector<Colour> pixels(12, grey(77));
            canvas.drawPixels(6, 9, pixels);
            CHECK(canvas.sum() == sumByDefinition(viewOf(shape, bytes)));
        }
}

TEST_CASE("Pixels lie in memory as V4L2 defines their formats", "[canvas]")
{
    const Colour one{10, 20, 30, 40, 50, 60}, two{11, 21, 31, 41, 51, 61};
    const std::array pixels{one, two};

    std::vector<std::uint8_t> yuyv(8);
    Canvas::cleared({PixelFormat::yuyv, 4, 1}, yuyv).drawPixels(2, 0, pixels);
    CHECK(yuyv == std::vector<std::uint8_t>{0, 0, 0, 0, 10, 20, 11, 30});

    std::vector<std::uint8_t> bgr(12);
    Canvas::cleared({PixelFormat::bgr24, 4, 1}, bgr).drawPixels(2, 0, pixels);
    CHECK(bgr == std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 60, 50, 40, 61, 51, 41});
}
