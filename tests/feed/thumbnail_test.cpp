// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/contact_sheet.hpp"
#include "feed/lettering.hpp"
#include "feed/pattern_source.hpp"
#include "feed/ppm.hpp"
#include "feed/stamp.hpp"
#include "feed/thumbnail.hpp"
#include "feed/timings.hpp"
#include "sample_frames.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <png.h>

#include <algorithm>
#include <filesystem>
#include <vector>

using namespace testcard::feed;
using Catch::Matchers::ContainsSubstring;

namespace
{

std::optional<Stamp> stampOf(const RgbImage &image, const Shape &original)
{
    return readScaledBlocks(original, image.width, image.height,
                            [&](std::uint32_t x, std::uint32_t y) {
                                const std::size_t at = (std::size_t{y} * image.width + x) * 3;
                                return static_cast<std::uint8_t>(
                                    (image.rgb[at] + image.rgb[at + 1] + image.rgb[at + 2]) / 3);
                            });
}

std::string samplePpm(std::uint32_t frame)
{
    const Shape shape{PixelFormat::yuyv, 640, 480};
    const auto bytes = sampleFrame(shape, {1, frame});
    const ThumbnailNote note{frame, frame, frame * 16667ull, shape};
    return toPpm(makeThumbnail(viewOf(shape, bytes), 320), note);
}

} // namespace

TEST_CASE("The stamp reads from thumbnails of every standard size", "[thumbnail]")
{
    for (const Shape &shape : sampleShapes()) {
        const auto bytes = sampleFrame(shape, {200, 0xA5A55A5A});
        for (const std::uint32_t width : {320u, 333u, 400u, 640u}) {
            INFO(formatName(shape.format)
                 << " " << shape.width << "x" << shape.height << " at " << width);
            const RgbImage image = makeThumbnail(viewOf(shape, bytes), width);
            CHECK(image.width == width);
            CHECK(stampOf(image, shape) == Stamp{200, 0xA5A55A5A});
        }
    }
}

TEST_CASE("A thumbnail has the picture's proportions and colours", "[thumbnail]")
{
    PatternSpec spec;
    spec.timings = timingsByName("1280x720p60").value();
    const auto from = makePatternSource(spec).value();
    for (const std::uint32_t format : {1u, 2u}) {
        std::vector<std::uint8_t> bytes(format == 1 ? 1280 * 720 * 2 : 1280 * 720 * 3);
        from->draw(0, {format, 1280, 720}, std::as_writable_bytes(std::span{bytes}));
        const Shape shape = shapeOf({format, 1280, 720}).value();
        const RgbImage image = makeThumbnail(viewOf(shape, bytes), 320);
        CHECK(image.width == 320);
        CHECK(image.height == 180);
        const auto near = [&](std::uint32_t x, std::uint32_t y, int r, int g, int b) {
            const std::uint8_t *const at = &image.rgb[(std::size_t{y} * 320 + x) * 3];
            INFO(x << ", " << y << ": " << +at[0] << " " << +at[1] << " " << +at[2]);
            CHECK(
                (std::abs(at[0] - r) <= 2 && std::abs(at[1] - g) <= 2 && std::abs(at[2] - b) <= 2));
        };
        near(91, 80, 191, 191, 0); // 75 % yellow
        near(160, 80, 0, 191, 0);  // 75 % green
        near(228, 80, 191, 0, 0);  // 75 % red
        near(300, 112, 0, 0, 255); // 100 % blue
        near(125, 160, 255, 255, 255);
    }
}

TEST_CASE("Incomplete and narrow pictures make no trouble", "[thumbnail]")
{
    const std::vector<std::uint8_t> bytes(1000, 0x80);
    CHECK(makeThumbnail({{PixelFormat::yuyv, 640, 480}, bytes, 1280}, 320).rgb.empty());
    CHECK(makeThumbnail({{PixelFormat::yuyv, 0, 0}, bytes, 0}, 320).rgb.empty());
    const RgbImage narrow = makeThumbnail(viewOf({PixelFormat::yuyv, 2, 250}, bytes), 320);
    CHECK(narrow.width == 2);
    CHECK(narrow.height == 250);
    CHECK(makeThumbnail(viewOf({PixelFormat::yuyv, 500, 1}, bytes), 16).height == 1);
}

TEST_CASE("A thumbnail comes back from its file with all it knows", "[ppm]")
{
    const RgbImage image{2, 1, {1, 2, 3, 4, 5, 6}};
    const ThumbnailNote note{12, 13, 200'123, {PixelFormat::bgr24, 1280, 720}};
    const std::string file = toPpm(image, note);
    CHECK(file == std::string{"P6\n# testcard frame=12 sequence=13 time_us=200123 "
                              "source=BGR24:1280x720\n2 1\n255\n\1\2\3\4\5\6"});
    const auto back = parsePpm(file);
    REQUIRE(back);
    CHECK(back->image.rgb == image.rgb);
    CHECK(back->note.frame == 12);
    CHECK(back->note.sequence == 13);
    CHECK(back->note.time_us == 200'123);
    CHECK(back->note.source == note.source);
}

TEST_CASE("A PPM of another program is taken without a note", "[ppm]")
{
    const auto image = parsePpm("P6 # made elsewhere\n# frame=9\n 2\t1\r\n255\nabcdef");
    REQUIRE(image);
    CHECK(image->image.width == 2);
    CHECK_FALSE(image->note.frame);
}

TEST_CASE("Notes that make no sense are left out", "[ppm]")
{
    for (const char *const note :
         {"frame=-1", "frame=99999999999", "frame", "=", "source=YUYV", "source=YUYV:", "source=:x",
          "source=x", "source=YUYV:1x", "source=1x2:", "time_us=x", "  ", "frame=1="}) {
        INFO(note);
        const auto image = parsePpm("P6\n# testcard " + std::string{note} + "\n1 1\n255\nabc");
        REQUIRE(image);
        CHECK_FALSE(image->note.frame);
        CHECK(image->note.source == Shape{});
    }
}

TEST_CASE("Files that are no thumbnails are refused in words", "[ppm]")
{
    const auto message = [](const std::string &file) {
        const auto parsed = parsePpm(file);
        return parsed ? std::string{"accepted"} : parsed.error().message;
    };
    CHECK_THAT(message(""), ContainsSubstring("no binary PPM"));
    CHECK_THAT(message("P5\n1 1\n255\na"), ContainsSubstring("no binary PPM"));
    CHECK_THAT(message("P6"), ContainsSubstring("malformed"));
    CHECK_THAT(message("P6\n1 1"), ContainsSubstring("malformed"));
    CHECK_THAT(message("P6\n-1 1\n255\nabc"), ContainsSubstring("malformed"));
    CHECK_THAT(message("P6\n1e9 1\n255\nabc"), ContainsSubstring("malformed"));
    CHECK_THAT(message("P6\n99999999999999999999 1\n255\n"), ContainsSubstring("malformed"));
    CHECK_THAT(message("P6\n0 1\n255\n"), ContainsSubstring("0x1"));
    CHECK_THAT(message("P6\n4097 1\n255\n"), ContainsSubstring("4096"));
    CHECK_THAT(message("P6\n4294967295 4294967295\n255\n"), ContainsSubstring("4096"));
    CHECK_THAT(message("P6\n1 1\n65535\nabcdef"), ContainsSubstring("65535"));
    CHECK_THAT(message("P6\n1 1\n255"), ContainsSubstring("0 bytes of pixels instead of 3"));
    CHECK_THAT(message("P6\n1 1\n255\nab"), ContainsSubstring("2 bytes of pixels"));
    CHECK_THAT(message("P6\n1 1\n255\nabcd"), ContainsSubstring("4 bytes of pixels"));
    CHECK_THAT(message("P6\n#" + std::string(100'000, 'x') + "\n1 1\n255\nabc"),
               ContainsSubstring("malformed"));
    for (int byte = 0; byte < 256; ++byte)
        CHECK_FALSE(parsePpm(std::string(64, static_cast<char>(byte))));
}

TEST_CASE("Every cut of a good file is refused", "[ppm]")
{
    const std::string good = toPpm({2, 2, std::vector<std::uint8_t>(12, 7)}, {});
    REQUIRE(parsePpm(good));
    for (std::size_t length = 0; length < good.size(); ++length)
        if (parsePpm(good.substr(0, length))) FAIL("accepted " << length << " bytes");
}

TEST_CASE("A contact sheet holds all thumbnails and their labels", "[contact-sheet]")
{
    const TemporaryFolder folder;
    std::vector<std::filesystem::path> files;
    for (std::uint32_t i = 0; i < 6; ++i)
        files.push_back(folder.write("thumbnail-" + std::to_string(i) + ".ppm", samplePpm(i)));
    const auto written = writeContactSheet(files, folder / "sheet.png", {"first light", 4});
    REQUIRE(written);
    CHECK_FALSE(std::filesystem::exists(folder / "sheet.png.part"));

    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_file(&png, (folder / "sheet.png").c_str()) != 0);
    CHECK(png.width == 8 + 4 * (320 + 8));
    CHECK(png.height == 22 + 8 + 2 * (240 + 22 + 8));
    png.format = PNG_FORMAT_RGB;
    RgbImage sheet{png.width, png.height, std::vector<std::uint8_t>(PNG_IMAGE_SIZE(png))};
    REQUIRE(png_image_finish_read(&png, nullptr, sheet.rgb.data(), 0, nullptr) != 0);

    // Every thumbnail stands in its cell: its stamp reads from the sheet.
    for (std::uint32_t i = 0; i < 6; ++i) {
        const std::uint32_t left = 8 + i % 4 * 328, top = 30 + i / 4 * 270;
        const auto luma = [&](std::uint32_t x, std::uint32_t y) {
            return sheet.rgb[(std::size_t{top + y} * sheet.width + left + x) * 3];
        };
        CHECK(readScaledBlocks({PixelFormat::yuyv, 640, 480}, 320, 240, luma) == Stamp{1, i});
        std::size_t lettering = 0;
        for (std::uint32_t y = 240; y < 262; ++y)
            for (std::uint32_t x = 0; x < 320; ++x)
                lettering += luma(x, y) == 255;
        CHECK(lettering > 500);
    }
}

TEST_CASE("A contact sheet that cannot be made says why and leaves nothing", "[contact-sheet]")
{
    const TemporaryFolder folder;
    const auto message = [&](std::vector<std::filesystem::path> files) {
        const auto written = writeContactSheet(files, folder / "sheet.png");
        CHECK_FALSE(std::filesystem::exists(folder / "sheet.png"));
        CHECK_FALSE(std::filesystem::exists(folder / "sheet.png.part"));
        return written ? std::string{"written"} : written.error().message;
    };
    const auto good = folder.write("good.ppm", samplePpm(1));
    CHECK_THAT(message({}), ContainsSubstring("no thumbnails"));
    CHECK_THAT(message({good, folder / "absent.ppm"}), ContainsSubstring("absent.ppm"));
    CHECK_THAT(message({good, folder.write("bad.ppm", "hello")}),
               ContainsSubstring("bad.ppm: is no binary PPM"));
    CHECK_THAT(message({folder / "."}), ContainsSubstring("feed-"));

    // Two that are large only together: one wide, one high.
    const auto wide =
        folder.write("wide.ppm", toPpm({4096, 1, std::vector<std::uint8_t>(12288)}, {}));
    const auto high =
        folder.write("high.ppm", toPpm({1, 4096, std::vector<std::uint8_t>(12288)}, {}));
    CHECK_THAT(message({wide, high, high}), ContainsSubstring("too large"));

    const auto unwritable = writeContactSheet(std::vector{good}, folder / "no/such/sheet.png");
    REQUIRE_FALSE(unwritable);
    CHECK_THAT(unwritable.error().message, ContainsSubstring("sheet.png"));
}

TEST_CASE("Text beyond the edge of an image is left out", "[contact-sheet]")
{
    RgbImage image{10, 5, std::vector<std::uint8_t>(150)};
    drawText(image, 3, 2, "Overlong \x01\xff{}", 3);
    drawText(image, 100, 100, "outside", 1);
    CHECK(std::ranges::count(image.rgb, 255) > 0);
}
