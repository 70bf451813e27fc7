// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace testcard::vfio_user
{

/// Why something on the host did not work: what was wrong, where, and what to do.
struct Error {
    std::string message;
};

} // namespace testcard::vfio_user
