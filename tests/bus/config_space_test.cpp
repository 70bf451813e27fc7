// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/config_space.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <array>
#include <cstdint>
#include <stdexcept>

using namespace testcard::bus;
using Catch::Matchers::Message;

namespace
{

FunctionInfo card()
{
    FunctionInfo info;
    info.identity = {0x7C01, 0x0042, 0x7C01, 0x0007, 3, 0x048000};
    info.bars[0] = {BarInfo::Kind::memory32, 0x10000, false};
    info.bars[2] = {BarInfo::Kind::memory64, 0x4000, true};
    info.bars[4] = {BarInfo::Kind::io, 32, false};
    info.msiVectors = 4;
    return info;
}

std::uint32_t read32(const ConfigSpace &space, std::size_t offset)
{
    std::uint32_t value = 0;
    space.read(offset, std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

ConfigSpace::WriteEffect write32(ConfigSpace &space, std::size_t offset, std::uint32_t value)
{
    return space.write(offset, std::as_bytes(std::span{&value, 1}));
}

ConfigSpace::WriteEffect write16(ConfigSpace &space, std::size_t offset, std::uint16_t value)
{
    return space.write(offset, std::as_bytes(std::span{&value, 1}));
}

} // namespace

TEST_CASE("The header holds the identity and cannot be written", "[bus][config]")
{
    ConfigSpace space{card()};
    write32(space, 0x00, 0);
    write32(space, 0x08, 0);
    write32(space, 0x2C, 0);
    CHECK(read32(space, 0x00) == 0x00427C01);
    CHECK(read32(space, 0x08) == 0x04800003);
    CHECK(read32(space, 0x2C) == 0x00077C01);
}

TEST_CASE("BARs answer sizing as PCI 3.0 section 6.2.5.1 tells", "[bus][config]")
{
    ConfigSpace space{card()};
    for (std::size_t offset = 0x10; offset < 0x28; offset += 4)
        write32(space, offset, 0xFFFFFFFF);
    CHECK(read32(space, 0x10) == 0xFFFF0000);
    CHECK(read32(space, 0x14) == 0);
    CHECK(read32(space, 0x18) == 0xFFFFC00C);
    CHECK(read32(space, 0x1C) == 0xFFFFFFFF);
    CHECK(read32(space, 0x20) == 0xFFFFFFE1);
    CHECK(read32(space, 0x24) == 0);

    write32(space, 0x10, 0xFEB01234);
    write32(space, 0x18, 0x00004000);
    write32(space, 0x1C, 0x00000008);
    write32(space, 0x20, 0x0000C020);
    CHECK(space.barAddress(0) == 0xFEB00000);
    CHECK(space.barAddress(2) == 0x800004000);
    CHECK(space.barAddress(4) == 0xC020);
    CHECK(space.barAddress(5) == 0);
}

TEST_CASE("The command register keeps only the bits that the function implements", "[bus][config]")
{
    FunctionInfo info = card();
    info.bars[4] = {};
    ConfigSpace space{info};
    write16(space, 0x04, 0xFFFF);
    CHECK((read32(space, 0x04) & 0xFFFF) == 0x0546);
    CHECK(space.memoryEnabled());
    CHECK_FALSE(space.ioEnabled());
    CHECK(space.busMasterEnabled());
    CHECK(space.interruptDisabled());
}

TEST_CASE("The capability list is complete and ends", "[bus][config]")
{
    FunctionInfo info = card();
    info.msix = {8, 0, 0x2000, 0x3000};
    ConfigSpace space{info};
    CHECK((read32(space, 0x04) >> 16 & 0x10) != 0);
    std::vector<std::uint32_t> ids;
    std::uint32_t next = read32(space, 0x34) & 0xFF;
    while (next && ids.size() < 10) {
        ids.push_back(read32(space, next) & 0xFF);
        next = read32(space, next) >> 8 & 0xFF;
    }
    CHECK(ids == std::vector<std::uint32_t>{0x01, 0x05, 0x10, 0x11});
}

TEST_CASE("A function without MSI has a hole, not a capability", "[bus][config]")
{
    FunctionInfo info = card();
    info.msiVectors = 0;
    ConfigSpace space{info};
    CHECK((read32(space, 0x34) & 0xFF) == ConfigSpace::pmCapability);
    CHECK((read32(space, ConfigSpace::pmCapability) >> 8 & 0xFF) == ConfigSpace::expressCapability);
    CHECK(read32(space, ConfigSpace::msiCapability) == 0);
}

TEST_CASE("MSI offers and allocates vectors, MSI-X wins over MSI", "[bus][config]")
{
    FunctionInfo info = card();
    info.msix = {3, 0, 0, 0x800};
    ConfigSpace space{info};
    CHECK(space.interruptMode() == InterruptMode::intx);
    CHECK((read32(space, ConfigSpace::msiCapability) >> 16) == 0x0084);

    write16(space, ConfigSpace::msiCapability + 2, 0x0001 | 1 << 4);
    CHECK(space.interruptMode() == InterruptMode::msi);
    CHECK(space.allocatedVectors() == 2);
    write16(space, ConfigSpace::msiCapability + 2, 0x0001 | 7 << 4); // more than there are
    CHECK(space.allocatedVectors() == 4);

    write16(space, ConfigSpace::msixCapability + 2, 0x8000);
    CHECK(space.interruptMode() == InterruptMode::msix);
    CHECK(space.allocatedVectors() == 3);
    CHECK(read32(space, ConfigSpace::msixCapability + 8) == 0x800);
}

TEST_CASE("D1 and D2 are not entered; D3hot to D0 is told", "[bus][config]")
{
    ConfigSpace space{card()};
    const std::size_t control = ConfigSpace::pmCapability + 4;
    write16(space, control, 1);
    CHECK(space.powerState() == PowerState::D0);
    CHECK_FALSE(write16(space, control, 3).d3ToD0);
    CHECK(space.powerState() == PowerState::D3hot);
    write16(space, control, 2);
    CHECK(space.powerState() == PowerState::D3hot);
    CHECK(write16(space, control, 0).d3ToD0);
    CHECK(space.powerState() == PowerState::D0);
}

TEST_CASE("Initiate FLR is told and reads as zero", "[bus][config]")
{
    ConfigSpace space{card()};
    const std::size_t control = ConfigSpace::expressCapability + 8;
    CHECK((read32(space, ConfigSpace::expressCapability + 4) & 1u << 28) != 0);
    CHECK(write16(space, control, 0x8000 | 0x2810).flr);
    CHECK((read32(space, control) & 0xFFFF) == 0x2810);
    CHECK_FALSE(write16(space, control, 0x2810).flr);
}

TEST_CASE("Accesses past the end read ones and are ignored", "[bus][config]")
{
    ConfigSpace space{card()};
    write32(space, 4094, 0x12345678);
    CHECK(read32(space, 4094) == 0xFFFF0000);
    CHECK(read32(space, 4096) == 0xFFFFFFFF);
    CHECK(read32(space, ~std::size_t{0} - 1) == 0xFFFFFFFF);
    CHECK(read32(space, 0x100) == 0); // no extended capability
}

TEST_CASE("A saved configuration space is restored, another card's is refused", "[bus][config]")
{
    ConfigSpace space{card()};
    write16(space, 0x04, 0x0006);
    write32(space, 0x10, 0xFEB00000);
    space.setInterruptStatus(true);
    std::vector<std::byte> saved(space.bytes().begin(), space.bytes().end());

    ConfigSpace twin{card()};
    REQUIRE(twin.setBytes(saved));
    CHECK(twin.busMasterEnabled());
    CHECK(twin.barAddress(0) == 0xFEB00000);

    FunctionInfo other = card();
    other.identity.device = 0x0043;
    ConfigSpace stranger{other};
    CHECK_FALSE(stranger.setBytes(saved));
    CHECK_FALSE(stranger.setBytes(std::span{saved}.first(100)));
    CHECK_FALSE(stranger.busMasterEnabled());
}

TEST_CASE("Impossible functions are refused with the reason", "[bus][config]")
{
    const auto refused = [](FunctionInfo info, const char *why) {
        CHECK_THROWS_MATCHES(ConfigSpace{info}, std::invalid_argument, Message(why));
    };
    FunctionInfo info = card();
    info.bars[0].size = 0x3000;
    refused(info, "PCI function: BAR0 cannot have 12288 bytes");
    info = card();
    info.bars[4].size = 512;
    refused(info, "PCI function: BAR4 cannot have 512 bytes");
    info = card();
    info.bars[3] = {BarInfo::Kind::memory32, 0x1000, false};
    refused(info, "PCI function: the 64-bit BAR2 needs BAR3 for its upper half");
    info = card();
    info.msiVectors = 3;
    refused(info, "PCI function: 3 MSI vectors");
    info = card();
    info.msix = {4096, 0, 0, 0x8000};
    refused(info, "PCI function: 4096 MSI-X vectors");
    info = card();
    info.msix = {4, 4, 0, 0x800};
    refused(info, "PCI function: the MSI-X table needs a memory BAR");
    info = card();
    info.msix = {16, 0, 0xFFF8, 0};
    refused(info, "PCI function: the MSI-X table or pending bits lie outside BAR0");
}
