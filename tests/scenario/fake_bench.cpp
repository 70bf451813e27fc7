// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_bench.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include <poll.h>

namespace testcard::scenario
{

namespace
{

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

class FakeMachine final : public launcher::Machine
{
public:
    explicit FakeMachine(FakeWorld &world) : world_(world) {}
    ~FakeMachine() override { world_.note("machine gone"); }

    launcher::MachineStatus status() const override
    {
        const std::lock_guard lock(world_.mutex);
        return world_.machineStatus;
    }
    int endFd() const override { return -1; }
    launcher::Result<launcher::MachineStatus> wait(std::chrono::milliseconds) override
    {
        return status();
    }
    launcher::Result<void> plug(const launcher::CardSocket &card) override
    {
        world_.note("plug " + card.name);
        return {};
    }
    launcher::Result<void> unplug(const std::string &name, std::chrono::milliseconds limit) override
    {
        world_.note(fmt::format("unplug {} within {} ms", name, limit.count()));
        if (world_.unplugTimesOut)
            return launcher::failure(launcher::Error::Kind::timedOut, "the guest keeps " + name);
        return {};
    }
    launcher::Result<std::string> monitor(const std::string &) override
    {
        return std::string("{}");
    }
    void destroy() override { world_.note("destroy"); }
    const std::string &xml() const override { return text_; }
    const std::string &emulatorVersion() const override { return version_; }
    const std::filesystem::path &emulatorLog() const override { return log_; }
    int emulatorPid() const override { return 0; }

private:
    FakeWorld &world_;
    std::string text_ = "<domain/>";
    std::string version_ = "11.1.3 (fake)";
    std::filesystem::path log_;
};

class FakeTask final : public GuestTask
{
public:
    FakeTask(const FakeCommand &command, std::chrono::milliseconds timeout, int stopFd)
        : code_(command.code), stopFd_(stopFd)
    {
        const bool late = timeout.count() > 0 && command.duration > timeout;
        status_.timedOut = late;
        if (late)
            status_.signal = 9;
        else
            status_.code = code_;
        end_ = Clock::now() + (late ? timeout : command.duration);
    }

    tl::expected<std::optional<agent::ExitStatus>, agent::Error>
    waitFor(std::chrono::milliseconds limit) override
    {
        const auto until = std::min(end_, Clock::now() + limit);
        while (true) {
            pollfd stop{stopFd_, POLLIN, 0};
            if (poll(&stop, 1, 1) > 0)
                return tl::unexpected(agent::Error{agent::ErrorKind::Stopped, "stopped", 0});
            if (Clock::now() >= until) break;
        }
        if (Clock::now() < end_) return std::optional<agent::ExitStatus>{};
        return status_;
    }

    void cancel() override
    {
        status_ = {};
        status_.signal = 9;
        status_.cancelled = true;
        end_ = Clock::now();
    }

private:
    int code_;
    int stopFd_;
    agent::ExitStatus status_;
    Clock::time_point end_;
};

class FakeAgent final : public GuestAgent
{
public:
    FakeAgent(FakeWorld &world, int stopFd) : world_(world), stopFd_(stopFd) {}
    ~FakeAgent() override { world_.note("agent gone"); }

    std::string kernelVersion() const override { return "6.1.0-fake"; }

    tl::expected<std::unique_ptr<GuestTask>, agent::Error>
    start(const agent::Command &command, agent::OutputHandler handler) override
    {
        const FakeCommand does = next(command);
        if (!does.output.empty()) handler(agent::Stream::Output, does.output);
        if (!does.errorOutput.empty()) handler(agent::Stream::Error, does.errorOutput);
        if (does.meanwhile) does.meanwhile();
        return std::make_unique<FakeTask>(does, command.timeout, stopFd_);
    }

    tl::expected<std::uint64_t, agent::Error>
    get(const std::string &guestPath, const std::filesystem::path &hostPath, std::uint64_t) override
    {
        const auto file = world_.files.find(guestPath);
        if (file == world_.files.end())
            return tl::unexpected(agent::Error{agent::ErrorKind::Refused, "no such file", 2});
        std::filesystem::create_directories(hostPath.parent_path());
        std::ofstream(hostPath) << file->second;
        return file->second.size();
    }

    void mark(const std::string &text) override { world_.note("mark " + text); }
    tl::expected<agent::ExitStatus, agent::Error>
    interact(const std::vector<std::string> &) override
    {
        return agent::ExitStatus{};
    }

private:
    FakeCommand next(const agent::Command &command)
    {
        const bool shell = command.argv.size() == 3 && command.argv[0] == "/bin/sh";
        const std::string text =
            shell ? command.argv[2] : fmt::format("{}", fmt::join(command.argv, " "));
        world_.note("run " + text);
        const std::lock_guard lock(world_.mutex);
        auto &queue = world_.commands[text];
        if (queue.empty()) return {};
        FakeCommand out = queue.front();
        if (queue.size() > 1) queue.pop_front();
        return out;
    }

    FakeWorld &world_;
    int stopFd_;
};

class FakeCard final : public CardProcess
{
public:
    FakeCard(FakeWorld &world, std::string name)
        : world_(world), name_(std::move(name)), socket_("/run/" + name_)
    {
    }
    ~FakeCard() override { world_.note("card gone " + name_); }

    const std::filesystem::path &socket() const override { return socket_; }
    Result<void> setSignal(const SetSignal &signal, std::chrono::milliseconds) override
    {
        world_.note(fmt::format("signal {} present={}", name_,
                                signal.present ? (*signal.present ? "yes" : "no") : "same"));
        return {};
    }
    Result<Metrics> status(std::chrono::milliseconds) override
    {
        const auto metrics = Metrics::parse(world_.cardStatus[name_]);
        if (!metrics) return failure(Cause::infrastructure, "the card does not answer");
        return *metrics;
    }
    void kill() override { world_.note("kill " + name_); }
    void pause() override { world_.note("pause " + name_); }
    void resume() override { world_.note("resume " + name_); }
    Result<void> restart(std::chrono::milliseconds) override
    {
        world_.note("restart " + name_);
        return {};
    }
    std::optional<std::string> unexpectedEnd() override
    {
        const std::lock_guard lock(world_.mutex);
        const auto end = world_.cardEnd.find(name_);
        return end == world_.cardEnd.end() ? std::nullopt : std::optional(end->second);
    }

private:
    FakeWorld &world_;
    std::string name_;
    std::filesystem::path socket_;
};

class FakeBench final : public Bench
{
public:
    explicit FakeBench(FakeWorld &world) : world_(world) {}

    launcher::Interrupt &interrupt() override { return world_.interrupt; }
    Result<GuestImage> buildImage(const Guest &,
                                  const std::function<void(const std::string &)> &progress) override
    {
        progress("Packing the guest's initramfs ...");
        if (!world_.imageFailure.empty())
            return failure(Cause::infrastructure, world_.imageFailure);
        return GuestImage{"/vmlinux", "/initrd", "", "6.1.0-fake", ""};
    }
    Result<Emulator> emulator(const GuestImage &) override
    {
        return Emulator{"/qemu", {}, "11.1.3", {launcher::Accelerator::tcg, "it is a test"}};
    }
    Result<std::unique_ptr<CardProcess>> startCard(const std::string &name,
                                                   const std::string &description,
                                                   const std::filesystem::path &) override
    {
        world_.note("card " + description);
        return std::make_unique<FakeCard>(world_, name);
    }
    const std::filesystem::path &runtimeFolder() const override { return folder_; }
    Result<std::unique_ptr<launcher::Machine>>
    startMachine(const launcher::GuestConfig &config) override
    {
        world_.note(fmt::format("machine with {} cards", config.cards.size()));
        std::ofstream(config.serialLog) << "[    0.000000] Linux version 6.1.0-fake\n";
        return std::make_unique<FakeMachine>(world_);
    }
    Result<std::unique_ptr<GuestAgent>> connect(const std::filesystem::path &,
                                                const agent::ConnectOptions &options) override
    {
        if (!world_.bootFailure.empty()) return failure(Cause::guestSilent, world_.bootFailure);
        return std::make_unique<FakeAgent>(world_, options.stopFd);
    }
    std::vector<std::string> hashes(const std::vector<std::filesystem::path> &files) override
    {
        return std::vector<std::string>(files.size(), "0123");
    }
    std::vector<std::pair<std::string, std::string>> versions() const override
    {
        return {{"testcard", "0"}};
    }

private:
    FakeWorld &world_;
    std::filesystem::path folder_ = "/run/testcard-fake";
};

} // namespace

std::unique_ptr<Bench> makeFakeBench(FakeWorld &world)
{
    return std::make_unique<FakeBench>(world);
}

} // namespace testcard::scenario
