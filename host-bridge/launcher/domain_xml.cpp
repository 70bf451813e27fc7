// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/domain_xml.hpp"

#include "launcher/topology.hpp"

#include <fmt/format.h>
#include <pugixml.hpp>

#include <array>
#include <sstream>
#include <string_view>
#include <utility>

namespace testcard::launcher
{
namespace
{

using pugi::xml_node;
using Attributes = std::initializer_list<std::pair<const char *, std::string>>;

xml_node add(xml_node parent, const char *name, Attributes attributes = {})
{
    xml_node node = parent.append_child(name);
    for (const auto &[key, value] : attributes)
        node.append_attribute(key) = value.c_str();
    return node;
}

void addText(xml_node parent, const char *name, const std::string &text, Attributes attributes = {})
{
    add(parent, name, attributes).text().set(text.c_str());
}

void addAddress(xml_node device, RootAddress address, bool multifunction = false)
{
    xml_node node = add(device, "address",
                        {{"type", "pci"},
                         {"domain", "0x0000"},
                         {"bus", "0x00"},
                         {"slot", fmt::format("{:#04x}", address.slot)},
                         {"function", fmt::format("{:#x}", address.function)}});
    if (multifunction) node.append_attribute("multifunction") = "on";
}

/// Cards reach guest RAM by the descriptors that QEMU sends them: the memory must be shared.
void addMemory(xml_node domain, const GuestConfig &config)
{
    addText(domain, "memory", std::to_string(config.memory_MiB), {{"unit", "MiB"}});
    xml_node backing = add(domain, "memoryBacking");
    add(backing, "source", {{"type", "memfd"}});
    add(backing, "access", {{"mode", "shared"}});
    addText(domain, "vcpu", std::to_string(config.processors), {{"placement", "static"}});
}

void addBoot(xml_node domain, const GuestConfig &config)
{
    xml_node os = add(domain, "os");
    addText(os, "type", "hvm", {{"arch", "x86_64"}, {"machine", "q35"}});
    if (config.kernel.empty()) {
        if (!config.disks.empty()) add(os, "boot", {{"dev", "hd"}});
        return;
    }
    addText(os, "kernel", config.kernel.string());
    if (!config.initrd.empty()) addText(os, "initrd", config.initrd.string());
    if (!config.commandLine.empty()) addText(os, "cmdline", config.commandLine);
}

void addProcessor(xml_node domain, const GuestConfig &config)
{
    // Without acpi libvirt 9.0 emits -no-acpi, which QEMU 11 refuses, and hot-plug needs it anyway.
    add(add(domain, "features"), "acpi");
    if (!config.cpuModel.empty()) {
        xml_node cpu =
            add(domain, "cpu", {{"mode", "custom"}, {"match", "exact"}, {"check", "none"}});
        addText(cpu, "model", config.cpuModel, {{"fallback", "forbid"}});
    } else if (config.accelerator == Accelerator::kvm) {
        add(domain, "cpu",
            {{"mode", "host-passthrough"}, {"check", "none"}, {"migratable", "off"}});
    } else {
        add(domain, "cpu", {{"mode", "maximum"}, {"check", "none"}, {"migratable", "off"}});
    }
    add(add(domain, "clock", {{"offset", "utc"}}), "timer", {{"name", "hpet"}, {"present", "no"}});
    for (const char *event : {"on_poweroff", "on_reboot", "on_crash"})
        addText(domain, event, "destroy");
}

void addRootPorts(xml_node devices, const GuestConfig &config)
{
    add(devices, "controller", {{"type", "pci"}, {"index", "0"}, {"model", "pcie-root"}});
    for (std::size_t i = 0; i < rootPortCount(config); ++i) {
        xml_node port =
            add(devices, "controller",
                {{"type", "pci"}, {"index", std::to_string(i + 1)}, {"model", "pcie-root-port"}});
        add(port, "model", {{"name", "pcie-root-port"}});
        add(port, "target",
            {{"chassis", std::to_string(i + 1)}, {"port", fmt::format("{:#x}", i)}});
        addAddress(port, rootPortAddress(i), rootPortIsMultifunction(config, i));
    }
}

void addDisks(xml_node devices, const GuestConfig &config)
{
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        const Disk &disk = config.disks[i];
        xml_node node = add(devices, "disk", {{"type", "file"}, {"device", "disk"}});
        add(node, "driver", {{"name", "qemu"}, {"type", "raw"}});
        add(node, "source", {{"file", disk.file.string()}});
        add(node, "target",
            {{"dev", std::string("vd") + static_cast<char>('a' + i)}, {"bus", "virtio"}});
        if (disk.readOnly) add(node, "readonly");
        if (!disk.serial.empty()) addText(node, "serial", disk.serial);
        addAddress(node, diskAddress(i));
    }
}

void addAgent(xml_node devices, const GuestConfig &config)
{
    xml_node controller =
        add(devices, "controller", {{"type", "virtio-serial"}, {"index", "0"}, {"ports", "2"}});
    addAddress(controller, {agentSlot, 0});
    xml_node channel = add(devices, "channel", {{"type", "unix"}});
    add(channel, "source", {{"mode", "bind"}, {"path", config.agentSocket.string()}});
    add(channel, "target", {{"type", "virtio"}, {"name", agentPortName}});
    // Port 0 of a virtio-serial device is kept for consoles.
    add(channel, "address",
        {{"type", "virtio-serial"}, {"controller", "0"}, {"bus", "0"}, {"port", "1"}});
}

void addDevices(xml_node domain, const GuestConfig &config)
{
    xml_node devices = add(domain, "devices");
    addText(devices, "emulator", config.qemu.string());
    addDisks(devices, config);
    addRootPorts(devices, config);
    add(devices, "controller", {{"type", "usb"}, {"index", "0"}, {"model", "none"}});
    if (!config.serialLog.empty()) {
        xml_node serial = add(devices, "serial", {{"type", "file"}});
        add(serial, "source", {{"path", config.serialLog.string()}, {"append", "on"}});
        add(serial, "target", {{"type", "isa-serial"}, {"port", "0"}});
    }
    if (!config.agentSocket.empty()) addAgent(devices, config);
    add(devices, "memballoon", {{"model", "none"}});
    add(devices, "panic", {{"model", "isa"}});
}

/// Security drivers would run QEMU as somebody else, or keep it from the cards' sockets in our
/// private folder.
void addSecurityLabels(xml_node domain, const DomainSurroundings &surroundings)
{
    for (const std::string &model : surroundings.securityModels) {
        if (model != "dac") {
            add(domain, "seclabel", {{"type", "none"}, {"model", model}});
            continue;
        }
        xml_node label =
            add(domain, "seclabel", {{"type", "static"}, {"model", "dac"}, {"relabel", "no"}});
        addText(label, "label", fmt::format("+{}:+{}", surroundings.user, surroundings.group));
    }
}

void addCommandLine(xml_node domain, const GuestConfig &config,
                    const DomainSurroundings &surroundings)
{
    xml_node commandLine = add(domain, "qemu:commandline");
    const auto argument = [&](const std::string &text) {
        add(commandLine, "qemu:arg", {{"value", text}});
    };
    for (const auto &folder : config.dataFolders) {
        argument("-L");
        argument(folder.string());
    }
    // libvirt always says strict=on, with which SeaBIOS ignores disks without a boot index. The
    // later one counts.
    if (config.kernel.empty()) {
        argument("-boot");
        argument("strict=off");
    }
    if (config.nativeHotplug) {
        argument("-global");
        argument(nativeHotplugProperty);
    }
    for (std::size_t i = 0; i < config.cards.size(); ++i) {
        if (!config.cards[i].plugged) continue;
        argument("-device");
        argument(cardDevice(config.cards[i], rootPortName(i)));
    }
    for (const std::string &text : config.extraArguments)
        argument(text);
    for (const auto &[key, value] : surroundings.environment)
        add(commandLine, "qemu:env", {{"name", key}, {"value", value}});
}

} // namespace

std::string domainXml(const GuestConfig &config)
{
    return domainXml(config, DomainSurroundings{});
}

std::string domainXml(const GuestConfig &config, const DomainSurroundings &surroundings)
{
    pugi::xml_document document;
    xml_node domain = add(document, "domain",
                          {{"type", config.accelerator == Accelerator::kvm ? "kvm" : "qemu"},
                           {"xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0"}});
    addText(domain, "name", config.name);
    addMemory(domain, config);
    addBoot(domain, config);
    addProcessor(domain, config);
    addDevices(domain, config);
    addSecurityLabels(domain, surroundings);
    addCommandLine(domain, config, surroundings);

    std::ostringstream text;
    document.save(text, "  ", pugi::format_default | pugi::format_no_declaration);
    return text.str();
}

} // namespace testcard::launcher
