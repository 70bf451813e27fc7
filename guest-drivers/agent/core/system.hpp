// SPDX-License-Identifier: GPL-2.0-or-later
// The border between the agent's logic (core/) and an operating system (linux/): the logic asks for
// things by request number, the system answers with events, all on one thread and without waiting.
#pragma once

#include "protocol/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace testcard::agent
{

/// How the first process of a command ended.
struct ProcessEnd {
    bool bySignal = false;
    std::uint32_t value = 0;
    std::uint64_t duration_ns = 0;
};

/// What the system reports; the Agent implements it. Every run, put and get ends with exactly one
/// of exited, done and failed, unless it was abandoned before; after that nothing is heard of it.
class SystemEvents
{
public:
    virtual void started(std::uint32_t request, std::uint32_t process) = 0;
    /// Where output of a request is to be put, empty while the host cannot take any ...
    virtual std::span<std::uint8_t> outputSpace() = 0;
    /// ... and that it was put there.
    virtual void outputFilled(std::uint32_t request, OutputStream stream, std::size_t bytes) = 0;
    /// Input was passed on (or has nobody any more who would read it).
    virtual void inputTaken(std::uint32_t request, std::size_t bytes) = 0;
    /// All output came before.
    virtual void exited(std::uint32_t request, const ProcessEnd &end) = 0;
    virtual void fileOpened(std::uint32_t request, const FileReport &file) = 0;
    virtual void done(std::uint32_t request, std::uint64_t value) = 0;
    virtual void failed(std::uint32_t request, const Failure &failure) = 0;
    /// A program in the guest sets a mark. False: no room now, ask again when there is.
    virtual bool marked(const MarkReport &mark) = 0;

protected:
    ~SystemEvents() = default;
};

class System
{
public:
    /// Names, versions and abilities of the guest. The agent fills in version and limits.
    virtual Welcome describe() = 0;

    virtual void run(std::uint32_t request, const RunRequest &run) = 0;
    virtual void put(std::uint32_t request, const PutRequest &put) = 0;
    virtual void get(std::uint32_t request, const GetRequest &get) = 0;
    virtual void makeDirectory(std::uint32_t request, const MakeDirectoryRequest &make) = 0;

    /// Input of a command or a put. The agent never has more than inputCreditBytes outstanding.
    virtual void input(std::uint32_t request, std::span<const std::uint8_t> bytes) = 0;
    virtual void inputEnd(std::uint32_t request) = 0;
    virtual void signal(std::uint32_t request, std::uint32_t number) = 0;
    virtual void resize(std::uint32_t request, const TerminalRequest &terminal) = 0;
    /// Kills every process of the request; it ends by exited or failed, as soon as they are dead.
    virtual void kill(std::uint32_t request) = 0;
    /// As kill, but nothing will be reported.
    virtual void abandon(std::uint32_t request) = 0;
    /// Abandons everything, and kills what commands that have ended left behind.
    virtual void abandonAll() = 0;
    /// Nothing runs, nothing is left of what was abandoned.
    virtual bool idle() const = 0;

    /// Writes a line into the kernel's log; false with errno set if that cannot be.
    virtual bool writeKernelLog(std::string_view text) = 0;
    /// Powers off or restarts; does not return if it succeeds. False with errno set otherwise.
    virtual bool power(PowerAction action) = 0;

protected:
    ~System() = default;
};

} // namespace testcard::agent
