// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Drawing into a picture of any format, while its sum is kept.
#pragma once

#include "feed/colour.hpp"
#include "feed/picture.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace testcard::feed
{

/// A rectangle of pixels: even x and width, so that it holds whole chroma samples.
struct Rectangle {
    std::uint32_t x = 0, y = 0, width = 0, height = 0;
};

/// A picture without padding that is being drawn. Everything goes through put(), which corrects
/// the sum by what it overwrites: a frame that differs little from the one before it costs little.
class Canvas
{
public:
    /// `bytes` has shape.bytes() bytes, whose sum is `sum`.
    Canvas(const Shape &shape, std::span<std::uint8_t> bytes, std::uint64_t sum)
        : shape_{shape}, bytes_{bytes}, sum_{sum}
    {
    }

    /// Makes all bytes zero first.
    static Canvas cleared(const Shape &shape, std::span<std::uint8_t> bytes);

    const Shape &shape() const { return shape_; }
    std::uint64_t sum() const { return sum_; }

    /// Overwrites bytes of a line from `offset` on.
    void put(unsigned plane, std::uint32_t line, std::uint32_t offset,
             std::span<const std::uint8_t> bytes);

    /// Draws pixels from (x, y) to the right: x and their number are even.
    void drawPixels(std::uint32_t x, std::uint32_t y, std::span<const Colour> pixels);

    /// Draws the same pixels on `lines` lines from y on.
    void drawLines(std::uint32_t x, std::uint32_t y, std::span<const Colour> pixels,
                   std::uint32_t lines);

    /// Fills a rectangle; what lies outside the picture is left out.
    void fill(Rectangle area, const Colour &colour);

private:
    void encode(std::span<const Colour> pixels);

    Shape shape_;
    std::span<std::uint8_t> bytes_;
    std::uint64_t sum_;
    std::vector<std::uint8_t> encoded_; ///< pixels of one line in the format's bytes
};

} // namespace testcard::feed
