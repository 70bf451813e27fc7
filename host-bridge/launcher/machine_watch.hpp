// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Turns libvirt's and QEMU's events into the one state that a guest is in.
#pragma once

#include "launcher/launcher.hpp"
#include "launcher/libvirt_connection.hpp"
#include "launcher/serial_log.hpp"
#include "launcher/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace testcard::launcher
{

/// Somebody waits for a device to go. `fd` polls readable when `deleted` has its answer.
struct DeviceDeparture {
    UniqueFd fd;
    std::optional<bool> deleted; ///< false: the guest refused
};

class MachineWatch final : public DomainEvents, public std::enable_shared_from_this<MachineWatch>
{
public:
    /// `serial` may be nullptr.
    MachineWatch(std::shared_ptr<SerialLog> serial, std::filesystem::path emulatorLog);
    /// From now on the serial log is followed too. Needs the event loop.
    void begin();

    MachineStatus status() const;
    int endFd() const { return endFd_.get(); }

    /// The next end of the machine is our own doing.
    void expectDestruction();
    /// Makes the state final unless it is already.
    void finish(MachineState state, std::string message);

    std::shared_ptr<DeviceDeparture> expectDeparture(const std::string &device);
    std::optional<bool> answer(const DeviceDeparture &departure) const;

    void lifecycle(int event, int detail) override;
    void monitorEvent(std::string_view event, std::string_view data) override;
    void connectionLost() override;

private:
    void stopped(int detail);
    void paused();
    void panicSeen();
    std::string panicMessage();
    void departed(const std::string &device, bool deleted);

    std::shared_ptr<SerialLog> serial_;
    std::filesystem::path emulatorLog_;
    UniqueFd endFd_; ///< eventfd

    mutable std::mutex mutex_;
    std::unique_ptr<ReadWatch> serialWatch_;
    MachineStatus status_{MachineState::running, "the guest runs"};
    bool destroying_ = false;
    bool panicked_ = false;
    std::string shutdownReason_;
    std::uint64_t pauses_ = 0; ///< of STOP and RESUME events, to tell a lasting stop
    std::map<std::string, std::weak_ptr<DeviceDeparture>> departures_;
};

/// What QEMU said for itself at the end of libvirt's log of it; empty if nothing.
std::string emulatorComplaint(const std::filesystem::path &log);

} // namespace testcard::launcher
