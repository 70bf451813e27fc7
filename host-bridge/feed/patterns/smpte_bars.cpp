// SPDX-License-Identifier: GPL-2.0-or-later
// The colour bars of television: SMPTE RP 219-1 for high definition, SMPTE ECR 1-1978 (EG 1) for
// standard definition. Both are rows of segments, so both are tables here.
#include "feed/patterns/patterns.hpp"

#include <array>
#include <span>
#include <vector>

namespace testcard::feed::patterns
{
namespace
{

/// What a segment shows: a colour in thousandths, a luma ramp, or one of the two colours of the
/// NTSC chroma axes, which R'G'B' cannot express.
struct Paint {
    enum class Kind : std::uint8_t { rgb, ramp, minusI, plusQ };
    Kind kind = Kind::rgb;
    std::int32_t r = 0, g = 0, b = 0;
};

constexpr Paint rgb(std::int32_t r, std::int32_t g, std::int32_t b)
{
    return {Paint::Kind::rgb, r, g, b};
}
constexpr Paint level(std::int32_t thousandths)
{
    return rgb(thousandths, thousandths, thousandths);
}
constexpr Paint lumaRamp{Paint::Kind::ramp};
constexpr Paint minusI{Paint::Kind::minusI};
constexpr Paint plusQ{Paint::Kind::plusQ};

constexpr Paint black = level(0), white = level(1000), white75 = level(750);
constexpr Paint yellow75 = rgb(750, 750, 0), cyan75 = rgb(0, 750, 750), green75 = rgb(0, 750, 0);
constexpr Paint magenta75 = rgb(750, 0, 750), red75 = rgb(750, 0, 0), blue75 = rgb(0, 0, 750);
constexpr Paint cyan = rgb(0, 1000, 1000), yellow = rgb(1000, 1000, 0);
constexpr Paint blue = rgb(0, 0, 1000), red = rgb(1000, 0, 0);

/// From the end of the segment before it to `end`, in the row's units.
struct Segment {
    std::uint32_t end;
    Paint paint;
};

/// From the end of the row before it to `end` twelfths of the height; the segments' ends count in
/// fractions of the width.
struct Row {
    std::uint32_t end;
    std::uint32_t units;
    std::span<const Segment> segments;
};

// RP 219-1 figure 1. A bar is c = 6/56 of the width, a side panel d = 7/56.
constexpr std::array hdPattern1{
    Segment{7, level(400)}, Segment{13, white75}, Segment{19, yellow75},
    Segment{25, cyan75},    Segment{31, green75}, Segment{37, magenta75},
    Segment{43, red75},     Segment{49, blue75},  Segment{56, level(400)}};
constexpr std::array hdPattern2{Segment{7, cyan}, Segment{13, white}, Segment{49, white75},
                                Segment{56, blue}};
constexpr std::array hdPattern3{Segment{7, yellow}, Segment{13, black}, Segment{43, lumaRamp},
                                Segment{49, white}, Segment{56, red}};
constexpr std::array hdPattern4{
    Segment{7, level(150)},  Segment{16, black}, Segment{28, white},     Segment{33, black},
    Segment{35, level(-20)}, Segment{37, black}, Segment{39, level(20)}, Segment{41, black},
    Segment{43, level(40)},  Segment{49, black}, Segment{56, level(150)}};
constexpr std::array hdRows{Row{7, 56, hdPattern1}, Row{8, 56, hdPattern2}, Row{9, 56, hdPattern3},
                            Row{12, 56, hdPattern4}};

// EG 1-1990 figure 1. A bar is 1/7 of the width, the fields of the lowest row 5/28, the PLUGE
// pulses 1/21.
constexpr std::array sdBars{Segment{1, white75}, Segment{2, yellow75},  Segment{3, cyan75},
                            Segment{4, green75}, Segment{5, magenta75}, Segment{6, red75},
                            Segment{7, blue75}};
constexpr std::array sdReverse{Segment{1, blue75}, Segment{2, black},  Segment{3, magenta75},
                               Segment{4, black},  Segment{5, cyan75}, Segment{6, black},
                               Segment{7, white75}};
constexpr std::array sdLowest{Segment{15, minusI},    Segment{30, white},      Segment{45, plusQ},
                              Segment{60, black},     Segment{64, level(-40)}, Segment{68, black},
                              Segment{72, level(40)}, Segment{84, black}};
constexpr std::array sdRows{Row{8, 7, sdBars}, Row{9, 7, sdReverse}, Row{12, 84, sdLowest}};

/// `part` of `units` of `size`, rounded to the nearest even pixel.
std::uint32_t evenEdge(std::uint32_t size, std::uint32_t part, std::uint32_t units)
{
    return (size * part + units) / (2 * units) * 2;
}

void paintSegment(std::span<Colour> pixels, const Paint &paint, Matrix matrix)
{
    const auto last = static_cast<std::uint32_t>(pixels.size() > 1 ? pixels.size() - 1 : 1);
    for (std::uint32_t i = 0; i < pixels.size(); ++i) {
        switch (paint.kind) {
        case Paint::Kind::rgb: pixels[i] = colourFromRgb(matrix, paint.r, paint.g, paint.b); break;
        case Paint::Kind::ramp:
            pixels[i] = grey(static_cast<std::uint8_t>(16 + (219 * i + last / 2) / last));
            break;
        case Paint::Kind::minusI: pixels[i] = colourFromYcbcr(matrix, 57, 156, 97); break;
        case Paint::Kind::plusQ: pixels[i] = colourFromYcbcr(matrix, 44, 171, 147); break;
        }
    }
}

std::vector<Colour> lineOf(const Row &row, std::uint32_t width, Matrix matrix)
{
    std::vector<Colour> line(width);
    std::uint32_t start = 0;
    for (const Segment &segment : row.segments) {
        const std::uint32_t end = evenEdge(width, segment.end, row.units);
        paintSegment(std::span{line}.subspan(start, end - start), segment.paint, matrix);
        start = end;
    }
    return line;
}

class SmpteBars final : public Pattern
{
public:
    void drawBase(Canvas &canvas) const override
    {
        const Shape &shape = canvas.shape();
        const Matrix matrix = matrixOf(shape.width, shape.height);
        const std::span<const Row> rows =
            matrix == Matrix::bt601 ? std::span<const Row>{sdRows} : std::span<const Row>{hdRows};
        std::uint32_t top = 0;
        for (const Row &row : rows) {
            const std::uint32_t bottom = row.end * shape.height / 12;
            canvas.drawLines(0, top, lineOf(row, shape.width, matrix), bottom - top);
            top = bottom;
        }
    }
};

} // namespace

std::unique_ptr<Pattern> smpteBars(const PatternKey &)
{
    return std::make_unique<SmpteBars>();
}

} // namespace testcard::feed::patterns
