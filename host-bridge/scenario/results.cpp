// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/results.hpp"

#include "scenario/exit_codes.hpp"

#include <algorithm>

namespace testcard::scenario
{

std::string_view toString(Outcome outcome)
{
    switch (outcome) {
    case Outcome::passed: return "passed";
    case Outcome::failed: return "failed";
    case Outcome::error: return "error";
    case Outcome::skipped: return "skipped";
    }
    return {};
}

std::string_view toString(Cause cause)
{
    switch (cause) {
    case Cause::none: return "none";
    case Cause::expectation: return "expectation";
    case Cause::timeout: return "timeout";
    case Cause::guestImage: return "guest-image";
    case Cause::guestPanic: return "guest-panic";
    case Cause::guestEnded: return "guest-ended";
    case Cause::guestSilent: return "guest-silent";
    case Cause::kernelLog: return "kernel-log";
    case Cause::cardEnded: return "card-ended";
    case Cause::emulatorEnded: return "emulator-ended";
    case Cause::infrastructure: return "infrastructure";
    case Cause::interrupted: return "interrupted";
    }
    return {};
}

Outcome outcomeOf(Cause cause)
{
    switch (cause) {
    case Cause::none: return Outcome::passed;
    case Cause::emulatorEnded:
    case Cause::infrastructure:
    case Cause::interrupted: return Outcome::error;
    default: return Outcome::failed;
    }
}

void RunResult::worsen(Cause why, std::string message)
{
    messages.push_back(std::move(message));
    const Outcome meant = outcomeOf(why);
    const bool firstTrouble = cause == Cause::none;
    // What stopped the bench explains the failures around it, not the other way round.
    const bool worse = outcome == Outcome::failed && meant == Outcome::error;
    if (!firstTrouble && !worse) return;
    cause = why;
    outcome = meant;
}

int exitCode(const std::vector<RunResult> &results)
{
    if (results.empty()) return exitNothingSelected;
    const auto any = [&](Outcome outcome) {
        return std::any_of(results.begin(), results.end(),
                           [&](const RunResult &result) { return result.outcome == outcome; });
    };
    if (any(Outcome::failed)) return exitFailed;
    if (any(Outcome::error)) return exitInfrastructure;
    return exitPassed;
}

int exitCode(const Failure &failure, int signal)
{
    // Whatever could not go on then, the signal is why.
    if (signal != 0) return exitSignalBase + signal;
    return outcomeOf(failure.cause) == Outcome::failed ? exitFailed : exitInfrastructure;
}

} // namespace testcard::scenario
