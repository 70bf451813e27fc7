// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Text in pictures, for labels.
#pragma once

#include "feed/thumbnail.hpp"

#include <cstdint>
#include <string_view>

namespace testcard::feed
{

/// Pixels from one letter to the next and the height of a letter, at scale 1.
inline constexpr std::uint32_t letterAdvance = 6;
inline constexpr std::uint32_t letterHeight = 7;

/// Draws white text, its left upper corner at (x, y), each dot a square of `scale` pixels. Letters
/// appear as capitals, what has no glyph as "?"; what lies outside the image is left out.
void drawText(RgbImage &image, std::uint32_t x, std::uint32_t y, std::string_view text,
              std::uint32_t scale);

} // namespace testcard::feed
