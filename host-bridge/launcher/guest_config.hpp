// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a guest is made of, and its two written forms: libvirt's domain XML and QEMU's arguments.
#pragma once

#include "launcher/accelerator.hpp"
#include "launcher/error.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace testcard::launcher
{

/// A card as the guest's machine sees it: a vfio-user server's socket.
struct CardSocket {
    std::string
        name; ///< QEMU device id, unique; letters, digits, '-' and '_', starting with a letter
    std::filesystem::path socket{};
    bool plugged = true; ///< false: its root port stays empty until Machine::plug
    /// How long QEMU, all of it, waits for one answer (x-msg-timeout).
    std::chrono::milliseconds messageTimeout{5000};
};

struct Disk {
    std::filesystem::path file{}; ///< raw
    bool readOnly = true;
    std::string serial{}; ///< what the guest finds in /sys/block/vdX/serial; at most 20 characters
};

struct GuestConfig {
    std::string name = "testcard"; ///< of the domain; letters, digits, '-', '_' and '.'

    std::filesystem::path qemu{};                     ///< the emulator, an executable file
    std::vector<std::filesystem::path> dataFolders{}; ///< QEMU's -L, for a private QEMU
    Accelerator accelerator = Accelerator::tcg;
    std::string cpuModel{}; ///< empty: `max` under TCG, the host's under KVM

    std::filesystem::path kernel{}; ///< direct boot; empty: firmware boots the disks
    std::filesystem::path initrd{};
    std::string commandLine{};
    std::uint64_t memory_MiB = 512;
    unsigned processors = 1;
    std::vector<Disk> disks{}; ///< virtio-blk, vda first

    std::vector<CardSocket> cards{};
    unsigned spareRootPorts = 2; ///< for cards that are plugged later and were not declared

    /// PCI Express' own hot-plug at the root ports in place of ACPI's (design D11); AER recovery
    /// needs it.
    bool nativeHotplug = false;

    /// QEMU listens there for org.testcard.agent.0; empty: no such port.
    std::filesystem::path agentSocket{};
    std::filesystem::path serialLog{}; ///< ttyS0 is written there; empty: no serial port

    /// For QEMU's command line, after everything else: a user's own -boot or -global.
    std::vector<std::string> extraArguments{};
};

inline constexpr const char *agentPortName = "org.testcard.agent.0";

/// Its name, socket and timeout.
Result<void> check(const CardSocket &card);

/// Names, lengths of socket paths (107 bytes), counts of root ports. Every message names the field.
Result<void> check(const GuestConfig &config);

/// The domain as Machine starts it; also what `testcard xml` prints. `config` must pass check().
std::string domainXml(const GuestConfig &config);

/// The same guest as arguments for a QEMU that people start themselves, argv[0] first
/// (`testcard args`).
std::vector<std::string> qemuArguments(const GuestConfig &config);

/// For a shell: quoted where needed, one option with its value per line, joined by backslashes.
std::string shellCommand(const std::vector<std::string> &arguments);

/// The id of the root port that the card at `index` of config.cards sits behind; then come the
/// spare ones.
std::string rootPortName(std::size_t index);

/// The JSON form of QEMU's `-device` and the arguments of `device_add` for a card.
std::string cardDevice(const CardSocket &card, const std::string &rootPort);

} // namespace testcard::launcher
