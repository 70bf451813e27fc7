// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture_regs.h"
#include "feed/pattern_source.hpp"
#include "feed/stamp.hpp"
#include "feed/timings.hpp"
#include "golden_frames.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using namespace testcard;
using namespace testcard::feed;
using Catch::Matchers::ContainsSubstring;

namespace
{

using Bytes = std::vector<std::uint8_t>;

std::unique_ptr<PatternSource> source(const std::string &pattern, std::uint64_t seed = 1,
                                      std::uint8_t stream = 0,
                                      std::string_view timings = "1280x720p60")
{
    PatternSpec spec;
    spec.pattern = pattern;
    spec.key = {seed, stream};
    spec.timings = timingsByName(timings).value();
    return makePatternSource(spec).value();
}

Bytes draw(capture::FrameSource &from, std::uint64_t frame,
           const capture::PictureFormat &picture = {CAPTURE_FORMAT_YUYV, 1280, 720})
{
    Bytes bytes(capture::pictureBytes(picture), 0xEE);
    from.draw(frame, picture, std::as_writable_bytes(std::span{bytes}));
    return bytes;
}

/// FNV-1a, 64 bits.
std::uint64_t hashOf(const Bytes &bytes)
{
    std::uint64_t hash = 0xCBF29CE484222325u;
    for (const std::uint8_t byte : bytes)
        hash = (hash ^ byte) * 0x100000001B3u;
    return hash;
}

std::array<int, 3> yuyvAt(const Bytes &bytes, std::uint32_t width, std::uint32_t x, std::uint32_t y)
{
    const std::size_t pair = (std::size_t{y} * width + x / 2 * 2) * 2;
    return {bytes[pair + x % 2 * 2], bytes[pair + 1], bytes[pair + 3]};
}

} // namespace

TEST_CASE("Every pattern is bit-exact", "[pattern]")
{
    for (const GoldenFrame &want : goldenFrames) {
        INFO(want.pattern << " " << want.timings << " format " << want.format << " frame "
                          << want.frame << " seed " << want.seed);
        const auto timings = timingsByName(want.timings).value();
        const auto from = source(want.pattern, want.seed, want.stream, want.timings);
        const Bytes bytes = draw(*from, want.frame, {want.format, timings.width, timings.height});
        CHECK(hashOf(bytes) == want.hash);
    }
}

TEST_CASE("A frame depends on nothing that was drawn before it", "[pattern]")
{
    for (const std::string_view name : patternNames()) {
        INFO(name);
        const std::string pattern{name};
        const auto used = source(pattern), fresh = source(pattern);
        draw(*used, 5);
        draw(*used, 1'000'000);
        draw(*used, 3, {CAPTURE_FORMAT_BGR24, 1280, 720});
        draw(*used, 3, {CAPTURE_FORMAT_YUYV, 640, 480});
        CHECK(draw(*used, 4) == draw(*fresh, 4));
        CHECK(draw(*used, 4) == draw(*used, 4));
        CHECK(draw(*used, 5) != draw(*used, 4));
    }
}

TEST_CASE("Every frame of every pattern, size and format is rightly stamped", "[pattern]")
{
    for (const std::string_view name : patternNames())
        for (const char *const timings :
             {"640x480p60", "720x576p50", "848x480p60", "1366x768p60", "1920x1080p60"})
            for (const std::uint32_t format : {CAPTURE_FORMAT_YUYV, CAPTURE_FORMAT_BGR24}) {
                INFO(name << " " << timings << " format " << format);
                const auto from = source(std::string{name}, 7, 42, timings);
                const auto [width, height] =
                    std::pair{from->signal().timings.width, from->signal().timings.height};
                const Bytes bytes = draw(*from, 0x1'0000'0005, {format, width, height});
                const PictureView picture = viewOf(shapeOf({format, width, height}).value(), bytes);
                CHECK(readBlocks(picture) == Stamp{42, 5}); // numbers wrap at 2^32
                CHECK(storedSum(picture) == expectedSum(picture));
                CHECK(decodeCounter(picture.line(0, height - 1)) ==
                      LineCounter{5, static_cast<std::uint16_t>(height - 1), 42});
            }
}

TEST_CASE("High-definition bars have the layout of SMPTE RP 219", "[pattern]")
{
    const Bytes bytes = draw(*source("smpte-bars"), 0);
    struct Place {
        std::uint32_t x, y;
        std::array<int, 3> colour;
    };
    // 1280x720: side panels end at 160 and start at 1120, bars are 137 1/7 wide, rows end at 420,
    // 480, 540. Places lie in the middle of their fields.
    const std::array places{
        Place{80, 300, {104, 128, 128}},   Place{228, 300, {180, 128, 128}},
        Place{366, 300, {168, 44, 136}},   Place{502, 300, {145, 147, 44}},
        Place{640, 300, {133, 63, 52}},    Place{778, 300, {63, 193, 204}},
        Place{914, 300, {51, 109, 212}},   Place{1052, 300, {28, 212, 120}},
        Place{1200, 300, {104, 128, 128}}, Place{80, 450, {188, 154, 16}},
        Place{228, 450, {235, 128, 128}},  Place{640, 450, {180, 128, 128}},
        Place{1200, 450, {32, 240, 118}},  Place{80, 510, {219, 16, 138}},
        Place{228, 510, {16, 128, 128}},   Place{1052, 510, {235, 128, 128}},
        Place{1200, 510, {63, 102, 240}},  Place{80, 630, {49, 128, 128}},
        Place{260, 630, {16, 128, 128}},   Place{500, 630, {235, 128, 128}},
        Place{700, 630, {16, 128, 128}},   Place{777, 630, {12, 128, 128}},
        Place{822, 630, {16, 128, 128}},   Place{868, 630, {20, 128, 128}},
        Place{914, 630, {16, 128, 128}},   Place{960, 630, {25, 128, 128}},
        Place{1050, 630, {16, 128, 128}},  Place{1200, 630, {49, 128, 128}},
    };
    for (const Place &place : places) {
        INFO(place.x << ", " << place.y);
        CHECK(yuyvAt(bytes, 1280, place.x, place.y) == place.colour);
    }
    // Edges: the first bar starts at 160, the second at 297.1, rounded to an even pixel.
    CHECK(yuyvAt(bytes, 1280, 159, 300)[0] == 104);
    CHECK(yuyvAt(bytes, 1280, 160, 300)[0] == 180);
    CHECK(yuyvAt(bytes, 1280, 297, 300)[0] == 180);
    CHECK(yuyvAt(bytes, 1280, 298, 300)[0] == 168);
    CHECK(yuyvAt(bytes, 1280, 640, 419)[0] == 133);
    CHECK(yuyvAt(bytes, 1280, 640, 420)[0] == 180);
    // The ramp of the third row runs from black to white, from 297 to 983.
    CHECK(yuyvAt(bytes, 1280, 298, 510)[0] == 16);
    CHECK(yuyvAt(bytes, 1280, 981, 510)[0] == 235);
}

TEST_CASE("Standard-definition bars have the layout of SMPTE EG 1", "[pattern]")
{
    const auto from = source("smpte-bars", 1, 0, "720x576p50");
    const Bytes bytes = draw(*from, 0, {CAPTURE_FORMAT_YUYV, 720, 576});
    CHECK(yuyvAt(bytes, 720, 50, 300) == std::array{180, 128, 128});
    CHECK(yuyvAt(bytes, 720, 154, 300) == std::array{162, 44, 142});
    CHECK(yuyvAt(bytes, 720, 670, 300) == std::array{35, 212, 114});
    CHECK(yuyvAt(bytes, 720, 50, 400) == std::array{35, 212, 114}); // from 384 to 432
    CHECK(yuyvAt(bytes, 720, 154, 400) == std::array{16, 128, 128});
    CHECK(yuyvAt(bytes, 720, 64, 500) == std::array{57, 156, 97}); // -I
    CHECK(yuyvAt(bytes, 720, 190, 500) == std::array{235, 128, 128});
    CHECK(yuyvAt(bytes, 720, 320, 500) == std::array{44, 171, 147}); // +Q
    CHECK(yuyvAt(bytes, 720, 530, 500)[0] == 7);                     // PLUGE: 514, 549, 583, 617
    CHECK(yuyvAt(bytes, 720, 566, 500)[0] == 16);
    CHECK(yuyvAt(bytes, 720, 600, 500)[0] == 25);
}

TEST_CASE("The same bars in BGR24 have exact values", "[pattern]")
{
    const Bytes bytes = draw(*source("smpte-bars"), 0, {CAPTURE_FORMAT_BGR24, 1280, 720});
    const auto bgr = [&](std::size_t x, std::size_t y) {
        const std::size_t at = (y * 1280 + x) * 3;
        return std::array<int, 3>{bytes[at], bytes[at + 1], bytes[at + 2]};
    };
    CHECK(bgr(228, 300) == std::array{191, 191, 191});
    CHECK(bgr(366, 300) == std::array{0, 191, 191});
    CHECK(bgr(1052, 300) == std::array{191, 0, 0});
    CHECK(bgr(777, 630) == std::array{0, 0, 0}); // -2 % is clipped
}

TEST_CASE("Noise differs by seed, stream and frame and uses all bytes", "[pattern]")
{
    const Bytes one = draw(*source("noise", 1, 0), 0);
    // Below the blocks and beside the counters, which differ anyway.
    const auto middle = [](const Bytes &bytes) {
        return Bytes(bytes.begin() + 300 * 2560 + 16, bytes.begin() + 301 * 2560);
    };
    CHECK(middle(draw(*source("noise", 2, 0), 0)) != middle(one));
    CHECK(middle(draw(*source("noise", 1, 1), 0)) != middle(one));
    CHECK(middle(draw(*source("noise", 1, 0), 1)) != middle(one));
    std::array<std::size_t, 256> seen{};
    std::size_t count = 0;
    for (std::size_t line = 60; line < 720; ++line) // below the blocks, beside the counters
        for (std::size_t i = 16; i < 2560; ++i, ++count)
            ++seen[one[line * 2560 + i]];
    const auto [least, most] = std::ranges::minmax(seen);
    CHECK(least > count / 256 * 9 / 10);
    CHECK(most < count / 256 * 11 / 10);
}

TEST_CASE("The box moves and stays inside", "[pattern]")
{
    const auto from = source("moving-box");
    for (const std::uint64_t frame :
         {0ull, 1ull, 139ull, 140ull, 141ull, 1'000'000'007ull, ~0ull}) {
        const Bytes bytes = draw(*from, frame);
        std::size_t box = 0; // pixels of the box below the blocks: 75 % white over 40 % grey
        for (std::uint32_t y = 60; y < 720; ++y)
            for (std::uint32_t x = 4; x < 1280; ++x)
                box += yuyvAt(bytes, 1280, x, y)[0] == 180;
        INFO(frame);
        CHECK(box <= 160 * 90);
        CHECK(box >= 156 * 30);
    }
    CHECK(draw(*from, 10) != draw(*from, 11));
}

TEST_CASE("A source tells the card of changes, and only of changes", "[source]")
{
    const auto from = source("ramp");
    int told = 0;
    from->onChange([&] { ++told; });
    capture::Signal signal = from->signal();
    CHECK(signal.usable());
    CHECK(from->pacing() == capture::Pacing::onDemand);
    from->setSignal(signal);
    from->setPacing(capture::Pacing::onDemand);
    CHECK(told == 0);

    signal.locked = false;
    from->setSignal(signal);
    CHECK(told == 1);
    CHECK_FALSE(from->signal().usable());
    signal.locked = true;
    signal.timings = timingsByName("1920x1080p50").value();
    from->setSignal(signal);
    CHECK(told == 2);
    CHECK(from->signal().timings.width == 1920);
    from->setPacing(capture::Pacing::realTime);
    CHECK(told == 3);
    CHECK(from->pacing() == capture::Pacing::realTime);
}

TEST_CASE("An impossible source is refused in words", "[source]")
{
    PatternSpec spec;
    CHECK_FALSE(makePatternSource(spec));
    spec.timings = timingsByName("1280x720p60").value();
    spec.pattern = "smpte";
    const auto unknown = makePatternSource(spec);
    REQUIRE_FALSE(unknown);
    CHECK_THAT(unknown.error().message,
               ContainsSubstring("\"smpte\"") && ContainsSubstring("smpte-bars, ramp"));
    spec.pattern = "ramp";
    spec.timings.width = 1281;
    CHECK_THAT(makePatternSource(spec).error().message, ContainsSubstring("1281x720"));
}

TEST_CASE("A picture that the feed does not know is black, not garbage", "[source]")
{
    Bytes bytes(64, 0xEE);
    source("ramp")->draw(0, {99, 4, 4}, std::as_writable_bytes(std::span{bytes}));
    CHECK(bytes == Bytes(64, 0));
}
