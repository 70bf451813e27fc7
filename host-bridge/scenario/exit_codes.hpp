// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How the testcard command ends.
#pragma once

namespace testcard::scenario
{

inline constexpr int exitPassed = 0;
inline constexpr int exitFailed = 1;
inline constexpr int exitUsage = 2;          ///< options, scenario files
inline constexpr int exitInfrastructure = 3; ///< no verdict: the host was in the way
inline constexpr int exitNothingSelected = 4;
inline constexpr int exitSignalBase = 128; ///< and the signal's number, as shells count

} // namespace testcard::scenario
