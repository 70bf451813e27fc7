// SPDX-License-Identifier: GPL-2.0-or-later
// Frames on a byte stream that may carry anything else, too: README.md, "Frames".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace testcard::agent
{

/// None of the outer bytes occurs in UTF-8 text, so a log on the same line does not look like it.
inline constexpr std::array<std::uint8_t, 4> frameSync{0xF5, 'T', 'C', 0xFA};
inline constexpr std::size_t frameHeaderBytes = 28;
inline constexpr std::size_t frameTrailerBytes = 4;
inline constexpr std::size_t maxPayloadBytes = 65536;
inline constexpr std::size_t maxFrameBytes = frameHeaderBytes + maxPayloadBytes + frameTrailerBytes;

enum class FrameKind : std::uint8_t {
    Data = 0,        ///< one message of the session, numbered
    Acknowledge = 1, ///< only the acknowledgement in the header
    Announce = 2,    ///< guest: an agent is here and has no session
    Open = 3,        ///< host: begins a session
    Accept = 4,      ///< guest: the session is open
    Refuse = 5,      ///< guest: it is not, and why
    Reset = 6,       ///< guest: there is no such session (any more)
    Close = 7,       ///< host: ends the session
};

/// In Acknowledge: frames from `acknowledged` on are missing, send them again.
inline constexpr std::uint8_t frameFlagResend = 0x01;

struct FrameHeader {
    FrameKind kind = FrameKind::Data;
    std::uint8_t flags = 0;
    std::uint32_t session = 0;
    std::uint32_t sequence = 0;     ///< Data: its number, from 0
    std::uint32_t acknowledged = 0; ///< the number of the next Data frame that the sender expects
    std::uint32_t length = 0;       ///< bytes of payload
};

struct Frame {
    FrameHeader header;
    std::span<const std::uint8_t> payload; ///< valid until the decoder is used again
};

/// Completes a frame in place. `frame` is frameHeaderBytes of room followed by the payload; header
/// (its `length` is computed here) and trailer are filled in.
void sealFrame(FrameHeader header, std::vector<std::uint8_t> &frame);

/// Finds the frames in a byte stream. Bytes that belong to no frame are skipped; a frame with a
/// wrong check sum is not given out. Memory is one fixed buffer.
class FrameDecoder
{
public:
    FrameDecoder();

    /// Where to put received bytes (never empty once next() has returned nothing) ...
    std::span<std::uint8_t> space();
    /// ... and how many were put there.
    void received(std::size_t bytes);

    std::optional<Frame> next();

    /// The header, which was good, of the last frame whose payload was not; then forgets it.
    std::optional<FrameHeader> takeDamaged();

    /// Forgets bytes that wait for the rest of their frame: the stream begins anew.
    void clear();

    std::uint64_t skippedBytes() const { return skipped_; }
    std::uint64_t framesReceived() const { return frames_; }
    /// Frames with a good header and a wrong payload since the last good frame. A line makes a few
    /// of them; many in a row, at 64 KiB to check each, come from somebody who means harm.
    std::uint32_t damagedInARow() const { return damagedInARow_; }

private:
    bool findSync();
    void skip(std::size_t bytes);

    std::vector<std::uint8_t> buffer_;
    std::size_t begin_ = 0; ///< first byte not yet given out or skipped
    std::size_t end_ = 0;   ///< behind the last byte received
    std::uint64_t skipped_ = 0;
    std::uint64_t frames_ = 0;
    std::optional<FrameHeader> damaged_;
    std::uint32_t damagedInARow_ = 0;
};

} // namespace testcard::agent
