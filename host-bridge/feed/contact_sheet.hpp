// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A grid of thumbnails as one PNG: what a guest application saw, at a glance.
#pragma once

#include "feed/error.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace testcard::feed
{

struct ContactSheetOptions {
    std::string title; ///< printed above the grid; ASCII
    std::uint32_t columns = 4;
};

/// Reads the PPM files that frame-check wrote and writes them as one PNG, each labelled with its
/// frame number and time. The files come from a guest: what is too large, malformed or not PPM is
/// an error that names the file. The PNG appears whole or not at all.
tl::expected<void, Error> writeContactSheet(std::span<const std::filesystem::path> thumbnails,
                                            const std::filesystem::path &png,
                                            const ContactSheetOptions &options = {});

} // namespace testcard::feed
