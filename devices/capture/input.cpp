// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/input.hpp"

#include <algorithm>

namespace testcard::capture
{

namespace
{

constexpr std::uint64_t nsPerSecond = 1'000'000'000;

/// How long a frame takes when frames come as fast as possible.
constexpr bus::Nanoseconds onDemandTime_ns = 100'000;

__extension__ using Wide = unsigned __int128;

/// How long so many pixels take, rounded down; exact for any frame number.
bus::Nanoseconds durationOf(Wide pixels, const VideoTimings &timings)
{
    return static_cast<bus::Nanoseconds>(pixels * nsPerSecond / timings.pixelClock_hz);
}

Wide pixelsPerFrame(const VideoTimings &timings)
{
    return Wide{timings.pixelsPerLine()} * timings.linesPerFrame();
}

/// Whether a receiver can lock on it: an active picture, and frames neither absurdly large nor
/// fast.
bool receivable(const VideoTimings &timings)
{
    constexpr std::uint64_t longest = 1u << 16; // pixels of a line, lines of a frame
    constexpr std::uint64_t fastest_hz = 1ull << 40;
    return timings.width != 0 && timings.height != 0 && timings.pixelsPerLine() <= longest &&
           timings.linesPerFrame() <= longest && timings.pixelClock_hz != 0 &&
           timings.pixelClock_hz <= fastest_hz &&
           durationOf(pixelsPerFrame(timings), timings) >= onDemandTime_ns;
}

} // namespace

Input::Input(bus::Clock &clock, const FrameSource &source, Handlers handlers)
    : clock_{clock}, source_{source}, handlers_{std::move(handlers)}, timer_{clock, [this] {
                                                                                 timerFired();
                                                                             }}
{
}

bus::Nanoseconds Input::startOf(std::uint64_t frame) const
{
    const VideoTimings &timings = state_.signal.timings;
    return state_.epoch_ns + durationOf(Wide{frame} * pixelsPerFrame(timings), timings);
}

bus::Nanoseconds Input::activeTime() const
{
    const VideoTimings &timings = state_.signal.timings;
    return durationOf(Wide{timings.pixelsPerLine()} * timings.height, timings);
}

bool Input::validState() const
{
    if (!state_.signal.usable()) return !state_.inFrame && !timer_.due();
    if (!receivable(state_.signal.timings) || state_.epoch_ns > clock_.now()) return false;
    if (state_.pacing == Pacing::onDemand) return true;
    return state_.pacing == Pacing::realTime && state_.next <= upcomingFrame() + 1;
}

void Input::restart()
{
    timer_.stop();
    state_ = {};
    state_.epoch_ns = clock_.now();
    state_.signal = source_.signal();
    if (!receivable(state_.signal.timings)) state_.signal.inRange = false;
    state_.pacing = source_.pacing();
}

void Input::resume()
{
    if (state_.inFrame || timer_.due() || !state_.signal.usable()) return;
    if (state_.pacing == Pacing::realTime) state_.next = std::max(state_.next, upcomingFrame());
    scheduleNext();
}

void Input::pause()
{
    timer_.stop();
    state_.inFrame = false;
}

std::uint64_t Input::upcomingFrame() const
{
    const VideoTimings &timings = state_.signal.timings;
    const Wide elapsed = Wide{clock_.now() - state_.epoch_ns} * timings.pixelClock_hz;
    const Wide period = pixelsPerFrame(timings) * nsPerSecond;
    return static_cast<std::uint64_t>((elapsed + period - 1) / period);
}

bus::Nanoseconds Input::fifoTime() const
{
    const VideoTimings &timings = state_.signal.timings;
    return durationOf(pixelsPerFrame(timings), timings);
}

void Input::scheduleNext()
{
    if (state_.pacing == Pacing::onDemand) {
        if (handlers_.wanted()) timer_.startAt(clock_.now());
    } else {
        timer_.startAt(startOf(state_.next));
    }
}

void Input::timerFired()
{
    if (state_.inFrame)
        endFrame();
    else
        beginFrame();
}

void Input::beginFrame()
{
    Frame &frame = state_.frame;
    frame = {};
    frame.number = state_.next;
    frame.start_ns = clock_.now();
    frame.end_ns = clock_.now() + onDemandTime_ns;
    if (state_.pacing == Pacing::realTime) {
        // Frames that ended more than a FIFO ago passed while the host was busy elsewhere.
        const bus::Nanoseconds horizon = clock_.now() - std::min(clock_.now(), fifoTime());
        while (startOf(frame.number) + activeTime() < horizon) {
            const bus::Nanoseconds behind = horizon - startOf(frame.number) - activeTime();
            const std::uint64_t passed = std::max<std::uint64_t>(1, behind / (fifoTime() + 1));
            frame.number += passed;
            frame.skipped += passed;
        }
        frame.start_ns = startOf(frame.number);
        frame.end_ns = frame.start_ns + activeTime();
    }
    state_.next = frame.number + 1;
    state_.inFrame = true;
    timer_.startAt(frame.end_ns);
    handlers_.begins(frame);
}

void Input::endFrame()
{
    Frame &frame = state_.frame;
    state_.inFrame = false;
    frame.overrun = state_.pacing == Pacing::realTime && clock_.now() > frame.end_ns + fifoTime();
    const Frame ended = frame;
    handlers_.ends(ended);
    if (!timer_.due() && handlers_.running()) scheduleNext();
}

} // namespace testcard::capture
