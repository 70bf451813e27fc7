// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A scenario: the guest, its cards, what happens in which order and what is expected of it.
///
/// scenarios/README.md says what each key of a scenario file means; these are the same words.
#pragma once

#include "scenario/problem.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace testcard::scenario
{

/// [guest]: the machine that the cards are plugged into.
struct Guest {
    struct File {
        std::filesystem::path host;
        std::string guest; ///< absolute
    };

    std::string kernel; ///< a file or the version of a Debian kernel; empty for the usual one
    std::vector<std::string> modules; ///< .ko files, folders with a Kbuild, names of modules
    std::vector<std::string> packages;
    std::vector<File> files;
    std::uint64_t memory_bytes = 512u << 20;
    unsigned cpus = 2;
    std::string append; ///< added to the kernel's command line
    std::chrono::milliseconds bootTimeout{60'000};
};

/// [[card]]: one card, served by a process of its own.
struct Card {
    std::string name;
    std::string type;                                         ///< "capture"
    std::vector<std::pair<std::string, std::string>> options; ///< as `testcard serve` takes them
    bool plugged = true;                                      ///< at boot; false waits for `plug`
    Position where;

    /// The text that `testcard serve` takes: `capture,media=ramp,...`. A card without a seed of
    /// its own gets one from the run's seed and its name, so that another card shifts no other.
    std::string description(std::uint64_t runSeed) const;
};

/// The name of a card or a step, and where it is used.
struct Reference {
    std::string name;
    Position where;
};

/// A POSIX extended regular expression in which ^ and $ stand for the ends of any line.
struct Pattern {
    std::string text;
    Position where;
};

/// expect.metrics: what one number, text or truth value must be.
struct MetricRule {
    std::string path; ///< keys joined with dots, as in `events.source-change`
    std::variant<std::monostate, double, std::string, bool> equals;
    std::optional<double> min;
    std::optional<double> max;
    Position where;
};

/// expect: all of these must hold.
struct Expectations {
    enum class Ending { code, nonzero, any, signal, timeout };

    Ending ending = Ending::code;
    int number = 0; ///< exit code or signal
    std::vector<Pattern> stdoutHas;
    std::vector<Pattern> stdoutLacks;
    std::vector<Pattern> stderrHas;
    std::vector<Pattern> stderrLacks;
    std::vector<MetricRule> metrics;
};

/// run: a command in the guest.
struct RunCommand {
    std::vector<std::string> argv;
    std::vector<std::string> environment; ///< NAME=VALUE
    std::string directory;                ///< empty for the agent's own
    bool background = false;
    bool readsMetrics = false; ///< the last line of stdout that is a JSON object
    std::optional<std::chrono::milliseconds> within; ///< tried again until it holds
    std::vector<std::string> collect;                ///< files and folders for the artifacts
    std::string contactSheet;                        ///< guest folder of thumbnails
    Expectations expect;
};

/// wait: for a background step to end, or to have written what `until` says.
struct WaitFor {
    Reference step;
    std::optional<Pattern> until;
};

/// cancel: ends a background step.
struct Cancel {
    Reference step;
};

/// signal: what is plugged into the card's input.
struct SetSignal {
    Reference card;
    std::optional<bool> present;
    std::optional<bool> locked;
    std::optional<bool> inRange;
    std::string timings; ///< "1280x720p60"; empty leaves them
};

/// status: the card's own counters, as metrics.
struct ReadStatus {
    Reference card;
    std::optional<std::chrono::milliseconds> within;
    std::vector<MetricRule> metrics;
};

/// kill, pause, resume, restart, plug, unplug.
struct CardAction {
    enum class Kind { kill, pause, resume, restart, plug, unplug };

    Kind kind = Kind::kill;
    Reference card;
};

/// sleep: where nothing better can be waited for.
struct Sleep {
    std::chrono::milliseconds duration{0};
};

/// [[step]]: exactly one thing that happens.
struct Step {
    using Action =
        std::variant<RunCommand, WaitFor, Cancel, SetSignal, ReadStatus, CardAction, Sleep>;

    std::string name; ///< unique
    Action action;
    std::chrono::milliseconds timeout{30'000};
    bool always = false; ///< also after a step before it failed
    Position where;
};

/// [verdict]: what is judged beyond the steps, and what is told.
struct Verdict {
    /// Which step's metrics and which card's counters make up the table of frames; empty for none.
    struct Frames {
        Reference step;
        Reference card;
    };

    Frames frames;
    std::vector<Pattern> kernelLogRefuse; ///< beside the kernel's own reports of bugs
    std::vector<Pattern> kernelLogAllow;  ///< reports that are expected
};

/// A whole scenario file, checked.
struct Scenario {
    std::string name; ///< the file's name without .toml
    std::filesystem::path file;
    std::string title;
    std::string description;
    std::vector<std::string> tags;
    std::uint64_t seed = 1;
    std::chrono::milliseconds timeout{120'000};
    Guest guest;
    std::vector<Card> cards;
    std::vector<Step> steps;
    Verdict verdict;
};

/// The word in the scenario file for what a step does: "run", "unplug".
std::string verbOf(const Step &step);

} // namespace testcard::scenario
