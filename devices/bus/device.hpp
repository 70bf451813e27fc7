// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A device model and all that it may touch.
#pragma once

#include "bus/clock.hpp"
#include "bus/dma.hpp"
#include "bus/fault_points.hpp"
#include "bus/interrupts.hpp"
#include "bus/trace.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace testcard::bus
{

class RegisterFile;

/// The world of a device model: no sockets, no threads, no wall time, no logging.
struct DeviceBus {
    DmaPort &dma;
    InterruptLine &irq;
    Clock &clock;
    FaultPoints &faults;
    Trace &trace;
};

/// A function's device logic behind its BARs. PciFunction has checked decode enables, power state
/// and bounds before it calls; register handlers never do DMA and never wait: they schedule.
class Device
{
public:
    virtual ~Device() = default;

    virtual void reset(ResetKind kind) = 0;

    /// `size` is 1, 2, 4 or 8 and the access lies inside the BAR; alignment is the device's matter.
    virtual std::uint64_t barRead(unsigned bar, std::uint64_t offset, unsigned size) = 0;
    virtual void barWrite(unsigned bar, std::uint64_t offset, unsigned size,
                          std::uint64_t value) = 0;

    /// The register file behind a BAR, for the names in traces and for contract tests.
    virtual const RegisterFile *registers(unsigned bar) const = 0;

    /// All that the guest can see, timers included, as bytes that only the same version of the same
    /// model reads.
    virtual std::vector<std::byte> save() = 0;

    /// False, and the device is as after power-on, if the bytes are not a saved state of this
    /// version.
    virtual bool restore(std::span<const std::byte> state) = 0;

    /// Fault points that the model declares; the index is the number it asks with.
    virtual std::span<const FaultPointInfo> faultPoints() const { return {}; }
};

} // namespace testcard::bus
