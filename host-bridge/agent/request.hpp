// SPDX-License-Identifier: GPL-2.0-or-later
// What the client keeps about one request while the guest works on it.
#pragma once

#include "agent/client.hpp"
#include "linux/file_descriptor.hpp"
#include "protocol/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace testcard::agent
{

/// Takes output of a request, on the client's thread.
using Sink = std::function<void(OutputStream stream, std::span<const std::uint8_t> bytes)>;

/// All but `number` is guarded by the mutex of the ClientState.
struct Request {
    explicit Request(std::uint32_t requestNumber) : number(requestNumber) {}

    const std::uint32_t number;
    Sink sink;
    bool isDetached = false; ///< the sink is not to be called any more
    bool sinkBusy = false;   ///< the client's thread is calling it, without the mutex

    // What the guest said so far.
    std::optional<std::uint32_t> process;
    std::optional<FileReport> file;
    std::optional<ExitReport> exit;
    std::optional<std::uint64_t> done;
    std::optional<Error> error;
    std::uint64_t progress = 0; ///< grows with everything the guest says about it

    // Input for it: `input` from `inputAt` on waits for credit.
    std::size_t credit = inputCreditBytes;
    std::string input;
    std::size_t inputAt = 0;
    bool inputEnd = false; ///< no more is coming
    bool inputEndSent = false;

    FileDescriptor event; ///< RunningCommand::eventFd()

    bool isFinished() const { return exit || done || error; }
    bool isInputSent() const { return inputAt == input.size(); }
};

} // namespace testcard::agent
