// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/stamp.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

namespace testcard::feed
{
namespace
{

constexpr std::uint8_t blockSync = 0xA5;
constexpr std::uint8_t blockEnd = 0x5A;
constexpr std::uint8_t counterKey = 0x54;
constexpr unsigned blocksPerRow = 32;
constexpr unsigned blockRows = 2;
constexpr unsigned blockBits = blocksPerRow * blockRows;

/// Halfway between black (16) and white (235).
constexpr std::uint8_t blockThreshold = 126;

/// CRC-8 with the polynomial x^8 + x^2 + x + 1, from 0, over the low 40 bits of `value`, most
/// significant first.
std::uint8_t crc8(std::uint64_t value)
{
    std::uint8_t crc = 0;
    for (int bit = 39; bit >= 0; --bit) {
        const bool carry = ((crc >> 7) ^ static_cast<unsigned>(value >> bit)) & 1u;
        crc = static_cast<std::uint8_t>((crc << 1) ^ (carry ? 0x07 : 0));
    }
    return crc;
}

void drawBlocks(Canvas &canvas, const Stamp &stamp)
{
    static const Colour black = grey(16), white = grey(235);
    const BlockGrid grid = blockGrid(canvas.shape().width, canvas.shape().height);
    const std::uint64_t bits = encodeBlocks(stamp);
    std::vector<Colour> pixels(std::size_t{blocksPerRow} * grid.width);
    for (unsigned row = 0; row < blockRows; ++row) {
        for (unsigned block = 0; block < blocksPerRow; ++block) {
            const bool set = (bits >> (blockBits - 1 - row * blocksPerRow - block)) & 1;
            std::fill_n(pixels.begin() + block * grid.width, grid.width, set ? white : black);
        }
        canvas.drawLines(grid.x, grid.y + row * grid.height, pixels, grid.height);
    }
}

void putCounters(Canvas &canvas, const Stamp &stamp)
{
    for (std::uint32_t line = 0; line < canvas.shape().height; ++line) {
        const auto number = static_cast<std::uint16_t>(line);
        canvas.put(0, line, 0, encodeCounter({stamp.frame, number, stamp.stream}));
    }
}

/// The mean of the middle of a block decides: its edges are blurred by scaling and by chroma.
template <typename Luma>
bool blockIsWhite(double x, double y, double width, double height, const Luma &luma)
{
    const auto from = [](double start, double size) {
        return static_cast<std::uint32_t>(start + size / 4);
    };
    const std::uint32_t left = from(x, width), top = from(y, height);
    const std::uint32_t right = std::max(left + 1, from(x, 3 * width));
    const std::uint32_t bottom = std::max(top + 1, from(y, 3 * height));
    std::uint64_t sum = 0;
    for (std::uint32_t row = top; row < bottom; ++row)
        for (std::uint32_t column = left; column < right; ++column)
            sum += luma(column, row);
    return sum > std::uint64_t{blockThreshold} * (right - left) * (bottom - top);
}

template <typename Luma>
std::optional<Stamp> readGrid(const BlockGrid &grid, double scaleX, double scaleY, const Luma &luma)
{
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < blockBits; ++i) {
        const double x = (grid.x + i % blocksPerRow * grid.width) * scaleX;
        const double y = (grid.y + i / blocksPerRow * grid.height) * scaleY;
        const bool set = blockIsWhite(x, y, grid.width * scaleX, grid.height * scaleY, luma);
        bits = bits << 1 | (set ? 1 : 0);
    }
    return decodeBlocks(bits);
}

} // namespace

bool canStamp(const Shape &shape)
{
    return shape.width >= stampWidthMin && shape.width % 2 == 0 && shape.height >= stampHeightMin &&
           shape.height <= 0x10000;
}

void applyStamp(Canvas &canvas, const Stamp &stamp)
{
    drawBlocks(canvas, stamp);
    putCounters(canvas, stamp);
    canvas.put(0, 0, sumOffset, std::array<std::uint8_t, sumBytes>{});
    canvas.put(0, 0, sumOffset, std::bit_cast<std::array<std::uint8_t, sumBytes>>(canvas.sum()));
}

BlockGrid blockGrid(std::uint32_t width, std::uint32_t height)
{
    const std::uint32_t blockWidth = width / 40 / 2 * 2;
    const std::uint32_t blockHeight = std::max(height / 36, 8u);
    return {4 * blockWidth, blockHeight, blockWidth, blockHeight};
}

std::uint64_t encodeBlocks(const Stamp &stamp)
{
    const std::uint64_t content = std::uint64_t{blockSync} << 32 << 8;
    const std::uint64_t number = std::uint64_t{stamp.stream} << 32 | stamp.frame;
    return (content | number) << 16 | std::uint64_t{crc8(number)} << 8 | blockEnd;
}

std::optional<Stamp> decodeBlocks(std::uint64_t bits)
{
    const Stamp stamp{static_cast<std::uint8_t>(bits >> 48),
                      static_cast<std::uint32_t>(bits >> 16)};
    if (encodeBlocks(stamp) != bits) return std::nullopt;
    return stamp;
}

std::optional<Stamp> readBlocks(const PictureView &picture)
{
    const Shape &shape = picture.shape;
    if (!canStamp(shape) || !picture.complete()) return std::nullopt;
    return readGrid(blockGrid(shape.width, shape.height), 1, 1,
                    [&](std::uint32_t x, std::uint32_t y) { return lumaAt(picture, x, y); });
}

std::optional<Stamp>
readScaledBlocks(const Shape &original, std::uint32_t width, std::uint32_t height,
                 const std::function<std::uint8_t(std::uint32_t, std::uint32_t)> &luma)
{
    if (!canStamp(original) || width == 0 || height == 0) return std::nullopt;
    return readGrid(blockGrid(original.width, original.height),
                    static_cast<double>(width) / original.width,
                    static_cast<double>(height) / original.height, luma);
}

std::array<std::uint8_t, counterBytes> encodeCounter(const LineCounter &counter)
{
    std::array<std::uint8_t, counterBytes> bytes{};
    std::memcpy(bytes.data(), &counter.frame, 4);
    std::memcpy(bytes.data() + 4, &counter.line, 2);
    bytes[6] = counter.stream;
    bytes[7] = counterKey;
    for (std::size_t i = 0; i < 7; ++i)
        bytes[7] ^= bytes[i];
    return bytes;
}

std::optional<LineCounter> decodeCounter(std::span<const std::uint8_t> bytes)
{
    LineCounter counter;
    std::memcpy(&counter.frame, bytes.data(), 4);
    std::memcpy(&counter.line, bytes.data() + 4, 2);
    counter.stream = bytes[6];
    const auto expected = encodeCounter(counter);
    if (!std::equal(expected.begin(), expected.end(), bytes.begin())) return std::nullopt;
    return counter;
}

std::uint64_t storedSum(const PictureView &picture)
{
    return sumOfLine(picture.line(0, 0).subspan(sumOffset, sumBytes));
}

std::uint64_t expectedSum(const PictureView &picture)
{
    return sumOfPicture(picture) - storedSum(picture);
}

} // namespace testcard::feed
