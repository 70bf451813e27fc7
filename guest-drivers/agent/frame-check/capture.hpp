// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The two sources of frames: a V4L2 device and standard input.
#pragma once

#include "judge.hpp"
#include "options.hpp"
#include "report.hpp"

namespace testcard::agent
{

/// Captures until the judge has enough, the device fails or a deadline passes.
Outcome captureFromDevice(const Options &options, Judge &judge);

/// Judges pictures without padding until standard input ends or the judge has enough.
Outcome readFromStandardInput(const Options &options, Judge &judge);

} // namespace testcard::agent
