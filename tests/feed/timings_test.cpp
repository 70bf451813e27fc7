// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture_regs.h"
#include "feed/timings.hpp"
#include "linux_timings.h"

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <set>

using namespace testcard;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;

namespace
{

/// Linux's timings in the terms of the card.
capture::VideoTimings fromLinux(const v4l2_bt_timings &bt)
{
    capture::VideoTimings timings{.width = bt.width,
                                  .horizontalFront = bt.hfrontporch,
                                  .horizontalSync = bt.hsync,
                                  .horizontalBack = bt.hbackporch,
                                  .height = bt.height,
                                  .verticalFront = bt.vfrontporch,
                                  .verticalSync = bt.vsync,
                                  .verticalBack = bt.vbackporch,
                                  .pixelClock_hz = bt.pixelclock,
                                  .hsyncPositive = (bt.polarities & V4L2_DV_HSYNC_POS_POL) != 0,
                                  .vsyncPositive = (bt.polarities & V4L2_DV_VSYNC_POS_POL) != 0};
    if ((bt.flags & V4L2_DV_FL_HAS_CEA861_VIC) != 0)
        timings.standard = CAPTURE_STANDARD_CEA861 | bt.cea861_vic;
    return timings;
}

/// The DMT ID is not in Linux's table; everything else is.
capture::VideoTimings withoutDmtId(capture::VideoTimings timings)
{
    if ((timings.standard & CAPTURE_STANDARD_DMT) != 0) timings.standard = 0;
    return timings;
}

bool inOurRange(const v4l2_bt_timings &bt)
{
    return bt.width >= 640 && bt.height >= 480 && bt.width <= 1920 && bt.height <= 1080;
}

const capture::VideoTimings &named(std::string_view name)
{
    for (const feed::NamedTimings &entry : feed::allTimings())
        if (entry.name == name) return entry.timings;
    throw std::invalid_argument{std::string{name}};
}

} // namespace

TEST_CASE("Every progressive mode of Linux from 640x480 to 1920x1080 is known exactly", "[timings]")
{
    std::size_t judged = 0;
    for (std::size_t i = 0; i < linux_timings_count; ++i) {
        const v4l2_bt_timings bt = linux_timings[i].timings.bt;
        if (!inOurRange(bt)) continue;
        ++judged;
        INFO(linux_timings[i].name);
        bool found = false;
        for (const feed::NamedTimings &entry : feed::allTimings())
            found = found || withoutDmtId(entry.timings) == fromLinux(bt);
        CHECK(found);
    }
    CHECK(judged > 60);
}

TEST_CASE("Every mode is Linux's, or one of its own standard that Linux lacks", "[timings]")
{
    // CEA-861-F's 100 and 120 Hz modes stand in no table of Linux 6.1.
    const std::set<std::uint32_t> beyondLinux{41, 47, 63, 64};
    for (const feed::NamedTimings &entry : feed::allTimings()) {
        INFO(entry.name);
        if ((entry.timings.standard & CAPTURE_STANDARD_CEA861) != 0 &&
            beyondLinux.contains(entry.timings.standard & 0xFF))
            continue;
        bool found = false;
        for (std::size_t i = 0; i < linux_timings_count; ++i) {
            const v4l2_bt_timings bt = linux_timings[i].timings.bt;
            capture::VideoTimings theirs = fromLinux(bt);
            found = found || theirs == withoutDmtId(entry.timings);
            if ((bt.flags & V4L2_DV_FL_CAN_REDUCE_FPS) == 0) continue;
            theirs.pixelClock_hz = (theirs.pixelClock_hz * 1000 + 500) / 1001;
            found = found || theirs == withoutDmtId(entry.timings);
        }
        CHECK(found);
    }
}

TEST_CASE("Names are unique, tell size and rate, and find their timings", "[timings]")
{
    std::set<std::string> names;
    for (const feed::NamedTimings &entry : feed::allTimings()) {
        INFO(entry.name);
        CHECK(names.insert(entry.name).second);
        CHECK(feed::timingsByName(entry.name).value() == entry.timings);
        CHECK(feed::timingsName(entry.timings) == entry.name);

        unsigned width = 0, height = 0;
        double rate = 0;
        REQUIRE(std::sscanf(entry.name.c_str(), "%ux%up%lf", &width, &height, &rate) == 3);
        CHECK(entry.timings.width == width);
        CHECK(entry.timings.height == height);
        // DMT rounds: 1280x768p75 is 74.893, 640x480p72 is 72.809.
        CHECK(feed::frameRate(entry.timings) == Approx(rate).margin(0.85));
    }
}

TEST_CASE("1280x720p60 is VIC 4 to the last pixel", "[timings]")
{
    const capture::VideoTimings &timings = named("1280x720p60");
    CHECK(timings.pixelsPerLine() == 1650);
    CHECK(timings.linesPerFrame() == 750);
    CHECK(timings.pixelClock_hz == 74'250'000);
    CHECK(timings.hsyncPositive);
    CHECK(timings.vsyncPositive);
    CHECK(timings.standard == (CAPTURE_STANDARD_CEA861 | 4));
    CHECK(feed::frameRate(timings) == 60.0);
}

TEST_CASE("Rates of 1000/1001 keep the VIC and slow the pixel clock", "[timings]")
{
    const capture::VideoTimings &slow = named("1280x720p59.94");
    CHECK(slow.pixelClock_hz == 74'175'824);
    CHECK(slow.standard == (CAPTURE_STANDARD_CEA861 | 4));
    CHECK(feed::frameRate(slow) == Approx(60000.0 / 1001).epsilon(1e-8));
    CHECK(feed::timingsByName("1920x1080p23.976").value() == named("1920x1080p23.98"));
    CHECK(feed::timingsBySize(1920, 1080, 30000.0 / 1001).value() == named("1920x1080p29.97"));
}

TEST_CASE("VGA and NTSC are found by the rate that people call them", "[timings]")
{
    CHECK(feed::timingsByName("640x480p60").value() == named("640x480p59.94"));
    CHECK(feed::timingsBySize(720, 480, 60).value() == named("720x480p59.94"));
    CHECK(feed::timingsBySize(1280, 720, 60).value() == named("1280x720p60"));
}

TEST_CASE("Unknown timings are refused with what there is", "[timings]")
{
    const auto rate = feed::timingsByName("1280x720p61");
    REQUIRE_FALSE(rate);
    CHECK_THAT(rate.error().message, ContainsSubstring("\"1280x720p61\"") &&
                                         ContainsSubstring("1280x720p59.94, 1280x720p60"));
    const auto size = feed::timingsBySize(1234, 720, 60);
    REQUIRE_FALSE(size);
    CHECK_THAT(size.error().message,
               ContainsSubstring("1234x720p60") && ContainsSubstring("1920x1080"));
    for (const char *const name : {"", "p", "1280x720", "1280x720p", "1280x720p60x",
                                   "1280x720p60-rb", "-1x-1p-1", "1280x720pnan", "1280x720p1e300"})
        CHECK_FALSE(feed::timingsByName(name));
}

TEST_CASE("Timings of no standard have a name too", "[timings]")
{
    capture::VideoTimings timings = named("1280x720p60");
    timings.pixelClock_hz = 37'125'000;
    CHECK(feed::timingsName(timings) == "1280x720p30");
    CHECK(feed::frameRate({}) == 0);
}
