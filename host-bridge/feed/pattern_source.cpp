// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/pattern_source.hpp"

#include "capture/capture_regs.h"
#include "feed/stamp.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace testcard::feed
{

PatternSource::PatternSource(std::unique_ptr<Pattern> pattern, const PatternSpec &spec)
    : pattern_{std::move(pattern)},
      stream_{spec.key.stream},
      signal_{true, true, true, spec.timings},
      pacing_{spec.pacing}
{
}

PatternSource::~PatternSource() = default;

void PatternSource::draw(std::uint64_t frame, const capture::PictureFormat &picture,
                         std::span<std::byte> into)
{
    const std::optional<Shape> shape = shapeOf(picture);
    if (!shape || shape->bytes() != into.size()) {
        std::ranges::fill(into, std::byte{0});
        return;
    }
    const Base &base = baseOf(*shape);
    const std::span bytes{reinterpret_cast<std::uint8_t *>(into.data()), into.size()};
    std::memcpy(bytes.data(), base.bytes.data(), bytes.size());
    Canvas canvas{*shape, bytes, base.sum};
    pattern_->drawFrame(canvas, frame);
    if (canStamp(*shape)) applyStamp(canvas, {stream_, static_cast<std::uint32_t>(frame)});
}

void PatternSource::setSignal(const capture::Signal &signal)
{
    if (signal == signal_) return;
    signal_ = signal;
    changed();
}

void PatternSource::setPacing(capture::Pacing pacing)
{
    if (pacing == pacing_) return;
    pacing_ = pacing;
    changed();
}

const PatternSource::Base &PatternSource::baseOf(const Shape &shape)
{
    if (!base_ || base_->shape != shape) {
        base_ = std::make_unique<Base>(Base{shape, std::vector<std::uint8_t>(shape.bytes()), 0});
        Canvas canvas = Canvas::cleared(shape, base_->bytes);
        pattern_->drawBase(canvas);
        base_->sum = canvas.sum();
    }
    return *base_;
}

tl::expected<std::unique_ptr<PatternSource>, Error> makePatternSource(const PatternSpec &spec)
{
    const capture::VideoTimings &timings = spec.timings;
    if (timings.width == 0 || timings.height == 0 || timings.pixelClock_hz == 0)
        return tl::unexpected(Error{"the source's timings are empty: name a mode, such as "
                                    "1280x720p60"});
    if (timings.width % 2 != 0 || timings.height % 2 != 0)
        return tl::unexpected(Error{fmt::format("a picture of {}x{} cannot be generated: width and "
                                                "height must be even",
                                                timings.width, timings.height)});
    std::unique_ptr<Pattern> pattern = makePattern(spec.pattern, spec.key);
    if (!pattern)
        return tl::unexpected(Error{fmt::format("unknown pattern \"{}\": choose one of {}",
                                                spec.pattern, fmt::join(patternNames(), ", "))});
    return std::make_unique<PatternSource>(std::move(pattern), spec);
}

std::optional<Shape> shapeOf(const capture::PictureFormat &picture)
{
    switch (picture.format) {
    case CAPTURE_FORMAT_YUYV: return Shape{PixelFormat::yuyv, picture.width, picture.height};
    case CAPTURE_FORMAT_BGR24: return Shape{PixelFormat::bgr24, picture.width, picture.height};
    }
    return std::nullopt;
}

} // namespace testcard::feed
