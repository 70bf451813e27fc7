// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A card in a process of its own: `testcard serve` as a child.
#pragma once

#include "launcher/launcher.hpp"
#include "scenario/bench.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace testcard::scenario
{

/// Starts `program serve DESCRIPTION` with its sockets in the session's folder and waits until they
/// are there.
Result<std::unique_ptr<CardProcess>>
serveCard(launcher::Session &session, const std::filesystem::path &program, const std::string &name,
          const std::string &description, const std::filesystem::path &log);

} // namespace testcard::scenario
