// SPDX-License-Identifier: GPL-2.0-or-later
// One run, put or get as the agent sees it: a forked child, its control socket, its streams.
#pragma once

#include "core/system.hpp"
#include "linux/file_descriptor.hpp"
#include "linux/loop.hpp"
#include "linux/report.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

namespace testcard::agent
{

/// The agent's ends of a child's streams.
struct JobStreams {
    FileDescriptor control;
    FileDescriptor input;  ///< empty if there is none; of a terminal its master
    FileDescriptor output; ///< of a terminal its master
    FileDescriptor error;  ///< empty if there is none
    bool isTerminal = false;
};

class Job
{
public:
    /// `isCommand`: the child is a supervisor; otherwise it reads or writes a file.
    Job(Loop &loop, SystemEvents &events, std::uint32_t request, pid_t child, bool isCommand,
        JobStreams streams);
    Job(const Job &) = delete;
    Job &operator=(const Job &) = delete;
    ~Job();

    std::uint32_t request() const { return request_; }
    pid_t child() const { return child_; }
    /// The agent has heard the end of it (or wants to hear nothing); the number may be used again.
    bool isReported() const { return reported_; }
    /// The child and all that descends from it are gone.
    bool isGone() const { return gone_; }
    /// The supervisor died, and left what it supervised to the agent.
    bool leftStrays() const { return strays_; }

    void input(std::span<const std::uint8_t> bytes);
    void inputEnd();
    void signal(std::uint32_t number);
    void resize(const TerminalRequest &size);
    void kill();
    void abandon();

    /// Whether output is read; what nobody will see any more is always read, and dropped.
    void enableOutput(bool enabled);

    std::optional<Time> deadline() const { return drainUntil_; }
    void tick(Time now);

private:
    struct Output {
        FileDescriptor fd;
        OutputStream stream;
        /// Set once the first process ended: how much of what it wrote is still in the pipe. Later
        /// bytes are those of processes that it left behind.
        std::optional<std::size_t> left;

        bool isDrained() const { return !fd || left == 0; }
    };

    void controlReady();
    void reported(const Report &report);
    void controlEnded();
    void outputReady(Output &output);
    void outputRead(Output &output, ssize_t bytes);
    void closeOutput(Output &output);
    void inputReady();
    void takeInput(std::size_t bytes);
    void drain();
    void finishIfDrained();
    void markReported();
    void updateOutput();
    void order(Order::Kind kind, std::int32_t number = 0);

    Loop &loop_;
    SystemEvents &events_;
    std::uint32_t request_;
    pid_t child_;
    bool isCommand_;
    bool isTerminal_;

    FileDescriptor control_;
    FileDescriptor input_;
    Output output_;
    Output error_;
    std::vector<std::uint8_t> waiting_; ///< input that the child has not taken yet
    bool inputEnding_ = false;
    bool outputEnabled_ = true;
    bool started_; ///< Started comes before all output

    std::optional<ProcessEnd> end_;     ///< of a command
    std::optional<std::uint64_t> done_; ///< of a file
    std::string temporary_;             ///< a file to remove unless it became done
    std::optional<Time> drainUntil_;
    bool reported_ = false;
    bool gone_ = false;
    bool strays_ = false;
};

} // namespace testcard::agent
