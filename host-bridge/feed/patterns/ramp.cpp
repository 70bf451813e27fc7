// SPDX-License-Identifier: GPL-2.0-or-later
// Ramps from black to full: grey, red, green and blue bands. Shows wrong ranges, swapped
// components and lost low bits.
#include "feed/patterns/patterns.hpp"

#include <vector>

namespace testcard::feed::patterns
{
namespace
{

class Ramp final : public Pattern
{
public:
    void drawBase(Canvas &canvas) const override
    {
        const std::uint32_t height = canvas.shape().height;
        for (std::uint32_t band = 0; band < bands; ++band) {
            const std::uint32_t top = height * band / bands, bottom = height * (band + 1) / bands;
            canvas.drawLines(0, top, lineOf(band, canvas.shape()), bottom - top);
        }
    }

private:
    static constexpr std::uint32_t bands = 4;

    static std::vector<Colour> lineOf(std::uint32_t band, const Shape &shape)
    {
        const Matrix matrix = matrixOf(shape.width, shape.height);
        const std::uint32_t last = shape.width - 1;
        std::vector<Colour> line(shape.width);
        for (std::uint32_t x = 0; x < shape.width; ++x) {
            const auto level = static_cast<std::int32_t>((1000 * x + last / 2) / last);
            switch (band) {
            case 0:
                line[x] = grey(static_cast<std::uint8_t>(16 + (219 * x + last / 2) / last));
                break;
            case 1: line[x] = colourFromRgb(matrix, level, 0, 0); break;
            case 2: line[x] = colourFromRgb(matrix, 0, level, 0); break;
            case 3: line[x] = colourFromRgb(matrix, 0, 0, level); break;
            }
        }
        return line;
    }
};

} // namespace

std::unique_ptr<Pattern> ramp(const PatternKey &)
{
    return std::make_unique<Ramp>();
}

} // namespace testcard::feed::patterns
