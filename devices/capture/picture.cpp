// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture_regs.h"
#include "capture/frame_source.hpp"

namespace testcard::capture
{

std::uint32_t lineBytes(const PictureFormat &picture)
{
    switch (picture.format) {
    case CAPTURE_FORMAT_YUYV: return 2 * picture.width;
    case CAPTURE_FORMAT_BGR24: return 3 * picture.width;
    }
    return 0;
}

std::uint64_t pictureBytes(const PictureFormat &picture)
{
    return std::uint64_t{lineBytes(picture)} * picture.height;
}

} // namespace testcard::capture
