// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/config_space.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

namespace testcard::bus
{

namespace
{

// PCI Local Bus 3.0, section 6.1
constexpr std::size_t vendorId = 0x00;
constexpr std::size_t deviceId = 0x02;
constexpr std::size_t command = 0x04;
constexpr std::size_t status = 0x06;
constexpr std::size_t revision = 0x08;
constexpr std::size_t cacheLineSize = 0x0C;
constexpr std::size_t headerType = 0x0E;
constexpr std::size_t firstBar = 0x10;
constexpr std::size_t subsystemVendorId = 0x2C;
constexpr std::size_t subsystemId = 0x2E;
constexpr std::size_t capabilitiesPointer = 0x34;
constexpr std::size_t interruptLine = 0x3C;
constexpr std::size_t interruptPin = 0x3D;

constexpr std::uint16_t commandIo = 0x0001;
constexpr std::uint16_t commandMemory = 0x0002;
constexpr std::uint16_t commandMaster = 0x0004;
constexpr std::uint16_t commandParity = 0x0040;
constexpr std::uint16_t commandSerr = 0x0100;
constexpr std::uint16_t commandInterruptDisable = 0x0400;
constexpr std::uint16_t statusInterrupt = 0x0008;
constexpr std::uint16_t statusCapabilities = 0x0010;

constexpr std::uint8_t capabilityPm = 0x01;
constexpr std::uint8_t capabilityMsi = 0x05;
constexpr std::uint8_t capabilityExpress = 0x10;
constexpr std::uint8_t capabilityMsix = 0x11;

// Offsets inside the capabilities.
constexpr std::size_t pmControl = ConfigSpace::pmCapability + 4;
constexpr std::size_t msiControl = ConfigSpace::msiCapability + 2;
constexpr std::size_t expressDeviceControl = ConfigSpace::expressCapability + 8;
constexpr std::size_t msixControl = ConfigSpace::msixCapability + 2;

constexpr std::uint16_t powerStateMask = 0x0003;
constexpr std::uint16_t msiEnable = 0x0001;
constexpr std::uint16_t msixEnable = 0x8000;
constexpr std::uint16_t initiateFlr = 0x8000;

[[noreturn]] void impossible(const std::string &what)
{
    throw std::invalid_argument("PCI function: " + what);
}

void checkBar(const FunctionInfo &info, unsigned bar)
{
    const BarInfo &wanted = info.bars[bar];
    const bool io = wanted.kind == BarInfo::Kind::io;
    if (!std::has_single_bit(wanted.size) || wanted.size < (io ? 4u : 16u) ||
        (io && wanted.size > 256))
        impossible(fmt::format("BAR{} cannot have {} bytes", bar, wanted.size));
    if (wanted.kind == BarInfo::Kind::memory64 &&
        (bar == 5 || info.bars[bar + 1].kind != BarInfo::Kind::none))
        impossible(fmt::format("the 64-bit BAR{} needs BAR{} for its upper half", bar, bar + 1));
}

void checkMsix(const FunctionInfo &info)
{
    const MsixInfo &msix = info.msix;
    if (msix.vectors == 0) return;
    if (msix.vectors > 2048) impossible(fmt::format("{} MSI-X vectors", msix.vectors));
    if (msix.bar > 5 || info.bars[msix.bar].kind == BarInfo::Kind::none ||
        info.bars[msix.bar].kind == BarInfo::Kind::io)
        impossible("the MSI-X table needs a memory BAR");
    const std::uint64_t barSize = info.bars[msix.bar].size;
    const std::uint64_t tableEnd = std::uint64_t{msix.tableOffset} + 16 * msix.vectors;
    const std::uint64_t pendingEnd =
        std::uint64_t{msix.pendingOffset} + (msix.vectors + 63) / 64 * 8;
    if (msix.tableOffset % 8 != 0 || msix.pendingOffset % 8 != 0 || tableEnd > barSize ||
        pendingEnd > barSize)
        impossible(fmt::format("the MSI-X table or pending bits lie outside BAR{}", msix.bar));
}

} // namespace

ConfigSpace::ConfigSpace(const FunctionInfo &info) : info_{info}
{
    for (unsigned bar = 0; bar < info.bars.size(); ++bar)
        if (info.bars[bar].kind != BarInfo::Kind::none) checkBar(info, bar);
    checkMsix(info);
    if (info.msiVectors > 32 || (info.msiVectors != 0 && !std::has_single_bit(info.msiVectors)))
        impossible(fmt::format("{} MSI vectors", info.msiVectors));
    buildHeader();
    buildBars();
    buildCapabilities();
    initial_ = bytes_;
}

void ConfigSpace::put8(std::size_t offset, std::uint8_t value, std::uint8_t writable)
{
    bytes_[offset] = std::byte{value};
    writable_[offset] = std::byte{writable};
}

void ConfigSpace::put16(std::size_t offset, std::uint16_t value, std::uint16_t writable)
{
    put8(offset, static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(writable));
    put8(offset + 1, static_cast<std::uint8_t>(value >> 8),
         static_cast<std::uint8_t>(writable >> 8));
}

void ConfigSpace::put32(std::size_t offset, std::uint32_t value, std::uint32_t writable)
{
    put16(offset, static_cast<std::uint16_t>(value), static_cast<std::uint16_t>(writable));
    put16(offset + 2, static_cast<std::uint16_t>(value >> 16),
          static_cast<std::uint16_t>(writable >> 16));
}

std::uint16_t ConfigSpace::get16(std::size_t offset) const
{
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes_[offset]) |
                                      std::to_integer<unsigned>(bytes_[offset + 1]) << 8);
}

std::uint32_t ConfigSpace::get32(std::size_t offset) const
{
    return get16(offset) | std::uint32_t{get16(offset + 2)} << 16;
}

void ConfigSpace::buildHeader()
{
    const Identity &identity = info_.identity;
    const auto hasKind = [this](auto... kinds) {
        return std::ranges::any_of(
            info_.bars, [=](const BarInfo &bar) { return ((bar.kind == kinds) || ...); });
    };
    const bool hasIo = hasKind(BarInfo::Kind::io);
    const bool hasMemory = hasKind(BarInfo::Kind::memory32, BarInfo::Kind::memory64);
    std::uint16_t commandBits = commandMaster | commandParity | commandSerr;
    if (hasIo) commandBits |= commandIo;
    if (hasMemory) commandBits |= commandMemory;
    if (info_.intx || info_.msiVectors || info_.msix.vectors)
        commandBits |= commandInterruptDisable;

    put16(vendorId, identity.vendor);
    put16(deviceId, identity.device);
    put16(command, 0, commandBits);
    put16(status, statusCapabilities);
    put32(revision, identity.classCode << 8 | identity.revision);
    put8(cacheLineSize, 0, 0xFF);
    put8(headerType, info_.multifunction ? 0x80 : 0x00);
    put16(subsystemVendorId, identity.subsystemVendor);
    put16(subsystemId, identity.subsystem);
    put8(interruptLine, 0, 0xFF);
    put8(interruptPin, info_.intx ? 1 : 0);
}

void ConfigSpace::buildBars()
{
    for (unsigned bar = 0; bar < info_.bars.size(); ++bar) {
        const BarInfo &wanted = info_.bars[bar];
        const std::size_t offset = firstBar + 4 * bar;
        const std::uint32_t addressBits = ~(wanted.size - 1);
        const std::uint32_t prefetchable = wanted.prefetchable ? 8 : 0;
        switch (wanted.kind) {
        case BarInfo::Kind::none: break;
        case BarInfo::Kind::io: put32(offset, 1, addressBits); break;
        case BarInfo::Kind::memory32: put32(offset, prefetchable, addressBits); break;
        case BarInfo::Kind::memory64:
            put32(offset, prefetchable | 4, addressBits);
            put32(offset + 4, 0, 0xFFFFFFFF);
            break;
        }
    }
}

void ConfigSpace::buildCapabilities()
{
    std::size_t link = capabilitiesPointer; // where the pointer to the next capability belongs
    const auto add = [this, &link](std::uint16_t offset, std::uint8_t id) {
        put8(link, static_cast<std::uint8_t>(offset));
        put8(offset, id);
        link = offset + 1u;
    };

    // PCI Power Management 1.2, section 3.2: version 3, D0 and D3hot, no PME, No_Soft_Reset = 0
    add(pmCapability, capabilityPm);
    put16(pmCapability + 2, 0x0003);
    put16(pmControl, 0, powerStateMask);

    if (info_.msiVectors) { // PCI 3.0, section 6.8.1: 64-bit address, no per-vector masks
        add(msiCapability, capabilityMsi);
        const auto capable = static_cast<std::uint16_t>(std::countr_zero(info_.msiVectors) << 1);
        put16(msiControl, 0x0080 | capable, 0x0071);
        put32(msiCapability + 4, 0, 0xFFFFFFFC);
        put32(msiCapability + 8, 0, 0xFFFFFFFF);
        put16(msiCapability + 12, 0, 0xFFFF);
    }

    // PCI Express 2.0, section 7.8: version 2, endpoint, FLR, 2.5 GT/s x1
    add(expressCapability, capabilityExpress);
    put16(expressCapability + 2, 0x0002);
    put32(expressCapability + 4, 0x10008000); // FLR capable, role-based error reporting
    put16(expressDeviceControl, 0x2810, 0xFFFF);
    put32(expressCapability + 12, 0x00400011); // link: 2.5 GT/s, x1, no ASPM
    put16(expressCapability + 16, 0x0000, 0x01FB);
    put16(expressCapability + 18, 0x0011);
    put16(expressCapability + 40, 0x0000, 0x001F); // device control 2: completion timeout

    if (info_.msix.vectors) { // PCI 3.0, section 6.8.2
        add(msixCapability, capabilityMsix);
        put16(msixControl, static_cast<std::uint16_t>(info_.msix.vectors - 1), 0xC000);
        put32(msixCapability + 4, info_.msix.tableOffset | info_.msix.bar);
        put32(msixCapability + 8, info_.msix.pendingOffset | info_.msix.bar);
    }
}

void ConfigSpace::reset()
{
    bytes_ = initial_;
}

void ConfigSpace::read(std::size_t offset, std::span<std::byte> into) const
{
    for (std::size_t i = 0; i < into.size(); ++i)
        into[i] = offset < size && i < size - offset ? bytes_[offset + i] : std::byte{0xFF};
}

ConfigSpace::WriteEffect ConfigSpace::write(std::size_t offset, std::span<const std::byte> from)
{
    const PowerState before = powerState();
    for (std::size_t i = 0; i < from.size() && offset < size && i < size - offset; ++i) {
        std::byte &byte = bytes_[offset + i];
        const std::byte mask = writable_[offset + i];
        byte = (byte & ~mask) | (from[i] & mask);
    }
    const std::uint16_t wantedPower = get16(pmControl) & powerStateMask;
    if (wantedPower == 1 || wantedPower == 2) { // unsupported states are not entered
        const auto kept = static_cast<std::uint16_t>((get16(pmControl) & ~powerStateMask) |
                                                     static_cast<unsigned>(before));
        put16(pmControl, kept, powerStateMask);
    }
    WriteEffect effect;
    const std::uint16_t deviceControl = get16(expressDeviceControl);
    effect.flr = (deviceControl & initiateFlr) != 0;
    if (effect.flr) // always reads as zero
        bytes_[expressDeviceControl + 1] &= std::byte{0x7F};
    effect.d3ToD0 = before == PowerState::D3hot && powerState() == PowerState::D0;
    return effect;
}

bool ConfigSpace::memoryEnabled() const
{
    return get16(command) & commandMemory;
}
bool ConfigSpace::ioEnabled() const
{
    return get16(command) & commandIo;
}
bool ConfigSpace::busMasterEnabled() const
{
    return get16(command) & commandMaster;
}
bool ConfigSpace::interruptDisabled() const
{
    return get16(command) & commandInterruptDisable;
}

PowerState ConfigSpace::powerState() const
{
    return static_cast<PowerState>(get16(pmControl) & powerStateMask);
}

InterruptMode ConfigSpace::interruptMode() const
{
    if (info_.msix.vectors && (get16(msixControl) & msixEnable)) return InterruptMode::msix;
    if (info_.msiVectors && (get16(msiControl) & msiEnable)) return InterruptMode::msi;
    return InterruptMode::intx;
}

unsigned ConfigSpace::allocatedVectors() const
{
    switch (interruptMode()) {
    case InterruptMode::intx: return 1;
    case InterruptMode::msix: return info_.msix.vectors;
    case InterruptMode::msi:
        return std::min(info_.msiVectors, 1u << ((get16(msiControl) >> 4) & 7));
    }
    return 1;
}

void ConfigSpace::setInterruptStatus(bool pending)
{
    const std::uint16_t others = get16(status) & ~statusInterrupt;
    put16(status, others | (pending ? statusInterrupt : 0));
}

std::uint64_t ConfigSpace::barAddress(unsigned bar) const
{
    const std::uint32_t low = get32(firstBar + 4 * bar);
    switch (info_.bars[bar].kind) {
    case BarInfo::Kind::none: return 0;
    case BarInfo::Kind::io: return low & ~3u;
    case BarInfo::Kind::memory32: return low & ~15u;
    case BarInfo::Kind::memory64:
        return (low & ~15u) | std::uint64_t{get32(firstBar + 4 * bar + 4)} << 32;
    }
    return 0;
}

bool ConfigSpace::setBytes(std::span<const std::byte> bytes)
{
    if (bytes.size() != size) return false;
    const std::byte interruptBit{statusInterrupt};
    for (std::size_t i = 0; i < size; ++i) {
        std::byte changeable = writable_[i];
        if (i == status) changeable |= interruptBit;
        if ((bytes[i] & ~changeable) != (initial_[i] & ~changeable)) return false;
    }
    std::ranges::copy(bytes, bytes_.begin());
    return true;
}

} // namespace testcard::bus
