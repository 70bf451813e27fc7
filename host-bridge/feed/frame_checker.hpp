// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Judges the frames that somebody received by their stamps: dropped, repeated, torn, out of
/// order, wrong. Loss is counted, not guessed.
#pragma once

#include "feed/picture.hpp"
#include "feed/stamp.hpp"

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>

namespace testcard::feed
{

/// What a frame turned out to be. Exactly one applies to each.
enum class Finding : std::uint8_t {
    good,
    flagged,    ///< the driver itself marked it as bad; its content is not judged
    torn,       ///< lines of more than one frame
    wrong,      ///< no stamp, or bytes that do not belong to it
    repeated,   ///< intact, but this frame has come before
    outOfOrder, ///< intact, but a later frame has come before
};

std::string_view findingName(Finding finding);

struct FrameCounts {
    std::uint64_t received = 0; ///< all frames that were judged
    std::uint64_t flagged = 0;
    std::uint64_t torn = 0;
    std::uint64_t wrong = 0;
    std::uint64_t repeated = 0;
    std::uint64_t outOfOrder = 0;
    std::uint64_t dropped = 0;           ///< missing, by the stamps
    std::uint64_t droppedBySequence = 0; ///< missing, by the driver's sequence numbers
    std::uint64_t sequenceErrors = 0;    ///< sequence and stamp did not advance together
};

/// What came with a frame.
struct Delivery {
    std::optional<std::uint32_t> sequence; ///< of v4l2_buffer; read() has none
    bool flagged = false;                  ///< V4L2_BUF_FLAG_ERROR
};

/// Feed it every frame in the order of arrival.
class FrameChecker
{
public:
    /// Frames of another stream are wrong; without a stream, those of another than the first.
    explicit FrameChecker(std::optional<std::uint8_t> stream = std::nullopt) : stream_{stream} {}

    Finding check(const PictureView &picture, const Delivery &delivery = {});

    /// The stream was stopped and started: numbers and sequence may begin anew. Counts stay.
    void restart();

    const FrameCounts &counts() const { return counts_; }

    /// The last frame that was judged, in words, for a log: "torn: frame 12 up to line 299, ...".
    const std::string &remark() const { return remark_; }

    /// The number of the last intact frame.
    std::optional<std::uint32_t> lastFrame() const { return last_; }

    /// Whether both kinds of dropped frames agree; true without sequence numbers.
    bool dropsAgree() const;

    /// Something was received, nothing is torn, repeated, out of order or wrong, the drops agree.
    bool passed() const;

private:
    /// How far back a frame is known as received or missing.
    static constexpr std::size_t historyFrames = 1024;

    Finding examine(const PictureView &picture, const Delivery &delivery);
    std::optional<Finding> examineLines(const PictureView &picture, LineCounter &first);
    Finding place(std::uint32_t frame, std::optional<std::uint32_t> sequence);
    Finding placeLate(std::uint32_t frame, std::uint32_t back);
    void countSequence(std::uint32_t sequence);
    Finding found(Finding finding, std::string remark);

    std::optional<std::uint8_t> stream_;
    FrameCounts counts_;
    std::string remark_;

    std::optional<std::uint32_t> first_; ///< of this start
    std::optional<std::uint32_t> highest_;
    std::optional<std::uint32_t> last_;
    std::bitset<historyFrames> history_;        ///< bit n: frame highest - n has come
    std::uint64_t damagedSinceHighest_ = 0;     ///< each took the place of some frame
    std::optional<std::uint32_t> sequence_;     ///< of the last buffer
    std::optional<std::uint32_t> sequenceLead_; ///< frame - sequence, constant in a sound stream
    bool hasSequences_ = false;
};

} // namespace testcard::feed
