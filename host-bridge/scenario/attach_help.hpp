// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How to attach served cards to a guest that somebody else starts.
#pragma once

#include "cards/serve.hpp"

#include <string>
#include <vector>

namespace testcard::scenario
{

/// What `testcard serve` prints: QEMU's arguments, libvirt's XML, the monitor's command for a
/// running guest, and a request for the control socket. Lines that explain begin with '#'.
std::string attachHelp(const std::vector<cards::ServedCard> &cards);

} // namespace testcard::scenario
