// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace testcard::cards
{

/// Why a card cannot be had: what was wrong, where, and what to do.
struct Error {
    enum class Kind : std::uint8_t {
        usage, ///< the description or an option is wrong
        host   ///< the machine refused something: a socket, a file
    };

    Kind kind = Kind::usage;
    std::string message;
};

} // namespace testcard::cards
