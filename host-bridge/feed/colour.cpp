// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/colour.hpp"

#include <algorithm>

namespace testcard::feed
{
namespace
{

/// Weights of red and blue in luma, in ten-thousandths: BT.601-7 2.5.1, BT.709-6 3.2.
struct Weights {
    std::int64_t red, blue;
    std::int64_t green() const { return 10000 - red - blue; }
};

constexpr Weights weightsOf(Matrix matrix)
{
    return matrix == Matrix::bt601 ? Weights{2990, 1140} : Weights{2126, 722};
}

/// Coefficients from Y'CbCr of limited range to R'G'B' of full range, times 2^16.
struct Inverse {
    std::int32_t luma, redFromCr, greenFromCb, greenFromCr, blueFromCb;
};

constexpr Inverse inverseOf(Matrix matrix)
{
    return matrix == Matrix::bt601 ? Inverse{76309, 104597, -25675, -53279, 132201}
                                   : Inverse{76309, 117489, -13975, -34925, 138438};
}

std::int64_t dividedAndRounded(std::int64_t numerator, std::int64_t denominator)
{
    const std::int64_t half = denominator / 2;
    return (numerator >= 0 ? numerator + half : numerator - half) / denominator;
}

std::uint8_t clipped(std::int64_t value)
{
    return static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255));
}

} // namespace

Matrix matrixOf(std::uint32_t width, std::uint32_t height)
{
    return width <= 720 && height <= 576 ? Matrix::bt601 : Matrix::bt709;
}

Colour colourFromRgb(Matrix matrix, std::int32_t r, std::int32_t g, std::int32_t b)
{
    const Weights weights = weightsOf(matrix);
    // Luma in ten-millionths; Cb = (B - Y) / (2 (1 - Kb)), Cr likewise, both from -1/2 to 1/2.
    const std::int64_t luma = weights.red * r + weights.green() * g + weights.blue * b;
    const auto difference = [&](std::int64_t component, std::int64_t weight) {
        return dividedAndRounded(224 * (component * 10000 - luma), 2000 * (10000 - weight));
    };
    Colour colour;
    colour.y = clipped(16 + dividedAndRounded(219 * luma, 10'000'000));
    colour.cb = clipped(128 + difference(b, weights.blue));
    colour.cr = clipped(128 + difference(r, weights.red));
    colour.r = clipped(dividedAndRounded(255 * std::int64_t{r}, 1000));
    colour.g = clipped(dividedAndRounded(255 * std::int64_t{g}, 1000));
    colour.b = clipped(dividedAndRounded(255 * std::int64_t{b}, 1000));
    return colour;
}

Colour colourFromYcbcr(Matrix matrix, std::uint8_t y, std::uint8_t cb, std::uint8_t cr)
{
    const Inverse inverse = inverseOf(matrix);
    const std::int32_t luma = inverse.luma * (y - 16) + 32768;
    const std::int32_t blue = cb - 128, red = cr - 128;
    Colour colour{y, cb, cr};
    colour.r = clipped((luma + inverse.redFromCr * red) >> 16);
    colour.g = clipped((luma + inverse.greenFromCb * blue + inverse.greenFromCr * red) >> 16);
    colour.b = clipped((luma + inverse.blueFromCb * blue) >> 16);
    return colour;
}

Colour grey(std::uint8_t y)
{
    return colourFromYcbcr(Matrix::bt709, y, 128, 128);
}

} // namespace testcard::feed
