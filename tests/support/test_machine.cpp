// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/test_machine.hpp"

namespace testcard::test
{

namespace
{

constexpr std::size_t command = 0x04;
constexpr std::uint16_t commandMemoryMasterIo = 0x0007;

} // namespace

TestMachine::TestMachine(const bus::FunctionInfo &info, bus::FaultPoints *faults, bus::Trace *trace)
    : ram(ramSize), function{info, clock, faults, trace}
{
    function.guestMemory().map({ramAddress, ram});
    function.connect(&interrupts);
}

void TestMachine::start(bus::Device &device)
{
    function.attach(device);
    enable();
}

void TestMachine::enable()
{
    configWrite16(command, commandMemoryMasterIo);
    if (function.info().msiVectors) enableMsi();
}

void TestMachine::enableMsi()
{
    configWrite16(bus::ConfigSpace::msiCapability + 2, 0x0001);
}

std::uint32_t TestMachine::configRead32(std::size_t offset)
{
    std::uint32_t value = 0;
    function.configRead(offset, std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

std::uint16_t TestMachine::configRead16(std::size_t offset)
{
    std::uint16_t value = 0;
    function.configRead(offset, std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

void TestMachine::configWrite32(std::size_t offset, std::uint32_t value)
{
    function.configWrite(offset, std::as_bytes(std::span{&value, 1}));
}

void TestMachine::configWrite16(std::size_t offset, std::uint16_t value)
{
    function.configWrite(offset, std::as_bytes(std::span{&value, 1}));
}

std::uint32_t TestMachine::read(std::uint64_t offset, unsigned bar)
{
    std::uint32_t value = 0;
    function.barRead(bar, offset, std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

void TestMachine::write(std::uint64_t offset, std::uint32_t value, unsigned bar)
{
    function.barWrite(bar, offset, std::as_bytes(std::span{&value, 1}));
}

} // namespace testcard::test
