// SPDX-License-Identifier: GPL-2.0-or-later
// Black and white squares of 32 pixels: the sharpest edges there are. Shows wrong strides, shifted
// lines and filtered chroma.
#include "feed/patterns/patterns.hpp"

#include <vector>

namespace testcard::feed::patterns
{
namespace
{

class Checkerboard final : public Pattern
{
public:
    void drawBase(Canvas &canvas) const override
    {
        const Shape &shape = canvas.shape();
        for (std::uint32_t y = 0; y < shape.height; y += square)
            for (std::uint32_t x = 0; x < shape.width; x += square) {
                const bool white = (x / square + y / square) % 2 == 0;
                canvas.fill({x, y, square, square}, grey(white ? 235 : 16));
            }
    }

private:
    static constexpr std::uint32_t square = 32;
};

} // namespace

std::unique_ptr<Pattern> checkerboard(const PatternKey &)
{
    return std::make_unique<Checkerboard>();
}

} // namespace testcard::feed::patterns
