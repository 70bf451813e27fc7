// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/dma.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

using namespace testcard::bus;

namespace
{

constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();

std::vector<std::byte> pattern(std::size_t size)
{
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i * 7 + 1);
    return bytes;
}

} // namespace

TEST_CASE("A transfer crosses adjacent regions", "[bus][dma]")
{
    std::array<std::byte, 8192> low{};
    std::array<std::byte, 4096> high{};
    GuestMemory memory;
    REQUIRE(memory.map({0x1000, low}));
    REQUIRE(memory.map({0x3000, high}));

    const auto sent = pattern(6000);
    REQUIRE(memory.write(0x2000, sent) == DmaStatus::ok);
    std::vector<std::byte> got(6000);
    REQUIRE(memory.read(0x2000, got) == DmaStatus::ok);
    CHECK(got == sent);
    CHECK(high[6000 - 4096 - 1] == sent.back());
}

TEST_CASE("A transfer into a hole fails and touches nothing behind it", "[bus][dma]")
{
    std::array<std::byte, 4096> low{};
    std::array<std::byte, 4096> high{};
    GuestMemory memory;
    REQUIRE(memory.map({0x1000, low}));
    REQUIRE(memory.map({0x3000, high}));

    CHECK(memory.write(0x1FFF, pattern(8192)) == DmaStatus::unmapped);
    CHECK(low.back() == std::byte{1});
    CHECK(high == std::array<std::byte, 4096>{});
    std::array<std::byte, 4> into{};
    CHECK(memory.read(0x2000, into) == DmaStatus::unmapped);
    CHECK(memory.read(0, into) == DmaStatus::unmapped);
}

TEST_CASE("Read-only memory is read and not written", "[bus][dma]")
{
    std::array<std::byte, 16> rom{std::byte{42}};
    GuestMemory memory;
    REQUIRE(memory.map({0, rom, true, false}));
    std::array<std::byte, 1> byte{};
    CHECK(memory.read(0, byte) == DmaStatus::ok);
    CHECK(byte[0] == std::byte{42});
    CHECK(memory.write(0, byte) == DmaStatus::readOnly);
}

TEST_CASE("Overlapping, empty and wrapping regions are refused", "[bus][dma]")
{
    std::array<std::byte, 4096> page{};
    GuestMemory memory;
    REQUIRE(memory.map({0x1000, page}));
    CHECK_FALSE(memory.map({0x1000, page}));
    CHECK_FALSE(memory.map({0x1FFF, page}));
    CHECK_FALSE(memory.map({0x0001, page}));
    CHECK_FALSE(memory.map({0x9000, {}}));
    CHECK_FALSE(memory.map({last - 4094, page}));
    CHECK(memory.map({0x2000, page}));
    CHECK(memory.map({0, page}));
    CHECK(memory.regions().size() == 3);
}

TEST_CASE("The last byte of the address space is usable and nothing wraps", "[bus][dma]")
{
    std::array<std::byte, 4096> top{};
    std::array<std::byte, 4096> bottom{};
    GuestMemory memory;
    REQUIRE(memory.map({last - 4095, top}));
    REQUIRE(memory.map({0, bottom}));
    const auto two = pattern(2);
    CHECK(memory.write(last - 1, two) == DmaStatus::ok);
    CHECK(memory.write(last, two) == DmaStatus::unmapped);
    CHECK(bottom[0] == std::byte{0});
}

TEST_CASE("Unmapping removes whole regions inside the range only", "[bus][dma]")
{
    std::array<std::byte, 4096> page{};
    GuestMemory memory;
    for (std::uint64_t address : {0x1000, 0x2000, 0x4000})
        REQUIRE(memory.map({address, page}));
    CHECK(memory.unmap(0x1000, 0x800) == 0);
    CHECK(memory.unmap(0x9000, 0x1000) == 0);
    CHECK(memory.unmap(0x1000, 0) == 0);
    CHECK(memory.unmap(0x1000, 0x2000) == 2);
    CHECK(memory.unmap(0, last) == 1);
    CHECK(memory.regions().empty());
}

TEST_CASE("An access after unmapping the region of the previous one fails", "[bus][dma]")
{
    std::array<std::byte, 4096> page{};
    std::array<std::byte, 4> four{};
    GuestMemory memory;
    REQUIRE(memory.map({0x1000, page}));
    CHECK(memory.read(0x1000, four) == DmaStatus::ok);
    memory.unmap(0x1000, 0x1000);
    CHECK(memory.read(0x1000, four) == DmaStatus::unmapped);
    REQUIRE(memory.map({0x1000, page}));
    CHECK(memory.read(0x1000, four) == DmaStatus::ok);
    memory.clear();
    CHECK(memory.read(0x1000, four) == DmaStatus::unmapped);
}

TEST_CASE("An empty transfer succeeds anywhere", "[bus][dma]")
{
    GuestMemory memory;
    CHECK(memory.read(0x1234, {}) == DmaStatus::ok);
    CHECK(memory.write(last, {}) == DmaStatus::ok);
}
