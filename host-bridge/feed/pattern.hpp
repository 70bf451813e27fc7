// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Generated pictures: pure functions of (seed, stream, frame). README.md defines each of them.
#pragma once

#include "feed/canvas.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace testcard::feed
{

/// Which of many equal sources this is.
struct PatternKey {
    std::uint64_t seed = 1;
    std::uint8_t stream = 0;

    bool operator==(const PatternKey &) const = default;
};

/// A test picture. It keeps no state: the same key, shape and frame give the same bytes.
class Pattern
{
public:
    virtual ~Pattern() = default;

    /// Draws what all frames have in common on a canvas of zero bytes.
    virtual void drawBase(Canvas &canvas) const = 0;

    /// Draws over the base what this frame has of its own; most patterns have nothing.
    virtual void drawFrame(Canvas &, std::uint64_t) const {}
};

/// "smpte-bars", "ramp", "checkerboard", "moving-box", "noise".
std::span<const std::string_view> patternNames();

/// Nothing for an unknown name.
std::unique_ptr<Pattern> makePattern(std::string_view name, const PatternKey &key);

} // namespace testcard::feed
