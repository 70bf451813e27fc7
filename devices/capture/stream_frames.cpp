// SPDX-License-Identifier: GPL-2.0-or-later
// What a stream does with frames; stream.cpp has its commands.
#include "capture/stream.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace testcard::capture
{

namespace
{

constexpr std::array<bus::FaultPointInfo, 5> faultPoints{{
    {"drop-frame", "the card loses a frame that it had a buffer for"},
    {"overrun-fifo", "the FIFO overruns while a frame is under way"},
    {"tear-frame", "the lower half of a frame comes from the frame before"},
    {"repeat-frame", "the frame before is delivered again"},
    {"truncate-frame", "only the upper half of a frame is written, and bytes says so"},
}};

} // namespace

std::span<const bus::FaultPointInfo> faultPointTable()
{
    return faultPoints;
}

StreamCounters Stream::counters() const
{
    StreamCounters counters = counters_;
    counters.running = state_.running;
    return counters;
}

bool Stream::matchesSignal() const
{
    const Signal &signal = card_.signal;
    const PictureFormat &picture = state_.committed.picture;
    return signal.usable() && signal.timings.width == picture.width &&
           signal.timings.height == picture.height;
}

void Stream::updateMismatch()
{
    std::uint32_t &status = reg(STREAM_STATUS);
    status &= ~STREAM_STATUS_MISMATCH;
    if (state_.running && !matchesSignal()) status |= STREAM_STATUS_MISMATCH;
}

void Stream::signalChanged()
{
    updateMismatch();
}

void Stream::dropFrames(std::uint32_t frames, std::uint32_t cause)
{
    reg(STREAM_SEQUENCE) += frames;
    reg(STREAM_DROPPED) += frames;
    counters_.dropped += frames;
    if (cause) card_.raise(cause, 1 + index_);
}

bool Stream::takeDescriptor()
{
    const Committed &committed = state_.committed;
    const std::uint32_t slot = reg(STREAM_CONSUMED) & (committed.entries - 1);
    if (card_.bus.dma.readStructure(
            committed.ring + std::uint64_t{slot} * sizeof(capture_descriptor), state_.descriptor) !=
        bus::DmaStatus::ok)
        return false;
    ++reg(STREAM_CONSUMED);
    state_.held = true;
    return true;
}

void Stream::frameBegins(const Frame &frame)
{
    if (!capturable() || !(reg(STREAM_CONTROL) & STREAM_CONTROL_RUN)) return;
    if (state_.abortPending) return; // its event is due now, however late this one is
    bus::FaultPoints &faults = card_.bus.faults;
    if (frame.skipped)
        dropFrames(static_cast<std::uint32_t>(frame.skipped), CAPTURE_IRQ_OVERRUN(index_));
    if (faults.fires(Fault::dropFrame)) return dropFrames(1, 0);
    if (faults.fires(Fault::overrunFifo)) return dropFrames(1, CAPTURE_IRQ_OVERRUN(index_));
    std::uint32_t &status = reg(STREAM_STATUS);
    status &= ~STREAM_STATUS_STARVED;
    if (!state_.held) {
        if (available() > state_.committed.entries) return stopWithError(STREAM_ERROR_RING);
        if (available() == 0) {
            status |= STREAM_STATUS_STARVED;
            return dropFrames(1, CAPTURE_IRQ_STARVED(index_));
        }
        if (!takeDescriptor()) return stopWithError(STREAM_ERROR_RING_DMA);
    }
    state_.sequence = reg(STREAM_SEQUENCE)++;
    state_.capturing = true;
}

void Stream::frameEnds(const Frame &frame)
{
    if (state_.abortPending) return;
    if (std::exchange(state_.capturing, false)) {
        if (frame.overrun) { // the buffer waits for the next frame
            ++reg(STREAM_DROPPED);
            ++counters_.dropped;
            card_.raise(CAPTURE_IRQ_OVERRUN(index_), 1 + index_);
        } else {
            const ScatterList::Written written = deliver(frame, state_.committed.picture.height);
            if (!complete(written.status, written.bytes, frame))
                return stopWithError(STREAM_ERROR_RING_DMA);
            card_.raise(CAPTURE_IRQ_FRAME(index_), 1 + index_);
        }
    }
    if (state_.running && !(reg(STREAM_CONTROL) & STREAM_CONTROL_RUN)) rest();
}

void Stream::frameBreaks(const Frame &frame, std::uint32_t elapsed_lines)
{
    if (state_.abortPending || !std::exchange(state_.capturing, false)) return;
    ScatterList::Written written = deliver(frame, elapsed_lines);
    if (written.status == CAPTURE_FRAME_OK) written.status = CAPTURE_FRAME_CORRUPT;
    Frame broken = frame;
    broken.end_ns = card_.bus.clock.now();
    if (!complete(written.status, written.bytes, broken))
        return stopWithError(STREAM_ERROR_RING_DMA);
    card_.raise(CAPTURE_IRQ_FRAME(index_), 1 + index_);
    if (!(reg(STREAM_CONTROL) & STREAM_CONTROL_RUN)) rest();
}

void Stream::drawPicture(const Frame &frame)
{
    const PictureFormat &picture = state_.committed.picture;
    picture_.resize(pictureBytes(picture));
    const std::uint64_t previous = frame.number - std::min<std::uint64_t>(frame.number, 1);
    bus::FaultPoints &faults = card_.bus.faults;
    const bool repeat = faults.fires(Fault::repeatFrame).has_value();
    card_.source.draw(repeat ? previous : frame.number, picture, picture_);
    if (faults.fires(Fault::tearFrame)) {
        const std::size_t half = std::size_t{lineBytes(picture)} * (picture.height / 2);
        const std::vector<std::byte> upper(picture_.begin(),
                                           picture_.begin() + static_cast<std::ptrdiff_t>(half));
        card_.source.draw(previous, picture, picture_);
        std::ranges::copy(upper, picture_.begin());
    }
}

ScatterList::Written Stream::deliver(const Frame &frame, std::uint32_t lines)
{
    const capture_descriptor &descriptor = state_.descriptor;
    const std::uint32_t listed =
        buffer_.load(card_.bus.dma, descriptor.sg_address, descriptor.sg_count);
    if (listed != CAPTURE_FRAME_OK) return {0, listed};
    drawPicture(frame);
    const Committed &committed = state_.committed;
    lines = std::min(lines, committed.picture.height);
    if (card_.bus.faults.fires(Fault::truncateFrame)) lines /= 2;
    std::size_t length = lineBytes(committed.picture);
    if (committed.stride_bytes == static_cast<std::int64_t>(length)) { // one piece
        length *= lines;
        lines = lines ? 1 : 0;
    }
    ScatterList::Written total;
    std::int64_t offset = committed.offset_bytes;
    std::span<const std::byte> rest{picture_};
    for (; lines > 0 && total.status == CAPTURE_FRAME_OK; --lines) {
        const ScatterList::Written line =
            buffer_.write(card_.bus.dma, static_cast<std::uint64_t>(offset), rest.first(length));
        total.bytes += line.bytes;
        total.status = line.status;
        rest = rest.subspan(length);
        offset += committed.stride_bytes;
    }
    return total;
}

bool Stream::complete(std::uint32_t status, std::uint64_t bytes, const Frame &frame)
{
    capture_completion completion{};
    completion.cookie = state_.descriptor.cookie;
    completion.sequence = status == CAPTURE_FRAME_ABORTED ? reg(STREAM_SEQUENCE) : state_.sequence;
    completion.status = status;
    completion.field = CAPTURE_FIELD_PROGRESSIVE;
    completion.bytes = static_cast<std::uint32_t>(bytes);
    completion.start_ns = frame.start_ns;
    completion.end_ns = frame.end_ns;
    completion.dropped = reg(STREAM_DROPPED);
    completion.generation = card_.registers[CAPTURE_SIGNAL_GENERATION];

    const Committed &committed = state_.committed;
    const std::uint32_t slot = reg(STREAM_COMPLETED) & (committed.entries - 1);
    bus::DmaPort &dma = card_.bus.dma;
    if (dma.writeStructure(committed.completions + std::uint64_t{slot} * sizeof completion,
                           completion) != bus::DmaStatus::ok)
        return false;
    ++reg(STREAM_COMPLETED);
    state_.held = false;
    if (status == CAPTURE_FRAME_OK) ++counters_.delivered;
    if (status != CAPTURE_FRAME_OK && status != CAPTURE_FRAME_ABORTED) ++counters_.broken;
    card_.bus.trace.event("frame-completed", {{"stream", index_},
                                              {"frame", frame.number},
                                              {"sequence", completion.sequence},
                                              {"status", status},
                                              {"bytes", bytes}});
    return writeIndex();
}

bool Stream::writeIndex()
{
    capture_index index{};
    index.completed = reg(STREAM_COMPLETED);
    index.events = state_.events;
    return card_.bus.dma.writeStructure(state_.committed.index, index) == bus::DmaStatus::ok;
}

void Stream::eventRaised()
{
    if (state_.committed.entries == 0) return;
    ++state_.events;
    writeIndex(); // if it fails, the next completion fails and stops the stream
}

} // namespace testcard::capture
