// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/colour.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <span>

using namespace testcard::feed;

namespace
{

struct KnownColour {
    std::int32_t r, g, b;
    std::uint8_t y, cb, cr;
};

void checkAll(Matrix matrix, std::span<const KnownColour> colours)
{
    for (const KnownColour &known : colours) {
        INFO(known.r << " " << known.g << " " << known.b);
        const Colour colour = colourFromRgb(matrix, known.r, known.g, known.b);
        CHECK(int{colour.y} == known.y);
        CHECK(int{colour.cb} == known.cb);
        CHECK(int{colour.cr} == known.cr);
    }
}

} // namespace

TEST_CASE("The colours of high-definition bars are those of SMPTE RP 219", "[colour]")
{
    constexpr std::array<KnownColour, 16> printed{{
        {750, 750, 750, 180, 128, 128},
        {750, 750, 0, 168, 44, 136},
        {0, 750, 750, 145, 147, 44},
        {0, 750, 0, 133, 63, 52},
        {750, 0, 750, 63, 193, 204},
        {750, 0, 0, 51, 109, 212},
        {0, 0, 750, 28, 212, 120},
        {400, 400, 400, 104, 128, 128},
        {150, 150, 150, 49, 128, 128},
        {0, 1000, 1000, 188, 154, 16},
        {1000, 1000, 0, 219, 16, 138},
        {0, 0, 1000, 32, 240, 118},
        {1000, 0, 0, 63, 102, 240},
        {-20, -20, -20, 12, 128, 128},
        {20, 20, 20, 20, 128, 128},
        {40, 40, 40, 25, 128, 128},
    }};
    checkAll(Matrix::bt709, printed);
}

TEST_CASE("The colours of standard-definition bars are those of SMPTE EG 1", "[colour]")
{
    constexpr std::array<KnownColour, 8> printed{{
        {750, 750, 750, 180, 128, 128},
        {750, 750, 0, 162, 44, 142},
        {0, 750, 750, 131, 156, 44},
        {0, 750, 0, 112, 72, 58},
        {750, 0, 750, 84, 184, 198},
        {750, 0, 0, 65, 100, 212},
        {0, 0, 750, 35, 212, 114},
        {-40, -40, -40, 7, 128, 128},
    }};
    checkAll(Matrix::bt601, printed);
}

TEST_CASE("A colour has its exact R'G'B' beside its Y'CbCr", "[colour]")
{
    const Colour yellow = colourFromRgb(Matrix::bt709, 750, 750, 0);
    CHECK(int{yellow.r} == 191);
    CHECK(int{yellow.g} == 191);
    CHECK(int{yellow.b} == 0);
    CHECK(int{colourFromRgb(Matrix::bt709, -20, 0, 1200).r} == 0);
    CHECK(int{colourFromRgb(Matrix::bt709, -20, 0, 1200).b} == 255);
}

TEST_CASE("Greys run from black to white in both scales", "[colour]")
{
    CHECK(int{grey(16).r} == 0);
    CHECK(int{grey(235).g} == 255);
    CHECK(int{grey(126).b} == 128);
    CHECK(int{grey(255).b} == 255);
    CHECK(int{grey(0).b} == 0);
}

TEST_CASE("Converting to Y'CbCr and back stays within a step and a half of rounding", "[colour]")
{
    for (const Matrix matrix : {Matrix::bt601, Matrix::bt709})
        for (std::int32_t r = 0; r <= 1000; r += 50)
            for (std::int32_t g = 0; g <= 1000; g += 50)
                for (std::int32_t b = 0; b <= 1000; b += 50) {
                    const Colour there = colourFromRgb(matrix, r, g, b);
                    const Colour back = colourFromYcbcr(matrix, there.y, there.cb, there.cr);
                    const int worst =
                        std::max({std::abs(there.r - back.r), std::abs(there.g - back.g),
                                  std::abs(there.b - back.b)});
                    if (worst > 2) FAIL(r << " " << g << " " << b << " is off by " << worst);
                }
}

TEST_CASE("Standard definition is BT.601, all else BT.709", "[colour]")
{
    CHECK(matrixOf(640, 480) == Matrix::bt601);
    CHECK(matrixOf(720, 576) == Matrix::bt601);
    CHECK(matrixOf(800, 600) == Matrix::bt709);
    CHECK(matrixOf(848, 480) == Matrix::bt709);
    CHECK(matrixOf(1280, 720) == Matrix::bt709);
}
