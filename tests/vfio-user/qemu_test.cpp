// SPDX-License-Identifier: GPL-2.0-or-later
// The server against the real client: a stock QEMU, with this test in the place of the processor.
#include "bench.hpp"
#include "courier.hpp"
#include "qemu.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

namespace testcard::vfio_user_test
{

namespace
{

using namespace std::chrono_literals;

constexpr unsigned slot = 4;
constexpr std::uint64_t barAddress = 0xE0000000;
constexpr std::uint64_t areaAddress = 0xE0010000;
constexpr std::uint64_t tableAddress = 0xE0020000;
constexpr std::uint64_t guestBuffer = 0x100000;
constexpr std::uint64_t messageAddress = 0x200000;

constexpr std::chrono::milliseconds clientPatience{500}; ///< x-msg-timeout
constexpr std::chrono::milliseconds cardDeadline{250};

/// A private folder for sockets that goes with its test.
struct Folder {
    Folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "vfio-user-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

/// A card on a thread of its own, as it would be in a process of its own.
class Card
{
public:
    Card(const bus::FunctionInfo &info, vfio_user::ServerOptions options)
        : socket_{options.socket},
          function_{info, clock_},
          courier_{function_.bus()},
          loop_{clock_},
          server_{loop_, function_, std::move(options)}
    {
        function_.attach(courier_);
        REQUIRE(server_.listen());
        thread_ = std::thread{[this] { loop_.run(); }};
    }
    Card(const Card &) = delete;
    Card &operator=(const Card &) = delete;
    ~Card()
    {
        loop_.stop();
        thread_.join();
    }

    /// QEMU's argument for the card in a slot of the root bus.
    std::string device(unsigned inSlot, std::chrono::milliseconds patience = 5s) const
    {
        return fmt::format(R"({{"driver":"vfio-user-pci","bus":"pcie.0","addr":"{:02x}.0",)"
                           R"("x-msg-timeout":{},"socket":{{"type":"unix","path":"{}"}}}})",
                           inSlot, patience.count(), socket_.string());
    }

private:
    std::filesystem::path socket_;
    bus::Clock clock_;
    bus::PciFunction function_;
    Courier courier_;
    vfio_user::Loop loop_;
    vfio_user::Server server_;
    std::thread thread_;
};

/// QEMU with a card in slot 4.
struct Machine {
    explicit Machine(const bus::FunctionInfo &info = courierFunction(),
                     vfio_user::ServerOptions options = {}, std::chrono::milliseconds patience = 5s)
    {
        options.socket = folder.path / "card";
        card = std::make_unique<Card>(info, std::move(options));
        qemu.emplace(*qemuBinary(),
                     std::vector<std::string>{"-device", card->device(slot, patience)});
    }

    /// Gives the card its addresses and lets it decode and master the bus.
    void enable()
    {
        qemu->setConfig32(slot, 0x10, static_cast<std::uint32_t>(barAddress));
        qemu->setConfig32(slot, 0x18, static_cast<std::uint32_t>(areaAddress));
        qemu->setConfig32(slot, 0x1C, 0);
        qemu->setConfig32(slot, 0x20, static_cast<std::uint32_t>(tableAddress));
        qemu->setConfig32(slot, 0x04, 0x6);
    }

    /// Rings the doorbell and waits for the message that the card sends into memory.
    void expectMessage(std::uint32_t round, std::uint32_t data)
    {
        qemu->write32(guestBuffer, 0x1000);
        qemu->write32(messageAddress, 0);
        qemu->write32(barAddress + addressRegister, guestBuffer);
        qemu->write32(barAddress + doorbellRegister, round);
        REQUIRE(eventually([&] { return (qemu->read32(messageAddress) & 0xFFFF) == data; }));
        REQUIRE(qemu->read32(guestBuffer + 4) == 0x1000 + round);
    }

    /// Waits until `condition` holds, while both sides work.
    bool eventually(const std::function<bool()> &condition)
    {
        for (const auto end = std::chrono::steady_clock::now() + 20s;
             std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(1ms))
            if (condition()) return true;
        return false;
    }

    Folder folder;
    std::unique_ptr<Card> card;
    std::optional<Qemu> qemu; ///< ends before the card does
};

#define NEEDS_QEMU()                                                                               \
    if (!qemuBinary()) SKIP("no QEMU: set QEMU_BINARY, or run the set-up")

} // namespace

TEST_CASE("QEMU realizes the device and reads its configuration", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    CHECK(machine.qemu->config32(slot, 0x00) == 0xFFFE7C01);
    CHECK(machine.qemu->config32(slot, 0x08) == 0xFF000001);
    machine.qemu->setConfig32(slot, 0x10, 0xFFFFFFFF);
    CHECK(machine.qemu->config32(slot, 0x10) == 0xFFFFF000);
}

TEST_CASE("QEMU's accesses reach the registers", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    machine.enable();
    for (std::uint32_t value = 1; value < 200; ++value) {
        machine.qemu->write32(barAddress + scratchRegister, value);
        REQUIRE(machine.qemu->read32(barAddress + scratchRegister) == value);
    }
}

TEST_CASE("The card moves words in QEMU's memory and signals by a message", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    machine.enable();
    // A message is a write of its data to its address: here, into memory where it can be seen.
    constexpr unsigned msi = bus::ConfigSpace::msiCapability;
    machine.qemu->setConfig32(slot, msi + 4, static_cast<std::uint32_t>(messageAddress));
    machine.qemu->setConfig32(slot, msi + 8, 0);
    machine.qemu->setConfig32(slot, msi + 12, 0x4321);
    machine.qemu->setConfig32(slot, msi, machine.qemu->config32(slot, msi) | 0x10000);
    for (std::uint32_t round = 1; round < 20; ++round)
        machine.expectMessage(round, 0x4321);
}

TEST_CASE("The card signals by MSI-X, and again after the guest has masked it", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine{courierWithMsix()};
    machine.enable();
    for (std::uint32_t vector = 0; vector < 40; ++vector) {
        const std::uint64_t entry = tableAddress + vector * 16ull;
        machine.qemu->write32(entry, static_cast<std::uint32_t>(messageAddress));
        machine.qemu->write32(entry + 4, 0);
        machine.qemu->write32(entry + 8, 0x100 + vector);
        machine.qemu->write32(entry + 12, 0); // not masked
    }
    constexpr unsigned msix = bus::ConfigSpace::msixCapability;
    const std::uint32_t control = machine.qemu->config32(slot, msix);
    machine.qemu->setConfig32(slot, msix, control | 0x80000000);
    for (std::uint32_t round = 1; round < 5; ++round)
        machine.expectMessage(round, 0x100);

    machine.qemu->setConfig32(slot, msix, control);
    machine.qemu->setConfig32(slot, msix, control | 0xC0000000); // all masked
    machine.qemu->setConfig32(slot, msix, control | 0x80000000);
    machine.expectMessage(7, 0x100);
}

TEST_CASE("QEMU takes eight cards that all start at once", "[qemu]")
{
    NEEDS_QEMU();
    const Folder folder;
    std::deque<Card> cards;
    std::vector<std::string> arguments;
    for (unsigned number = 0; number < 8; ++number) {
        vfio_user::ServerOptions options;
        options.socket = folder.path / std::to_string(number);
        bus::FunctionInfo info = courierFunction();
        info.identity.subsystem = static_cast<std::uint16_t>(number);
        cards.emplace_back(info, options);
        arguments.insert(arguments.end(), {"-device", cards.back().device(slot + number)});
    }
    Qemu qemu{*qemuBinary(), arguments};
    for (unsigned number = 0; number < 8; ++number)
        CHECK(qemu.config32(slot + number, 0x2C) == (number << 16 | 0x7C01));
}

TEST_CASE("Without bus mastering the card moves nothing in QEMU's memory", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    machine.enable();
    machine.qemu->setConfig32(slot, 0x04, 0x2);
    machine.qemu->write32(guestBuffer + 4, 0x77);
    machine.qemu->write32(barAddress + addressRegister, guestBuffer);
    machine.qemu->write32(barAddress + doorbellRegister, 5);
    std::this_thread::sleep_for(20ms);
    CHECK(machine.qemu->read32(barAddress + doorbellRegister) == 5);
    CHECK(machine.qemu->read32(guestBuffer + 4) == 0x77);
}

TEST_CASE("The card's INTx is raised, comes again while it is asserted, and is lowered", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    machine.enable();
    machine.qemu->command("irq_intercept_in ioapic");
    std::deque<std::string> lines;
    const auto seen = [&](std::string_view wanted) {
        return machine.eventually([&] {
            machine.qemu->read32(guestBuffer); // keeps QEMU's test protocol going
            for (std::string &line : machine.qemu->takeInterrupts())
                lines.push_back(std::move(line));
            while (!lines.empty()) {
                const std::string line = std::move(lines.front());
                lines.pop_front();
                if (line.starts_with(wanted)) return true;
            }
            return false;
        });
    };
    machine.qemu->write32(barAddress + addressRegister, guestBuffer);
    machine.qemu->write32(barAddress + doorbellRegister, 1);
    CHECK(seen("raise"));
    // An access lowers and unmasks; the card still asserts the line.
    machine.qemu->read32(barAddress + scratchRegister);
    CHECK(seen("lower"));
    CHECK(seen("raise"));
    machine.qemu->write32(barAddress + acknowledgeRegister, 1);
    machine.qemu->read32(barAddress + scratchRegister);
    CHECK(seen("lower"));
    machine.qemu->read32(barAddress + scratchRegister);
    std::this_thread::sleep_for(20ms);
    machine.qemu->read32(guestBuffer);
    CHECK(machine.qemu->takeInterrupts().empty());
}

TEST_CASE("QEMU maps the areas of a BAR that are shared, and only those", "[qemu]")
{
    NEEDS_QEMU();
    MemoryFile memory{65536};
    memory.put(4096, bytesOf(0xFEEDF00Du));
    vfio_user::ServerOptions options;
    options.sharedBars = {
        {.bar = 2, .fd = memory.fd(), .fdOffset = 0, .areas = {{4096, 4096}, {16384, 8192}}}};
    Machine machine{courierFunction(), options};
    machine.enable();
    CHECK(machine.qemu->read32(areaAddress + 4096) == 0xFEEDF00D);
    machine.qemu->write32(areaAddress + 16384, 0x01020304);
    CHECK(memory.get(16384, 4) == bytesOf(0x01020304u));
    CHECK(machine.qemu->read32(areaAddress) == 0);
    machine.qemu->write32(areaAddress, 0x55);
    CHECK(memory.get(0, 4) == Bytes(4));
    CHECK(machine.qemu->read32(areaAddress) == 0x55); // the trapped part is the card's
}

TEST_CASE("QEMU outlives a card that goes, and reads all ones", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    machine.enable();
    machine.qemu->write32(barAddress, 3);
    CHECK(machine.qemu->read32(barAddress) == 3);
    machine.card.reset();
    CHECK(machine.qemu->read32(barAddress) == 0xFFFFFFFF);
    machine.qemu->write32(barAddress, 1);
    CHECK(machine.qemu->running());
}

TEST_CASE("A card that answers too late loses the access, not the device", "[qemu]")
{
    NEEDS_QEMU();
    vfio_user::ServerOptions options;
    options.replyDeadline = cardDeadline;
    Machine machine{courierFunction(), options, clientPatience};
    machine.enable();
    for (std::uint32_t round = 1; round < 3; ++round) {
        CHECK(machine.qemu->read32(barAddress + slowRegister) == 0xFFFFFFFF);
        std::this_thread::sleep_for(Courier::slowness); // the card is awake again
        machine.qemu->write32(barAddress + scratchRegister, round);
        CHECK(machine.qemu->read32(barAddress + scratchRegister) == round);
    }
}

TEST_CASE("The machine's reset resets the card", "[qemu]")
{
    NEEDS_QEMU();
    Machine machine;
    machine.enable();
    machine.qemu->write32(barAddress + scratchRegister, 3);
    machine.qemu->out32(0xCF8, 0);
    machine.qemu->command("outb 0xcf9 0x6"); // the chip set's reset control
    REQUIRE(machine.eventually([&] { return machine.qemu->config32(slot, 0x10) == 0; }));
    machine.enable();
    CHECK(machine.qemu->read32(barAddress + scratchRegister) == 0);
}

} // namespace testcard::vfio_user_test
