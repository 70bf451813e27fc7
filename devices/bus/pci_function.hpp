// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A PCI Express function: configuration space, BAR decode, interrupts, power states and resets,
/// once for every card.
#pragma once

#include "bus/config_space.hpp"
#include "bus/device.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <vector>

namespace testcard::bus
{

/// One function of a card on its bus. The transport (vfio-user, a test, replay, the driver bench)
/// calls the public members; the device model sees only bus().
///
/// Everything is single-threaded: the transport, the clock and the device share one thread.
class PciFunction final : private DmaPort, private InterruptLine
{
public:
    /// `clock` and the optional fault points and trace must outlive the function.
    /// Throws std::invalid_argument for an impossible description (see ConfigSpace).
    PciFunction(const FunctionInfo &info, Clock &clock, FaultPoints *faults = nullptr,
                Trace *trace = nullptr);

    /// Joins the model, which was built over bus(), and powers it on.
    void attach(Device &device);
    DeviceBus bus();

    // What the transport does.

    /// Reads and writes of any size and alignment; bytes past the end read as ones and are ignored.
    void configRead(std::uint64_t offset, std::span<std::byte> into);
    void configWrite(std::uint64_t offset, std::span<const std::byte> from);

    /// An access that the function does not decode (BAR absent, disabled, out of bounds, not in D0)
    /// reads all ones or is dropped. Sizes other than 1, 2, 4 and 8 are split, low address first.
    void barRead(unsigned bar, std::uint64_t offset, std::span<std::byte> into);
    void barWrite(unsigned bar, std::uint64_t offset, std::span<const std::byte> from);

    /// The VMM's reset of the whole function. Idempotent.
    void reset() { resetAll(ResetKind::powerOn); }

    GuestMemory &guestMemory() { return guestMemory_; }

    /// Where interrupts go from now on; nullptr: nowhere. A line that is asserted is reported to
    /// the new sink at once.
    void connect(InterruptSink *sink);

    /// The INTx pin as it leaves the card now (Interrupt Disable and MSI considered).
    bool intxAsserted() const { return intxAsserted_; }

    const FunctionInfo &info() const { return config_.info(); }
    const ConfigSpace &config() const { return config_; }
    Device &device() { return *device_; }

    /// Configuration space and device together; see Device::save and Device::restore.
    std::vector<std::byte> save();
    bool restore(std::span<const std::byte> state);

private:
    DmaStatus read(std::uint64_t address, std::span<std::byte> into) override;
    DmaStatus write(std::uint64_t address, std::span<const std::byte> from) override;
    void setLevel(bool asserted) override;
    void signal(unsigned source) override;

    void configWritten(std::uint64_t offset, std::span<const std::byte> from);
    DmaStatus masterStatus() const;
    void resetAll(ResetKind kind);
    void updateIntx();
    bool decodes(unsigned bar, std::uint64_t offset, std::size_t size) const;
    std::uint64_t readOnce(unsigned bar, std::uint64_t offset, unsigned size);
    void writeOnce(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value);
    void deliverMessage(unsigned vector);

    ConfigSpace config_;
    Clock &clock_;
    FaultPoints noFaults_;
    Trace noTrace_;
    FaultPoints &faults_;
    Trace &trace_;
    GuestMemory guestMemory_;
    Device *device_ = nullptr;
    InterruptSink *sink_ = nullptr;
    std::list<Timer> delayed_;  ///< messages that a fault holds back
    bool level_ = false;        ///< what the device drives
    bool intxAsserted_ = false; ///< what leaves the card
};

} // namespace testcard::bus
