// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The patterns, each in a file of its own.
#pragma once

#include "feed/pattern.hpp"

#include <memory>

namespace testcard::feed::patterns
{

std::unique_ptr<Pattern> smpteBars(const PatternKey &key);
std::unique_ptr<Pattern> ramp(const PatternKey &key);
std::unique_ptr<Pattern> checkerboard(const PatternKey &key);
std::unique_ptr<Pattern> movingBox(const PatternKey &key);
std::unique_ptr<Pattern> noise(const PatternKey &key);

} // namespace testcard::feed::patterns
