// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One capture stream: takes descriptors from its ring, fills the buffers, writes completions back.
#pragma once

#include "bus/device.hpp"
#include "bus/registers.hpp"
#include "capture/capture_regs.h"
#include "capture/input.hpp"
#include "capture/scatter_list.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace testcard::capture
{

/// Points where a capture card can go wrong of itself; faultPointTable describes them.
enum class Fault : unsigned { dropFrame, overrunFifo, tearFrame, repeatFrame, truncateFrame };

/// In the order of Fault.
std::span<const bus::FaultPointInfo> faultPointTable();

/// What the host may want to know of a stream; counted since power-on, over all resets.
struct StreamCounters {
    std::uint64_t delivered = 0; ///< frames completed with CAPTURE_FRAME_OK
    std::uint64_t broken = 0;    ///< frames completed with another status, aborted ones excepted
    std::uint64_t dropped = 0;   ///< frames that were not captured
    bool running = false;
};

class Stream
{
public:
    /// What a stream needs of its card.
    struct Card {
        bus::DeviceBus bus;
        bus::RegisterFile &registers;
        FrameSource &source;
        const Signal &signal; ///< as the receiver knows it
        std::function<void(std::uint32_t causes, unsigned source)> raise; ///< IRQ_STATUS bits
        std::function<void()> wakeInput; ///< a stream runs or has a new buffer
        std::function<void()> restInput; ///< a stream has become idle
    };

    Stream(Card card, unsigned index);

    void reset();
    void registerWritten(std::uint32_t offset, bus::RegisterChange change);

    bool running() const { return state_.running; }
    /// Running, and the signal is what was committed.
    bool capturable() const { return state_.running && matchesSignal(); }
    bool hasBuffer() const { return state_.held || available() != 0; }

    StreamCounters counters() const;

    void frameBegins(const Frame &frame);
    void frameEnds(const Frame &frame);
    /// The signal changed or went away `elapsed_lines` into a frame.
    void frameBreaks(const Frame &frame, std::uint32_t elapsed_lines);
    void signalChanged();

    /// An enabled cause other than FRAME is about to interrupt: capture_index.events counts it.
    void eventRaised();

    /// What COMMIT took over.
    struct Committed {
        PictureFormat picture{};
        std::int32_t stride_bytes = 0;
        std::uint32_t offset_bytes = 0;
        std::uint64_t ring = 0;
        std::uint64_t completions = 0;
        std::uint64_t index = 0;
        std::uint32_t entries = 0; ///< 0: nothing is committed
    };

    /// All that is not in the registers.
    struct State {
        Committed committed{};
        capture_descriptor descriptor{};
        std::uint32_t sequence = 0; ///< of the frame under way
        std::uint32_t events = 0;   ///< as in capture_index
        bool held = false;          ///< `descriptor` was taken from the ring and is not completed
        bool capturing = false;     ///< and a frame is under way for it
        bool running = false;
        bool restPending = false; ///< an event is due that makes the stream idle
        bool abortPending = false;
    };

    /// Saves or restores by bus::StateWriter or StateReader; validState() judges what was restored.
    template <typename Walker>
    void walk(Walker &walker)
    {
        walker(state_.committed.picture);
        walker(state_.committed.stride_bytes);
        walker(state_.committed.offset_bytes);
        walker(state_.committed.ring);
        walker(state_.committed.completions);
        walker(state_.committed.index);
        walker(state_.committed.entries);
        walker(state_.descriptor);
        walker(state_.sequence);
        walker(state_.events);
        walker(state_.held);
        walker(state_.capturing);
        walker(state_.running);
        walker(state_.restPending);
        walker(state_.abortPending);
    }
    bool validState() const;
    /// Takes up work that was pending when the state was saved.
    void resumeRestored();

private:
    std::uint32_t &reg(std::uint32_t offset);
    std::uint32_t reg(std::uint32_t offset) const;
    std::uint64_t address(std::uint32_t lowRegister) const;
    std::uint32_t available() const;

    void controlChanged(bus::RegisterChange change);
    void commandGiven(std::uint32_t command);
    void commit();
    std::uint32_t checkedCommit(Committed &wanted) const;
    void commandDue();
    bool returnDescriptors();
    void abort();
    void rest();
    void stopWithError(std::uint32_t error);
    void becomeIdle(std::uint32_t causes);

    bool matchesSignal() const;
    void updateMismatch();
    void dropFrames(std::uint32_t frames, std::uint32_t cause);
    bool takeDescriptor();
    bool complete(std::uint32_t status, std::uint64_t bytes, const Frame &frame);
    bool writeIndex();
    ScatterList::Written deliver(const Frame &frame, std::uint32_t lines);
    void drawPicture(const Frame &frame);

    Card card_;
    unsigned index_;
    State state_;
    StreamCounters counters_;
    bus::Timer commandTimer_;
    ScatterList buffer_;
    std::vector<std::byte> picture_; ///< the frame as the source drew it; not part of the state
};

} // namespace testcard::capture
