// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A program that testcard runs beside itself and never leaves behind: a card, a probe.
#pragma once

#include "launcher/error.hpp"
#include "launcher/interrupt.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace testcard::launcher
{

class Reaper;

struct ChildOptions {
    std::string name{};              ///< for messages, e.g. "card capture0"
    std::vector<std::string> argv{}; ///< argv[0] is looked up in PATH unless it holds a slash
    std::vector<std::string> environment{}; ///< KEY=VALUE, added to or replacing the parent's
    std::filesystem::path log{};            ///< stdout and stderr are appended; empty: /dev/null
    /// Ready when each of these is a Unix socket that somebody listens on.
    std::vector<std::filesystem::path> readySockets{};
    /// Ready when the child writes a byte to the descriptor named by TESTCARD_READY_FD.
    bool readyByDescriptor = false;
};

/// How a child ended: exactly one of the two.
struct ChildStatus {
    std::optional<int> code{};
    std::optional<int> signal{};
    bool success() const { return code == 0; }
    std::string describe() const; ///< "exited with code 1", "was killed by SIGSEGV"
};

/// The child has a process group of its own (Ctrl-C on the terminal does not reach it), dies with
/// its parent, and is stopped by the destructor. Not thread-safe; different children are
/// independent.
class ChildProcess
{
public:
    /// Starts it; `reaper` may be nullptr (tests). An exec that fails is an error here.
    static Result<std::unique_ptr<ChildProcess>> start(ChildOptions options, Reaper *reaper);
    ~ChildProcess();
    ChildProcess(const ChildProcess &) = delete;
    ChildProcess &operator=(const ChildProcess &) = delete;

    /// Waits for readiness as the options say. An early end of the child is Error::ended with the
    /// end of its log.
    Result<void> waitReady(std::chrono::milliseconds limit, const Interrupt *interrupt);
    /// Waits for its end.
    Result<ChildStatus> wait(std::chrono::milliseconds limit, const Interrupt *interrupt);
    /// Its end, without waiting; nullopt while it runs.
    std::optional<ChildStatus> status();
    /// SIGTERM, then SIGKILL to its process group after `grace`. Its end in any case.
    ChildStatus stop(std::chrono::milliseconds grace = std::chrono::milliseconds{2000});
    void signal(int number);

    pid_t pid() const;
    /// Polls readable once the child has ended.
    int pidfd() const;
    const std::string &name() const;
    /// The last lines of its log, for messages; bounded.
    std::string logTail() const;

private:
    struct Impl;
    explicit ChildProcess(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace testcard::launcher
