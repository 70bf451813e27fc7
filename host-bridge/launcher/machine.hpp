// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The one kind of Machine: a libvirt domain.
#pragma once

#include "launcher/launcher.hpp"
#include "launcher/libvirt_connection.hpp"
#include "launcher/machine_watch.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace testcard::launcher
{

class LibvirtMachine final : public Machine
{
public:
    struct Parts {
        std::shared_ptr<LibvirtConnection> connection;
        DomainHandle domain;
        std::shared_ptr<MachineWatch> watch;
        const Interrupt *interrupt = nullptr; ///< outlives the machine
        std::string xml{};
        std::filesystem::path emulatorLog{};
        int emulatorPid = 0; ///< 0, and no `emulator`, where it runs on another host
        UniqueFd emulator{}; ///< its pidfd
    };
    LibvirtMachine(Parts parts, const GuestConfig &config);
    ~LibvirtMachine() override;

    MachineStatus status() const override { return parts_.watch->status(); }
    int endFd() const override { return parts_.watch->endFd(); }
    Result<MachineStatus> wait(std::chrono::milliseconds limit) override;
    Result<void> plug(const CardSocket &card) override;
    Result<void> unplug(const std::string &cardName, std::chrono::milliseconds limit) override;
    Result<std::string> monitor(const std::string &json) override;
    void destroy() override;
    const std::string &xml() const override { return parts_.xml; }
    const std::string &emulatorVersion() const override { return emulatorVersion_; }
    const std::filesystem::path &emulatorLog() const override { return parts_.emulatorLog; }
    int emulatorPid() const override { return parts_.emulatorPid; }

private:
    std::optional<std::size_t> choosePort(const std::string &card) const;
    Error notRunning(std::string_view action) const;
    void readVersion();

    Parts parts_;
    std::string name_;
    std::string emulatorVersion_;

    mutable std::mutex mutex_;
    std::map<std::string, std::size_t> ownPorts_; ///< of the cards that the configuration declares
    std::size_t portCount_;
    std::map<std::size_t, std::string> occupants_; ///< which card is behind which root port
};

/// Empty if the QMP command may be sent; else why not (design D11).
std::string refusal(const std::string &json);

} // namespace testcard::launcher
