// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/accelerator.hpp"
#include "processes.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fstream>
#include <sstream>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace
{

/// A host whose /dev/kvm, QEMU and kernel are files of ours.
struct Host {
    ScratchFolder folder;
    AcceleratorProbe probe;

    /// `behaviour` is shell; $serial is the file that the guest's serial port goes to.
    explicit Host(const std::string &behaviour)
    {
        probe.qemu = folder.path() / "qemu";
        probe.kernel = folder.path() / "vmlinux";
        probe.device = folder.path() / "kvm";
        probe.workFolder = folder.path();
        probe.cacheFolder = folder.path() / "cache";
        probe.limit = 5s;
        std::ofstream(probe.kernel) << "kernel";
        std::ofstream(probe.device) << "device";
        write(behaviour);
    }

    void write(const std::string &behaviour) const
    {
        std::ofstream(probe.qemu)
            << "#!/bin/sh\n"
               "echo \"$@\" > '"
            << folder.path().string()
            << "/arguments'\n"
               "for argument; do case $argument in file:*) serial=${argument#file:};; esac; done\n"
            << behaviour << '\n';
        chmod(probe.qemu.c_str(), 0755);
    }

    AcceleratorChoice ask() const
    {
        const auto choice = probeAccelerator(probe, nullptr);
        REQUIRE(choice);
        INFO(choice->reason);
        return *choice;
    }

    std::string arguments() const
    {
        std::ifstream file(folder.path() / "arguments");
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
};

constexpr const char *boots = "echo 'Kernel panic - not syncing: VFS: Unable to mount root fs on "
                              "unknown-block(0,0)' > $serial";

} // namespace

TEST_CASE("--accel takes three words", "[launcher][accel]")
{
    CHECK(parseAccelerator("auto").value() == std::nullopt);
    CHECK(parseAccelerator("tcg").value() == Accelerator::tcg);
    CHECK(parseAccelerator("kvm").value() == Accelerator::kvm);
    const auto wrong = parseAccelerator("KVM");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().kind == Error::Kind::usage);
    CHECK_THAT(wrong.error().message, ContainsSubstring("auto, tcg or kvm"));
}

TEST_CASE("Without a device there is no KVM, and no boot is tried", "[launcher][accel]")
{
    Host host(boots);
    host.probe.device = "/dev/no-such-device";
    const auto choice = host.ask();
    CHECK(choice.accelerator == Accelerator::tcg);
    CHECK(choice.reason == "/dev/no-such-device does not exist");
    CHECK(host.arguments().empty());
}

TEST_CASE("Without a kernel nothing proves that KVM works", "[launcher][accel]")
{
    Host host(boots);
    host.probe.kernel.clear();
    CHECK(host.ask().accelerator == Accelerator::tcg);
    CHECK_THAT(host.ask().reason, ContainsSubstring("no guest kernel"));
}

TEST_CASE("A kernel that looks for its root under KVM proves KVM", "[launcher][accel]")
{
    const Host host(boots);
    CHECK(host.ask().accelerator == Accelerator::kvm);
    CHECK_THAT(host.arguments(), ContainsSubstring("-accel kvm") &&
                                     ContainsSubstring("-no-reboot") &&
                                     ContainsSubstring("-kernel " + host.probe.kernel.string()));
}

TEST_CASE("A kernel that hangs under KVM means TCG after the limit", "[launcher][accel]")
{
    Host host("echo 'Booting from ROM...' > $serial; exec sleep 1000");
    host.probe.limit = 200ms;
    const auto choice = host.ask();
    CHECK(choice.accelerator == Accelerator::tcg);
    CHECK_THAT(choice.reason, ContainsSubstring("hangs") && ContainsSubstring("within 0.2 s") &&
                                  ContainsSubstring("Booting from ROM..."));
    CHECK(processesThatMention(host.folder.path().string()).empty());
}

TEST_CASE("An early death under KVM means TCG with its reason", "[launcher][accel]")
{
    CHECK_THAT(Host("echo 'failed to initialize kvm: Permission denied' >&2; exit 1").ask().reason,
               ContainsSubstring("exited with code 1") && ContainsSubstring("Permission denied"));
    // A triple fault resets the machine, which -no-reboot turns into a clean exit.
    CHECK_THAT(Host("echo 'Linux version 6.1' > $serial").ask().reason,
               ContainsSubstring("does not boot") && ContainsSubstring("Linux version 6.1"));
    Host host("");
    host.probe.qemu = "/no/such/qemu";
    CHECK_THAT(host.ask().reason, ContainsSubstring("/no/such/qemu"));
}

TEST_CASE("The answer is remembered until kernel or QEMU change", "[launcher][accel]")
{
    Host host(boots);
    CHECK_THAT(host.ask().reason, !ContainsSubstring("remembered"));
    fs::remove(host.folder.path() / "arguments");
    const auto again = host.ask();
    CHECK(again.accelerator == Accelerator::kvm);
    CHECK_THAT(again.reason, ContainsSubstring("remembered in " + host.probe.cacheFolder.string()));
    CHECK(host.arguments().empty());

    std::ofstream(host.probe.kernel) << "another kernel";
    CHECK_THAT(host.ask().reason, !ContainsSubstring("remembered"));
    host.write("exit 3 # another QEMU");
    CHECK(host.ask().accelerator == Accelerator::tcg);
    CHECK_THAT(host.ask().reason, ContainsSubstring("remembered"));
}

TEST_CASE("A damaged answer is asked for anew", "[launcher][accel]")
{
    const Host host(boots);
    host.ask();
    for (const char *damage : {"", "{", "[]", "{\"kvm\":false}", "{\"kvm\":1,\"reason\":2}"}) {
        for (const auto &file : fs::directory_iterator(host.probe.cacheFolder))
            std::ofstream(file.path()) << damage;
        CHECK(host.ask().accelerator == Accelerator::kvm);
    }
}

TEST_CASE("The probe can be interrupted, and that is not remembered", "[launcher][accel]")
{
    const Host host("exec sleep 1000");
    Interrupt interrupt;
    const std::jthread impatient([&] {
        std::this_thread::sleep_for(50ms);
        interrupt.raise();
    });
    const auto choice = probeAccelerator(host.probe, &interrupt);
    REQUIRE_FALSE(choice);
    CHECK(choice.error().kind == Error::Kind::interrupted);
    CHECK_FALSE(fs::exists(host.probe.cacheFolder));
    CHECK(processesThatMention(host.folder.path().string()).empty());
}
