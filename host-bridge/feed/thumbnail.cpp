// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/thumbnail.hpp"

#include "feed/colour.hpp"

#include <algorithm>

namespace testcard::feed
{
namespace
{

/// The three components of a pixel as the format delivers them.
struct Components {
    std::uint32_t first = 0, second = 0, third = 0;
};

/// Where a pixel's components are in its line.
struct Place {
    std::uint32_t first, second, third;
};

Place placeOf(PixelFormat format, std::uint32_t x)
{
    switch (format) {
    case PixelFormat::yuyv: return {2 * x, x / 2 * 4 + 1, x / 2 * 4 + 3};
    case PixelFormat::bgr24: return {3 * x + 2, 3 * x + 1, 3 * x};
    }
    return {};
}

/// The sample at a quarter or at three quarters of part i of `parts` equal parts of `size`.
std::uint32_t samplePosition(std::uint32_t i, std::uint32_t quarter, std::uint32_t size,
                             std::uint32_t parts)
{
    return static_cast<std::uint32_t>((std::uint64_t{i} * 4 + quarter) * size / (4ull * parts));
}

/// The places of the samples of a line of the thumbnail, two for each pixel.
std::vector<Place> placesOf(const Shape &shape, std::uint32_t width)
{
    std::vector<Place> places;
    places.reserve(std::size_t{2} * width);
    for (std::uint32_t x = 0; x < width; ++x)
        for (const std::uint32_t quarter : {1u, 3u})
            places.push_back(placeOf(shape.format, samplePosition(x, quarter, shape.width, width)));
    return places;
}

void addSample(Components &sum, const std::uint8_t *line, const Place &place)
{
    sum.first += line[place.first];
    sum.second += line[place.second];
    sum.third += line[place.third];
}

/// Writes the pixel whose four samples have this sum.
void writePixel(PixelFormat format, Matrix matrix, const Components &sum, std::uint8_t *rgb)
{
    const auto mean = [](std::uint32_t four) { return static_cast<std::uint8_t>((four + 2) / 4); };
    Colour colour;
    if (format == PixelFormat::bgr24) {
        colour.r = mean(sum.first);
        colour.g = mean(sum.second);
        colour.b = mean(sum.third);
    } else {
        colour = colourFromYcbcr(matrix, mean(sum.first), mean(sum.second), mean(sum.third));
    }
    rgb[0] = colour.r;
    rgb[1] = colour.g;
    rgb[2] = colour.b;
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
    image.rgb.resize(std::size_t{3} * image.width * image.height);

    const Matrix matrix = matrixOf(shape.width, shape.height);
    const std::vector<Place> places = placesOf(shape, image.width);
    std::uint8_t *rgb = image.rgb.data();
    for (std::uint32_t y = 0; y < image.height; ++y) {
        const auto sampled = [&](std::uint32_t quarter) {
            return picture.line(0, samplePosition(y, quarter, shape.height, image.height)).data();
        };
        const std::uint8_t *const upper = sampled(1), *const lower = sampled(3);
        for (std::size_t x = 0; x < places.size(); x += 2, rgb += 3) {
            Components sum;
            for (const Place &place : {places[x], places[x + 1]}) {
                addSample(sum, upper, place);
                addSample(sum, lower, place);
            }
            writePixel(shape.format, matrix, sum, rgb);
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
    file.append(reinterpret_cast<const char *>(image.rgb.data()), image.rgb.size());
    return file;
}

} // namespace testcard::feed
