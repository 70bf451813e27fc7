// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The outcome of a run, as text and as one line of JSON.
#pragma once

#include "failure.hpp"
#include "feed/picture.hpp"
#include "judge.hpp"
#include "options.hpp"
#include "video_device.hpp"

#include <optional>
#include <string>

namespace testcard::agent
{

/// What is known when a run is over.
struct Outcome {
    std::string driver, card; ///< empty for standard input
    std::optional<feed::Shape> shape;
    double nominalRate = 0; ///< frames per second by the timings
    EventCounts events;
    std::optional<Failure> failure; ///< why the run ended before its time
};

/// The exit code, and the reason if it is not `passed`.
struct Verdict {
    ExitCode code = ExitCode::passed;
    std::string reason;
};

Verdict verdictOf(const Outcome &outcome, const Judge &judge, const Options &options);

/// README.md lists the keys.
std::string asJson(const Outcome &outcome, const Judge &judge, const Options &options,
                   const Verdict &verdict);
std::string asText(const Outcome &outcome, const Judge &judge, const Options &options,
                   const Verdict &verdict);

} // namespace testcard::agent
