// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The end of a log, for messages.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace testcard::launcher
{

/// At most `lines` last lines and `bytes` bytes of a file, without a final newline; control
/// characters other than newline and tab become '?', since a guest may have written them. Empty if
/// it cannot be read.
std::string tailOf(const std::filesystem::path &file, std::size_t lines = 8,
                   std::size_t bytes = 4096);

} // namespace testcard::launcher
