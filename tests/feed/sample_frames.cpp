// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample_frames.hpp"

#include "feed/timings.hpp"

#include <set>

using namespace testcard::feed;

std::vector<Shape> sampleShapes()
{
    std::set<std::pair<std::uint32_t, std::uint32_t>> sizes;
    for (const NamedTimings &entry : allTimings())
        sizes.emplace(entry.timings.width, entry.timings.height);
    std::vector<Shape> shapes;
    for (const auto &[width, height] : sizes)
        for (const PixelFormat format : {PixelFormat::yuyv, PixelFormat::bgr24})
            shapes.push_back({format, width, height});
    return shapes;
}

std::vector<std::uint8_t> sampleFrame(const Shape &shape, const Stamp &stamp)
{
    std::vector<std::uint8_t> bytes(shape.bytes());
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>((i ^ stamp.frame) * 61 + i / 97);
    Canvas canvas{shape, bytes, sumOfPicture(viewOf(shape, bytes))};
    applyStamp(canvas, stamp);
    return bytes;
}
