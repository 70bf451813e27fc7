// SPDX-License-Identifier: GPL-2.0-or-later
// An interactive shell in the guest on the caller's terminal, as `testcard shell` uses it.
#pragma once

#include "agent/client.hpp"

#include <tl/expected.hpp>

#include <optional>
#include <string>
#include <vector>

namespace testcard::agent
{

struct ShellOptions {
    int input =
        0; ///< file descriptors of the user's side; a terminal is put into raw mode meanwhile
    int output = 1; ///< and follows its window size
    std::vector<std::string> argv{"/bin/sh", "-l"};
    std::vector<std::string> environment; ///< TERM is set from the host's unless given here
    /// Typing this character ends the shell at once (Ctrl-] as in `virsh console`). nullopt: none.
    /// Only a terminal has it; a pipe's bytes are passed as they are.
    std::optional<char> escape = '\x1d';
};

/// Runs the shell until it exits. When `input` ends before, the shell sees an end of file. The
/// terminal's settings are restored on every way out.
tl::expected<ExitStatus, Error> shell(Client &client, const ShellOptions &options = {});

} // namespace testcard::agent
