// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What is plugged into the capture card's input: a video signal with known pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>

namespace testcard::capture
{

/// Timings of a progressive signal in the terms of CEA-861 and DMT: pixels and lines.
struct VideoTimings {
    std::uint32_t width = 0;
    std::uint32_t horizontalFront = 0;
    std::uint32_t horizontalSync = 0;
    std::uint32_t horizontalBack = 0;
    std::uint32_t height = 0;
    std::uint32_t verticalFront = 0;
    std::uint32_t verticalSync = 0;
    std::uint32_t verticalBack = 0;
    std::uint64_t pixelClock_hz = 0;
    bool hsyncPositive = false;
    bool vsyncPositive = false;
    std::uint32_t standard = 0; ///< CAPTURE_STANDARD_ with VIC or DMT ID; 0 for neither

    bool operator==(const VideoTimings &) const = default;

    std::uint64_t pixelsPerLine() const
    {
        return std::uint64_t{width} + horizontalFront + horizontalSync + horizontalBack;
    }
    std::uint64_t linesPerFrame() const
    {
        return std::uint64_t{height} + verticalFront + verticalSync + verticalBack;
    }
};

/// The state of the input. Without `present` the rest means nothing to the card.
struct Signal {
    bool present = false;
    bool locked = false;
    bool inRange = false;
    VideoTimings timings{};

    bool usable() const { return present && locked && inRange; }
    bool operator==(const Signal &) const = default;
};

enum class Pacing : std::uint8_t {
    realTime, ///< frames come at the signal's rate, whether or not anybody takes them
    onDemand  ///< as fast as possible: the next frame comes when there is a buffer for it
};

/// A picture as the card delivers it, without padding between its lines.
struct PictureFormat {
    std::uint32_t format = 0; ///< CAPTURE_FORMAT_
    std::uint32_t width = 0;  ///< pixels, even
    std::uint32_t height = 0; ///< lines

    bool operator==(const PictureFormat &) const = default;
};

/// Bytes of one line without padding; 0 for a format that the card does not know.
std::uint32_t lineBytes(const PictureFormat &picture);
/// Bytes of one picture without padding; 0 for a format that the card does not know.
std::uint64_t pictureBytes(const PictureFormat &picture);

/// The other end of the cable. Pictures are pure functions of the source and the frame number, so
/// that a card may ask for any frame, or for one twice.
class FrameSource
{
public:
    virtual ~FrameSource() = default;

    virtual Signal signal() const = 0;
    virtual Pacing pacing() const = 0;

    /// Draws the whole frame into `into`, which has pictureBytes(picture) bytes. Width and height
    /// are those of the signal, or of the one that went a moment ago.
    virtual void draw(std::uint64_t frame, const PictureFormat &picture,
                      std::span<std::byte> into) = 0;

    /// The card wants to know of every change of signal() or pacing(), right after it.
    void onChange(std::function<void()> handler) { changed_ = std::move(handler); }

protected:
    void changed()
    {
        if (changed_) changed_();
    }

private:
    std::function<void()> changed_;
};

} // namespace testcard::capture
