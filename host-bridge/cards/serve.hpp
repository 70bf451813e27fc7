// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// `testcard serve`: a process that serves cards until it is told to stop.
#pragma once

#include "cards/card_spec.hpp"
#include "cards/error.hpp"

#include <tl/expected.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

namespace testcard::cards
{

struct ServedCard {
    CardSpec spec;
    std::filesystem::path socket;  ///< of vfio-user: what QEMU's vfio-user-pci connects to
    std::filesystem::path control; ///< of the control protocol; empty: none
};

struct ServeOptions {
    std::vector<ServedCard> cards;
    std::chrono::microseconds pollFor{100}; ///< after each access, before sleeping (design D7)

    /// Called once when all sockets accept connections.
    std::function<void()> ready;

    /// One line for a log.
    std::function<void(std::string_view)> report;
};

/// Serves until SIGINT, SIGTERM, SIGHUP (unless it is ignored) or a control request to stop;
/// removes its sockets. All cards share one thread and one clock. Blocks the signals for the
/// caller's thread.
tl::expected<void, Error> serve(const ServeOptions &options);

} // namespace testcard::cards
