// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The launcher's session as the commands open it.
#pragma once

#include "launcher/launcher.hpp"
#include "scenario/commands.hpp"
#include "scenario/scenario.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace testcard::scenario
{

/// Opens it, or says on standard error why not. Before any thread is started.
std::optional<std::unique_ptr<launcher::Session>> openSession(const GuestArguments &arguments);

/// One scenario by name or path, or its problems on standard error.
std::optional<Scenario> loadNamed(const std::string &name);

} // namespace testcard::scenario
