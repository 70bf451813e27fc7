// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Why frame-check could not go on.
#pragma once

#include <tl/expected.hpp>

#include <string>

namespace testcard::agent
{

/// The exit codes of frame-check, as --help prints them.
enum class ExitCode : int {
    passed = 0,      ///< all frames are as they should be
    failed = 1,      ///< frames are damaged or missing, or the device failed
    usage = 2,       ///< the command line is wrong
    unsupported = 3, ///< the device is not there or lacks what was asked for
};

struct Failure {
    ExitCode code = ExitCode::failed;
    std::string message;
};

template <typename T>
using Result = tl::expected<T, Failure>;

/// "cannot set the format: Device or resource busy"
tl::unexpected<Failure> failed(std::string what, int error);
tl::unexpected<Failure> failed(std::string what);
tl::unexpected<Failure> unsupported(std::string what);

} // namespace testcard::agent
