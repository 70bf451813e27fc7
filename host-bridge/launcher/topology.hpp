// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where things stand on the root bus, pcie.0. Addresses are fixed so that libvirt puts nothing of
/// its own behind the cards' root ports, and a guest finds the same machine from run to run.
#pragma once

#include "launcher/guest_config.hpp"

#include <cstddef>

namespace testcard::launcher
{

struct RootAddress {
    unsigned slot = 0;
    unsigned function = 0;
};

inline constexpr unsigned agentSlot = 2;
inline constexpr unsigned firstPortSlot = 4;
inline constexpr unsigned firstDiskSlot = 12;

inline std::size_t rootPortCount(const GuestConfig &config)
{
    return config.cards.size() + config.spareRootPorts;
}

inline RootAddress rootPortAddress(std::size_t index)
{
    return {firstPortSlot + static_cast<unsigned>(index / 8), static_cast<unsigned>(index % 8)};
}

/// Function 0 announces the others of its slot.
inline bool rootPortIsMultifunction(const GuestConfig &config, std::size_t index)
{
    return index % 8 == 0 && index + 1 < rootPortCount(config);
}

inline RootAddress diskAddress(std::size_t index)
{
    return {firstDiskSlot + static_cast<unsigned>(index), 0};
}

/// The value of QEMU's -global with which Linux takes hot-plug to be the root ports' own.
inline constexpr const char *nativeHotplugProperty =
    "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off";

/// `max` is what TCG can do; under KVM a guest sees the host's processor.
inline std::string_view defaultCpuModel(const GuestConfig &config)
{
    return config.accelerator == Accelerator::kvm ? "host" : "max";
}

} // namespace testcard::launcher
