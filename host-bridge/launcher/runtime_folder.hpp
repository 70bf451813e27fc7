// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where a session keeps its sockets.
#pragma once

#include "launcher/error.hpp"

#include <filesystem>

namespace testcard::launcher
{

/// The most bytes a Unix socket's path may have (sun_path less its terminating zero).
inline constexpr std::size_t socketPathLimit = 107;

/// Makes <base>/testcard-XXXXXX, mode 0700. The base is XDG_RUNTIME_DIR if that is ours, private
/// and short, else /tmp: a socket's path must stay within socketPathLimit also below libvirt's own
/// folders.
Result<std::filesystem::path> makeRuntimeFolder();

} // namespace testcard::launcher
