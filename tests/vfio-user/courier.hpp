// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A small card that does everything once: registers, a timer, DMA, interrupts.
#pragma once

#include "bus/pci_function.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

namespace testcard::vfio_user_test
{

inline constexpr std::uint64_t scratchRegister = 0x00;  ///< keeps what is written
inline constexpr std::uint64_t addressRegister = 0x04;  ///< where DMA goes
inline constexpr std::uint64_t doorbellRegister = 0x08; ///< starts DMA and then interrupts
inline constexpr std::uint64_t acknowledgeRegister = 0x0C;
inline constexpr std::uint64_t slowRegister = 0x10; ///< takes its time to be read

/// As QEMU's "edu" does: moves a word by DMA when its doorbell rings and interrupts then.
class Courier final : public bus::Device
{
public:
    static constexpr std::chrono::milliseconds slowness{800};

    explicit Courier(const bus::DeviceBus &wires)
        : bus_{wires}, timer_{wires.clock, [this] { deliver(); }}
    {
    }

    void reset(bus::ResetKind) override
    {
        timer_.stop();
        registers_ = {};
        bus_.irq.setLevel(false);
    }
    std::uint64_t barRead(unsigned, std::uint64_t offset, unsigned size) override
    {
        if (offset == slowRegister) std::this_thread::sleep_for(slowness);
        std::uint64_t value = 0;
        if (offset + size <= sizeof registers_)
            std::memcpy(&value, reinterpret_cast<const char *>(registers_.data()) + offset, size);
        return value;
    }
    void barWrite(unsigned, std::uint64_t offset, unsigned size, std::uint64_t value) override
    {
        if (offset + size > sizeof registers_ || offset % 4 != 0) return;
        registers_[offset / 4] = static_cast<std::uint32_t>(value);
        if (offset == doorbellRegister) timer_.startAt(bus_.clock.now() + 50'000);
        if (offset == acknowledgeRegister) bus_.irq.setLevel(false);
    }
    const bus::RegisterFile *registers(unsigned) const override { return nullptr; }
    std::vector<std::byte> save() override { return {}; }
    bool restore(std::span<const std::byte>) override { return true; }

private:
    /// Writes the doorbell's value, plus one, behind the word that it finds.
    void deliver()
    {
        const std::uint64_t address = registers_[addressRegister / 4];
        std::uint32_t word = 0;
        bus_.dma.readStructure(address, word);
        word += registers_[doorbellRegister / 4];
        bus_.dma.writeStructure(address + 4, word);
        bus_.irq.setLevel(true);
        bus_.irq.signal(0);
    }

    bus::DeviceBus bus_;
    bus::Timer timer_;
    std::array<std::uint32_t, 4> registers_{};
};

inline bus::FunctionInfo courierFunction()
{
    bus::FunctionInfo info;
    info.identity.device = 0xFFFE;
    info.identity.classCode = 0xFF0000;
    info.bars[0] = {bus::BarInfo::Kind::memory32, 4096, false};
    info.bars[2] = {bus::BarInfo::Kind::memory64, 65536, true};
    return info;
}

inline bus::FunctionInfo courierWithMsix()
{
    bus::FunctionInfo info = courierFunction();
    info.bars[4] = {bus::BarInfo::Kind::memory32, 4096, false};
    info.msiVectors = 0;
    info.msix = {40, 4, 0, 0x800};
    return info;
}

} // namespace testcard::vfio_user_test
