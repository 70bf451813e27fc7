// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the subcommands of `testcard` do. Each returns the exit code of the program.
#pragma once

#include "launcher/accelerator.hpp"
#include "scenario/selection.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace testcard::scenario
{

/// How a guest is started, for every command that starts one.
struct GuestArguments {
    std::optional<launcher::Accelerator> accelerator; ///< nothing: auto
    std::string connect;                              ///< libvirt URI; empty: embedded
};

struct RunArguments {
    Selection selection;
    GuestArguments guest;
    std::optional<std::uint64_t> seed;
    std::optional<std::chrono::milliseconds> timeout;
    unsigned repeat = 1;
    std::filesystem::path junit;
    std::filesystem::path json;
    std::filesystem::path artifacts; ///< empty: a new folder in the build tree
    bool dryRun = false;
};
int runCommand(const RunArguments &arguments);

struct ServeArguments {
    std::vector<std::string> cards; ///< descriptions
    std::vector<std::filesystem::path> sockets;
    std::vector<std::filesystem::path> controls;
    std::chrono::microseconds pollFor{100};
    bool quiet = false; ///< says nothing of how to attach the cards
};
int serveCommand(const ServeArguments &arguments);

struct PrintArguments {
    std::string scenario;
    GuestArguments guest;
    std::filesystem::path sockets; ///< folder; empty: one of the user's own
};
int xmlCommand(const PrintArguments &arguments);
int argsCommand(const PrintArguments &arguments);

int listCommand(const Selection &selection);
int validateCommand(const std::vector<std::string> &names);

struct ShellArguments {
    std::string scenario;
    GuestArguments guest;
    std::vector<std::string> command; ///< instead of a login shell
};
int shellCommand(const ShellArguments &arguments);

/// `testcard` with its arguments.
int commandLine(int argc, char **argv);

} // namespace testcard::scenario
