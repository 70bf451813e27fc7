// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample_guest.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <functional>

using namespace testcard::launcher;
using Catch::Matchers::ContainsSubstring;

namespace
{

/// The message of check() for the sample after `change`; empty if it passes.
std::string complaint(const std::function<void(GuestConfig &)> &change)
{
    GuestConfig config = sampleGuest();
    change(config);
    const auto ok = check(config);
    if (!ok) CHECK(ok.error().kind == Error::Kind::usage);
    return ok ? "" : ok.error().message;
}

} // namespace

TEST_CASE("The sample guest is in order", "[launcher][config]")
{
    CHECK(complaint([](GuestConfig &) {}).empty());
}

TEST_CASE("A socket path that does not fit into sockaddr_un is refused with its length",
          "[launcher][config]")
{
    const std::string longest = "/" + std::string(106, 's');
    CHECK(complaint([&](GuestConfig &c) { c.cards[0].socket = longest; }).empty());
    CHECK_THAT(complaint([&](GuestConfig &c) { c.cards[0].socket = longest + "s"; }),
               ContainsSubstring("capture0") && ContainsSubstring("108 bytes") &&
                   ContainsSubstring("may have 107"));
    CHECK_THAT(complaint([&](GuestConfig &c) { c.agentSocket = longest + "s"; }),
               ContainsSubstring("agent"));
}

TEST_CASE("Relative paths are refused", "[launcher][config]")
{
    CHECK_THAT(complaint([](GuestConfig &c) { c.cards[0].socket = "card.sock"; }),
               ContainsSubstring("not absolute"));
    CHECK_THAT(complaint([](GuestConfig &c) { c.kernel = "vmlinux"; }),
               ContainsSubstring("kernel"));
    CHECK_THAT(complaint([](GuestConfig &c) { c.qemu = "qemu-system-x86_64"; }),
               ContainsSubstring("emulator"));
    CHECK_THAT(complaint([](GuestConfig &c) { c.disks[0].file = "disk"; }),
               ContainsSubstring("disk"));
}

TEST_CASE("Names that QEMU or libvirt would misread are refused", "[launcher][config]")
{
    for (const char *bad : {"", "0card", "a,b", "a b", "a/b", "ca\"rd", "-x"}) {
        INFO("card name: " << bad);
        CHECK_FALSE(complaint([&](GuestConfig &c) { c.cards[0].name = bad; }).empty());
    }
    CHECK_FALSE(complaint([](GuestConfig &c) { c.name = "a/b"; }).empty());
    CHECK_FALSE(
        complaint([](GuestConfig &c) { c.disks[0].serial = std::string(21, 's'); }).empty());
    CHECK_FALSE(complaint([](GuestConfig &c) { c.disks[0].serial = "a,b"; }).empty());
}

TEST_CASE("Two cards cannot share a name", "[launcher][config]")
{
    CHECK_THAT(complaint([](GuestConfig &c) { c.cards[1].name = "capture0"; }),
               ContainsSubstring("two cards"));
}

TEST_CASE("Impossible sizes are refused", "[launcher][config]")
{
    CHECK_THAT(complaint([](GuestConfig &c) { c.spareRootPorts = 63; }), ContainsSubstring("64"));
    CHECK(complaint([](GuestConfig &c) { c.spareRootPorts = 62; }).empty());
    CHECK_THAT(complaint([](GuestConfig &c) { c.memory_MiB = 8; }), ContainsSubstring("memory"));
    CHECK_THAT(complaint([](GuestConfig &c) { c.processors = 0; }),
               ContainsSubstring("processors"));
    CHECK_THAT(complaint([](GuestConfig &c) { c.disks.resize(17, c.disks[0]); }),
               ContainsSubstring("disks"));
    CHECK_THAT(
        complaint([](GuestConfig &c) { c.cards[0].messageTimeout = std::chrono::milliseconds{0}; }),
        ContainsSubstring("timeout"));
}

TEST_CASE("A command line without a kernel is refused", "[launcher][config]")
{
    CHECK_THAT(complaint([](GuestConfig &c) { c.kernel.clear(); }), ContainsSubstring("kernel"));
}

TEST_CASE("Snapshots and migration are refused among extra arguments", "[launcher][config]")
{
    for (const char *bad : {"-loadvm", "--incoming"}) {
        CHECK_THAT(complaint([&](GuestConfig &c) {
                       c.extraArguments = {bad, "x"};
                   }),
                   ContainsSubstring("design D11"));
    }
}

TEST_CASE("A card's device is JSON in the form that QEMU's -device takes", "[launcher][config]")
{
    const CardSocket card{.name = "capture0",
                          .socket = "/run/a,b \"c\".sock",
                          .messageTimeout = std::chrono::milliseconds{750}};
    CHECK(cardDevice(card, rootPortName(0)) ==
          R"({"driver":"vfio-user-pci","id":"capture0","bus":"pci.1",)"
          R"("socket":{"type":"unix","path":"/run/a,b \"c\".sock"},"x-msg-timeout":750})");
}
