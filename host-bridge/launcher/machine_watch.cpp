// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/machine_watch.hpp"

#include "launcher/text_file.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <sstream>
#include <utility>

#include <sys/eventfd.h>

namespace testcard::launcher
{
namespace
{

using namespace std::chrono_literals;

/// QEMU stops a machine before it ends it; only a stop that lasts is a state.
constexpr auto lastingStop = 1000ms;
/// The trace after a panic's first line is worth having, and pvpanic or a reset usually ends the
/// machine itself.
constexpr auto restOfPanic = 700ms;

std::string field(std::string_view data, const char *name)
{
    const auto object = nlohmann::json::parse(data, nullptr, false);
    if (!object.is_object() || !object.contains(name) || !object[name].is_string()) return {};
    return object[name].get<std::string>();
}

void wake(const UniqueFd &fd)
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(fd.get(), &one, sizeof one);
}

UniqueFd makeEvent()
{
    return UniqueFd{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
}

} // namespace

std::string_view name(MachineState state)
{
    switch (state) {
    case MachineState::running: return "running";
    case MachineState::shutDown: return "shut down by the guest";
    case MachineState::restarted: return "restarted by the guest";
    case MachineState::panicked: return "guest panic";
    case MachineState::stopped: return "stopped by QEMU";
    case MachineState::emulatorEnded: return "QEMU ended";
    case MachineState::destroyed: return "destroyed";
    }
    return "unknown";
}

std::string emulatorComplaint(const std::filesystem::path &log)
{
    std::istringstream lines(tailOf(log, 40, 16384));
    std::string complaint;
    for (std::string line; std::getline(lines, line);) {
        // libvirt writes the command line first, an option a line, and this is its last option.
        if (line.starts_with("-msg timestamp")) complaint.clear();
        // Its own remarks and options are not QEMU's words, which carry its name or are a crash
        // report's.
        else if (!line.starts_with('-') &&
                 line.find(": shutting down, reason=") == std::string::npos &&
                 line.find("libvirt version:") == std::string::npos &&
                 line.find(": warning: ") == std::string::npos &&
                 line.find("terminating on signal") == std::string::npos &&
                 line.find(" is tainted: ") == std::string::npos)
            complaint += (complaint.empty() ? "" : "\n") + line;
    }
    return complaint;
}

MachineWatch::MachineWatch(std::shared_ptr<SerialLog> serial, std::filesystem::path emulatorLog)
    : serial_(std::move(serial)), emulatorLog_(std::move(emulatorLog)), endFd_(makeEvent())
{
}

void MachineWatch::begin()
{
    if (!serial_) return;
    auto watch = serial_->follow([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        callLater(restOfPanic, [weak] {
            if (const auto later = weak.lock())
                later->finish(MachineState::panicked, later->panicMessage());
        });
    });
    const std::scoped_lock lock(mutex_);
    serialWatch_ = std::move(watch);
}

MachineStatus MachineWatch::status() const
{
    const std::scoped_lock lock(mutex_);
    return status_;
}

void MachineWatch::expectDestruction()
{
    const std::scoped_lock lock(mutex_);
    destroying_ = true;
}

void MachineWatch::finish(MachineState state, std::string message)
{
    const std::scoped_lock lock(mutex_);
    if (status_.state != MachineState::running) return;
    status_ = {state, std::move(message)};
    wake(endFd_);
}

std::string MachineWatch::panicMessage()
{
    const auto line = serial_ ? serial_->panic() : std::nullopt;
    if (!line) return "the guest's kernel panicked";
    return fmt::format("the guest's kernel panicked: {}; the serial log {} holds the rest", *line,
                       serial_->path().string());
}

void MachineWatch::lifecycle(int event, int detail)
{
    if (event == VIR_DOMAIN_EVENT_CRASHED) {
        const std::scoped_lock lock(mutex_);
        panicked_ = true;
    } else if (event == VIR_DOMAIN_EVENT_STOPPED) {
        stopped(detail);
    }
}

void MachineWatch::stopped(int detail)
{
    std::unique_lock lock(mutex_);
    const bool destroying = destroying_;
    const bool panicked = panicked_;
    const std::string reason = shutdownReason_;
    lock.unlock();
    // A kernel that panics with panic=-1 and no pvpanic driver resets the machine: only its log
    // tells.
    if (panicked || (reason == "guest-reset" && serial_ && serial_->panic()))
        return finish(MachineState::panicked, panicMessage());
    if (reason == "guest-shutdown") return finish(MachineState::shutDown, "the guest powered off");
    if (reason == "guest-reset")
        return finish(MachineState::restarted,
                      "the guest reset the machine without a panic in its serial log");
    if (destroying) return finish(MachineState::destroyed, "the guest was destroyed");
    if (detail == VIR_DOMAIN_EVENT_STOPPED_DESTROYED)
        return finish(MachineState::destroyed, "somebody else destroyed the guest's domain");
    if (detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN && reason.empty())
        return finish(MachineState::shutDown, "the guest powered off");

    std::string message = reason == "host-signal"
                              ? "a signal ended QEMU"
                              : "QEMU ended unexpectedly (it crashed or was killed)";
    if (const std::string complaint = emulatorComplaint(emulatorLog_); !complaint.empty())
        message += "; its last words:\n" + complaint;
    finish(MachineState::emulatorEnded, std::move(message));
}

void MachineWatch::monitorEvent(std::string_view event, std::string_view data)
{
    if (event == "DEVICE_DELETED") return departed(field(data, "device"), true);
    if (event == "DEVICE_UNPLUG_GUEST_ERROR") return departed(field(data, "device"), false);
    if (event == "STOP") return paused();
    const std::scoped_lock lock(mutex_);
    // The first reason is the cause: libvirt then ends QEMU by a signal, which is reported as well.
    if (event == "SHUTDOWN" && shutdownReason_.empty()) shutdownReason_ = field(data, "reason");
    if (event == "GUEST_PANICKED") panicked_ = true;
    if (event == "RESUME") ++pauses_;
}

void MachineWatch::paused()
{
    const std::scoped_lock lock(mutex_);
    const std::uint64_t pause = ++pauses_;
    if (panicked_ || !shutdownReason_.empty()) return;
    callLater(lastingStop, [weak = weak_from_this(), pause] {
        const auto self = weak.lock();
        if (!self) return;
        std::unique_lock later(self->mutex_);
        const bool lasting =
            self->pauses_ == pause && !self->panicked_ && self->shutdownReason_.empty();
        later.unlock();
        if (!lasting) return;
        std::string message =
            "QEMU stopped the machine: a device reported an unrecoverable error, or an I/O error";
        if (const std::string complaint = emulatorComplaint(self->emulatorLog_); !complaint.empty())
            message += "; its last words:\n" + complaint;
        self->finish(MachineState::stopped, std::move(message));
    });
}

void MachineWatch::connectionLost()
{
    finish(MachineState::emulatorEnded,
           "the connection to libvirt was lost; its daemon may have ended");
}

std::shared_ptr<DeviceDeparture> MachineWatch::expectDeparture(const std::string &device)
{
    auto departure = std::make_shared<DeviceDeparture>(DeviceDeparture{makeEvent(), std::nullopt});
    const std::scoped_lock lock(mutex_);
    departures_[device] = departure;
    return departure;
}

std::optional<bool> MachineWatch::answer(const DeviceDeparture &departure) const
{
    const std::scoped_lock lock(mutex_);
    return departure.deleted;
}

void MachineWatch::departed(const std::string &device, bool deleted)
{
    const std::scoped_lock lock(mutex_);
    const auto found = departures_.find(device);
    if (found == departures_.end()) return;
    if (const auto departure = found->second.lock()) {
        departure->deleted = deleted;
        wake(departure->fd);
    }
    departures_.erase(found);
}

} // namespace testcard::launcher
