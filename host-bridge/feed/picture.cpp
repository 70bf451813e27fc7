// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/picture.hpp"

#include <bit>
#include <cstring>

namespace testcard::feed
{
namespace
{

static_assert(std::endian::native == std::endian::little,
              "the sum and the stamp are little-endian and read as words of the machine");

constexpr std::size_t wordBytes = 8;

/// A word of which `bytes` (at most 8) are those from `offset` on.
std::uint64_t partOfWord(std::span<const std::uint8_t> bytes, std::size_t offset)
{
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        word |= std::uint64_t{bytes[i]} << (8 * (offset + i));
    return word;
}

} // namespace

std::string_view formatName(PixelFormat format)
{
    switch (format) {
    case PixelFormat::yuyv: return "YUYV";
    case PixelFormat::bgr24: return "BGR24";
    }
    return "unknown";
}

std::optional<PixelFormat> formatByName(std::string_view name)
{
    for (const PixelFormat format : {PixelFormat::yuyv, PixelFormat::bgr24})
        if (name == formatName(format)) return format;
    return std::nullopt;
}

unsigned Shape::planes() const
{
    return 1;
}

Plane Shape::plane(unsigned) const
{
    switch (format) {
    case PixelFormat::yuyv: return {width * 2, height};
    case PixelFormat::bgr24: return {width * 3, height};
    }
    return {};
}

std::uint64_t Shape::bytes() const
{
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < planes(); ++i)
        sum += std::uint64_t{plane(i).lineBytes} * plane(i).lines;
    return sum;
}

bool PictureView::complete() const
{
    const Plane first = shape.plane(0);
    if (first.lineBytes == 0 || first.lines == 0 || stride < first.lineBytes) return false;
    const unsigned last = shape.planes() - 1;
    const Plane plane = shape.plane(last);
    return bytes.size() >= startOf(last) + strideOf(last) * (plane.lines - 1) + plane.lineBytes;
}

std::span<const std::uint8_t> PictureView::line(unsigned plane, std::uint32_t index) const
{
    return bytes.subspan(startOf(plane) + strideOf(plane) * index, shape.plane(plane).lineBytes);
}

/// The other planes of a padded picture are padded in proportion (V4L2, "Planar YUV formats").
std::uint64_t PictureView::strideOf(unsigned plane) const
{
    if (plane == 0) return stride;
    return std::uint64_t{stride} * shape.plane(plane).lineBytes / shape.plane(0).lineBytes;
}

std::uint64_t PictureView::startOf(unsigned plane) const
{
    std::uint64_t start = 0;
    for (unsigned i = 0; i < plane; ++i)
        start += strideOf(i) * shape.plane(i).lines;
    return start;
}

PictureView viewOf(const Shape &shape, std::span<const std::uint8_t> bytes)
{
    return {shape, bytes, shape.plane(0).lineBytes};
}

std::uint64_t sumOfLine(std::span<const std::uint8_t> bytes, std::uint64_t offset)
{
    std::uint64_t sum = 0;
    if (const std::size_t within = offset % wordBytes; within != 0) {
        const std::size_t head = std::min(wordBytes - within, bytes.size());
        sum += partOfWord(bytes.first(head), within);
        bytes = bytes.subspan(head);
    }
    const std::uint8_t *const data = bytes.data();
    const std::size_t whole = bytes.size() / wordBytes * wordBytes;
    for (std::size_t i = 0; i < whole; i += wordBytes) {
        std::uint64_t word;
        std::memcpy(&word, data + i, wordBytes);
        sum += word;
    }
    return sum + partOfWord(bytes.subspan(whole), 0);
}

std::uint64_t sumOfPicture(const PictureView &picture)
{
    std::uint64_t sum = 0;
    for (unsigned plane = 0; plane < picture.shape.planes(); ++plane)
        for (std::uint32_t i = 0; i < picture.shape.plane(plane).lines; ++i)
            sum += sumOfLine(picture.line(plane, i));
    return sum;
}

std::uint8_t lumaAt(const PictureView &picture, std::uint32_t x, std::uint32_t y)
{
    const auto line = picture.line(0, y);
    switch (picture.shape.format) {
    case PixelFormat::yuyv: return line[2 * x];
    case PixelFormat::bgr24: // the mean of the three is enough to tell black from white
        return static_cast<std::uint8_t>(16 + (line[3 * x] + line[3 * x + 1] + line[3 * x + 2]) *
                                                  219 / (3 * 255));
    }
    return 0;
}

} // namespace testcard::feed
