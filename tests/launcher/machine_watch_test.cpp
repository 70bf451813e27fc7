// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/event_loop.hpp"
#include "launcher/machine.hpp"
#include "launcher/machine_watch.hpp"
#include "launcher/waiting.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fstream>
#include <functional>

using namespace testcard::launcher;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace
{

bool ready(int fd, std::chrono::milliseconds limit = 0ms)
{
    return waitFor(fd, std::chrono::steady_clock::now() + limit, nullptr) == Wake::ready;
}

/// A watch with a serial log and an emulator's log that tests write.
struct Bench {
    ScratchFolder folder;
    std::shared_ptr<SerialLog> serial = SerialLog::open(folder.path() / "serial.log");
    std::shared_ptr<MachineWatch> watch =
        std::make_shared<MachineWatch>(serial, folder.path() / "qemu.log");

    void serialSays(const std::string &text) const
    {
        std::ofstream(folder.path() / "serial.log", std::ios::app) << text;
    }
    void emulatorSays(const std::string &text) const
    {
        std::ofstream(folder.path() / "qemu.log", std::ios::app) << text;
    }
    void stopped(int detail) const { watch->lifecycle(VIR_DOMAIN_EVENT_STOPPED, detail); }
    void shutdownFor(const std::string &reason) const
    {
        watch->monitorEvent("SHUTDOWN", R"({"guest":true,"reason":")" + reason + "\"}");
    }
    MachineState state() const { return watch->status().state; }
    std::string message() const { return watch->status().message; }
};

constexpr const char *panicLine = "[    1.5] Kernel panic - not syncing: sysrq triggered crash\n";

} // namespace

TEST_CASE("A guest runs until it does not", "[launcher][state]")
{
    const Bench bench;
    CHECK(bench.state() == MachineState::running);
    CHECK_FALSE(ready(bench.watch->endFd()));
    bench.shutdownFor("guest-shutdown");
    bench.watch->monitorEvent("STOP", "{}");
    CHECK(bench.state() == MachineState::running);
    bench.stopped(VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
    CHECK(bench.state() == MachineState::shutDown);
    CHECK(ready(bench.watch->endFd()));
    CHECK(ready(bench.watch->endFd())); // for everybody who waits
}

TEST_CASE("The first reason for a shutdown is the cause", "[launcher][state]")
{
    const Bench bench;
    bench.shutdownFor("guest-reset");
    bench.shutdownFor("host-signal"); // by which libvirt ends QEMU
    bench.stopped(VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
    CHECK(bench.state() == MachineState::restarted);
}

TEST_CASE("A reset after a panic in the serial log is a panic", "[launcher][state]")
{
    const Bench bench;
    bench.serialSays(panicLine);
    bench.shutdownFor("guest-reset");
    bench.stopped(VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
    CHECK(bench.state() == MachineState::panicked);
    CHECK_THAT(bench.message(),
               ContainsSubstring("Kernel panic - not syncing: sysrq triggered crash") &&
                   ContainsSubstring("serial.log"));
}

TEST_CASE("pvpanic is a panic, with or without a serial log", "[launcher][state]")
{
    const Bench bench;
    bench.watch->monitorEvent("GUEST_PANICKED", R"({"action":"pause"})");
    bench.watch->monitorEvent("STOP", "{}");
    bench.watch->lifecycle(VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
    bench.stopped(VIR_DOMAIN_EVENT_STOPPED_CRASHED);
    CHECK(bench.state() == MachineState::panicked);

    const auto mute = std::make_shared<MachineWatch>(nullptr, "");
    mute->monitorEvent("GUEST_PANICKED", "{}");
    mute->lifecycle(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED);
    CHECK(mute->status().state == MachineState::panicked);
    CHECK(mute->status().message == "the guest's kernel panicked");
}

TEST_CASE("A panic that hangs shows by the serial log alone", "[launcher][state]")
{
    EventLoop loop;
    const Bench bench;
    bench.watch->begin();
    bench.serialSays(panicLine);
    REQUIRE(ready(bench.watch->endFd(), 5s));
    CHECK(bench.state() == MachineState::panicked);
}

TEST_CASE("QEMU's end is told with its last words", "[launcher][state]")
{
    const Bench bench;
    bench.emulatorSays("2026-01-01 00:00:00.000+0000: starting up libvirt version: 9.0.0\n"
                       "/opt/qemu \\\n-S \\\n-msg timestamp=on\n"
                       "2026-01-01 00:00:00.100+0000: Domain id=1 is tainted: custom-argv\n"
                       "qemu: -mon x: warning: '-mon' is deprecated\n"
                       "qemu: ../memory.c:2587: Assertion `i < nr' failed.\n"
                       "2026-01-01 00:00:09.000+0000: shutting down, reason=crashed\n");
    bench.stopped(VIR_DOMAIN_EVENT_STOPPED_FAILED);
    CHECK(bench.state() == MachineState::emulatorEnded);
    CHECK(bench.message() == "QEMU ended unexpectedly (it crashed or was killed); its last words:\n"
                             "qemu: ../memory.c:2587: Assertion `i < nr' failed.");
}

TEST_CASE("A signal to QEMU is no power-off of the guest", "[launcher][state]")
{
    const Bench bench;
    bench.shutdownFor("host-signal");
    bench.stopped(VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
    CHECK(bench.state() == MachineState::emulatorEnded);
    CHECK(bench.message() == "a signal ended QEMU");
}

TEST_CASE("Destruction is told apart by who did it", "[launcher][state]")
{
    const Bench ours;
    ours.watch->expectDestruction();
    ours.stopped(VIR_DOMAIN_EVENT_STOPPED_FAILED); // a killed QEMU looks like a crashed one
    CHECK(ours.state() == MachineState::destroyed);
    CHECK(ours.message() == "the guest was destroyed");

    const Bench theirs;
    theirs.stopped(VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
    CHECK(theirs.state() == MachineState::destroyed);
    CHECK_THAT(theirs.message(), ContainsSubstring("somebody else"));
}

TEST_CASE("A stop by QEMU is a state if it lasts", "[launcher][state]")
{
    EventLoop loop;
    const Bench brief;
    const Bench lasting;
    for (const Bench *bench : {&brief, &lasting})
        bench->watch->monitorEvent("STOP", "{}");
    brief.watch->monitorEvent("RESUME", "{}");
    REQUIRE(ready(lasting.watch->endFd(), 5s));
    CHECK(lasting.state() == MachineState::stopped);
    CHECK(brief.state() == MachineState::running);
}

TEST_CASE("A lost connection to libvirt ends the machine for us", "[launcher][state]")
{
    const Bench bench;
    bench.watch->connectionLost();
    CHECK(bench.state() == MachineState::emulatorEnded);
    CHECK_THAT(bench.message(), ContainsSubstring("connection to libvirt"));
}

TEST_CASE("Who waits for a device hears of its own only", "[launcher][state]")
{
    const Bench bench;
    const auto first = bench.watch->expectDeparture("capture0");
    const auto second = bench.watch->expectDeparture("capture1");
    bench.watch->monitorEvent("DEVICE_DELETED", R"({"path":"/machine/peripheral/capture0"})");
    bench.watch->monitorEvent("DEVICE_DELETED", "not JSON");
    CHECK_FALSE(ready(first->fd.get()));
    bench.watch->monitorEvent("DEVICE_DELETED", R"({"device":"capture0"})");
    CHECK(ready(first->fd.get()));
    CHECK(bench.watch->answer(*first) == true);
    CHECK_FALSE(ready(second->fd.get()));
    bench.watch->monitorEvent("DEVICE_UNPLUG_GUEST_ERROR", R"({"device":"capture1"})");
    CHECK(bench.watch->answer(*second) == false);
}

TEST_CASE("Commands that would lose the cards' state are refused", "[launcher][monitor]")
{
    for (const char *command :
         {R"({"execute":"migrate"})", R"({"execute":"migrate-set-capabilities"})",
          R"({"execute":"snapshot-save"})",
          R"({"execute":"human-monitor-command","arguments":{"command-line":" savevm x"}})",
          R"({"execute":"human-monitor-command","arguments":{"command-line":"loadvm x"}})"}) {
        INFO(command);
        CHECK_THAT(refusal(command), ContainsSubstring("design D11"));
    }
    CHECK(refusal(R"({"execute":"query-status"})").empty());
    CHECK(refusal(R"({"execute":"human-monitor-command","arguments":{"command-line":"info pci"}})")
              .empty());
    for (const char *wrong : {"", "quit", "[]", R"({"execute":7})"}) {
        INFO(wrong);
        CHECK_THAT(refusal(wrong), ContainsSubstring("not a QMP command"));
    }
}
