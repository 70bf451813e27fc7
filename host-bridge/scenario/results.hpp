// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What came out of a scenario: what the writers of reports, JSON and JUnit share.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace testcard::scenario
{

/// `error` is no verdict about the driver: something on the host was in the way.
enum class Outcome { passed, failed, error, skipped };

std::string_view toString(Outcome outcome);

/// Why something did not pass. Each is a verdict of its own.
enum class Cause {
    none,
    expectation,    ///< a step did not do what was expected
    timeout,        ///< a step or the scenario took too long
    guestImage,     ///< the guest cannot be built as the scenario wants it
    guestPanic,     ///< the guest's kernel panicked
    guestEnded,     ///< the guest powered off or restarted
    guestSilent,    ///< the agent in the guest was lost or did not answer
    kernelLog,      ///< the guest's kernel logged what it must not
    cardEnded,      ///< a card's process ended that no step had killed
    emulatorEnded,  ///< QEMU ended or stopped the machine
    infrastructure, ///< the host could not do it
    interrupted     ///< Ctrl-C
};

/// The name in results: "guest-panic".
std::string_view toString(Cause cause);

/// What a cause means for the scenario: a failure of what is tested, or an error of the bench.
Outcome outcomeOf(Cause cause);

/// Something that went wrong, for people.
struct Failure {
    Cause cause = Cause::infrastructure;
    std::string message;
};

struct StepResult {
    std::string name{};
    std::string verb{};
    Outcome outcome = Outcome::skipped;
    Cause cause = Cause::none;
    std::vector<std::string> messages{}; ///< what was not as expected
    std::chrono::milliseconds start{0};  ///< since the scenario's start
    std::chrono::milliseconds duration{0};
    std::string ending{};      ///< "exit code 0"; empty for host actions
    std::string output{};      ///< of the command, bounded
    std::string errorOutput{}; ///< of the command, bounded
    std::string metrics{};     ///< a JSON object; empty for none
    unsigned attempts = 0;     ///< more than one only with `within`
};

/// The table that a report about video begins with.
struct FrameTable {
    std::optional<std::uint64_t> sent{}; ///< by the card; nothing if it could not be asked
    std::optional<std::uint64_t> received{};
    std::optional<std::uint64_t> dropped{};
    std::optional<std::uint64_t> torn{};
    std::optional<std::uint64_t> repeated{};
    std::optional<std::uint64_t> outOfOrder{};
    std::optional<std::uint64_t> wrong{};
    std::string driver{};
    std::string signal{}; ///< "1280x720p60, YUYV"
};

struct Times {
    std::chrono::milliseconds setUp{0}; ///< guest image, cards, until the machine starts
    std::chrono::milliseconds boot{0};  ///< until the agent answers
    std::optional<std::chrono::milliseconds> firstFrame; ///< since the scenario's start
    std::chrono::milliseconds total{0};
};

struct RunResult {
    std::string scenario;
    std::filesystem::path file;
    std::string title;
    std::vector<std::string> tags;
    std::uint64_t seed = 0;
    unsigned repetition = 1;
    Outcome outcome = Outcome::error;
    Cause cause = Cause::none;
    std::vector<std::string> messages; ///< why, beyond the steps
    std::chrono::system_clock::time_point started;
    Times times;
    std::vector<StepResult> steps;
    std::optional<FrameTable> frames;
    /// What the run was made of, in order: "qemu" -> "11.1.3", "kernel" -> "6.1.0-32-amd64".
    std::vector<std::pair<std::string, std::string>> versions;
    std::filesystem::path artifacts;

    /// Makes the worst of what happened the outcome; the first cause of its kind stays.
    void worsen(Cause why, std::string message);
};

/// 0 passed, 1 failed, 3 error, 4 for no results; a failure counts before an error.
int exitCode(const std::vector<RunResult> &results);
/// How a command ends that could not go on: 1 for the guest's failure, 3 for the host's, 128 and
/// the number of the signal if one interrupted it; `signal` is 0 for none.
int exitCode(const Failure &failure, int signal);

} // namespace testcard::scenario
