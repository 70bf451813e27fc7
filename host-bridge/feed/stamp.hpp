// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The stamp that every generated frame carries. README.md defines it to the last bit.
///
/// Three parts, each for one kind of damage: blocks that survive conversion and scaling say which
/// frame it is, a counter at the start of each line shows tearing, a sum over all bytes shows the
/// rest.
#pragma once

#include "feed/canvas.hpp"
#include "feed/picture.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace testcard::feed
{

/// What the stamp says: the stream and the frame's number modulo 2^32.
struct Stamp {
    std::uint8_t stream = 0;
    std::uint32_t frame = 0;

    bool operator==(const Stamp &) const = default;
};

/// The smallest picture that has room for a stamp.
inline constexpr std::uint32_t stampWidthMin = 80;
inline constexpr std::uint32_t stampHeightMin = 32;

bool canStamp(const Shape &shape);

/// Draws the stamp over the picture; call it last. `canvas` must hold a picture that canStamp().
void applyStamp(Canvas &canvas, const Stamp &stamp);

// The blocks

/// Where the blocks lie: two rows of 32, the first block's left upper corner at (x, y).
struct BlockGrid {
    std::uint32_t x, y;
    std::uint32_t width, height; ///< of one block
};

BlockGrid blockGrid(std::uint32_t width, std::uint32_t height);

/// 0xA5, stream, frame, CRC-8, 0x5A; the most significant bit is the first block.
std::uint64_t encodeBlocks(const Stamp &stamp);
std::optional<Stamp> decodeBlocks(std::uint64_t bits);

/// Reads the blocks of a picture as delivered.
std::optional<Stamp> readBlocks(const PictureView &picture);

/// Reads the blocks of a picture that was scaled from `original` to `width` x `height`, at least
/// 320 wide; `luma` gives the brightness of a pixel, 0 to 255.
std::optional<Stamp>
readScaledBlocks(const Shape &original, std::uint32_t width, std::uint32_t height,
                 const std::function<std::uint8_t(std::uint32_t x, std::uint32_t y)> &luma);

// The line counters

inline constexpr std::uint32_t counterBytes = 8;

/// What the first 8 bytes of each line of plane 0 say.
struct LineCounter {
    std::uint32_t frame = 0;
    std::uint16_t line = 0;
    std::uint8_t stream = 0;

    bool operator==(const LineCounter &) const = default;
};

std::array<std::uint8_t, counterBytes> encodeCounter(const LineCounter &counter);
/// Nothing if the check byte is wrong. `bytes` has at least 8 bytes.
std::optional<LineCounter> decodeCounter(std::span<const std::uint8_t> bytes);

// The sum

/// Where the sum is stored in line 0 of plane 0, and its size.
inline constexpr std::uint32_t sumOffset = 8;
inline constexpr std::uint32_t sumBytes = 8;

/// The sum as it stands in the picture.
std::uint64_t storedSum(const PictureView &picture);
/// The sum that should stand there: over all bytes, those of the stored sum counted as zero.
std::uint64_t expectedSum(const PictureView &picture);

} // namespace testcard::feed
