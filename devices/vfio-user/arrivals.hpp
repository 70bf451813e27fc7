// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How old a byte of a stream may be when it is read.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace testcard::vfio_user
{

/// Bounds the arrival of bytes from below. A Unix socket keeps no time stamps, so the reader looks
/// now and then at how many bytes wait: what is beyond them came after that look. A process that
/// was stopped could not look, and so learns that a request may be as old as its stop.
class Arrivals
{
public:
    using Time = std::chrono::steady_clock::time_point;

    /// At `time`, no byte at `position` of the stream or after it had come.
    void observed(Time time, std::uint64_t position)
    {
        if (position == marks_.back().position) {
            marks_.back().time = time;
        } else if (marks_.size() < mostMarks) {
            marks_.push_back({time, position});
        }
    }

    /// The instant before which the byte at `position` had certainly not come. Positions ascend
    /// from call to call.
    Time earliest(std::uint64_t position)
    {
        while (marks_.size() > 1 && marks_[1].position <= position)
            marks_.pop_front();
        return marks_.front().time;
    }

private:
    struct Mark {
        Time time;
        std::uint64_t position;
    };

    /// More would come only from a client that keeps the socket full; the bound is then too early,
    /// which costs a payload but is never wrong.
    static constexpr std::size_t mostMarks = 64;

    std::deque<Mark> marks_{{std::chrono::steady_clock::now(), 0}}; ///< positions ascend
};

} // namespace testcard::vfio_user
