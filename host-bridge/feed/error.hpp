// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the feed says when it cannot do what it was asked.
#pragma once

#include <string>

namespace testcard::feed
{

/// One sentence: what was wrong, where, and what to do.
struct Error {
    std::string message;
};

} // namespace testcard::feed
