// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The ways in which V4L2 hands over frames: mmap, userptr, dmabuf, read.
#pragma once

#include "failure.hpp"
#include "options.hpp"
#include "video_device.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace testcard::agent
{

/// A frame in a buffer of the stream; valid until it is given back.
struct ReceivedFrame {
    std::span<const std::uint8_t> bytes;
    std::optional<std::uint32_t> sequence;
    std::optional<std::uint64_t> timestamp_us; ///< by the driver
    bool flagged = false;
    std::uint32_t index = 0; ///< of the buffer
};

/// A running stream. Its end (destructor) stops it and frees its buffers.
class FrameStream
{
public:
    virtual ~FrameStream() = default;

    /// The next frame; nothing if none is there yet.
    virtual Result<std::optional<ReceivedFrame>> take() = 0;

    /// Lets the device use the frame's buffer again.
    virtual Result<void> giveBack(const ReceivedFrame &frame) = 0;
};

/// Allocates buffers for the negotiated format and starts the device.
Result<std::unique_ptr<FrameStream>>
startStream(const VideoDevice &device, const NegotiatedFormat &format, const Options &options);

} // namespace testcard::agent
