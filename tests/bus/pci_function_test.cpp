// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/test_machine.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

using namespace testcard;
using namespace testcard::bus;
using test::TestMachine;

namespace
{

/// Remembers what reaches it.
class ProbeDevice final : public Device
{
public:
    explicit ProbeDevice(DeviceBus deviceBus) : bus{deviceBus} {}

    void reset(ResetKind kind) override { resets.push_back(kind); }
    std::uint64_t barRead(unsigned bar, std::uint64_t offset, unsigned size) override
    {
        accesses.push_back({bar, offset, size, Direction::read});
        return 0x8877665544332211;
    }
    void barWrite(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value) override
    {
        accesses.push_back({bar, offset, size, Direction::write});
        lastWritten = value;
    }
    const RegisterFile *registers(unsigned) const override { return nullptr; }
    std::vector<std::byte> save() override { return {std::byte{7}}; }
    bool restore(std::span<const std::byte> state) override
    {
        return state.size() == 1 && state[0] == std::byte{7};
    }

    DeviceBus bus;
    std::vector<ResetKind> resets;
    std::vector<BusAccess> accesses;
    std::uint64_t lastWritten = 0;
};

FunctionInfo probeInfo(unsigned msiVectors = 4)
{
    FunctionInfo info;
    info.identity.device = 0x00FF;
    info.bars[0] = {BarInfo::Kind::memory32, 0x1000, false};
    info.bars[1] = {BarInfo::Kind::io, 32, false};
    info.msiVectors = msiVectors;
    return info;
}

struct Probe {
    explicit Probe(const FunctionInfo &info = probeInfo(), FaultPoints *faults = nullptr)
        : machine{info, faults}, device{machine.function.bus()}
    {
        machine.start(device);
    }

    TestMachine machine;
    ProbeDevice device;
};

constexpr std::size_t command = 0x04;
constexpr std::size_t powerControl = ConfigSpace::pmCapability + 4;
constexpr std::size_t deviceControl = ConfigSpace::expressCapability + 8;

} // namespace

TEST_CASE("Accesses reach the device only while the function decodes them", "[bus][function]")
{
    Probe probe;
    CHECK(probe.machine.read(0x10) == 0x44332211);
    CHECK(probe.machine.read(0x1000) == 0xFFFFFFFF);
    CHECK(probe.machine.read(0xFFE) == 0xFFFF2211); // two bytes inside, two outside
    CHECK(probe.machine.read(0, 2) == 0xFFFFFFFF);
    CHECK(probe.machine.read(0, 6) == 0xFFFFFFFF);
    CHECK(probe.device.accesses.size() == 2);

    probe.device.accesses.clear();
    probe.machine.configWrite16(command, 0x0004);
    CHECK(probe.machine.read(0x10) == 0xFFFFFFFF);
    CHECK(probe.machine.read(0x10, 1) == 0xFFFFFFFF);
    probe.machine.write(0x10, 1);
    probe.machine.configWrite16(command, 0x0003);
    probe.machine.configWrite16(powerControl, 3);
    CHECK(probe.machine.read(0x10) == 0xFFFFFFFF);
    CHECK(probe.device.accesses.empty());
}

TEST_CASE("Odd sizes are split into natural accesses, low address first", "[bus][function]")
{
    Probe probe;
    std::array<std::byte, 11> bytes{};
    probe.machine.function.barRead(0, 5, bytes);
    REQUIRE(probe.device.accesses.size() == 3);
    CHECK(probe.device.accesses[0].offset == 5);
    CHECK(probe.device.accesses[0].size == 1);
    CHECK(probe.device.accesses[1].offset == 6);
    CHECK(probe.device.accesses[1].size == 2);
    CHECK(probe.device.accesses[2].offset == 8);
    CHECK(probe.device.accesses[2].size == 8);

    std::array<std::byte, 8> eight{std::byte{1}, std::byte{2}};
    probe.machine.function.barWrite(0, 8, eight);
    CHECK(probe.device.lastWritten == 0x0201);
}

TEST_CASE("DMA needs bus mastering and D0", "[bus][function]")
{
    Probe probe;
    std::array<std::byte, 4> bytes{};
    const auto write = [&] { return probe.device.bus.dma.write(TestMachine::ramAddress, bytes); };
    CHECK(write() == DmaStatus::ok);
    CHECK(probe.device.bus.dma.read(0, bytes) == DmaStatus::unmapped);
    probe.machine.configWrite16(command, 0x0002);
    CHECK(write() == DmaStatus::masterDisabled);
    probe.machine.configWrite16(command, 0x0006);
    CHECK(write() == DmaStatus::ok);
    probe.machine.configWrite16(powerControl, 3);
    CHECK(write() == DmaStatus::masterDisabled);
}

TEST_CASE("INTx follows the level, the disable bit and the power state", "[bus][function]")
{
    Probe probe{probeInfo(0)};
    const auto status = [&] { return (probe.machine.configRead16(0x06) & 0x0008) != 0; };
    probe.device.bus.irq.setLevel(true);
    CHECK(probe.machine.interrupts.level);
    CHECK(status());
    probe.device.bus.irq.setLevel(true);
    CHECK(probe.machine.interrupts.assertions == 1);

    probe.machine.configWrite16(command, 0x0407);
    CHECK_FALSE(probe.machine.interrupts.level);
    CHECK(status()); // PCI 3.0, section 6.2.3: whatever Interrupt Disable says
    probe.machine.configWrite16(command, 0x0007);
    CHECK(probe.machine.interrupts.level);

    probe.device.bus.irq.setLevel(false);
    CHECK_FALSE(probe.machine.interrupts.level);
    CHECK_FALSE(status());
    CHECK(probe.machine.interrupts.messages.empty());
}

TEST_CASE("A new sink learns of an asserted line at once", "[bus][function]")
{
    Probe probe{probeInfo(0)};
    probe.machine.function.connect(nullptr);
    probe.device.bus.irq.setLevel(true);
    CHECK(probe.machine.function.intxAsserted());
    test::RecordingInterrupts late;
    probe.machine.function.connect(&late);
    CHECK(late.level);
}

TEST_CASE("With MSI every signal is a message on the source's vector", "[bus][function]")
{
    Probe probe;
    probe.machine.configWrite16(ConfigSpace::msiCapability + 2, 0x0001 | 1 << 4); // two vectors
    probe.device.bus.irq.setLevel(true);
    for (unsigned source = 0; source < 4; ++source)
        probe.device.bus.irq.signal(source);
    CHECK(probe.machine.interrupts.messages == std::vector<unsigned>{0, 1, 0, 1});
    CHECK_FALSE(probe.machine.interrupts.level);
}

TEST_CASE("A message is a write of the function: none without bus mastering", "[bus][function]")
{
    Probe probe;
    probe.machine.configWrite16(command, 0x0002);
    probe.device.bus.irq.signal(0);
    CHECK(probe.machine.interrupts.messages.empty());
}

TEST_CASE("Power-on, FLR and D3hot to D0 reset function and device", "[bus][function]")
{
    Probe probe;
    using enum ResetKind;
    CHECK(probe.device.resets == std::vector{powerOn});

    probe.device.bus.irq.setLevel(true);
    probe.machine.configWrite32(0x10, 0xFEB00000);
    probe.machine.configWrite16(deviceControl, 0x8000);
    CHECK(probe.device.resets == std::vector{powerOn, flr});
    CHECK(probe.machine.configRead32(0x10) == 0);
    CHECK(probe.machine.configRead16(command) == 0);
    CHECK_FALSE(probe.machine.interrupts.level);

    probe.machine.configWrite16(powerControl, 3);
    CHECK(probe.device.resets.size() == 2);
    probe.machine.configWrite16(powerControl, 0);
    CHECK(probe.device.resets.back() == d3ToD0);

    probe.machine.function.reset();
    probe.machine.function.reset();
    CHECK(probe.device.resets.size() == 5);
}

namespace
{

/// One fault of each kind that the bus applies.
class BusFaults final : public FaultPoints
{
public:
    std::uint64_t readValue(const BusAccess &access, std::uint64_t value) override
    {
        return access.offset == 0x20 ? value | 1u << 31 : value;
    }
    std::optional<std::uint64_t> writtenValue(const BusAccess &access, std::uint64_t value) override
    {
        if (access.bar == 0 && access.offset == 0x24) return std::nullopt;
        return value;
    }
    InterruptVerdict interrupt(InterruptKind, unsigned) override { return verdict; }
    DmaVerdict dma(Direction, std::uint64_t address, std::uint64_t) override
    {
        DmaVerdict moved = dmaVerdict;
        if (!moved.address) moved.address = address;
        return moved;
    }

    InterruptVerdict verdict;
    DmaVerdict dmaVerdict;
};

} // namespace

TEST_CASE("The bus applies register faults to any card", "[bus][function][faults]")
{
    BusFaults faults;
    Probe probe{probeInfo(), &faults};
    CHECK(probe.machine.read(0x20) == 0xC4332211);
    probe.machine.write(0x24, 99);
    CHECK(probe.device.lastWritten != 99);
    probe.machine.write(0x28, 99);
    CHECK(probe.device.lastWritten == 99);
}

TEST_CASE("The bus loses, doubles and delays messages", "[bus][function][faults]")
{
    BusFaults faults;
    Probe probe{probeInfo(), &faults};
    auto &messages = probe.machine.interrupts.messages;
    faults.verdict = {0, 0};
    probe.device.bus.irq.signal(0);
    CHECK(messages.empty());
    faults.verdict = {2, 0};
    probe.device.bus.irq.signal(0);
    CHECK(messages.size() == 2);
    faults.verdict = {1, 1000};
    probe.device.bus.irq.signal(0);
    CHECK(messages.size() == 2);
    probe.machine.clock.advanceTo(1000);
    CHECK(messages.size() == 3);

    probe.device.bus.irq.signal(0);
    probe.machine.function.reset(); // a held message dies with the card's state
    probe.machine.clock.advanceTo(5000);
    CHECK(messages.size() == 3);
}

TEST_CASE("The bus denies, shortens, moves and corrupts DMA inside the guest's memory",
          "[bus][function][faults]")
{
    BusFaults faults;
    Probe probe{probeInfo(), &faults};
    const std::uint64_t ram = TestMachine::ramAddress;
    const std::array four{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    DmaPort &dma = probe.device.bus.dma;
    const auto memory = probe.machine.bytes(ram, 0x100);

    faults.dmaVerdict.deny = DmaStatus::unmapped;
    CHECK(dma.write(ram, four) == DmaStatus::unmapped);
    CHECK(memory[0] == std::byte{0});

    faults.dmaVerdict = {};
    faults.dmaVerdict.limit = 2;
    CHECK(dma.write(ram, four) == DmaStatus::ok);
    CHECK(memory[1] == std::byte{2});
    CHECK(memory[2] == std::byte{0});

    faults.dmaVerdict = {};
    faults.dmaVerdict.xorFirstByte = 0x80;
    CHECK(dma.write(ram, four) == DmaStatus::ok);
    CHECK(memory[0] == std::byte{0x81});

    faults.dmaVerdict = {};
    faults.dmaVerdict.address = ram + 0x80;
    CHECK(dma.write(ram + 0x40, four) == DmaStatus::ok);
    CHECK(memory[0x40] == std::byte{0});
    CHECK(memory[0x83] == std::byte{4});
    faults.dmaVerdict.address = 8; // outside the guest's memory: never reached
    CHECK(dma.write(ram, four) == DmaStatus::unmapped);
}

TEST_CASE("A saved function is restored, a broken state leaves it as after power-on",
          "[bus][function]")
{
    Probe probe{probeInfo(0)};
    probe.machine.configWrite32(0x10, 0xFEB00000);
    probe.device.bus.irq.setLevel(true);
    auto state = probe.machine.function.save();
    probe.machine.function.reset();
    REQUIRE(probe.machine.function.restore(state));
    CHECK(probe.machine.configRead32(0x10) == 0xFEB00000);
    CHECK(probe.machine.interrupts.level);

    state.back() = std::byte{8};
    CHECK_FALSE(probe.machine.function.restore(state));
    CHECK(probe.machine.configRead32(0x10) == 0);
    CHECK_FALSE(probe.machine.function.restore({}));
}
