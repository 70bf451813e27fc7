// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The shape of a picture in memory: formats, planes, lines, and the 64-bit sum over its bytes.
///
/// Like everything that stamps and checks frames, this links into static guest programs: the C++
/// standard library and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace testcard::feed
{

/// How pixels lie in memory. The names and layouts are those of V4L2.
enum class PixelFormat : std::uint8_t {
    yuyv, ///< Y0 Cb Y1 Cr, two pixels in 4 bytes, chroma of the even pixel
    bgr24 ///< B G R, full range
};

/// "YUYV", "BGR24".
std::string_view formatName(PixelFormat format);
std::optional<PixelFormat> formatByName(std::string_view name);

/// One plane of a picture without padding: packed formats have one, NV12 has two, YU12 three.
struct Plane {
    std::uint32_t lineBytes = 0;
    std::uint32_t lines = 0;
};

/// Format and size: all that decides how many bytes a picture has.
struct Shape {
    PixelFormat format = PixelFormat::yuyv;
    std::uint32_t width = 0;  ///< pixels, even
    std::uint32_t height = 0; ///< lines

    bool operator==(const Shape &) const = default;

    unsigned planes() const;
    Plane plane(unsigned index) const;
    /// Bytes of the whole picture without padding.
    std::uint64_t bytes() const;
};

/// A picture that somebody received. Planes follow one another; lines may be padded.
struct PictureView {
    Shape shape;
    std::span<const std::uint8_t> bytes;
    std::uint32_t stride =
        0; ///< bytes from one line of plane 0 to the next, at least its lineBytes

    /// Whether `bytes` reaches to the end of the last line. The other functions rely on it.
    bool complete() const;
    std::span<const std::uint8_t> line(unsigned plane, std::uint32_t index) const;

private:
    std::uint64_t strideOf(unsigned plane) const;
    std::uint64_t startOf(unsigned plane) const;
};

/// A picture without padding.
PictureView viewOf(const Shape &shape, std::span<const std::uint8_t> bytes);

/// The sum modulo 2^64 of the little-endian 64-bit words of a line, of which `bytes` are those from
/// `offset` on; the bytes before and after count as zero.
std::uint64_t sumOfLine(std::span<const std::uint8_t> bytes, std::uint64_t offset = 0);

/// The sum over all lines of all planes. A short last word of a line is padded with zeros.
std::uint64_t sumOfPicture(const PictureView &picture);

/// Luma of one pixel on the limited range's scale, 16 black to 235 white, for reading blocks.
std::uint8_t lumaAt(const PictureView &picture, std::uint32_t x, std::uint32_t y);

} // namespace testcard::feed
