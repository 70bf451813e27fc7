// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Colours, in both of the ways in which formats deliver them.
#pragma once

#include <cstdint>

namespace testcard::feed
{

/// Which equations tie Y'CbCr to R'G'B'.
enum class Matrix : std::uint8_t { bt601, bt709 };

/// Standard definition (at most 720x576) is BT.601, all else BT.709.
Matrix matrixOf(std::uint32_t width, std::uint32_t height);

/// One colour: 8-bit Y'CbCr of limited range (Y 16 to 235, Cb and Cr 16 to 240) and R'G'B' of full
/// range. A picture uses the half that its format delivers, so neither suffers from the other's
/// rounding.
struct Colour {
    std::uint8_t y = 16, cb = 128, cr = 128;
    std::uint8_t r = 0, g = 0, b = 0;

    bool operator==(const Colour &) const = default;
};

/// From R'G'B' in thousandths of the full signal; what is below 0 or above 1000 leaves the nominal
/// range in Y'CbCr and is clipped in R'G'B'. Rounded to nearest, halves away from zero, from exact
/// fractions.
Colour colourFromRgb(Matrix matrix, std::int32_t r, std::int32_t g, std::int32_t b);

/// From 8-bit Y'CbCr, with 16-bit fixed-point coefficients (README.md) and clipping.
Colour colourFromYcbcr(Matrix matrix, std::uint8_t y, std::uint8_t cb, std::uint8_t cr);

/// A grey of luma `y`, with the nearest grey of full range.
Colour grey(std::uint8_t y);

} // namespace testcard::feed
