// SPDX-License-Identifier: GPL-2.0-or-later
// A box that bounces between the edges over a grey ground. Shows to the eye what the stamp shows
// to a program: stuttering, tearing, frames in the wrong order.
#include "feed/patterns/patterns.hpp"

#include <array>

namespace testcard::feed::patterns
{
namespace
{

/// 0, 1, ... span, span - 1, ... 1, 0, 1, ...
std::uint32_t bounced(std::uint64_t step, std::uint32_t span)
{
    if (span == 0) return 0;
    const auto phase = static_cast<std::uint32_t>(step % (2 * std::uint64_t{span}));
    return phase <= span ? phase : 2 * span - phase;
}

class MovingBox final : public Pattern
{
public:
    explicit MovingBox(const PatternKey &key) : key_{key} {}

    void drawBase(Canvas &canvas) const override
    {
        const Shape &shape = canvas.shape();
        canvas.fill({0, 0, shape.width, shape.height},
                    colourFromRgb(matrixOf(shape.width, shape.height), 400, 400, 400));
    }

    void drawFrame(Canvas &canvas, std::uint64_t frame) const override
    {
        const Shape &shape = canvas.shape();
        const std::uint32_t width = shape.width / 8 / 2 * 2, height = shape.height / 8;
        const std::uint64_t time = frame + key_.seed;
        const std::uint32_t x = 2 * bounced(4 * time, (shape.width - width) / 2);
        const std::uint32_t y = bounced(3 * time, shape.height - height);
        canvas.fill({x, y, width, height}, colour(matrixOf(shape.width, shape.height)));
    }

private:
    /// The stream's colour: the order of the colour bars.
    Colour colour(Matrix matrix) const
    {
        const std::uint32_t bar = 7 - key_.stream % 7; // G, R, B: on or off as bits 2, 1, 0
        return colourFromRgb(matrix, bar & 2 ? 750 : 0, bar & 4 ? 750 : 0, bar & 1 ? 750 : 0);
    }

    PatternKey key_;
};

} // namespace

std::unique_ptr<Pattern> movingBox(const PatternKey &key)
{
    return std::make_unique<MovingBox>(key);
}

} // namespace testcard::feed::patterns
