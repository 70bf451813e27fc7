// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind a RunningCommand.
#pragma once

#include "agent/client.hpp"
#include "agent/client_state.hpp"

#include <chrono>
#include <memory>

namespace testcard::agent
{

struct RunningCommand::State {
    std::shared_ptr<ClientState> client;
    RequestPointer request;
    std::chrono::milliseconds timeout{0};
    Clock::time_point startedAt;

    State() = default;
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    ~State()
    {
        if (request) client->detach(request);
    }
};

/// A new eventfd for RunningCommand::eventFd().
int makeEvent();

} // namespace testcard::agent
