// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The launcher: starts guests through libvirt, watches them, and leaves nothing behind.
///
///     auto session = Session::open({});          // early in main, before any thread
///     SignalGuard signals((*session)->interrupt());
///     auto card = (*session)->spawn({...});       // testcard serve ...
///     (*card)->waitReady(5s, &(*session)->interrupt());
///     auto machine = (*session)->start(config);
///     auto end = (*machine)->wait(60s);
#pragma once

#include "launcher/accelerator.hpp"
#include "launcher/child_process.hpp"
#include "launcher/error.hpp"
#include "launcher/guest_config.hpp"
#include "launcher/interrupt.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace testcard::launcher
{

/// How a guest stands. Everything but `running` is final.
enum class MachineState {
    running,
    shutDown,      ///< the guest powered off
    restarted,     ///< the guest reset the machine; it is not started again
    panicked,      ///< the guest's kernel panicked (pvpanic, or the serial log says so)
    stopped,       ///< QEMU stopped the machine itself: a device's unrecoverable error, a full disk
    emulatorEnded, ///< QEMU crashed, was killed, or ended by itself
    destroyed,     ///< Machine::destroy, or somebody else's destroy
};

std::string_view name(MachineState state);

struct MachineStatus {
    MachineState state = MachineState::running;
    /// For people: what happened, with the panic's line or the end of QEMU's log where there is
    /// one.
    std::string message{};
};

/// A running guest. Its methods may be called from several threads.
/// Snapshots and migration do not exist here on purpose (design D11).
class Machine
{
public:
    virtual ~Machine() = default; ///< destroys the guest

    virtual MachineStatus status() const = 0;
    /// Polls readable once the state is final.
    virtual int endFd() const = 0;
    /// Waits until the state is final: Error::timedOut when it still runs, Error::interrupted on
    /// Ctrl-C.
    virtual Result<MachineStatus> wait(std::chrono::milliseconds limit) = 0;

    /// device_add behind the card's own empty root port, or a spare one if config.cards does not
    /// name it. Returns when QEMU has the device; the guest sees it a little later (0.5 s for
    /// Linux).
    virtual Result<void> plug(const CardSocket &card) = 0;
    /// Asks the guest by ACPI to let the card go and waits for DEVICE_DELETED. The socket can be
    /// plugged again.
    virtual Result<void> unplug(const std::string &cardName, std::chrono::milliseconds limit) = 0;

    /// One QMP command, JSON in and JSON out ({"return": ...}); QMP's errors are Error::host.
    /// Commands that save, load or migrate the machine are refused (design D11).
    virtual Result<std::string> monitor(const std::string &json) = 0;

    /// Ends QEMU now. Idempotent.
    virtual void destroy() = 0;

    virtual const std::string &xml() const = 0; ///< the XML it was started from
    /// QEMU's own log; gone with the session's folder. Empty with a libvirt daemon, which keeps its
    /// own.
    virtual const std::filesystem::path &emulatorLog() const = 0;
    virtual const std::string &emulatorVersion() const = 0; ///< "11.1.3 (Debian ...)" by QMP
    virtual int emulatorPid() const = 0;                    ///< 0 if it runs elsewhere
};

struct SessionOptions {
    /// Empty: the embedded driver, without a daemon. Else any libvirt URI.
    std::string uri{};
    /// Keeps libvirt's knowledge of the emulator and the accelerator's probe from run to run;
    /// empty: each session anew.
    std::filesystem::path cacheFolder{};
};

/// What one testcard process owns on its host: a private folder, a reaper, a libvirt connection.
/// At most one at a time in a process; open it before the first thread. Thread-safe after that.
/// libvirt's embedded driver stays bound to the first session that started a guest with it: only
/// that one can start guests in this process.
class Session
{
public:
    static Result<std::unique_ptr<Session>> open(SessionOptions options);
    virtual ~Session() = default; ///< ends what still runs and removes the folder

    /// Mode 0700, short enough for socket names of up to 40 characters; gone after the session.
    virtual const std::filesystem::path &folder() const = 0;
    virtual Interrupt &interrupt() = 0;

    /// A child process that the reaper knows.
    virtual Result<std::unique_ptr<ChildProcess>> spawn(ChildOptions options) = 0;

    /// `--accel` for a guest: what is wanted, or for nullopt (auto) what works with its kernel here
    /// (design D3), with the reason for the user. Takes up to 20 s the first time. Error::host if
    /// KVM is wanted and is not there.
    virtual Result<AcceleratorChoice> chooseAccelerator(std::optional<Accelerator> wanted,
                                                        const GuestConfig &config) = 0;

    /// Starts the guest; the sockets of its plugged cards must be listening. Error::usage if
    /// check() fails.
    virtual Result<std::unique_ptr<Machine>> start(const GuestConfig &config) = 0;

    /// "9.0.0"; of the library that is linked.
    virtual std::string libvirtVersion() const = 0;
};

} // namespace testcard::launcher
