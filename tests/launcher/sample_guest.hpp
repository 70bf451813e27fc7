// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A guest with something of everything, for tests that only write it down.
#pragma once

#include "launcher/guest_config.hpp"

namespace testcard::launcher
{

inline GuestConfig sampleGuest()
{
    GuestConfig config;
    config.name = "sample";
    config.qemu = "/opt/qemu/bin/qemu-system-x86_64";
    config.kernel = "/srv/guest/vmlinux";
    config.initrd = "/srv/guest/initrd.img";
    config.commandLine = "console=ttyS0 panic=-1 note=\"a < b & c\"";
    config.memory_MiB = 768;
    config.processors = 2;
    config.disks = {{.file = "/srv/guest/a,b.squashfs", .readOnly = true, .serial = "packages"},
                    {.file = "/srv/guest/scratch.img", .readOnly = false}};
    config.cards = {{.name = "capture0", .socket = "/run/cards/capture0.sock"},
                    {.name = "capture1", .socket = "/run/cards/capture1.sock", .plugged = false}};
    config.spareRootPorts = 1;
    config.agentSocket = "/run/cards/agent.sock";
    config.serialLog = "/run/cards/serial.log";
    config.nativeHotplug = true;
    config.extraArguments = {"-rtc", "base=2001-01-01"};
    return config;
}

} // namespace testcard::launcher
