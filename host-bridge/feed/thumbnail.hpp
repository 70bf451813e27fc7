// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Small R'G'B' copies of received pictures, and the PPM files in which they leave the guest.
#pragma once

#include "feed/picture.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace testcard::feed
{

/// 8-bit R'G'B' of full range, line by line without padding.
struct RgbImage {
    std::uint32_t width = 0, height = 0;
    std::vector<std::uint8_t> rgb;
};

/// What a thumbnail knows about itself.
struct ThumbnailNote {
    std::optional<std::uint32_t> frame;    ///< number by the stamp
    std::optional<std::uint32_t> sequence; ///< number by the driver
    std::uint64_t time_us = 0;             ///< since the first frame
    Shape source{};                        ///< the picture that was scaled
};

/// Scales to `width` pixels at the picture's proportions: each pixel is the mean of four samples,
/// spread over its part of the picture. A picture that is narrower keeps its size.
RgbImage makeThumbnail(const PictureView &picture, std::uint32_t width);

/// A binary PPM file (P6) with the note as a comment:
/// `# testcard frame=12 sequence=12 time_us=200000 source=YUYV:1280x720`.
std::string toPpm(const RgbImage &image, const ThumbnailNote &note);

} // namespace testcard::feed
