// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the runner needs of the world, so that its tests need no guest: an image, card processes,
/// a machine, an agent in it.
#pragma once

#include "agent/client.hpp"
#include "launcher/interrupt.hpp"
#include "launcher/launcher.hpp"
#include "scenario/expectations.hpp"
#include "scenario/results.hpp"
#include "scenario/scenario.hpp"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace testcard::scenario
{

template <typename T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failure(Cause cause, std::string message)
{
    return tl::unexpected(Failure{cause, std::move(message)});
}

/// What an error of the launcher means for a scenario.
Failure failureOf(const launcher::Error &error);

/// A guest image that was built or found in the cache.
struct GuestImage {
    std::filesystem::path kernel;
    std::filesystem::path initrd;
    std::filesystem::path squashfs; ///< empty without extra packages
    std::string kernelVersion;
    std::string commandLine;          ///< what the image wants on the kernel's command line
    std::filesystem::path manifest{}; ///< a list of the packages in it, with versions
};

/// The QEMU that the set-up found or unpacked.
struct Emulator {
    std::filesystem::path binary;
    std::vector<std::filesystem::path> dataFolders;
    std::string version;
    launcher::AcceleratorChoice accelerator;
};

/// A command in the guest that goes on while others run.
class GuestTask
{
public:
    virtual ~GuestTask() = default; ///< kills it if it still runs

    /// Its end, or nothing if it still runs after `limit`.
    virtual tl::expected<std::optional<agent::ExitStatus>, agent::Error>
    waitFor(std::chrono::milliseconds limit) = 0;
    virtual void cancel() = 0;
};

/// The agent in the guest. Handlers are called on another thread.
class GuestAgent
{
public:
    virtual ~GuestAgent() = default;

    virtual std::string kernelVersion() const = 0;
    virtual tl::expected<std::unique_ptr<GuestTask>, agent::Error>
    start(const agent::Command &command, agent::OutputHandler handler) = 0;
    virtual tl::expected<std::uint64_t, agent::Error> get(const std::string &guestPath,
                                                          const std::filesystem::path &hostPath,
                                                          std::uint64_t limit_bytes) = 0;
    /// Writes a line into the guest's kernel log.
    virtual void mark(const std::string &text) = 0;
    /// A shell or another command on this process's terminal, until it ends.
    virtual tl::expected<agent::ExitStatus, agent::Error>
    interact(const std::vector<std::string> &argv) = 0;
};

/// A card's process and its control socket.
class CardProcess
{
public:
    virtual ~CardProcess() = default; ///< ends it

    virtual const std::filesystem::path &socket() const = 0;
    virtual Result<void> setSignal(const SetSignal &signal, std::chrono::milliseconds limit) = 0;
    virtual Result<Metrics> status(std::chrono::milliseconds limit) = 0;

    virtual void kill() = 0;   ///< as a crash; returns when it is gone
    virtual void pause() = 0;  ///< SIGSTOP
    virtual void resume() = 0; ///< SIGCONT
    /// Starts it again after kill(), on the same sockets.
    virtual Result<void> restart(std::chrono::milliseconds limit) = 0;

    /// How it ended, with the end of its log; nothing while it runs or after kill().
    virtual std::optional<std::string> unexpectedEnd() = 0;
};

/// What a scenario runs on.
class Bench
{
public:
    virtual ~Bench() = default;

    virtual launcher::Interrupt &interrupt() = 0;

    /// Builds the guest's image or finds it in the cache; `progress` gets a line now and then.
    virtual Result<GuestImage>
    buildImage(const Guest &guest, const std::function<void(const std::string &)> &progress) = 0;
    /// QEMU and how to accelerate it with this kernel.
    virtual Result<Emulator> emulator(const GuestImage &image) = 0;
    /// `description` is what `testcard serve` takes; returns when its sockets are there.
    virtual Result<std::unique_ptr<CardProcess>> startCard(const std::string &name,
                                                           const std::string &description,
                                                           const std::filesystem::path &log) = 0;
    /// Where a run keeps its sockets.
    virtual const std::filesystem::path &runtimeFolder() const = 0;
    virtual Result<std::unique_ptr<launcher::Machine>>
    startMachine(const launcher::GuestConfig &config) = 0;
    virtual Result<std::unique_ptr<GuestAgent>> connect(const std::filesystem::path &socket,
                                                        const agent::ConnectOptions &options) = 0;
    /// SHA-256 of files, in hexadecimal, in their order; what cannot be read has an empty one. Safe
    /// to call while another thread waits for the guest.
    virtual std::vector<std::string> hashes(const std::vector<std::filesystem::path> &files) = 0;
    /// Of the libraries and programs that results name beside QEMU and the kernel.
    virtual std::vector<std::pair<std::string, std::string>> versions() const = 0;
};

} // namespace testcard::scenario
