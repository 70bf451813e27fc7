// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/stream.hpp"

#include <bit>
#include <cstdlib>
#include <utility>

namespace testcard::capture
{

Stream::Stream(Card card, unsigned index)
    : card_{std::move(card)}, index_{index}, commandTimer_{card_.bus.clock, [this] {
                                                               commandDue();
                                                           }}
{
}

void Stream::reset()
{
    commandTimer_.stop();
    state_ = {};
}

bool Stream::validState() const
{
    const Committed &committed = state_.committed;
    if (committed.entries == 0) return !state_.running && !state_.held;
    const PictureFormat &picture = committed.picture;
    return std::has_single_bit(committed.entries) &&
           committed.entries <= 1u << CAPTURE_RING_SHIFT_MAX && lineBytes(picture) != 0 &&
           picture.width <= CAPTURE_WIDTH_MAX && picture.height <= CAPTURE_HEIGHT_MAX &&
           (!state_.capturing || state_.held);
}

void Stream::resumeRestored()
{
    commandTimer_.stop();
    if (state_.abortPending || state_.restPending) commandTimer_.startAt(card_.bus.clock.now());
}

std::uint32_t &Stream::reg(std::uint32_t offset)
{
    return card_.registers[CAPTURE_STREAM(index_) + offset];
}

std::uint32_t Stream::reg(std::uint32_t offset) const
{
    return card_.registers[CAPTURE_STREAM(index_) + offset];
}

std::uint64_t Stream::address(std::uint32_t lowRegister) const
{
    return reg(lowRegister) | std::uint64_t{reg(lowRegister + 4)} << 32;
}

std::uint32_t Stream::available() const
{
    return reg(STREAM_DOORBELL) - reg(STREAM_CONSUMED);
}

// Commands

void Stream::registerWritten(std::uint32_t offset, bus::RegisterChange change)
{
    switch (offset) {
    case STREAM_CONTROL: controlChanged(change); break;
    case STREAM_COMMAND: commandGiven(change.written); break;
    case STREAM_DOORBELL:
        if (state_.running) card_.wakeInput();
        break;
    default: break;
    }
}

void Stream::controlChanged(bus::RegisterChange change)
{
    const bool run = change.now & STREAM_CONTROL_RUN;
    if (run == static_cast<bool>(change.before & STREAM_CONTROL_RUN)) return;
    if (!run) {
        if (!state_.running || state_.capturing) return; // frameEnds() comes to rest
        state_.restPending = true;
        commandTimer_.startAt(card_.bus.clock.now());
        return;
    }
    state_.restPending = false;
    if (state_.running) return; // RUN came back before the stream had stopped: it never stops
    if (state_.committed.entries == 0) {
        reg(STREAM_CONTROL) &= ~STREAM_CONTROL_RUN;
        reg(STREAM_ERROR) = STREAM_ERROR_UNCOMMITTED;
        card_.raise(CAPTURE_IRQ_ERROR(index_), 1 + index_);
        return;
    }
    state_.running = true;
    reg(STREAM_SEQUENCE) = 0;
    reg(STREAM_DROPPED) = 0;
    reg(STREAM_ERROR) = STREAM_ERROR_NONE;
    std::uint32_t &status = reg(STREAM_STATUS);
    status = (status & STREAM_STATUS_COMMITTED) | STREAM_STATUS_RUNNING;
    updateMismatch();
    card_.wakeInput();
}

void Stream::commandGiven(std::uint32_t command)
{
    if (command & STREAM_COMMAND_ABORT) { // wins over COMMIT; the work is DMA, so it is an event
        state_.abortPending = true;
        commandTimer_.startAt(card_.bus.clock.now());
    } else if (command & STREAM_COMMAND_COMMIT) {
        commit();
    }
}

std::uint32_t Stream::checkedCommit(Committed &wanted) const
{
    if (state_.running || state_.abortPending) return STREAM_ERROR_BUSY;
    wanted.picture = {reg(STREAM_FORMAT), reg(STREAM_WIDTH), reg(STREAM_HEIGHT)};
    const PictureFormat &picture = wanted.picture;
    if (lineBytes({picture.format, 2, 1}) == 0) return STREAM_ERROR_FORMAT;
    if (picture.width == 0 || picture.width % 2 != 0 || picture.width > CAPTURE_WIDTH_MAX ||
        picture.height == 0 || picture.height > CAPTURE_HEIGHT_MAX)
        return STREAM_ERROR_SIZE;
    wanted.stride_bytes = static_cast<std::int32_t>(reg(STREAM_STRIDE));
    wanted.offset_bytes = reg(STREAM_OFFSET);
    const std::int64_t stride = wanted.stride_bytes;
    const std::int64_t lastLine = wanted.offset_bytes + stride * (picture.height - 1);
    if (std::abs(stride) < lineBytes(picture) || lastLine < 0) return STREAM_ERROR_STRIDE;
    if (reg(STREAM_RING_SHIFT) > CAPTURE_RING_SHIFT_MAX) return STREAM_ERROR_RING;
    wanted.ring = address(STREAM_RING_LOW);
    wanted.completions = address(STREAM_COMPLETION_LOW);
    wanted.index = address(STREAM_INDEX_LOW);
    wanted.entries = 1u << reg(STREAM_RING_SHIFT);
    return STREAM_ERROR_NONE;
}

void Stream::commit()
{
    Committed wanted;
    const std::uint32_t error = checkedCommit(wanted);
    reg(STREAM_ERROR) = error;
    if (error == STREAM_ERROR_BUSY) return;
    state_.committed = error == STREAM_ERROR_NONE ? wanted : Committed{};
    state_.held = false;
    state_.events = 0;
    for (const std::uint32_t counter :
         {STREAM_DOORBELL, STREAM_CONSUMED, STREAM_COMPLETED, STREAM_SEQUENCE, STREAM_DROPPED})
        reg(counter) = 0;
    reg(STREAM_STATUS) =
        STREAM_STATUS_IDLE | (error == STREAM_ERROR_NONE ? STREAM_STATUS_COMMITTED : 0);
}

void Stream::commandDue()
{
    if (std::exchange(state_.abortPending, false)) {
        state_.restPending = false;
        abort();
    } else if (std::exchange(state_.restPending, false)) {
        rest();
    }
}

bool Stream::returnDescriptors()
{
    if (state_.committed.entries == 0) return true;
    Frame nothing;
    nothing.start_ns = nothing.end_ns = card_.bus.clock.now();
    // A doorbell beyond the ring names descriptors that do not exist: a ring comes back at the
    // most.
    for (std::uint32_t i = 0; i < state_.committed.entries; ++i) {
        if (!state_.held && available() == 0) break;
        if (!state_.held && !takeDescriptor()) return false;
        if (!complete(CAPTURE_FRAME_ABORTED, 0, nothing)) return false;
    }
    return true;
}

void Stream::abort()
{
    const std::uint32_t before = reg(STREAM_COMPLETED);
    std::uint32_t causes = 0;
    if (!returnDescriptors()) {
        reg(STREAM_ERROR) = STREAM_ERROR_RING_DMA;
        causes |= CAPTURE_IRQ_ERROR(index_);
    }
    if (reg(STREAM_COMPLETED) != before) causes |= CAPTURE_IRQ_FRAME(index_);
    becomeIdle(causes);
}

void Stream::rest()
{
    if (state_.running) becomeIdle(0);
}

void Stream::stopWithError(std::uint32_t error)
{
    reg(STREAM_ERROR) = error;
    becomeIdle(CAPTURE_IRQ_ERROR(index_));
}

void Stream::becomeIdle(std::uint32_t causes)
{
    state_.running = false;
    state_.capturing = false;
    state_.restPending = false;
    reg(STREAM_CONTROL) &= ~STREAM_CONTROL_RUN;
    std::uint32_t &status = reg(STREAM_STATUS);
    status = (status & STREAM_STATUS_COMMITTED) | STREAM_STATUS_IDLE;
    card_.restInput();
    card_.raise(causes | CAPTURE_IRQ_IDLE(index_), 1 + index_);
}

} // namespace testcard::capture
