// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The command line of frame-check.
#pragma once

#include "failure.hpp"
#include "feed/picture.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace testcard::agent
{

enum class Io : std::uint8_t { mmap, userptr, read, dmabuf };

std::string_view ioName(Io io);

struct Options {
    std::string device = "/dev/video0";
    Io io = Io::mmap;
    std::uint32_t buffers = 4;
    std::uint32_t userptrOffset = 0; ///< bytes from a page's start to each user buffer
    feed::PixelFormat format = feed::PixelFormat::yuyv;

    std::optional<std::uint64_t> frames; ///< 120 without a duration
    std::optional<std::chrono::milliseconds> duration;
    std::chrono::milliseconds frameTimeout{5000};
    std::chrono::milliseconds signalTimeout{10000};

    std::optional<std::uint8_t> stream;
    std::optional<std::uint64_t> expectedDrops;
    bool allowFlagged = false;
    bool followSourceChange = false;

    std::string thumbnailFolder; ///< empty: none
    std::uint32_t thumbnailCount = 12;
    std::uint32_t thumbnailWidth = 320;

    bool json = false;
    bool help = false;

    bool fromStandardInput = false;
    std::uint32_t width = 0, height = 0; ///< of pictures on standard input
};

/// What --help prints.
extern const char *const helpText;

Result<Options> parseOptions(int argc, char **argv);

} // namespace testcard::agent
