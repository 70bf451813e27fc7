// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The standard video timings that a source can send: CEA-861 and VESA DMT, progressive, from
/// 640x480 to 1920x1080.
#pragma once

#include "capture/frame_source.hpp"
#include "feed/error.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace testcard::feed
{

/// One standard mode. The name is size, "p" and rate: "1280x720p60", "1280x720p59.94"; modes of
/// reduced blanking end in "-rb": "1280x768p60-rb".
struct NamedTimings {
    std::string name;
    capture::VideoTimings timings;
};

/// All modes, by size and rate.
std::span<const NamedTimings> allTimings();

/// A mode by its name; an unknown one is an error that lists modes of that size.
tl::expected<capture::VideoTimings, Error> timingsByName(std::string_view name);

/// A mode by size and frames per second: 60, 59.94, 23.976.
tl::expected<capture::VideoTimings, Error> timingsBySize(std::uint32_t width, std::uint32_t height,
                                                         double rate);

/// The name of standard timings; of others, size and rate in the same form.
std::string timingsName(const capture::VideoTimings &timings);

/// Frames per second.
double frameRate(const capture::VideoTimings &timings);

} // namespace testcard::feed
