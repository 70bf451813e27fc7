// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Asks a card's control socket: JSON lines, defined in host-bridge/cards/README.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

namespace testcard::scenario
{

/// Connects, sends one request and returns what is in "return"; an error of the card, a socket
/// that is not there and a card that does not answer in time are messages for people.
tl::expected<nlohmann::json, std::string> askCard(const std::filesystem::path &controlSocket,
                                                  std::string_view command,
                                                  const nlohmann::json &arguments,
                                                  std::chrono::milliseconds limit);

} // namespace testcard::scenario
