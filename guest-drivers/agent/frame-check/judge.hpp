// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Takes frames from wherever they come, checks them and keeps thumbnails of some.
#pragma once

#include "failure.hpp"
#include "feed/frame_checker.hpp"
#include "options.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace testcard::agent
{

class Judge
{
public:
    using Clock = std::chrono::steady_clock;

    explicit Judge(const Options &options);

    /// Another start of the stream: the time to the first frame counts from the first of them.
    void streamStarted();

    /// Judges one frame. Tells standard error about the first defects. The only failure is a
    /// thumbnail that cannot be written.
    Result<void> receive(const feed::PictureView &picture, const feed::Delivery &delivery,
                         std::optional<std::uint64_t> timestamp_us);

    /// Whether the number of frames or the time that was asked for is reached.
    bool finished() const;

    const feed::FrameChecker &checker() const { return checker_; }
    std::uint32_t starts() const { return starts_; }
    const std::vector<std::string> &thumbnails() const { return thumbnails_; }
    std::optional<std::uint32_t> firstSequence() const { return firstSequence_; }
    std::optional<std::uint32_t> firstStamp() const { return firstStamp_; }
    /// Whether the driver's timestamps rose from frame to frame.
    bool timestampsRise() const { return timestampsRise_; }

    /// From the start of the stream to its first frame.
    std::optional<std::chrono::microseconds> timeToFirstFrame() const;
    /// Frames per second from the first frame to the last; 0 for less than two.
    double framesPerSecond() const;

private:
    bool thumbnailDue(Clock::time_point now) const;
    Result<void> writeThumbnail(const feed::PictureView &picture, const feed::Delivery &delivery,
                                bool intact, Clock::time_point now);
    void tellDefect();

    const Options &options_;
    feed::FrameChecker checker_;
    std::uint32_t starts_ = 0;
    std::uint64_t told_ = 0;
    Clock::time_point started_, firstFrame_, lastFrame_;
    std::optional<std::uint32_t> firstSequence_, firstStamp_;
    std::optional<std::uint64_t> timestamp_us_;
    bool timestampsRise_ = true;
    std::vector<std::string> thumbnails_;
};

} // namespace testcard::agent
