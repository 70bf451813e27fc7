// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/capture.hpp"

#include "bus/saved_state.hpp"
#include "capture/register_table.hpp"

#include <algorithm>

namespace testcard::capture
{

bus::FunctionInfo functionInfo(Interrupts interrupts)
{
    bus::FunctionInfo info;
    info.identity.vendor = CAPTURE_PCI_VENDOR;
    info.identity.device = CAPTURE_PCI_DEVICE;
    info.identity.subsystemVendor = CAPTURE_PCI_VENDOR;
    info.identity.subsystem = CAPTURE_PCI_DEVICE;
    info.identity.classCode = CAPTURE_PCI_CLASS;
    info.bars[CAPTURE_BAR] = {bus::BarInfo::Kind::memory32, CAPTURE_BAR_SIZE, false};
    info.msiVectors = interrupts == Interrupts::msi ? 1 : 0;
    if (interrupts == Interrupts::msix) {
        info.bars[CAPTURE_MSIX_BAR] = {bus::BarInfo::Kind::memory32, CAPTURE_MSIX_BAR_SIZE, false};
        info.msix = {1 + Capture::streamCount, CAPTURE_MSIX_BAR, 0, CAPTURE_MSIX_PENDING};
    }
    return info;
}

Capture::Capture(bus::DeviceBus bus, FrameSource &source)
    : bus_{bus},
      source_{source},
      registers_{registerTable(streamCount), {4, 4}},
      input_{bus.clock,
             source,
             {[this](const Frame &frame) {
                  framesSent_ += 1 + frame.skipped;
                  for (auto &stream : streams_)
                      stream->frameBegins(frame);
              },
              [this](const Frame &frame) {
                  for (auto &stream : streams_)
                      stream->frameEnds(frame);
              },
              [this] { return anyRunning(); }, [this] { return frameWanted(); }}},
      signalTimer_{bus.clock, [this] { signalDue(); }}
{
    for (unsigned index = 0; index < streamCount; ++index) {
        streams_.push_back(std::make_unique<Stream>(
            Stream::Card{bus, registers_, source, input_.signal(),
                         [this](std::uint32_t causes, unsigned from) { raise(causes, from); },
                         [this] { input_.resume(); },
                         [this] {
                             if (!anyRunning()) input_.pause();
                         }},
            index));
    }
    // The change comes from the host's side at any moment; the card notices it as an event.
    source.onChange([this] { signalTimer_.startAt(bus_.clock.now()); });
}

// Reset

void Capture::reset(bus::ResetKind)
{
    resetAll();
}

void Capture::resetAll()
{
    ++resets_;
    registers_.reset();
    for (auto &stream : streams_)
        stream->reset();
    signalTimer_.stop();
    input_.restart();
    registers_[CAPTURE_CAPABILITIES] =
        streamCount | (1u << CAPTURE_FORMAT_YUYV | 1u << CAPTURE_FORMAT_BGR24) << 8 |
        CAPTURE_RING_SHIFT_MAX << 16;
    showSignal();
    updateInterrupt();
}

Capture::Counters Capture::counters() const
{
    Counters counters{framesSent_, resets_, {}};
    for (const auto &stream : streams_)
        counters.streams.push_back(stream->counters());
    return counters;
}

// Registers

const bus::RegisterFile *Capture::registers(unsigned bar) const
{
    return bar == CAPTURE_BAR ? &registers_ : nullptr;
}

std::uint64_t Capture::barRead(unsigned bar, std::uint64_t offset, unsigned size)
{
    return bar == CAPTURE_BAR ? registers_.read(offset, size) : 0;
}

void Capture::barWrite(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value)
{
    if (bar != CAPTURE_BAR) return;
    registers_.write(offset, size, value,
                     [this](const bus::RegisterInfo &info, bus::RegisterChange change) {
                         registerWritten(info.offset, change);
                     });
}

void Capture::registerWritten(std::uint32_t offset, bus::RegisterChange change)
{
    if (offset >= CAPTURE_STREAM_BASE) {
        const std::uint32_t bank = offset - CAPTURE_STREAM_BASE;
        streams_[bank / CAPTURE_STREAM_STRIDE]->registerWritten(bank % CAPTURE_STREAM_STRIDE,
                                                                change);
        return;
    }
    switch (offset) {
    case CAPTURE_CONTROL:
        if (change.written & CAPTURE_CONTROL_RESET) resetAll();
        break;
    case CAPTURE_IRQ_STATUS: updateInterrupt(); break;
    case CAPTURE_IRQ_MASK: maskChanged(change); break;
    case CAPTURE_CLOCK_LATCH: latchClock(); break;
    default: break;
    }
}

void Capture::latchClock()
{
    const bus::Nanoseconds now = bus_.clock.now();
    registers_[CAPTURE_CLOCK_LOW] = static_cast<std::uint32_t>(now);
    registers_[CAPTURE_CLOCK_HIGH] = static_cast<std::uint32_t>(now >> 32);
}

// Interrupts

void Capture::raise(std::uint32_t causes, unsigned source)
{
    const std::uint32_t enabled = causes & registers_[CAPTURE_IRQ_MASK];
    for (unsigned stream = 0; stream < streamCount; ++stream) {
        std::uint32_t counted = CAPTURE_IRQ_STREAM(stream) & ~CAPTURE_IRQ_FRAME(stream);
        if (streams_[stream]->running()) counted |= CAPTURE_IRQ_SOURCE_CHANGE;
        if (enabled & counted) streams_[stream]->eventRaised();
    }
    registers_[CAPTURE_IRQ_STATUS] |= causes;
    updateInterrupt();
    if (enabled) bus_.irq.signal(source);
}

void Capture::maskChanged(bus::RegisterChange change)
{
    updateInterrupt();
    const std::uint32_t unmasked = registers_[CAPTURE_IRQ_STATUS] & change.now & ~change.before;
    if (unmasked & CAPTURE_IRQ_SOURCE_CHANGE) bus_.irq.signal(0);
    for (unsigned stream = 0; stream < streamCount; ++stream)
        if (unmasked & CAPTURE_IRQ_STREAM(stream)) bus_.irq.signal(1 + stream);
}

void Capture::updateInterrupt()
{
    bus_.irq.setLevel(registers_[CAPTURE_IRQ_STATUS] & registers_[CAPTURE_IRQ_MASK]);
}

// Signal

void Capture::showSignal()
{
    const Signal &signal = input_.signal();
    const VideoTimings timings = signal.usable() ? signal.timings : VideoTimings{};
    std::uint32_t status = 0;
    if (signal.present) status |= CAPTURE_SIGNAL_PRESENT;
    if (signal.present && signal.locked) status |= CAPTURE_SIGNAL_LOCKED;
    if (signal.usable()) status |= CAPTURE_SIGNAL_IN_RANGE;
    registers_[CAPTURE_SIGNAL_STATUS] = status;
    registers_[CAPTURE_SIGNAL_STANDARD] = timings.standard;
    registers_[CAPTURE_SIGNAL_POLARITY] =
        (timings.hsyncPositive ? CAPTURE_POLARITY_HSYNC_POSITIVE : 0) |
        (timings.vsyncPositive ? CAPTURE_POLARITY_VSYNC_POSITIVE : 0);
    registers_[CAPTURE_SIGNAL_WIDTH] = timings.width;
    registers_[CAPTURE_SIGNAL_HFRONT] = timings.horizontalFront;
    registers_[CAPTURE_SIGNAL_HSYNC] = timings.horizontalSync;
    registers_[CAPTURE_SIGNAL_HBACK] = timings.horizontalBack;
    registers_[CAPTURE_SIGNAL_HEIGHT] = timings.height;
    registers_[CAPTURE_SIGNAL_VFRONT] = timings.verticalFront;
    registers_[CAPTURE_SIGNAL_VSYNC] = timings.verticalSync;
    registers_[CAPTURE_SIGNAL_VBACK] = timings.verticalBack;
    registers_[CAPTURE_SIGNAL_CLOCK_LOW] = static_cast<std::uint32_t>(timings.pixelClock_hz);
    registers_[CAPTURE_SIGNAL_CLOCK_HIGH] = static_cast<std::uint32_t>(timings.pixelClock_hz >> 32);
}

void Capture::breakFrame()
{
    const Frame frame = input_.frame();
    std::uint32_t lines = 0;
    if (frame.end_ns > frame.start_ns) {
        const bus::Nanoseconds elapsed =
            std::min(bus_.clock.now(), frame.end_ns) - std::min(bus_.clock.now(), frame.start_ns);
        lines = static_cast<std::uint32_t>(elapsed * input_.signal().timings.height /
                                           (frame.end_ns - frame.start_ns));
    }
    for (auto &stream : streams_)
        stream->frameBreaks(frame, lines);
}

void Capture::signalDue()
{
    ++registers_[CAPTURE_SIGNAL_GENERATION];
    if (input_.inFrame()) breakFrame();
    input_.restart();
    showSignal();
    for (auto &stream : streams_)
        stream->signalChanged();
    if (anyRunning()) input_.resume();
    raise(CAPTURE_IRQ_SOURCE_CHANGE, 0);
}

bool Capture::anyRunning() const
{
    return std::ranges::any_of(streams_, [](const auto &stream) { return stream->running(); });
}

bool Capture::frameWanted() const
{
    const auto capturable = [](const auto &stream) { return stream->capturable(); };
    const auto served = [](const auto &stream) {
        return !stream->capturable() || stream->hasBuffer();
    };
    return std::ranges::any_of(streams_, capturable) && std::ranges::all_of(streams_, served);
}

// State

namespace
{

constexpr bus::StateVersion stateVersion{CAPTURE_ID_VALUE, 1};

} // namespace

template <typename Walker>
void Capture::walk(Walker &walker)
{
    std::vector<std::uint32_t> values(registers_.values().begin(), registers_.values().end());
    walker(std::span{values});
    registers_.setValues(values);
    input_.walk(walker);
    bool signalDue = signalTimer_.due().has_value();
    walker(signalDue);
    signalTimer_.stop();
    if (signalDue) signalTimer_.startAt(bus_.clock.now());
    for (auto &stream : streams_)
        stream->walk(walker);
}

std::vector<std::byte> Capture::save()
{
    bus::StateWriter writer{stateVersion};
    walk(writer);
    return writer.take();
}

bool Capture::restore(std::span<const std::byte> state)
{
    bus::StateReader reader{state, stateVersion};
    walk(reader);
    const auto valid = [](const auto &stream) { return stream->validState(); };
    if (!reader.complete() || !input_.validState() || !std::ranges::all_of(streams_, valid)) {
        resetAll();
        return false;
    }
    for (auto &stream : streams_)
        stream->resumeRestored();
    updateInterrupt();
    return true;
}

} // namespace testcard::capture
