// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/frame_checker.hpp"

#include <utility>

namespace testcard::feed
{
namespace
{

std::string text(std::uint64_t number)
{
    return std::to_string(number);
}

} // namespace

std::string_view findingName(Finding finding)
{
    switch (finding) {
    case Finding::good: return "good";
    case Finding::flagged: return "flagged";
    case Finding::torn: return "torn";
    case Finding::wrong: return "wrong";
    case Finding::repeated: return "repeated";
    case Finding::outOfOrder: return "out of order";
    }
    return "unknown";
}

Finding FrameChecker::check(const PictureView &picture, const Delivery &delivery)
{
    ++counts_.received;
    if (delivery.sequence) countSequence(*delivery.sequence);
    const Finding finding = examine(picture, delivery);
    switch (finding) {
    case Finding::good: break;
    case Finding::flagged: ++counts_.flagged; break;
    case Finding::torn: ++counts_.torn; break;
    case Finding::wrong: ++counts_.wrong; break;
    case Finding::repeated: ++counts_.repeated; break;
    case Finding::outOfOrder: ++counts_.outOfOrder; break;
    }
    if (finding == Finding::flagged || finding == Finding::torn || finding == Finding::wrong)
        ++damagedSinceHighest_;
    return finding;
}

void FrameChecker::restart()
{
    first_ = highest_ = sequence_ = sequenceLead_ = std::nullopt;
    history_.reset();
    damagedSinceHighest_ = 0;
}

bool FrameChecker::dropsAgree() const
{
    return !hasSequences_ ||
           (counts_.sequenceErrors == 0 && counts_.dropped == counts_.droppedBySequence);
}

bool FrameChecker::passed() const
{
    return counts_.received > 0 && counts_.torn == 0 && counts_.wrong == 0 &&
           counts_.repeated == 0 && counts_.outOfOrder == 0 && dropsAgree();
}

Finding FrameChecker::found(Finding finding, std::string remark)
{
    remark_ = std::string{findingName(finding)};
    if (!remark.empty()) remark_ += ": " + remark;
    return finding;
}

Finding FrameChecker::examine(const PictureView &picture, const Delivery &delivery)
{
    if (delivery.flagged) return found(Finding::flagged, "the driver marked the buffer as bad");
    if (!canStamp(picture.shape)) return found(Finding::wrong, "too small to carry a stamp");
    if (!picture.complete())
        return found(Finding::wrong, text(picture.bytes.size()) + " bytes are less than a picture");

    LineCounter first;
    if (const auto finding = examineLines(picture, first)) return *finding;
    if (const auto stamp = readBlocks(picture); stamp != Stamp{first.stream, first.frame})
        return found(Finding::wrong, stamp ? "the blocks say frame " + text(stamp->frame) +
                                                 ", the lines frame " + text(first.frame)
                                           : "the lines say frame " + text(first.frame) +
                                                 ", the blocks cannot be read");
    if (storedSum(picture) != expectedSum(picture))
        return found(Finding::wrong, "frame " + text(first.frame) + " has a wrong sum");
    if (first.stream != stream_.value_or(first.stream))
        return found(Finding::wrong,
                     "stream " + text(first.stream) + " instead of " + text(*stream_));
    stream_ = first.stream;
    return place(first.frame, delivery.sequence);
}

/// Whether the line counters are whole and of one frame; `first` becomes that of line 0.
std::optional<Finding> FrameChecker::examineLines(const PictureView &picture, LineCounter &first)
{
    std::optional<std::pair<std::uint32_t, std::uint32_t>> tear; // line, and the frame from there
    for (std::uint32_t line = 0; line < picture.shape.height; ++line) {
        const auto counter = decodeCounter(picture.line(0, line));
        if (!counter) return found(Finding::wrong, "line " + text(line) + " carries no counter");
        if (counter->line != line)
            return found(Finding::wrong,
                         "line " + text(line) + " says that it is line " + text(counter->line));
        if (line == 0) first = *counter;
        if (counter->stream != first.stream)
            return found(Finding::wrong, "line " + text(line) + " belongs to another stream");
        if (!tear && counter->frame != first.frame) tear.emplace(line, counter->frame);
    }
    if (!tear) return std::nullopt;
    return found(Finding::torn, "frame " + text(first.frame) + ", from line " + text(tear->first) +
                                    " frame " + text(tear->second));
}

/// Where an intact frame stands among those before it. Numbers wrap, so only differences count.
Finding FrameChecker::place(std::uint32_t frame, std::optional<std::uint32_t> sequence)
{
    last_ = frame;
    const std::uint32_t ahead = highest_ ? frame - *highest_ : 1;
    if (static_cast<std::int32_t>(ahead) <= 0) return placeLate(frame, 0u - ahead);

    std::uint64_t missing = ahead - 1;
    missing -= std::min(missing, damagedSinceHighest_);
    counts_.dropped += missing;
    history_ = ahead < historyFrames ? history_ << ahead : std::bitset<historyFrames>{};
    history_.set(0);
    highest_ = frame;
    damagedSinceHighest_ = 0;
    if (!first_) first_ = frame;
    std::string remark = "frame " + text(frame);
    if (missing > 0) remark += ", " + text(missing) + " dropped before it";
    if (sequence) {
        const std::uint32_t lead = frame - *sequence;
        if (sequenceLead_.value_or(lead) != lead) {
            ++counts_.sequenceErrors;
            remark += ", sequence " + text(*sequence) + " did not advance as the stamps did";
        }
        sequenceLead_ = lead;
    }
    return found(Finding::good, std::move(remark));
}

/// A frame `back` before the highest: one that came before, or one that was missed too early.
Finding FrameChecker::placeLate(std::uint32_t frame, std::uint32_t back)
{
    const std::string which = "frame " + text(frame) + " after frame " + text(*highest_);
    if (back < historyFrames && history_.test(back)) return found(Finding::repeated, which);
    if (back < historyFrames) {
        history_.set(back);
        const bool wasExpected = static_cast<std::int32_t>(frame - *first_) > 0;
        if (wasExpected && counts_.dropped > 0) --counts_.dropped;
    }
    return found(Finding::outOfOrder, which);
}

void FrameChecker::countSequence(std::uint32_t sequence)
{
    hasSequences_ = true;
    if (sequence_) {
        const std::uint32_t ahead = sequence - *sequence_;
        if (static_cast<std::int32_t>(ahead) > 0)
            counts_.droppedBySequence += ahead - 1;
        else
            ++counts_.sequenceErrors; // the same or an earlier number: V4L2 numbers only rise
    }
    sequence_ = sequence;
}

} // namespace testcard::feed
