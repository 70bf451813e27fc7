// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu_bench.hpp"

#include <catch2/matchers/catch_matchers_string.hpp>

#include <fstream>

#include <signal.h>
#include <stdlib.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace
{

MachineStatus endOf(const GuestConfig &config)
{
    const auto machine = must(session().start(config));
    return must(machine->wait(90s));
}

std::string startError(const GuestConfig &config)
{
    const auto machine = session().start(config);
    REQUIRE_FALSE(machine);
    return machine.error().message;
}

} // namespace

TEST_CASE("A guest that powers off has shut down", "[launcher-qemu][state]")
{
    const GuestConfig config = guest("poweroff");
    const auto machine = must(session().start(config));
    CHECK(machine->status().state == MachineState::running);
    CHECK(runs(machine->emulatorPid()));
    CHECK_THAT(machine->emulatorVersion(), ContainsSubstring("."));
    CHECK(fs::is_socket(config.agentSocket));
    const auto end = must(machine->wait(90s));
    CHECK(end.state == MachineState::shutDown);
    CHECK(end.message == "the guest powered off");
    CHECK(serialSays(config, "task: poweroff", 0s));
    CHECK(becomesTrue([&] { return !runs(machine->emulatorPid()); }));
}

TEST_CASE("A guest that resets the machine has restarted", "[launcher-qemu][state]")
{
    const GuestConfig config = guest("reset");
    CHECK(endOf(config).state == MachineState::restarted);
}

TEST_CASE("A guest's panic is told by its line, whether it resets or hangs",
          "[launcher-qemu][state]")
{
    for (const char *then : {"panic=-1", "panic=0"}) {
        INFO(then);
        GuestConfig config = guest("panic");
        config.commandLine += std::string(" ") + then;
        const auto end = endOf(config);
        CHECK(end.state == MachineState::panicked);
        CHECK_THAT(end.message,
                   ContainsSubstring("Kernel panic - not syncing: Attempted to kill init!"));
    }
}

TEST_CASE("A QEMU that is killed or ends by a signal is told apart from the guest's doings",
          "[launcher-qemu][state]")
{
    for (const int number : {SIGKILL, SIGTERM}) {
        const auto machine = must(session().start(guest("watch")));
        kill(machine->emulatorPid(), number);
        const auto end = must(machine->wait(20s));
        CHECK(end.state == MachineState::emulatorEnded);
        CHECK_FALSE(machine->monitor(R"({"execute":"query-status"})"));
    }
}

TEST_CASE("A guest that goes on times out, and is destroyed", "[launcher-qemu][state]")
{
    const auto machine = must(session().start(guest("watch")));
    const auto late = machine->wait(100ms);
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == Error::Kind::timedOut);
    machine->destroy();
    machine->destroy();
    CHECK(machine->status().state == MachineState::destroyed);
    CHECK(must(machine->wait(0ms)).state == MachineState::destroyed);
    CHECK_FALSE(runs(machine->emulatorPid()));
}

TEST_CASE("Two guests run beside each other in a session", "[launcher-qemu]")
{
    const auto first = must(session().start(guest("watch")));
    const auto second = must(session().start(guest("watch")));
    CHECK(first->emulatorPid() != second->emulatorPid());
    kill(second->emulatorPid(), SIGKILL);
    CHECK(must(second->wait(20s)).state == MachineState::emulatorEnded);
    CHECK(first->status().state == MachineState::running);
    CHECK_THAT(must(first->monitor(R"({"execute":"query-status"})")), ContainsSubstring("running"));
}

TEST_CASE("Firmware alone starts, with a disk and the boot order open", "[launcher-qemu]")
{
    GuestConfig config;
    config.qemu = qemuOrSkip();
    config.memory_MiB = 64;
    const fs::path disk = session().folder() / "disk,1.img";
    std::ofstream(disk, std::ios::binary) << std::string(1 << 20, '\0');
    config.disks = {{.file = disk, .readOnly = true, .serial = "test"}};
    const auto machine = must(session().start(config));
    CHECK_THAT(must(machine->monitor(R"({"execute":"query-block"})")),
               ContainsSubstring("disk,1.img"));
    CHECK_THAT(machine->xml(), ContainsSubstring("strict=off"));
}

TEST_CASE("The plain arguments start the same machine without libvirt", "[launcher-qemu][args]")
{
    PlainCard card("plain0");
    GuestConfig config = guest("watch");
    config.cards = {card.socket};
    auto arguments = qemuArguments(config);
    const auto qemu = must(session().spawn(
        {.name = "QEMU", .argv = arguments, .log = session().folder() / "qemu.log"}));
    const bool seen = serialSays(config, ": 1 cards");
    INFO(qemu->logTail());
    CHECK(seen);
}

TEST_CASE("QEMU's own words tell why a guest did not start", "[launcher-qemu][start]")
{
    GuestConfig config = guest("watch");
    config.extraArguments = {"-device", "no-such-device"};
    CHECK_THAT(startError(config),
               ContainsSubstring("did not start") && ContainsSubstring("no-such-device"));
}

TEST_CASE("A missing file or card is named before QEMU starts", "[launcher-qemu][start]")
{
    GuestConfig config = guest("watch");
    config.kernel = "/no/such/vmlinux";
    CHECK_THAT(startError(config), ContainsSubstring("kernel /no/such/vmlinux: No such file"));
    config = guest("watch");
    config.qemu = "/no/such/qemu";
    CHECK_THAT(startError(config), ContainsSubstring("emulator /no/such/qemu"));
    config = guest("watch");
    config.cards = {{.name = "capture0", .socket = session().folder() / "none.sock"}};
    CHECK_THAT(startError(config),
               ContainsSubstring("capture0") && ContainsSubstring("nobody serves"));
}

TEST_CASE("An emulator that is none is an error", "[launcher-qemu][start]")
{
    GuestConfig config = guest("watch");
    config.qemu = "/bin/false";
    CHECK_THAT(startError(config), ContainsSubstring("/bin/false"));
}

TEST_CASE("A card is there from the start, goes, and comes back", "[launcher-qemu][hotplug]")
{
    PlainCard card("plain0");
    GuestConfig config = guest("watch");
    config.cards = {card.socket};
    const auto machine = must(session().start(config));
    REQUIRE(serialSays(config, ": 1 cards"));
    const auto twice = machine->plug(card.socket);
    REQUIRE_FALSE(twice);
    CHECK_THAT(twice.error().message, ContainsSubstring("plugged already"));

    must(machine->unplug("plain0", 20s));
    CHECK(serialSays(config, ": 0 cards"));
    must(machine->plug(card.socket)); // the same socket, the same root port
    CHECK(serialSays(config, "change 2: 1 cards"));
    CHECK(machine->status().state == MachineState::running);
}

TEST_CASE("Cards that were not declared go behind spare root ports, while there are any",
          "[launcher-qemu][hotplug]")
{
    PlainCard first("plain0"), second("plain1"), third("plain2");
    GuestConfig config = guest("watch");
    config.cards = {first.socket};
    config.cards[0].plugged = false;
    config.spareRootPorts = 1;
    const auto machine = must(session().start(config));
    REQUIRE(serialSays(config, ": 0 cards"));
    must(machine->plug(second.socket));
    CHECK(serialSays(config, ": 1 cards"));
    const auto full = machine->plug(third.socket);
    REQUIRE_FALSE(full);
    CHECK_THAT(full.error().message, ContainsSubstring("no root port is free"));
    must(machine->plug(first.socket)); // its own is kept for it
    CHECK(serialSays(config, ": 2 cards"));
    must(machine->unplug("plain1", 20s));
    CHECK(serialSays(config, "change 3: 1 cards")); // the guest has noticed before the next change
    must(machine->plug(third.socket));
    CHECK(serialSays(config, "change 4: 2 cards"));
}

TEST_CASE("A card that died is unplugged, and its successor plugged in", "[launcher-qemu][hotplug]")
{
    PlainCard card("plain0");
    GuestConfig config = guest("watch");
    config.cards = {card.socket};
    const auto machine = must(session().start(config));
    REQUIRE(serialSays(config, ": 1 cards"));
    card.process->signal(SIGKILL);
    REQUIRE(card.process->wait(5s, nullptr));
    CHECK_FALSE(machine->wait(300ms)); // the guest lives on
    must(machine->unplug("plain0", 20s));
    const auto dead = machine->plug(card.socket);
    REQUIRE_FALSE(dead);
    CHECK_THAT(dead.error().message, ContainsSubstring("plain0 cannot be plugged"));
    card.serve();
    must(machine->plug(card.socket));
    CHECK(serialSays(config, "change 2: 1 cards"));
}

TEST_CASE("Unplugging fails with its reason", "[launcher-qemu][hotplug]")
{
    PlainCard card("plain0");
    GuestConfig config = guest("watch");
    config.cards = {card.socket};
    config.commandLine = "console=ttyS0 acpi=off panic=0"; // a kernel deaf to ACPI hot-plug
    config.initrd.clear();
    const auto machine = must(session().start(config));
    const auto unknown = machine->unplug("capture7", 5s);
    REQUIRE_FALSE(unknown);
    CHECK_THAT(unknown.error().message,
               ContainsSubstring("capture7") && ContainsSubstring("not found"));
    const auto deaf = machine->unplug("plain0", 200ms);
    REQUIRE_FALSE(deaf);
    CHECK(deaf.error().kind == Error::Kind::timedOut);
    CHECK_THAT(deaf.error().message, ContainsSubstring("ACPI hot-plug"));
    kill(machine->emulatorPid(), SIGKILL);
    must(machine->wait(20s));
    const auto over = machine->unplug("plain0", 5s);
    REQUIRE_FALSE(over);
    CHECK(over.error().kind == Error::Kind::ended);
}

TEST_CASE("The KVM probe ends with an answer on this host, and remembers it",
          "[launcher-qemu][accel]")
{
    const GuestConfig config = guest("watch");
    const auto begin = std::chrono::steady_clock::now();
    const auto choice = must(session().chooseAccelerator(std::nullopt, config));
    CHECK(std::chrono::steady_clock::now() - begin < 30s);
    WARN("this host: " << name(choice.accelerator) << ", " << choice.reason);
    CHECK_FALSE(choice.reason.empty());
    if (!fs::exists("/dev/kvm")) {
        CHECK(choice.accelerator == Accelerator::tcg);
        return;
    }
    const auto again = must(session().chooseAccelerator(std::nullopt, config));
    CHECK(again.accelerator == choice.accelerator);
    if (choice.reason.find("cannot be opened") == std::string::npos)
        CHECK_THAT(again.reason, ContainsSubstring("remembered"));
}

TEST_CASE("An accelerator that is asked for is taken", "[launcher-qemu][accel]")
{
    const auto choice = must(session().chooseAccelerator(Accelerator::tcg, guest("watch")));
    CHECK(choice.accelerator == Accelerator::tcg);
    CHECK_THAT(choice.reason, ContainsSubstring("--accel tcg"));
}
