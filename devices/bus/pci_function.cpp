// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/pci_function.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace testcard::bus
{

namespace
{

std::uint64_t toValue(std::span<const std::byte> bytes)
{
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), bytes.size()); // the host is little-endian, as PCI is
    return value;
}

static_assert(std::endian::native == std::endian::little);

/// The largest access of 1, 2, 4 or 8 bytes that starts at `offset`, is naturally aligned and fits.
unsigned accessSize(std::uint64_t offset, std::size_t size)
{
    unsigned step = 8;
    while (step > size || offset % step != 0)
        step /= 2;
    return step;
}

} // namespace

PciFunction::PciFunction(const FunctionInfo &info, Clock &clock, FaultPoints *faults, Trace *trace)
    : config_{info},
      clock_{clock},
      faults_{faults ? *faults : noFaults_},
      trace_{trace ? *trace : noTrace_}
{
}

void PciFunction::attach(Device &device)
{
    device_ = &device;
    resetAll(ResetKind::powerOn);
}

DeviceBus PciFunction::bus()
{
    return {*this, *this, clock_, faults_, trace_};
}

// Configuration space

void PciFunction::configRead(std::uint64_t offset, std::span<std::byte> into)
{
    while (!into.empty()) {
        const unsigned size = accessSize(offset, into.size());
        const BusAccess access{BusAccess::configSpace, offset, size, Direction::read};
        std::array<std::byte, 8> bytes{};
        config_.read(offset, std::span{bytes}.first(size));
        const std::uint64_t value =
            faults_.readValue(access, toValue(std::span{bytes}.first(size)));
        trace_.access(access, value);
        std::memcpy(into.data(), &value, size);
        into = into.subspan(size);
        offset += size;
    }
}

void PciFunction::configWrite(std::uint64_t offset, std::span<const std::byte> from)
{
    while (!from.empty()) {
        const unsigned size = accessSize(offset, from.size());
        const BusAccess access{BusAccess::configSpace, offset, size, Direction::write};
        const std::uint64_t wanted = toValue(from.first(size));
        trace_.access(access, wanted);
        if (const auto value = faults_.writtenValue(access, wanted))
            configWritten(offset, std::as_bytes(std::span{&*value, 1}).first(size));
        from = from.subspan(size);
        offset += size;
    }
}

void PciFunction::configWritten(std::uint64_t offset, std::span<const std::byte> from)
{
    const ConfigSpace::WriteEffect effect = config_.write(offset, from);
    if (effect.flr)
        resetAll(ResetKind::flr);
    else if (effect.d3ToD0)
        resetAll(ResetKind::d3ToD0);
    updateIntx();
}

// BARs

bool PciFunction::decodes(unsigned bar, std::uint64_t offset, std::size_t size) const
{
    if (bar >= info().bars.size() || !device_ || config_.powerState() != PowerState::D0)
        return false;
    const BarInfo &wanted = info().bars[bar];
    const bool enabled =
        wanted.kind == BarInfo::Kind::io ? config_.ioEnabled() : config_.memoryEnabled();
    return wanted.kind != BarInfo::Kind::none && enabled && offset < wanted.size &&
           size <= wanted.size - offset;
}

std::uint64_t PciFunction::readOnce(unsigned bar, std::uint64_t offset, unsigned size)
{
    const BusAccess access{bar, offset, size, Direction::read};
    std::uint64_t value = ~0ull;
    if (decodes(bar, offset, size)) value = device_->barRead(bar, offset, size);
    if (size < 8) value &= (1ull << (8 * size)) - 1;
    value = faults_.readValue(access, value);
    trace_.access(access, value);
    return value;
}

void PciFunction::writeOnce(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value)
{
    const BusAccess access{bar, offset, size, Direction::write};
    trace_.access(access, value);
    const auto arriving = faults_.writtenValue(access, value);
    if (arriving && decodes(bar, offset, size)) device_->barWrite(bar, offset, size, *arriving);
}

void PciFunction::barRead(unsigned bar, std::uint64_t offset, std::span<std::byte> into)
{
    while (!into.empty()) {
        const unsigned size = accessSize(offset, into.size());
        const std::uint64_t value = readOnce(bar, offset, size);
        std::memcpy(into.data(), &value, size);
        into = into.subspan(size);
        offset += size;
    }
}

void PciFunction::barWrite(unsigned bar, std::uint64_t offset, std::span<const std::byte> from)
{
    while (!from.empty()) {
        const unsigned size = accessSize(offset, from.size());
        writeOnce(bar, offset, size, toValue(from.first(size)));
        from = from.subspan(size);
        offset += size;
    }
}

// DMA

DmaStatus PciFunction::masterStatus() const
{
    const bool allowed = config_.busMasterEnabled() && config_.powerState() == PowerState::D0;
    return allowed ? DmaStatus::ok : DmaStatus::masterDisabled;
}

DmaStatus PciFunction::read(std::uint64_t address, std::span<std::byte> into)
{
    const FaultPoints::DmaVerdict verdict = faults_.dma(Direction::read, address, into.size());
    DmaStatus status = masterStatus();
    if (verdict.deny) status = *verdict.deny;
    if (status == DmaStatus::ok) {
        const std::size_t moved = std::min<std::uint64_t>(into.size(), verdict.limit);
        status = guestMemory_.read(verdict.address, into.first(moved));
        std::ranges::fill(into.subspan(moved), std::byte{0});
        if (!into.empty()) into.front() ^= std::byte{verdict.xorFirstByte};
    }
    trace_.dma(Direction::read, address, into, status);
    return status;
}

DmaStatus PciFunction::write(std::uint64_t address, std::span<const std::byte> from)
{
    const FaultPoints::DmaVerdict verdict = faults_.dma(Direction::write, address, from.size());
    DmaStatus status = masterStatus();
    if (verdict.deny) status = *verdict.deny;
    if (status == DmaStatus::ok) {
        const std::size_t moved = std::min<std::uint64_t>(from.size(), verdict.limit);
        status = guestMemory_.write(verdict.address, from.first(moved));
        if (verdict.xorFirstByte && moved && status == DmaStatus::ok) {
            const std::byte flipped = from.front() ^ std::byte{verdict.xorFirstByte};
            status = guestMemory_.write(verdict.address, std::span{&flipped, 1});
        }
    }
    trace_.dma(Direction::write, address, from, status);
    return status;
}

// Interrupts

void PciFunction::setLevel(bool asserted)
{
    level_ = asserted;
    updateIntx();
}

void PciFunction::updateIntx()
{
    // PCI 3.0, section 6.2.3: Interrupt Status follows the device, whatever Interrupt Disable says
    const bool intxMode = config_.interruptMode() == InterruptMode::intx;
    config_.setInterruptStatus(level_ && intxMode);
    const bool asserted = level_ && intxMode && info().intx && !config_.interruptDisabled() &&
                          config_.powerState() == PowerState::D0;
    if (asserted == intxAsserted_) return;
    if (asserted && faults_.interrupt(InterruptKind::intx, 0).copies == 0) return;
    intxAsserted_ = asserted;
    trace_.interrupt(InterruptKind::intx, 0, asserted);
    if (sink_) sink_->intxChanged(asserted);
}

void PciFunction::signal(unsigned source)
{
    if (config_.interruptMode() == InterruptMode::intx) return;
    if (masterStatus() != DmaStatus::ok) return; // a message is a write of the function
    const unsigned vector = source % config_.allocatedVectors();
    const auto verdict = faults_.interrupt(InterruptKind::message, vector);
    delayed_.remove_if([](const Timer &timer) { return !timer.due(); });
    for (unsigned copy = 0; copy < verdict.copies; ++copy) {
        if (verdict.delayNs == 0) {
            deliverMessage(vector);
            continue;
        }
        delayed_.emplace_back(clock_, [this, vector] { deliverMessage(vector); });
        delayed_.back().startAt(clock_.now() + verdict.delayNs);
    }
}

void PciFunction::deliverMessage(unsigned vector)
{
    trace_.interrupt(InterruptKind::message, vector, true);
    if (sink_) sink_->messageSignalled(vector);
}

void PciFunction::connect(InterruptSink *sink)
{
    sink_ = sink;
    if (sink_ && intxAsserted_) sink_->intxChanged(true);
}

// Reset and state

void PciFunction::resetAll(ResetKind kind)
{
    trace_.reset(kind);
    delayed_.clear();
    config_.reset();
    level_ = false;
    if (device_) device_->reset(kind);
    updateIntx();
}

std::vector<std::byte> PciFunction::save()
{
    const auto config = config_.bytes();
    std::vector<std::byte> state(config.begin(), config.end());
    state.push_back(std::byte{level_});
    const std::vector<std::byte> device = device_->save();
    state.insert(state.end(), device.begin(), device.end());
    return state;
}

bool PciFunction::restore(std::span<const std::byte> state)
{
    resetAll(ResetKind::powerOn);
    if (state.size() < ConfigSpace::size + 1 || !config_.setBytes(state.first(ConfigSpace::size)))
        return false;
    if (!device_->restore(state.subspan(ConfigSpace::size + 1))) {
        resetAll(ResetKind::powerOn);
        return false;
    }
    setLevel(state[ConfigSpace::size] != std::byte{0});
    return true;
}

} // namespace testcard::bus
