// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/attach_help.hpp"

#include "launcher/guest_config.hpp"

#include <fmt/format.h>

namespace testcard::scenario
{

namespace
{

/// XML's attribute text, within single quotes.
std::string xmlQuoted(const std::string &text)
{
    std::string out;
    for (const char c : text) {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '\'')
            out += "&apos;";
        else
            out += c;
    }
    return "'" + out + "'";
}

std::string rootPort(std::size_t index)
{
    return fmt::format("testcard-port{}", index);
}

std::string rootPortDevice(std::size_t index)
{
    constexpr std::size_t firstChassis = 100; // beyond those that libvirt hands out
    return fmt::format("pcie-root-port,id={},chassis={}", rootPort(index), firstChassis + index);
}

std::string deviceOf(const cards::ServedCard &card, std::size_t index)
{
    launcher::CardSocket socket;
    socket.name = card.spec.name;
    socket.socket = card.socket;
    return launcher::cardDevice(socket, rootPort(index));
}

std::string qemuPart(const std::vector<cards::ServedCard> &cards)
{
    std::string out = "# QEMU 10.1 or newer, machine q35; the guest's memory must be shared "
                      "(512M: as you like):\n"
                      "    -machine q35,memory-backend=ram \\\n"
                      "    -object memory-backend-memfd,id=ram,size=512M,share=on -m 512M";
    for (std::size_t i = 0; i < cards.size(); ++i)
        out += fmt::format(" \\\n    -device {} \\\n    -device {}", rootPortDevice(i),
                           launcher::shellCommand({deviceOf(cards[i], i)}));
    return out + "\n";
}

std::string libvirtPart(const std::vector<cards::ServedCard> &cards)
{
    std::string out = "# libvirt: in <domain type='...' "
                      "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>, with an "
                      "<emulator> of QEMU 10.1 or newer\n"
                      "# (without <acpi/>, libvirt gives an option that QEMU no longer has):\n"
                      "    <os>\n"
                      "      <type arch='x86_64' machine='q35'>hvm</type>\n"
                      "    </os>\n"
                      "    <features>\n"
                      "      <acpi/>\n"
                      "    </features>\n"
                      "    <memoryBacking>\n"
                      "      <source type='memfd'/>\n"
                      "      <access mode='shared'/>\n"
                      "    </memoryBacking>\n"
                      "    <qemu:commandline>\n";
    for (std::size_t i = 0; i < cards.size(); ++i)
        for (const std::string &device : {rootPortDevice(i), deviceOf(cards[i], i)})
            out += fmt::format("      <qemu:arg value='-device'/>\n      <qemu:arg value={}/>\n",
                               xmlQuoted(device));
    return out + "    </qemu:commandline>\n";
}

} // namespace

std::string attachHelp(const std::vector<cards::ServedCard> &cards)
{
    std::string out;
    for (const cards::ServedCard &card : cards)
        out += fmt::format("# card {} ({}) is served at {}\n", card.spec.name, card.spec.type,
                           card.socket.string());
    out += "\n" + qemuPart(cards) + "\n" + libvirtPart(cards) + "\n";
    for (const cards::ServedCard &card : cards)
        out += fmt::format("# to ask {} what it does, in JSON lines: socat - {}\n"
                           "    {{\"execute\":\"status\"}}\n",
                           card.spec.name,
                           launcher::shellCommand({"UNIX-CONNECT:" + card.control.string()}));
    return out + "# Ctrl-C ends the cards.\n";
}

} // namespace testcard::scenario
