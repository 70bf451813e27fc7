// SPDX-License-Identifier: GPL-2.0-or-later
// Linux as the agent's System: processes, files, terminals, power.
#pragma once

#include "core/system.hpp"
#include "linux/job.hpp"
#include "linux/loop.hpp"
#include "linux/supervisor.hpp"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace testcard::agent
{

struct LinuxSystemOptions {
    /// "direct": sync and reboot(2). A program otherwise, called with `poweroff` or `reboot`.
    /// Empty: the host may not switch this machine off.
    std::string power;
    std::string kernelLog = "/dev/kmsg";
};

class LinuxSystem final : public System
{
public:
    LinuxSystem(Loop &loop, LinuxSystemOptions options);
    ~LinuxSystem();

    void setEvents(SystemEvents &events) { events_ = &events; }
    /// Called before each wait: whether the host takes output.
    void enableOutput(bool enabled);
    /// Called after each wait: forgets what is gone.
    void tick(Time now);
    std::optional<Time> deadline() const;

    Welcome describe() override;
    void run(std::uint32_t request, const RunRequest &run) override;
    void put(std::uint32_t request, const PutRequest &put) override;
    void get(std::uint32_t request, const GetRequest &get) override;
    void makeDirectory(std::uint32_t request, const MakeDirectoryRequest &make) override;
    void input(std::uint32_t request, std::span<const std::uint8_t> bytes) override;
    void inputEnd(std::uint32_t request) override;
    void signal(std::uint32_t request, std::uint32_t number) override;
    void resize(std::uint32_t request, const TerminalRequest &terminal) override;
    void kill(std::uint32_t request) override;
    void abandon(std::uint32_t request) override;
    void abandonAll() override;
    bool idle() const override { return jobs_.empty(); }
    bool writeKernelLog(std::string_view text) override;
    bool power(PowerAction action) override;

private:
    struct Wanted {
        bool isCommand = false;
        bool input = false;
        bool output = false;
        bool error = false;
        std::optional<TerminalRequest> terminal;
    };

    Job *find(std::uint32_t request);
    void launch(std::uint32_t request, const Wanted &wanted,
                const std::function<void(const ChildStreams &)> &child);
    void reapChildren();
    void killStrays();

    Loop &loop_;
    LinuxSystemOptions options_;
    SystemEvents *events_ = nullptr;
    FileDescriptor children_; ///< signalfd of SIGCHLD
    std::list<std::unique_ptr<Job>> jobs_;
    bool outputEnabled_ = true;
};

} // namespace testcard::agent
