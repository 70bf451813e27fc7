// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Why the launcher could not do what it was asked.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace testcard::launcher
{

struct Error {
    enum class Kind {
        usage,       ///< the request itself makes no sense (an option, a URI, a missing file)
        host,        ///< the host cannot do it (package missing, no permission, libvirt refused)
        timedOut,    ///< what was waited for did not come in time
        interrupted, ///< SIGINT, SIGTERM or Interrupt::raise() ended the wait
        ended,       ///< the guest or the child process ended instead
    };

    Kind kind = Kind::host;
    std::string
        message; ///< what was wrong, where, and what to do: one or more lines, no final newline
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(Error::Kind kind, std::string message)
{
    return tl::unexpected(Error{kind, std::move(message)});
}

} // namespace testcard::launcher
