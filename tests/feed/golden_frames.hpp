// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Hashes of whole frames. They come from a program in another language that was written from
/// host-bridge/feed/README.md alone, so they judge the generators and the stamp from outside.
#pragma once

#include "capture/capture_regs.h"

#include <array>
#include <cstdint>

struct GoldenFrame {
    const char *pattern;
    std::uint32_t format;
    const char *timings;
    std::uint64_t seed;
    std::uint8_t stream;
    std::uint64_t frame;
    std::uint64_t hash; ///< FNV-1a, 64 bits, over the frame's bytes
};

// clang-format off
inline constexpr std::array goldenFrames{
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_YUYV, "1280x720p60", 0x1, 0, 0x0, 0xE8CD61E45A926DC2},
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_BGR24, "1280x720p60", 0x1, 0, 0x0, 0x3D914C87E5244233},
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_YUYV, "640x480p60", 0x1, 0, 0x1e240, 0xAFD29FFBAA6F7774},
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_BGR24, "640x480p60", 0x1, 0, 0x1e240, 0x8531707BFC2EB214},
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_YUYV, "1366x768p60", 0x1, 0, 0x1e240, 0x717472BB2C8B194A},
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_BGR24, "1366x768p60", 0x1, 0, 0x1e240, 0xFC378B99F8F055C5},
    GoldenFrame{"ramp", CAPTURE_FORMAT_YUYV, "1280x720p60", 0x1, 0, 0x0, 0xDFD786C0654E8918},
    GoldenFrame{"ramp", CAPTURE_FORMAT_BGR24, "1280x720p60", 0x1, 0, 0x0, 0xA23BCD3AF071A03F},
    GoldenFrame{"ramp", CAPTURE_FORMAT_YUYV, "640x480p60", 0x1, 0, 0x1e240, 0x693BB43DDB6FFFCD},
    GoldenFrame{"ramp", CAPTURE_FORMAT_BGR24, "640x480p60", 0x1, 0, 0x1e240, 0xDB3B4ABDC7832E8F},
    GoldenFrame{"ramp", CAPTURE_FORMAT_YUYV, "1366x768p60", 0x1, 0, 0x1e240, 0xE4DC207F8428D756},
    GoldenFrame{"ramp", CAPTURE_FORMAT_BGR24, "1366x768p60", 0x1, 0, 0x1e240, 0xF99869A8AFF12F17},
    GoldenFrame{"checkerboard", CAPTURE_FORMAT_YUYV, "1280x720p60", 0x1, 0, 0x0, 0xD2316DBE7E0A51D0},
    GoldenFrame{"checkerboard", CAPTURE_FORMAT_BGR24, "1280x720p60", 0x1, 0, 0x0, 0x37EDD811F1494E51},
    GoldenFrame{"checkerboard", CAPTURE_FORMAT_YUYV, "640x480p60", 0x1, 0, 0x1e240, 0x427543769B642884},
    GoldenFrame{"checkerboard", CAPTURE_FORMAT_BGR24, "640x480p60", 0x1, 0, 0x1e240, 0x69ACE8AEFF6750EC},
    GoldenFrame{"checkerboard", CAPTURE_FORMAT_YUYV, "1366x768p60", 0x1, 0, 0x1e240, 0xEE8B931468EF3CAA},
    GoldenFrame{"checkerboard", CAPTURE_FORMAT_BGR24, "1366x768p60", 0x1, 0, 0x1e240, 0x0D0755E79CD16D05},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_YUYV, "1280x720p60", 0x1, 0, 0x0, 0x7076E4DB3F90D778},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_BGR24, "1280x720p60", 0x1, 0, 0x0, 0x1BBC57920EA413D1},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_YUYV, "640x480p60", 0x1, 0, 0x1e240, 0xAA106337A91E2C3B},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_BGR24, "640x480p60", 0x1, 0, 0x1e240, 0x701780BF324843BE},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_YUYV, "1366x768p60", 0x1, 0, 0x1e240, 0xBC097CDBB88D5664},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_BGR24, "1366x768p60", 0x1, 0, 0x1e240, 0xFB4C13445FD28F70},
    GoldenFrame{"noise", CAPTURE_FORMAT_YUYV, "1280x720p60", 0x1, 0, 0x0, 0xB197B92F302646FB},
    GoldenFrame{"noise", CAPTURE_FORMAT_BGR24, "1280x720p60", 0x1, 0, 0x0, 0x07B1D1AE66C68708},
    GoldenFrame{"noise", CAPTURE_FORMAT_YUYV, "640x480p60", 0x1, 0, 0x1e240, 0x4487AEC43980AE03},
    GoldenFrame{"noise", CAPTURE_FORMAT_BGR24, "640x480p60", 0x1, 0, 0x1e240, 0x1E4F88E9648D11A6},
    GoldenFrame{"noise", CAPTURE_FORMAT_YUYV, "1366x768p60", 0x1, 0, 0x1e240, 0x61D9F9FAAF7E9EE6},
    GoldenFrame{"noise", CAPTURE_FORMAT_BGR24, "1366x768p60", 0x1, 0, 0x1e240, 0x0123AFD811A8BBC8},
    GoldenFrame{"moving-box", CAPTURE_FORMAT_YUYV, "1920x1080p60", 0x63, 3, 0x11, 0x3917248D2BBA5955},
    GoldenFrame{"noise", CAPTURE_FORMAT_YUYV, "1920x1080p60", 0xfedcba9876543210, 255, 0x1ffffffff, 0x45F2B53D1C91A292},
    GoldenFrame{"smpte-bars", CAPTURE_FORMAT_YUYV, "1920x1080p60", 0x5, 9, 0xffffffff, 0x9E0D97E4A3020111},
};
// clang-format on
