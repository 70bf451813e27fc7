// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/canvas.hpp"

#include <algorithm>
#include <cstring>

namespace testcard::feed
{
namespace
{

void encodeYuyv(std::span<const Colour> pixels, std::vector<std::uint8_t> &bytes)
{
    for (std::size_t i = 0; i + 1 < pixels.size(); i += 2)
        bytes.insert(bytes.end(), {pixels[i].y, pixels[i].cb, pixels[i + 1].y, pixels[i].cr});
}

void encodeBgr24(std::span<const Colour> pixels, std::vector<std::uint8_t> &bytes)
{
    for (const Colour &pixel : pixels)
        bytes.insert(bytes.end(), {pixel.b, pixel.g, pixel.r});
}

} // namespace

Canvas Canvas::cleared(const Shape &shape, std::span<std::uint8_t> bytes)
{
    std::ranges::fill(bytes, std::uint8_t{0});
    return {shape, bytes, 0};
}

void Canvas::put(unsigned plane, std::uint32_t line, std::uint32_t offset,
                 std::span<const std::uint8_t> bytes)
{
    std::size_t start = 0;
    for (unsigned i = 0; i < plane; ++i)
        start += std::size_t{shape_.plane(i).lineBytes} * shape_.plane(i).lines;
    start += std::size_t{shape_.plane(plane).lineBytes} * line + offset;
    const auto old = bytes_.subspan(start, bytes.size());
    sum_ += sumOfLine(bytes, offset) - sumOfLine(old, offset);
    std::memcpy(old.data(), bytes.data(), bytes.size());
}

void Canvas::drawPixels(std::uint32_t x, std::uint32_t y, std::span<const Colour> pixels)
{
    drawLines(x, y, pixels, 1);
}

void Canvas::drawLines(std::uint32_t x, std::uint32_t y, std::span<const Colour> pixels,
                       std::uint32_t lines)
{
    encode(pixels);
    const std::uint32_t offset = shape_.plane(0).lineBytes / shape_.width * x;
    for (std::uint32_t i = 0; i < lines; ++i)
        put(0, y + i, offset, encoded_);
}

void Canvas::fill(Rectangle area, const Colour &colour)
{
    if (area.x >= shape_.width || area.y >= shape_.height) return;
    area.width = std::min(area.width, shape_.width - area.x);
    area.height = std::min(area.height, shape_.height - area.y);
    drawLines(area.x, area.y, std::vector<Colour>(area.width, colour), area.height);
}

void Canvas::encode(std::span<const Colour> pixels)
{
    encoded_.clear();
    switch (shape_.format) {
    case PixelFormat::yuyv: return encodeYuyv(pixels, encoded_);
    case PixelFormat::bgr24: return encodeBgr24(pixels, encoded_);
    }
}

} // namespace testcard::feed
