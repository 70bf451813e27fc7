// SPDX-License-Identifier: GPL-2.0-or-later
// What every card owes its bus, checked on each of them. A new card adds a line to `descriptions`
// and a case to Slot::startDma().
#include "bus/registers.hpp"
#include "capture/capture_regs.h"
#include "cards/card.hpp"
#include "support/test_machine.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace testcard;

namespace
{

const std::vector<std::string> descriptions{
    "capture",
    "capture,interrupts=intx",
    "capture,interrupts=msix,media=noise",
    "capture,pacing=as-fast-as-possible,width=640,height=480",
};

constexpr std::uint64_t ramAddress = 0x100000;

/// A card as its transport holds it, with 4 MiB of guest memory at 1 MiB.
struct Slot {
    explicit Slot(const std::string &description)
        : card{*cards::makeCard(*cards::parseCard(description), clock)}
    {
        function().guestMemory().map({ramAddress, ram});
        function().connect(&interrupts);
        enable();
    }

    bus::PciFunction &function() { return card->function(); }
    void enable() { configWrite(0x04, 0x0007); }
    void configWrite(std::size_t offset, std::uint16_t value)
    {
        function().configWrite(offset, std::as_bytes(std::span{&value, 1}));
    }
    std::uint32_t read(unsigned bar, std::uint64_t offset, unsigned size = 4)
    {
        std::uint32_t value = 0;
        function().barRead(bar, offset, std::as_writable_bytes(std::span{&value, 1}).first(size));
        return value;
    }
    void write(unsigned bar, std::uint64_t offset, std::uint32_t value, unsigned size = 4)
    {
        function().barWrite(bar, offset, std::as_bytes(std::span{&value, 1}).first(size));
    }
    /// Calls `visit(bar, register)` for every register that the card has.
    template <typename Visitor>
    void eachRegister(Visitor visit)
    {
        for (unsigned bar = 0; bar < 6; ++bar)
            if (const bus::RegisterFile *file = function().device().registers(bar))
                for (const bus::RegisterInfo &info : file->table())
                    visit(bar, info);
    }
    /// Random accesses of all widths, mostly at registers, some anywhere; time moves on in between.
    void disturb(std::mt19937_64 &random, int accesses)
    {
        std::vector<std::pair<unsigned, bus::RegisterInfo>> known;
        eachRegister(
            [&](unsigned bar, const bus::RegisterInfo &info) { known.emplace_back(bar, info); });
        for (int i = 0; i < accesses; ++i) {
            const auto &[bar, info] = known[random() % known.size()];
            const std::uint64_t offset = random() % 16 ? info.offset : random() % 0x10000;
            const unsigned size = random() % 16 ? 4 : 1u << random() % 3;
            auto value = static_cast<std::uint32_t>(random());
            if (random() % 4 == 0) value %= 64;
            if (random() % 4 == 0) value = static_cast<std::uint32_t>(ramAddress + value % 0x10000);
            if (random() % 2)
                write(bar, offset, value, size);
            else
                read(bar, offset, size);
            if (random() % 8 == 0) clock.advanceTo(clock.now() + random() % 5'000'000);
        }
    }

    /// Puts the card to work as a driver would: from now on it does DMA as time passes.
    void startDma()
    {
        enable();
        startCapture();
    }
    /// Lets time pass until the card has written to its rings; how long is the card's matter.
    void awaitDma()
    {
        const auto rings = std::span{ram}.first(0x10000);
        const std::vector<std::byte> before(rings.begin(), rings.end());
        const auto written = [&] { return !std::ranges::equal(rings, before); };
        for (int i = 0; i < 100 && !written(); ++i)
            clock.advanceTo(clock.now() + 1'000'000);
        REQUIRE(written());
    }

    bus::Clock clock;
    std::vector<std::byte> ram = std::vector<std::byte>(4u << 20);
    test::RecordingInterrupts interrupts;
    std::unique_ptr<cards::Card> card;

private:
    template <typename Structure>
    void put(std::uint64_t address, const Structure &structure)
    {
        std::memcpy(ram.data() + (address - ramAddress), &structure, sizeof structure);
    }
    /// A stream of BGR24 frames into one buffer, eight times in the ring.
    void startCapture()
    {
        const std::uint64_t lists = ramAddress + 0x1000;
        const std::uint64_t buffer = ramAddress + 0x100000;
        const std::uint32_t width = read(0, CAPTURE_SIGNAL_WIDTH);
        const std::uint32_t height = read(0, CAPTURE_SIGNAL_HEIGHT);
        const std::uint64_t stream = CAPTURE_STREAM(0);
        write(0, stream + STREAM_COMMAND, STREAM_COMMAND_ABORT);
        clock.advanceTo(clock.now());
        put(lists, capture_sg{buffer, 3 * width * height, 0});
        for (std::uint64_t slot = 0; slot < 8; ++slot)
            put(ramAddress + slot * sizeof(capture_descriptor),
                capture_descriptor{lists, 1, 0, slot, 0});
        const std::array<std::pair<std::uint32_t, std::uint32_t>, 14> settings{{
            {STREAM_FORMAT, CAPTURE_FORMAT_BGR24},
            {STREAM_WIDTH, width},
            {STREAM_HEIGHT, height},
            {STREAM_STRIDE, 3 * width},
            {STREAM_OFFSET, 0},
            {STREAM_RING_LOW, ramAddress},
            {STREAM_RING_HIGH, 0},
            {STREAM_COMPLETION_LOW, ramAddress + 0x2000},
            {STREAM_COMPLETION_HIGH, 0},
            {STREAM_INDEX_LOW, ramAddress + 0x3000},
            {STREAM_INDEX_HIGH, 0},
            {STREAM_RING_SHIFT, 3},
            {STREAM_COMMAND, STREAM_COMMAND_COMMIT},
            {STREAM_DOORBELL, 8},
        }};
        for (const auto &[offset, value] : settings)
            write(0, stream + offset, value);
        write(0, CAPTURE_IRQ_MASK, 0xFFFFFFFF);
        write(0, stream + STREAM_CONTROL, STREAM_CONTROL_RUN);
    }
};

} // namespace

TEST_CASE("Every card reads its reset values, or what it computes at once, after each reset",
          "[contract]")
{
    Slot slot{GENERATE(from_range(descriptions))};
    const auto snapshot = [&slot] {
        std::vector<std::uint32_t> values;
        slot.eachRegister([&](unsigned bar, const bus::RegisterInfo &info) {
            values.push_back(slot.read(bar, info.offset, info.size));
        });
        return values;
    };
    const auto fresh = snapshot();
    slot.eachRegister([&](unsigned bar, const bus::RegisterInfo &info) {
        const std::uint32_t value = slot.read(bar, info.offset, info.size);
        if (info.access != bus::RegisterAccess::RO) {
            INFO(info.name);
            CHECK(value == (info.access == bus::RegisterAccess::WO ? 0 : info.reset));
        }
    });
    std::mt19937_64 random{1};
    slot.startDma();
    slot.awaitDma();
    slot.disturb(random, 300);
    slot.function().reset();
    slot.enable();
    CHECK(snapshot() == fresh);
    slot.startDma();
    slot.awaitDma();
    slot.configWrite(bus::ConfigSpace::expressCapability + 8, 0x8000);
    slot.enable();
    CHECK(snapshot() == fresh);
}

TEST_CASE("Every card, changed, saved and restored, is equal", "[contract]")
{
    const std::string description = GENERATE(from_range(descriptions));
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Slot slot{description};
        std::mt19937_64 random{seed};
        slot.startDma();
        slot.awaitDma();
        slot.disturb(random, 4 * static_cast<int>(seed) - 4); // none at first: DMA is under way
        const auto state = slot.function().save();
        Slot twin{description};
        twin.clock.advanceTo(slot.clock.now());
        twin.ram = slot.ram;
        REQUIRE(twin.function().restore(state));
        CHECK(twin.function().save() == state);
        const bus::Nanoseconds later = slot.clock.now() + 50'000'000;
        slot.clock.advanceTo(later);
        twin.clock.advanceTo(later);
        CHECK(twin.ram == slot.ram);
        CHECK(twin.function().save() == slot.function().save());
    }
}

TEST_CASE("Every card survives any register traffic and works after a reset", "[contract][fuzz]")
{
    const std::string description = GENERATE(from_range(descriptions));
    Slot slot{description};
    std::mt19937_64 random{GENERATE(1u, 2u, 3u)};
    for (int round = 0; round < 20; ++round) {
        slot.startDma();
        if (round % 2) slot.awaitDma();
        for (std::size_t i = 0; i < 0x20000; i += 8) // descriptors of any kind in reach
            if (random() % 4 == 0)
                *reinterpret_cast<std::uint64_t *>(slot.ram.data() + i) =
                    random() % 2 ? random() : ramAddress + random() % 0x20000;
        slot.disturb(random, 200);
    }
    slot.function().reset();
    slot.enable();
    CHECK(slot.read(0, 0) != 0xFFFFFFFF);
    CHECK_FALSE(slot.interrupts.level);
}

TEST_CASE("Every card runs on when its memory goes", "[contract]")
{
    Slot slot{GENERATE(from_range(descriptions))};
    std::mt19937_64 random{7};
    slot.startDma();
    slot.awaitDma();
    slot.function().guestMemory().clear();
    slot.clock.advanceTo(slot.clock.now() + 100'000'000);
    slot.disturb(random, 500);
    slot.function().reset();
    slot.enable();
    CHECK(slot.read(0, 0) != 0xFFFFFFFF);
}

TEST_CASE("Every card is silent after a reset: no interrupt, no DMA", "[contract]")
{
    Slot slot{GENERATE(from_range(descriptions))};
    slot.startDma();
    slot.awaitDma();
    slot.function().reset();
    slot.interrupts.messages.clear();
    const auto memory = slot.ram;
    slot.clock.advanceTo(slot.clock.now() + 1'000'000'000);
    CHECK(slot.ram == memory);
    CHECK(slot.interrupts.messages.empty());
    CHECK_FALSE(slot.interrupts.level);
}
