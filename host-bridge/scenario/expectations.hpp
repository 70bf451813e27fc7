// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Judges what a step did by what the scenario expects of it.
#pragma once

#include "scenario/scenario.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace testcard::scenario
{

using MetricValue = std::variant<double, std::string, bool>;

/// Metrics by their paths (`events.source-change`), in the order in which they came.
class Metrics
{
public:
    void add(std::string path, MetricValue value);
    const MetricValue *find(std::string_view path) const;
    std::vector<std::string> paths() const;
    const std::string &json() const { return json_; }

    /// The metrics of a JSON object: objects and lists within it give dotted paths, as in
    /// `events.source-change` and `streams.0.frames-dropped`. Nothing if `text` is no object, is
    /// over 64 KiB, or is nested deeper than 8.
    static std::optional<Metrics> parse(std::string_view text);
    /// Of the last line of `output` that is a JSON object.
    static std::optional<Metrics> lastLine(std::string_view output);

private:
    std::vector<std::pair<std::string, MetricValue>> values_;
    std::string json_;
};

/// How a command ended and what it wrote.
struct Observed {
    enum class Ending { exited, killed, timedOut, cancelled };

    Ending ending = Ending::exited;
    int number = 0;      ///< exit code or signal
    std::string endText; ///< "exit code 3"
    std::string output;
    std::string errorOutput;
    std::optional<Metrics> metrics;
};

/// What of the expectations does not hold, one sentence each; empty if all of them do. How a
/// cancelled command ended is not judged.
std::vector<std::string> unmet(const RunCommand &run, const Observed &observed);

/// The same for metrics alone. `source` says in messages where they come from.
std::vector<std::string> unmet(const std::vector<MetricRule> &rules, const Metrics &metrics,
                               std::string_view source);

} // namespace testcard::scenario
