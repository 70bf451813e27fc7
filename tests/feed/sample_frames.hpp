// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Small stamped frames for the tests of whoever receives frames.
#pragma once

#include "feed/picture.hpp"
#include "feed/stamp.hpp"

#include <cstdint>
#include <vector>

/// Every size of the timings table in every format.
std::vector<testcard::feed::Shape> sampleShapes();

/// A stamped frame over colours that differ from pixel to pixel.
std::vector<std::uint8_t> sampleFrame(const testcard::feed::Shape &shape,
                                      const testcard::feed::Stamp &stamp);
