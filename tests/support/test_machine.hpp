// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A machine for device tests: byte-array memory, a recording interrupt controller, a manual clock.
#pragma once

#include "bus/pci_function.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace testcard::test
{

/// Remembers every interrupt that left the card.
class RecordingInterrupts final : public bus::InterruptSink
{
public:
    void intxChanged(bool asserted) override
    {
        level = asserted;
        if (asserted) ++assertions;
    }
    void messageSignalled(unsigned vector) override { messages.push_back(vector); }

    bool level = false;
    unsigned assertions = 0;
    std::vector<unsigned> messages; ///< vectors in the order of arrival
};

/// The guest's side of one PCI function.
class TestMachine
{
public:
    static constexpr std::uint64_t ramAddress = 0x100000;
    static constexpr std::size_t ramSize = 16u << 20;

    explicit TestMachine(const bus::FunctionInfo &info, bus::FaultPoints *faults = nullptr,
                         bus::Trace *trace = nullptr);

    /// Powers the device on: memory decode and bus mastering enabled, MSI too if the card has it.
    void start(bus::Device &device);
    void enable();
    void enableMsi();

    std::uint32_t configRead32(std::size_t offset);
    std::uint16_t configRead16(std::size_t offset);
    void configWrite32(std::size_t offset, std::uint32_t value);
    void configWrite16(std::size_t offset, std::uint16_t value);

    std::uint32_t read(std::uint64_t offset, unsigned bar = 0);
    void write(std::uint64_t offset, std::uint32_t value, unsigned bar = 0);

    /// A structure in guest memory; the address must lie in RAM and be aligned for it.
    template <typename Structure>
    Structure &at(std::uint64_t address)
    {
        return *reinterpret_cast<Structure *>(ram.data() + (address - ramAddress));
    }
    std::span<std::byte> bytes(std::uint64_t address, std::size_t size)
    {
        return std::span{ram}.subspan(address - ramAddress, size);
    }

    bus::Clock clock;
    std::vector<std::byte> ram;
    RecordingInterrupts interrupts;
    bus::PciFunction function;
};

} // namespace testcard::test
