// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/registers.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

using namespace testcard::bus;
using enum RegisterAccess;

namespace
{

constexpr std::array table = std::to_array<RegisterInfo>({
    {"ID", 0x00, 4, RO, 0, 0x12345678},
    {"MODE", 0x04, 4, RW, 0x0000FFFF, 0x00000001},
    {"STATUS", 0x08, 4, W1C, 0x0000000F, 0},
    {"COMMAND", 0x0C, 4, WO, 0x00000003, 0},
    {"BYTE", 0x20, 1, RW, 0x7F, 0},
    {"FLAG", 0x21, 1, W1C, 0xFF, 0x81},
    {"HALF", 0x22, 2, RW, 0xFFFF, 0xABCD},
});
static_assert(wellFormed(table));

constexpr std::array overlapping =
    std::to_array<RegisterInfo>({{"A", 0x00, 4, RW, 0, 0}, {"B", 0x02, 2, RW, 0, 0}});
static_assert(!wellFormed(overlapping));
constexpr std::array misaligned = std::to_array<RegisterInfo>({{"A", 0x02, 4, RW, 0, 0}});
static_assert(!wellFormed(misaligned));
constexpr std::array descending =
    std::to_array<RegisterInfo>({{"A", 0x08, 4, RW, 0, 0}, {"B", 0x00, 4, RW, 0, 0}});
static_assert(!wellFormed(descending));
constexpr std::array tooWide = std::to_array<RegisterInfo>({{"A", 0x00, 1, RW, 0x100, 0}});
static_assert(!wellFormed(tooWide));
constexpr std::array writableReadOnly = std::to_array<RegisterInfo>({{"A", 0x00, 4, RO, 1, 0}});
static_assert(!wellFormed(writableReadOnly));

struct Effects {
    std::vector<std::string> names;
    RegisterChange last{};

    RegisterFile::Effect handler()
    {
        return [this](const RegisterInfo &info, RegisterChange change) {
            names.emplace_back(info.name);
            last = change;
        };
    }
};

} // namespace

TEST_CASE("Registers have their reset values at first and after a reset", "[bus][registers]")
{
    RegisterFile file{table, {1, 4}};
    file.write(0x04, 4, 0xFFFFFFFF, Effects{}.handler());
    file[0x08] = 5;
    file.reset();
    for (const RegisterInfo &info : table)
        if (info.access != WO) CHECK(file.read(info.offset, info.size) == info.reset);
}

TEST_CASE("RW changes writable bits, W1C clears, RO stays, WO reads zero", "[bus][registers]")
{
    RegisterFile file{table, {4, 4}};
    Effects effects;
    CHECK(file.write(0x04, 4, 0xFFFF1234, effects.handler()));
    CHECK(file.read(0x04, 4) == 0x1234);
    CHECK(effects.last.before == 1);
    CHECK(effects.last.written == 0x1234);
    CHECK(effects.last.now == 0x1234);

    file[0x08] = 0x0000000F;
    file.write(0x08, 4, 0xFFFFFFF5, effects.handler());
    CHECK(file.read(0x08, 4) == 0x0000000A);
    CHECK(effects.last.written == 5);

    CHECK(file.write(0x00, 4, 0, effects.handler()));
    CHECK(file.read(0x00, 4) == 0x12345678);

    file.write(0x0C, 4, 0xFFFFFFFF, effects.handler());
    CHECK(effects.last.now == 3);
    CHECK(file.read(0x0C, 4) == 0);

    CHECK(effects.names == std::vector<std::string>{"MODE", "STATUS", "COMMAND"});
}

TEST_CASE("A strict card takes aligned 32-bit accesses only", "[bus][registers]")
{
    RegisterFile file{table, {4, 4}};
    Effects effects;
    bool known = true;
    CHECK(file.read(0x00, 1, &known) == 0);
    CHECK_FALSE(known);
    CHECK(file.read(0x02, 4, &known) == 0);
    CHECK_FALSE(known);
    CHECK(file.read(0x00, 8, &known) == 0);
    CHECK_FALSE(known);
    CHECK_FALSE(file.write(0x05, 1, 0xFF, effects.handler()));
    CHECK_FALSE(file.write(0x06, 4, 0xFF, effects.handler()));
    CHECK(effects.names.empty());
    CHECK(file.read(0x04, 4) == 1);
}

TEST_CASE("A byte-wide card takes parts of registers and several at once", "[bus][registers]")
{
    RegisterFile file{table, {1, 4}};
    Effects effects;
    CHECK(file.read(0x20, 4) == 0xABCD8100);
    CHECK(file.read(0x01, 1) == 0x56);

    file.write(0x20, 4, 0x1234FFFF, effects.handler());
    CHECK(effects.names == std::vector<std::string>{"BYTE", "FLAG", "HALF"});
    CHECK(file.read(0x20, 4) == 0x1234007F);

    file.write(0x23, 1, 0x99, effects.handler());
    CHECK(file.read(0x22, 2) == 0x9934);
    CHECK(effects.last.before == 0x1234);
    CHECK(effects.last.now == 0x9934);
}

TEST_CASE("Where no register is, reads are zero and writes have no effect", "[bus][registers]")
{
    RegisterFile file{table, {4, 4}};
    Effects effects;
    bool known = true;
    CHECK(file.read(0x10, 4, &known) == 0);
    CHECK_FALSE(known);
    CHECK_FALSE(file.write(0x10, 4, 1, effects.handler()));
    CHECK(effects.names.empty());
    CHECK(file.find(0x10) == nullptr);
    REQUIRE(file.find(0x07) != nullptr);
    CHECK(std::string{file.find(0x07)->name} == "MODE");
}

TEST_CASE("Register values are saved and restored, another table's are refused", "[bus][registers]")
{
    RegisterFile file{table, {4, 4}};
    file[0x04] = 77;
    const std::vector<std::uint32_t> saved(file.values().begin(), file.values().end());
    file.reset();
    CHECK(file.setValues(saved));
    CHECK(file[0x04] == 77);
    CHECK_FALSE(file.setValues(std::span{saved}.first(2)));
}
