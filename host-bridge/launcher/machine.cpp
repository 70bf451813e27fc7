// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/machine.hpp"

#include "launcher/topology.hpp"
#include "launcher/waiting.hpp"

#include <fmt/format.h>
#include <libvirt/libvirt-qemu.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

using Clock = std::chrono::steady_clock;
using nlohmann::json;

/// QMP and HMP commands that save, load or move a machine all start with one of these.
bool losesCards(std::string_view command)
{
    constexpr std::array<std::string_view, 8> prefixes{
        "migrate", "savevm", "loadvm", "delvm", "snapshot", "x-colo", "xen-", "calc-dirty"};
    return std::ranges::any_of(prefixes, [&](auto prefix) { return command.starts_with(prefix); });
}

std::string firstWord(const std::string &text)
{
    const std::size_t start = text.find_first_not_of(' ');
    return start == std::string::npos ? std::string{}
                                      : text.substr(start, text.find(' ', start) - start);
}

} // namespace

std::string refusal(const std::string &text)
{
    const json command = json::parse(text, nullptr, false);
    if (!command.is_object() || !command.contains("execute") || !command["execute"].is_string())
        return "it is not a QMP command: {\"execute\": NAME, \"arguments\": {...}}";
    std::string name = command["execute"].get<std::string>();
    if (name == "human-monitor-command") {
        const json line = command.value("/arguments/command-line"_json_pointer, json());
        if (line.is_string()) name = firstWord(line.get<std::string>());
    }
    if (!losesCards(name)) return {};
    return fmt::format(
        "{} would lose the cards' state without an error: Testcard has no snapshots and no "
        "migration (design D11); boot another guest, or plug and unplug cards in a warm one",
        name);
}

LibvirtMachine::LibvirtMachine(Parts parts, const GuestConfig &config)
    : parts_(std::move(parts)),
      name_(virDomainGetName(parts_.domain.get())),
      portCount_(rootPortCount(config))
{
    for (std::size_t i = 0; i < config.cards.size(); ++i) {
        ownPorts_[config.cards[i].name] = i;
        if (config.cards[i].plugged) occupants_[i] = config.cards[i].name;
    }
    readVersion();
}

LibvirtMachine::~LibvirtMachine()
{
    destroy();
    parts_.connection->forget(name_);
}

void LibvirtMachine::readVersion()
{
    const auto reply = monitor(R"({"execute":"query-version"})");
    if (!reply) return;
    const json version = json::parse(*reply, nullptr, false).value("return", json::object());
    const json number = version.value("qemu", json::object());
    emulatorVersion_ =
        fmt::format("{}.{}.{} {}", number.value("major", 0), number.value("minor", 0),
                    number.value("micro", 0), version.value("package", std::string{}));
    while (emulatorVersion_.ends_with(' '))
        emulatorVersion_.pop_back();
}

Result<MachineStatus> LibvirtMachine::wait(std::chrono::milliseconds limit)
{
    switch (waitFor(endFd(), Clock::now() + limit, parts_.interrupt)) {
    case Wake::ready: break;
    case Wake::timedOut:
        return failure(Error::Kind::timedOut,
                       fmt::format("the guest still ran after {:.1f} s",
                                   static_cast<double>(limit.count()) / 1000));
    case Wake::interrupted:
        return failure(Error::Kind::interrupted, "interrupted while the guest ran");
    }
    return status();
}

Error LibvirtMachine::notRunning(std::string_view action) const
{
    const MachineStatus now = status();
    return {Error::Kind::ended,
            fmt::format("cannot {}: {} ({})", action, now.message, name(now.state))};
}

std::optional<std::size_t> LibvirtMachine::choosePort(const std::string &card) const
{
    if (const auto own = ownPorts_.find(card); own != ownPorts_.end()) return own->second;
    for (std::size_t port = ownPorts_.size(); port < portCount_; ++port)
        if (!occupants_.contains(port)) return port;
    return std::nullopt;
}

Result<void> LibvirtMachine::plug(const CardSocket &card)
{
    if (auto ok = check(card); !ok) return ok;
    const std::scoped_lock lock(mutex_);
    for (const auto &[port, occupant] : occupants_)
        if (occupant == card.name)
            return failure(Error::Kind::usage,
                           fmt::format("card {} is plugged already", card.name));
    const auto port = choosePort(card.name);
    if (!port)
        return failure(Error::Kind::usage,
                       fmt::format("card {}: no root port is free; give the guest more spare ones",
                                   card.name));
    const std::string device = cardDevice(card, rootPortName(*port));
    const auto reply = monitor(fmt::format(R"({{"execute":"device_add","arguments":{}}})", device));
    if (!reply)
        return failure(reply.error().kind,
                       fmt::format("card {} cannot be plugged: {}; is it serving {}?", card.name,
                                   reply.error().message, card.socket.string()));
    occupants_[*port] = card.name;
    return {};
}

Result<void> LibvirtMachine::unplug(const std::string &card, std::chrono::milliseconds limit)
{
    const auto departure = parts_.watch->expectDeparture(card);
    const auto reply =
        monitor(json{{"execute", "device_del"}, {"arguments", {{"id", card}}}}.dump());
    // After an unplug that the guest did not answer in time, QEMU still waits for it, and so can
    // we.
    if (!reply &&
        reply.error().message.find("already in the process of unplug") == std::string::npos)
        return failure(reply.error().kind,
                       fmt::format("card {} cannot be unplugged: {}", card, reply.error().message));
    switch (waitForEither(departure->fd.get(), endFd(), Clock::now() + limit, parts_.interrupt)) {
    case Wake::interrupted:
        return failure(Error::Kind::interrupted,
                       fmt::format("interrupted while the guest let card {} go", card));
    case Wake::timedOut:
        return failure(
            Error::Kind::timedOut,
            fmt::format(
                "the guest did not let card {} go within {} ms: is its kernel up, and does it "
                "know ACPI hot-plug?",
                card, limit.count()));
    case Wake::ready: break;
    }
    const auto deleted = parts_.watch->answer(*departure);
    if (!deleted) return tl::unexpected(notRunning("unplug card " + card));
    if (!*deleted)
        return failure(Error::Kind::host, fmt::format("the guest refused to let card {} go", card));
    const std::scoped_lock lock(mutex_);
    std::erase_if(occupants_, [&](const auto &entry) { return entry.second == card; });
    return {};
}

Result<std::string> LibvirtMachine::monitor(const std::string &text)
{
    if (const std::string why = refusal(text); !why.empty())
        return failure(Error::Kind::usage, why);
    if (status().state != MachineState::running && status().state != MachineState::stopped)
        return tl::unexpected(notRunning("talk to QEMU"));
    char *raw = nullptr;
    if (virDomainQemuMonitorCommand(parts_.domain.get(), text.c_str(), &raw, 0) < 0)
        return tl::unexpected(libvirtError("QEMU did not answer"));
    std::string reply = raw != nullptr ? raw : "";
    free(raw);
    const json parsed = json::parse(reply, nullptr, false);
    if (parsed.is_object() && parsed.contains("error"))
        return failure(
            Error::Kind::host,
            fmt::format("QEMU: {}", parsed["error"].value("desc", std::string("unknown error"))));
    return reply;
}

void LibvirtMachine::destroy()
{
    if (status().state == MachineState::destroyed) return;
    parts_.watch->expectDestruction();
    // QEMU takes a second or two over SIGTERM and has nothing to save; libvirt then finds it gone.
    if (parts_.emulator) syscall(SYS_pidfd_send_signal, parts_.emulator.get(), SIGKILL, nullptr, 0);
    // Fails for a domain that has ended, which is as good.
    virDomainDestroy(parts_.domain.get());
    parts_.watch->finish(MachineState::destroyed, "the guest was destroyed");
}

} // namespace testcard::launcher
