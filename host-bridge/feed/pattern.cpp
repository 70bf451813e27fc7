// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/pattern.hpp"

#include "feed/patterns/patterns.hpp"

#include <algorithm>
#include <array>

namespace testcard::feed
{
namespace
{

constexpr std::array<std::string_view, 5> names{"smpte-bars", "ramp", "checkerboard", "moving-box",
                                                "noise"};
using Factory = std::unique_ptr<Pattern> (*)(const PatternKey &);
constexpr std::array<Factory, names.size()> factories{patterns::smpteBars, patterns::ramp,
                                                      patterns::checkerboard, patterns::movingBox,
                                                      patterns::noise};

} // namespace

std::span<const std::string_view> patternNames()
{
    return names;
}

std::unique_ptr<Pattern> makePattern(std::string_view name, const PatternKey &key)
{
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? nullptr : factories[found - names.begin()](key);
}

} // namespace testcard::feed
