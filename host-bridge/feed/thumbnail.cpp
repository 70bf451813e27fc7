// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/thumbnail.hpp"

#include "feed/colour.hpp"

#include <algorithm>
#include <array>

namespace testcard::feed
{
namespace
{

/// The three components of a pixel as the format delivers them.
using Components = std::array<std::uint32_t, 3>;

Components componentsAt(PixelFormat format, std::span<const std::uint8_t> line, std::uint32_t x)
{
    switch (format) {
    case PixelFormat::yuyv: {
        const std::size_t pair = std::size_t{x} / 2 * 4;
        return {line[std::size_t{x} * 2], line[pair + 1], line[pair + 3]};
    }
    case PixelFormat::bgr24: {
        const std::size_t pixel = std::size_t{x} * 3;
        return {line[pixel + 2], line[pixel + 1], line[pixel]};
    }
    }
    return {};
}

std::array<std::uint8_t, 3> rgbOf(PixelFormat format, Matrix matrix, const Components &components)
{
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(components[i]); };
    if (format == PixelFormat::bgr24) return {byte(0), byte(1), byte(2)};
    const Colour colour = colourFromYcbcr(matrix, byte(0), byte(1), byte(2));
    return {colour.r, colour.g, colour.b};
}

} // namespace

RgbImage makeThumbnail(const PictureView &picture, std::uint32_t width)
{
    const Shape &shape = picture.shape;
    if (!picture.complete() || shape.width == 0 || width == 0) return {};
    RgbImage image;
    image.width = std::min(width, shape.width);
    image.height = std::max<std::uint32_t>(
        1, (std::uint64_t{shape.height} * image.width + shape.width / 2) / shape.width);
    image.rgb.reserve(std::size_t{3} * image.width * image.height);

    // Samples stand at a quarter and at three quarters of each pixel's part of the picture.
    const auto sample = [](std::uint32_t i, std::uint32_t quarter, std::uint32_t from,
                           std::uint32_t to) {
        return static_cast<std::uint32_t>((std::uint64_t{i} * 4 + quarter) * from / (4ull * to));
    };
    const Matrix matrix = matrixOf(shape.width, shape.height);
    for (std::uint32_t y = 0; y < image.height; ++y) {
        const std::array lines{picture.line(0, sample(y, 1, shape.height, image.height)),
                               picture.line(0, sample(y, 3, shape.height, image.height))};
        for (std::uint32_t x = 0; x < image.width; ++x) {
            Components sum{2, 2, 2}; // rounds the mean to nearest
            for (const auto &line : lines)
                for (const std::uint32_t quarter : {1u, 3u}) {
                    const std::uint32_t column = sample(x, quarter, shape.width, image.width);
                    const Components components = componentsAt(shape.format, line, column);
                    for (std::size_t i = 0; i < 3; ++i)
                        sum[i] += components[i];
                }
            for (std::uint32_t &component : sum)
                component /= 4;
            const auto rgb = rgbOf(shape.format, matrix, sum);
            image.rgb.insert(image.rgb.end(), rgb.begin(), rgb.end());
        }
    }
    return image;
}

std::string toPpm(const RgbImage &image, const ThumbnailNote &note)
{
    std::string file = "P6\n# testcard";
    if (note.frame) file += " frame=" + std::to_string(*note.frame);
    if (note.sequence) file += " sequence=" + std::to_string(*note.sequence);
    file += " time_us=" + std::to_string(note.time_us);
    file += " source=" + std::string{formatName(note.source.format)} + ":" +
            std::to_string(note.source.width) + "x" + std::to_string(note.source.height) + "\n";
    file += std::to_string(image.width) + " " + std::to_string(image.height) + "\n255\n";
    file.append(image.rgb.begin(), image.rgb.end());
    return file;
}

} // namespace testcard::feed
