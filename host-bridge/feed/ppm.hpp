// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Reads the thumbnails that come back from a guest. They are untrusted.
#pragma once

#include "feed/error.hpp"
#include "feed/thumbnail.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace testcard::feed
{

/// The largest width or height that is taken.
inline constexpr std::uint32_t ppmSideMax = 4096;

struct Thumbnail {
    RgbImage image;
    ThumbnailNote note; ///< what the file says about itself; empty if it says nothing
};

/// Binary PPM (P6) with 8 bits a component and nothing behind the pixels.
tl::expected<Thumbnail, Error> parsePpm(std::string_view file);

/// The same from a file; errors name it.
tl::expected<Thumbnail, Error> readPpm(const std::filesystem::path &path);

} // namespace testcard::feed
