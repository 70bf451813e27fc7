// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The receiver: turns the signal on the cable into frames that begin and end on the card's clock.
#pragma once

#include "bus/clock.hpp"
#include "capture/frame_source.hpp"

#include <cstdint>
#include <functional>

namespace testcard::capture
{

/// One frame of the signal while it is on the wire.
struct Frame {
    std::uint64_t number = 0;      ///< of the source, from 0
    std::uint64_t skipped = 0;     ///< frames before it that passed unseen: the host was too late
    bus::Nanoseconds start_ns = 0; ///< first active line
    bus::Nanoseconds end_ns = 0;   ///< last active line
    bool overrun = false;          ///< at its end: more than a frame late, the FIFO has lost it
};

/// The frame clock. The FIFO behind it holds one frame: a card that is served later than that
/// (the host was busy) loses frames, counted. With real-time pacing frame n begins at the signal's
/// epoch plus n periods, in exact arithmetic, whether or not anybody captures; on demand it begins
/// when there is a buffer.
class Input
{
public:
    /// What the card does at the two ends of a frame, and what the input asks it.
    struct Handlers {
        std::function<void(const Frame &)> begins;
        std::function<void(const Frame &)> ends;
        std::function<bool()> running; ///< somebody captures
        std::function<bool()> wanted;  ///< somebody captures and all who do have a buffer
    };

    Input(bus::Clock &clock, const FrameSource &source, Handlers handlers);

    /// The receiver locks on the source's signal as it is now: frame 0 begins; a frame under way is
    /// forgotten.
    void restart();

    /// Frames are wanted from now on, or there is a new buffer. Does nothing while frames come.
    void resume();

    /// No more frames are wanted; the signal itself goes on.
    void pause();

    bool inFrame() const { return state_.inFrame; }
    const Frame &frame() const { return state_.frame; }

    /// The signal as the receiver knows it: that of the source when it last locked.
    const Signal &signal() const { return state_.signal; }

    struct State {
        Signal signal{};
        Pacing pacing = Pacing::realTime;
        bus::Nanoseconds epoch_ns = 0; ///< when frame 0 of the present signal began
        std::uint64_t next = 0;        ///< the next frame's number
        Frame frame{};
        bool inFrame = false;
    };

    /// A signal that can be received, or none.
    bool validState() const;

    /// Saves or restores by bus::StateWriter or StateReader.
    template <typename Walker>
    void walk(Walker &walker)
    {
        walker(state_.signal.present);
        walker(state_.signal.locked);
        walker(state_.signal.inRange);
        walkTimings(walker, state_.signal.timings);
        walker(state_.pacing);
        walker(state_.epoch_ns);
        walker(state_.next);
        walker(state_.frame.number);
        walker(state_.frame.skipped);
        walker(state_.frame.start_ns);
        walker(state_.frame.end_ns);
        walker(state_.frame.overrun);
        walker(state_.inFrame);
        bool waiting = timer_.due().has_value();
        bus::Nanoseconds due_ns = timer_.due().value_or(0);
        walker(waiting);
        walker(due_ns);
        timer_.stop();
        if (waiting) timer_.startAt(due_ns);
    }

private:
    void timerFired();
    void beginFrame();
    void endFrame();
    void scheduleNext();
    bus::Nanoseconds startOf(std::uint64_t frame) const;
    bus::Nanoseconds activeTime() const;
    bus::Nanoseconds fifoTime() const; ///< the FIFO holds one frame: how late its end may be served
    std::uint64_t upcomingFrame() const;
    template <typename Walker>
    static void walkTimings(Walker &walker, VideoTimings &timings)
    {
        walker(timings.width);
        walker(timings.horizontalFront);
        walker(timings.horizontalSync);
        walker(timings.horizontalBack);
        walker(timings.height);
        walker(timings.verticalFront);
        walker(timings.verticalSync);
        walker(timings.verticalBack);
        walker(timings.pixelClock_hz);
        walker(timings.hsyncPositive);
        walker(timings.vsyncPositive);
        walker(timings.standard);
    }

    bus::Clock &clock_;
    const FrameSource &source_;
    Handlers handlers_;
    State state_;
    bus::Timer timer_;
};

} // namespace testcard::capture
