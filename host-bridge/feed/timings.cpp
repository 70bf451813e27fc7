// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/timings.hpp"

#include "capture/capture_regs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace testcard::feed
{
namespace
{

enum class Polarity : std::uint8_t { neither, hsync, vsync, both }; ///< which are positive

/// A mode as the standards print it: horizontal and vertical front porch, sync, back porch
/// (borders, where DMT has them, belong to the porches).
struct Mode {
    std::uint32_t width, height;
    std::uint32_t rate; ///< nominal frames per second, as in the mode's name
    bool reducedBlanking;
    std::uint32_t pixelClock_khz;
    std::uint32_t horizontalFront, horizontalSync, horizontalBack;
    std::uint32_t verticalFront, verticalSync, verticalBack;
    Polarity polarity;
    std::uint32_t standard;
};

constexpr std::uint32_t vic(std::uint32_t code)
{
    return CAPTURE_STANDARD_CEA861 | code;
}
constexpr std::uint32_t dmt(std::uint32_t id)
{
    return CAPTURE_STANDARD_DMT | id;
}

constexpr auto neither = Polarity::neither, hsync = Polarity::hsync, vsync = Polarity::vsync,
               both = Polarity::both;
constexpr bool rb = true, normal = false;

// clang-format off
/// CEA-861-F table 1 (the VIC for 4:3 where one timing has two).
constexpr std::array ceaModes{
    Mode{ 640,  480,  60, normal,  25175,   16,  96,  48, 10, 2, 33, neither, vic(1)},
    Mode{ 720,  480,  60, normal,  27000,   16,  62,  60,  9, 6, 30, neither, vic(2)},
    Mode{ 720,  576,  50, normal,  27000,   12,  64,  68,  5, 5, 39, neither, vic(17)},
    Mode{1280,  720,  24, normal,  59400, 1760,  40, 220,  5, 5, 20, both, vic(60)},
    Mode{1280,  720,  25, normal,  74250, 2420,  40, 220,  5, 5, 20, both, vic(61)},
    Mode{1280,  720,  30, normal,  74250, 1760,  40, 220,  5, 5, 20, both, vic(62)},
    Mode{1280,  720,  50, normal,  74250,  440,  40, 220,  5, 5, 20, both, vic(19)},
    Mode{1280,  720,  60, normal,  74250,  110,  40, 220,  5, 5, 20, both, vic(4)},
    Mode{1280,  720, 100, normal, 148500,  440,  40, 220,  5, 5, 20, both, vic(41)},
    Mode{1280,  720, 120, normal, 148500,  110,  40, 220,  5, 5, 20, both, vic(47)},
    Mode{1920, 1080,  24, normal,  74250,  638,  44, 148,  4, 5, 36, both, vic(32)},
    Mode{1920, 1080,  25, normal,  74250,  528,  44, 148,  4, 5, 36, both, vic(33)},
    Mode{1920, 1080,  30, normal,  74250,   88,  44, 148,  4, 5, 36, both, vic(34)},
    Mode{1920, 1080,  50, normal, 148500,  528,  44, 148,  4, 5, 36, both, vic(31)},
    Mode{1920, 1080,  60, normal, 148500,   88,  44, 148,  4, 5, 36, both, vic(16)},
    Mode{1920, 1080, 100, normal, 297000,  528,  44, 148,  4, 5, 36, both, vic(64)},
    Mode{1920, 1080, 120, normal, 297000,   88,  44, 148,  4, 5, 36, both, vic(63)},
};

/// VESA DMT 1.13, without the modes that CEA-861 has as well (04h, 52h, 55h).
constexpr std::array dmtModes{
    Mode{ 640,  480,  72, normal,  31500,  24,  40, 128,  9, 3, 28, neither, dmt(0x05)},
    Mode{ 640,  480,  75, normal,  31500,  16,  64, 120,  1, 3, 16, neither, dmt(0x06)},
    Mode{ 640,  480,  85, normal,  36000,  56,  56,  80,  1, 3, 25, neither, dmt(0x07)},
    Mode{ 800,  600,  56, normal,  36000,  24,  72, 128,  1, 2, 22, both,    dmt(0x08)},
    Mode{ 800,  600,  60, normal,  40000,  40, 128,  88,  1, 4, 23, both,    dmt(0x09)},
    Mode{ 800,  600,  72, normal,  50000,  56, 120,  64, 37, 6, 23, both,    dmt(0x0A)},
    Mode{ 800,  600,  75, normal,  49500,  16,  80, 160,  1, 3, 21, both,    dmt(0x0B)},
    Mode{ 800,  600,  85, normal,  56250,  32,  64, 152,  1, 3, 27, both,    dmt(0x0C)},
    Mode{ 800,  600, 120, rb,      73250,  48,  32,  80,  3, 4, 29, hsync,   dmt(0x0D)},
    Mode{ 848,  480,  60, normal,  33750,  16, 112, 112,  6, 8, 23, both,    dmt(0x0E)},
    Mode{1024,  768,  60, normal,  65000,  24, 136, 160,  3, 6, 29, neither, dmt(0x10)},
    Mode{1024,  768,  70, normal,  75000,  24, 136, 144,  3, 6, 29, neither, dmt(0x11)},
    Mode{1024,  768,  75, normal,  78750,  16,  96, 176,  1, 3, 28, both,    dmt(0x12)},
    Mode{1024,  768,  85, normal,  94500,  48,  96, 208,  1, 3, 36, both,    dmt(0x13)},
    Mode{1024,  768, 120, rb,     115500,  48,  32,  80,  3, 4, 38, hsync,   dmt(0x14)},
    Mode{1152,  864,  75, normal, 108000,  64, 128, 256,  1, 3, 32, both,    dmt(0x15)},
    Mode{1280,  768,  60, rb,      68250,  48,  32,  80,  3, 7, 12, hsync,   dmt(0x16)},
    Mode{1280,  768,  60, normal,  79500,  64, 128, 192,  3, 7, 20, vsync,   dmt(0x17)},
    Mode{1280,  768,  75, normal, 102250,  80, 128, 208,  3, 7, 27, vsync,   dmt(0x18)},
    Mode{1280,  768,  85, normal, 117500,  80, 136, 216,  3, 7, 31, vsync,   dmt(0x19)},
    Mode{1280,  768, 120, rb,     140250,  48,  32,  80,  3, 7, 35, hsync,   dmt(0x1A)},
    Mode{1280,  800,  60, rb,      71000,  48,  32,  80,  3, 6, 14, hsync,   dmt(0x1B)},
    Mode{1280,  800,  60, normal,  83500,  72, 128, 200,  3, 6, 22, vsync,   dmt(0x1C)},
    Mode{1280,  800,  75, normal, 106500,  80, 128, 208,  3, 6, 29, vsync,   dmt(0x1D)},
    Mode{1280,  800,  85, normal, 122500,  80, 136, 216,  3, 6, 34, vsync,   dmt(0x1E)},
    Mode{1280,  800, 120, rb,     146250,  48,  32,  80,  3, 6, 38, hsync,   dmt(0x1F)},
    Mode{1280,  960,  60, normal, 108000,  96, 112, 312,  1, 3, 36, both,    dmt(0x20)},
    Mode{1280,  960,  85, normal, 148500,  64, 160, 224,  1, 3, 47, both,    dmt(0x21)},
    Mode{1280,  960, 120, rb,     175500,  48,  32,  80,  3, 4, 50, hsync,   dmt(0x22)},
    Mode{1280, 1024,  60, normal, 108000,  48, 112, 248,  1, 3, 38, both,    dmt(0x23)},
    Mode{1280, 1024,  75, normal, 135000,  16, 144, 248,  1, 3, 38, both,    dmt(0x24)},
    Mode{1280, 1024,  85, normal, 157500,  64, 160, 224,  1, 3, 44, both,    dmt(0x25)},
    Mode{1280, 1024, 120, rb,     187250,  48,  32,  80,  3, 7, 50, hsync,   dmt(0x26)},
    Mode{1360,  768,  60, normal,  85500,  64, 112, 256,  3, 6, 18, both,    dmt(0x27)},
    Mode{1360,  768, 120, rb,     148250,  48,  32,  80,  3, 5, 37, hsync,   dmt(0x28)},
    Mode{1366,  768,  60, normal,  85500,  70, 143, 213,  3, 3, 24, both,    dmt(0x51)},
    Mode{1366,  768,  60, rb,      72000,  14,  56,  64,  1, 3, 28, both,    dmt(0x56)},
    Mode{1400, 1050,  60, rb,     101000,  48,  32,  80,  3, 4, 23, hsync,   dmt(0x29)},
    Mode{1400, 1050,  60, normal, 121750,  88, 144, 232,  3, 4, 32, vsync,   dmt(0x2A)},
    Mode{1400, 1050,  75, normal, 156000, 104, 144, 248,  3, 4, 42, vsync,   dmt(0x2B)},
    Mode{1400, 1050,  85, normal, 179500, 104, 152, 256,  3, 4, 48, vsync,   dmt(0x2C)},
    Mode{1400, 1050, 120, rb,     208000,  48,  32,  80,  3, 4, 55, hsync,   dmt(0x2D)},
    Mode{1440,  900,  60, rb,      88750,  48,  32,  80,  3, 6, 17, hsync,   dmt(0x2E)},
    Mode{1440,  900,  60, normal, 106500,  80, 152, 232,  3, 6, 25, vsync,   dmt(0x2F)},
    Mode{1440,  900,  75, normal, 136750,  96, 152, 248,  3, 6, 33, vsync,   dmt(0x30)},
    Mode{1440,  900,  85, normal, 157000, 104, 152, 256,  3, 6, 39, vsync,   dmt(0x31)},
    Mode{1440,  900, 120, rb,     182750,  48,  32,  80,  3, 6, 44, hsync,   dmt(0x32)},
    Mode{1600,  900,  60, rb,     108000,  24,  80,  96,  1, 3, 96, both,    dmt(0x53)},
    Mode{1680, 1050,  60, rb,     119000,  48,  32,  80,  3, 6, 21, hsync,   dmt(0x39)},
    Mode{1680, 1050,  60, normal, 146250, 104, 176, 280,  3, 6, 30, vsync,   dmt(0x3A)},
    Mode{1680, 1050,  75, normal, 187000, 120, 176, 296,  3, 6, 40, vsync,   dmt(0x3B)},
    Mode{1680, 1050,  85, normal, 214750, 128, 176, 304,  3, 6, 46, vsync,   dmt(0x3C)},
    Mode{1680, 1050, 120, rb,     245500,  48,  32,  80,  3, 6, 53, hsync,   dmt(0x3D)},
};
// clang-format on

/// 60, 59.94, 23.98: at most two decimals.
std::string rateText(double rate)
{
    const auto hundredths = std::lround(rate * 100);
    if (hundredths % 100 == 0) return fmt::format("{}", hundredths / 100);
    return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
}

std::string nameOf(std::uint32_t width, std::uint32_t height, double rate, bool reducedBlanking)
{
    return fmt::format("{}x{}p{}{}", width, height, rateText(rate), reducedBlanking ? "-rb" : "");
}

/// CEA-861 lets modes of 24, 30, 60 and 120 frames/s run 1000/1001 slower under the same VIC. VIC 1
/// and 2 are printed at that rate.
bool printedAtReducedRate(const Mode &mode)
{
    return mode.standard == vic(1) || mode.standard == vic(2);
}

bool canReduceRate(const Mode &mode)
{
    return (mode.standard & CAPTURE_STANDARD_CEA861) != 0 && mode.rate % 6 == 0 &&
           !printedAtReducedRate(mode);
}

constexpr double reduction = 1000.0 / 1001.0;

NamedTimings named(const Mode &mode, bool reducedRate)
{
    const bool slow = reducedRate || printedAtReducedRate(mode);
    const std::uint64_t clock_hz = std::uint64_t{mode.pixelClock_khz} * 1000;
    return {nameOf(mode.width, mode.height, slow ? mode.rate * reduction : mode.rate,
                   mode.reducedBlanking),
            {.width = mode.width,
             .horizontalFront = mode.horizontalFront,
             .horizontalSync = mode.horizontalSync,
             .horizontalBack = mode.horizontalBack,
             .height = mode.height,
             .verticalFront = mode.verticalFront,
             .verticalSync = mode.verticalSync,
             .verticalBack = mode.verticalBack,
             .pixelClock_hz = reducedRate ? (clock_hz * 1000 + 500) / 1001 : clock_hz,
             .hsyncPositive = mode.polarity == hsync || mode.polarity == both,
             .vsyncPositive = mode.polarity == vsync || mode.polarity == both,
             .standard = mode.standard}};
}

std::vector<NamedTimings> makeAll()
{
    std::vector<NamedTimings> all;
    for (const Mode &mode : ceaModes) {
        if (canReduceRate(mode)) all.push_back(named(mode, true));
        all.push_back(named(mode, false));
    }
    for (const Mode &mode : dmtModes)
        all.push_back(named(mode, false));
    std::ranges::stable_sort(all, {}, [](const NamedTimings &entry) {
        return std::pair{entry.timings.width, entry.timings.height};
    });
    return all;
}

const capture::VideoTimings *find(std::string_view name)
{
    // What the industry calls 60 has been 59.94 since VGA.
    if (name == "640x480p60") name = "640x480p59.94";
    if (name == "720x480p60") name = "720x480p59.94";
    const auto all = allTimings();
    const auto found = std::ranges::find(all, name, &NamedTimings::name);
    return found == all.end() ? nullptr : &found->timings;
}

/// The names of `size` ("1280x720"), or all sizes.
Error unknown(std::string_view name)
{
    const std::string_view size = name.substr(0, name.find('p'));
    std::vector<std::string_view> sameSize;
    std::vector<std::string_view> sizes;
    for (const NamedTimings &entry : allTimings()) {
        const std::string_view its = std::string_view{entry.name}.substr(0, entry.name.find('p'));
        if (its == size) sameSize.push_back(entry.name);
        if (sizes.empty() || sizes.back() != its) sizes.push_back(its);
    }
    if (!sameSize.empty())
        return {fmt::format("unknown timings \"{}\": {} comes as {}", name, size,
                            fmt::join(sameSize, ", "))};
    return {fmt::format("unknown timings \"{}\": write WIDTHxHEIGHTpRATE, such as 1280x720p60; "
                        "the sizes are {}",
                        name, fmt::join(sizes, ", "))};
}

} // namespace

std::span<const NamedTimings> allTimings()
{
    static const std::vector<NamedTimings> all = makeAll();
    return all;
}

tl::expected<capture::VideoTimings, Error> timingsByName(std::string_view name)
{
    std::string wanted{name};
    // 23.976 and 119.880 are as good as 23.98 and 119.88.
    unsigned width = 0, height = 0;
    double rate = 0;
    char rest = 0;
    if (std::sscanf(wanted.c_str(), "%5ux%5up%7lf%c", &width, &height, &rate, &rest) == 3)
        wanted = nameOf(width, height, rate, false);
    if (const capture::VideoTimings *timings = find(wanted)) return *timings;
    return tl::unexpected(unknown(name));
}

tl::expected<capture::VideoTimings, Error> timingsBySize(std::uint32_t width, std::uint32_t height,
                                                         double rate)
{
    const std::string name = nameOf(width, height, rate, false);
    if (const capture::VideoTimings *timings = find(name)) return *timings;
    return tl::unexpected(unknown(name));
}

std::string timingsName(const capture::VideoTimings &timings)
{
    for (const NamedTimings &entry : allTimings())
        if (entry.timings == timings) return entry.name;
    return nameOf(timings.width, timings.height, frameRate(timings), false);
}

double frameRate(const capture::VideoTimings &timings)
{
    const std::uint64_t pixels = timings.pixelsPerLine() * timings.linesPerFrame();
    return pixels == 0 ? 0
                       : static_cast<double>(timings.pixelClock_hz) / static_cast<double>(pixels);
}

} // namespace testcard::feed
