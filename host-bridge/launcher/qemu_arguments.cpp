// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/guest_config.hpp"
#include "launcher/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace testcard::launcher
{
namespace
{

/// QEMU's option syntax: a comma in a value is written twice.
std::string escaped(const std::filesystem::path &path)
{
    std::string text;
    for (const char c : path.string())
        text += c == ',' ? std::string(",,") : std::string(1, c);
    return text;
}

std::string at(RootAddress address)
{
    return fmt::format("bus=pcie.0,addr={:#x}.{:#x}", address.slot, address.function);
}

class Arguments
{
public:
    explicit Arguments(std::string program) : list_{std::move(program)} {}
    void add(std::string option, std::string value)
    {
        list_.push_back(std::move(option));
        list_.push_back(std::move(value));
    }
    void add(std::string option) { list_.push_back(std::move(option)); }
    std::vector<std::string> take() { return std::move(list_); }

private:
    std::vector<std::string> list_;
};

void addMachine(Arguments &arguments, const GuestConfig &config)
{
    for (const auto &folder : config.dataFolders)
        arguments.add("-L", folder.string());
    arguments.add("-name", config.name);
    arguments.add("-machine", "q35,usb=off,hpet=off,memory-backend=ram");
    arguments.add("-accel", std::string(name(config.accelerator)));
    arguments.add("-cpu",
                  config.cpuModel.empty() ? std::string(defaultCpuModel(config)) : config.cpuModel);
    arguments.add("-smp", std::to_string(config.processors));
    arguments.add("-m", fmt::format("{}M", config.memory_MiB));
    arguments.add("-object",
                  fmt::format("memory-backend-memfd,id=ram,size={}M,share=on", config.memory_MiB));
    for (const char *plain : {"-no-user-config", "-nodefaults", "-no-reboot"})
        arguments.add(plain);
    arguments.add("-display", "none");
    if (config.nativeHotplug) arguments.add("-global", nativeHotplugProperty);
}

void addBoot(Arguments &arguments, const GuestConfig &config)
{
    if (config.kernel.empty()) return;
    arguments.add("-kernel", config.kernel.string());
    if (!config.initrd.empty()) arguments.add("-initrd", config.initrd.string());
    if (!config.commandLine.empty()) arguments.add("-append", config.commandLine);
}

void addDisks(Arguments &arguments, const GuestConfig &config)
{
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        const Disk &disk = config.disks[i];
        arguments.add("-drive", fmt::format("file={},format=raw,if=none,id=disk{},readonly={}",
                                            escaped(disk.file), i, disk.readOnly ? "on" : "off"));
        std::string device = fmt::format("virtio-blk-pci,drive=disk{},{}", i, at(diskAddress(i)));
        if (!disk.serial.empty()) device += ",serial=" + disk.serial;
        arguments.add("-device", std::move(device));
    }
}

void addCards(Arguments &arguments, const GuestConfig &config)
{
    for (std::size_t i = 0; i < rootPortCount(config); ++i)
        arguments.add("-device",
                      fmt::format("pcie-root-port,id={},chassis={},port={:#x},{}{}",
                                  rootPortName(i), i + 1, i, at(rootPortAddress(i)),
                                  rootPortIsMultifunction(config, i) ? ",multifunction=on" : ""));
    for (std::size_t i = 0; i < config.cards.size(); ++i)
        if (config.cards[i].plugged)
            arguments.add("-device", cardDevice(config.cards[i], rootPortName(i)));
}

void addChannels(Arguments &arguments, const GuestConfig &config)
{
    if (!config.serialLog.empty()) {
        arguments.add("-chardev",
                      fmt::format("file,id=serial0,path={},append=on", escaped(config.serialLog)));
        arguments.add("-device", "isa-serial,chardev=serial0");
    }
    if (!config.agentSocket.empty()) {
        arguments.add("-chardev", fmt::format("socket,id=agent0,path={},server=on,wait=off",
                                              escaped(config.agentSocket)));
        arguments.add("-device", fmt::format("virtio-serial-pci,id=virtio-serial0,max_ports=2,{}",
                                             at({agentSlot, 0})));
        arguments.add("-device",
                      fmt::format("virtserialport,bus=virtio-serial0.0,nr=1,chardev=agent0,name={}",
                                  agentPortName));
    }
    arguments.add("-device", "pvpanic");
}

bool plainForShell(const std::string &text)
{
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) ||
               std::string_view("-_./,=:+@%").find(static_cast<char>(c)) != std::string_view::npos;
    });
}

std::string quoted(const std::string &text)
{
    if (plainForShell(text)) return text;
    std::string result = "'";
    for (const char c : text)
        result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

} // namespace

std::vector<std::string> qemuArguments(const GuestConfig &config)
{
    Arguments arguments(config.qemu.string());
    addMachine(arguments, config);
    addBoot(arguments, config);
    addDisks(arguments, config);
    addCards(arguments, config);
    addChannels(arguments, config);
    for (const std::string &text : config.extraArguments)
        arguments.add(text);
    return arguments.take();
}

std::string shellCommand(const std::vector<std::string> &arguments)
{
    std::string text;
    for (const std::string &argument : arguments) {
        const bool option = argument.starts_with('-') && argument.size() > 1;
        if (!text.empty()) text += option ? " \\\n    " : " ";
        text += quoted(argument);
    }
    return text;
}

} // namespace testcard::launcher
