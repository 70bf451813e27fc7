// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The capture card. README.md in this folder is its datasheet, capture_regs.h its contract.
#pragma once

#include "bus/config_space.hpp"
#include "bus/device.hpp"
#include "bus/registers.hpp"
#include "capture/frame_source.hpp"
#include "capture/input.hpp"
#include "capture/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace testcard::capture
{

/// How the guest is interrupted: what the card offers besides INTx.
enum class Interrupts : std::uint8_t { intx, msi, msix };

/// The PCI function of a capture card.
bus::FunctionInfo functionInfo(Interrupts interrupts = Interrupts::msi);

class Capture final : public bus::Device
{
public:
    static constexpr unsigned streamCount = 1;

    /// The source must outlive the card, which takes its onChange handler.
    Capture(bus::DeviceBus bus, FrameSource &source);

    void reset(bus::ResetKind kind) override;
    std::uint64_t barRead(unsigned bar, std::uint64_t offset, unsigned size) override;
    void barWrite(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value) override;
    const bus::RegisterFile *registers(unsigned bar) const override;
    std::vector<std::byte> save() override;
    bool restore(std::span<const std::byte> state) override;
    std::span<const bus::FaultPointInfo> faultPoints() const override { return faultPointTable(); }

    /// What the host may want to know; counted since power-on, over all resets.
    struct Counters {
        std::uint64_t frames = 0; ///< that the source sent while a stream ran
        std::uint64_t resets = 0; ///< of all kinds, power-on included
        std::vector<StreamCounters> streams;
    };
    Counters counters() const;

private:
    void registerWritten(std::uint32_t offset, bus::RegisterChange change);
    void latchClock();
    void raise(std::uint32_t causes, unsigned source);
    void maskChanged(bus::RegisterChange change);
    void updateInterrupt();

    void resetAll();
    void signalDue();
    void showSignal();
    void breakFrame();
    bool anyRunning() const;
    bool frameWanted() const;
    template <typename Walker>
    void walk(Walker &walker);

    bus::DeviceBus bus_;
    FrameSource &source_;
    bus::RegisterFile registers_;
    Input input_;
    bus::Timer signalTimer_;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::uint64_t framesSent_ = 0;
    std::uint64_t resets_ = 0;
};

} // namespace testcard::capture
