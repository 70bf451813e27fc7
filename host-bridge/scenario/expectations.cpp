// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/expectations.hpp"

#include "scenario/pattern.hpp"
#include "scenario/suggestion.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace testcard::scenario
{

namespace
{

constexpr std::size_t longestMetrics_bytes = 64 * 1024;
constexpr unsigned deepestMetrics = 8;

/// A guest's JSON decides nothing about the host's stack and memory: depth and number are bounded.
bool flatten(const nlohmann::json &value, const std::string &path, unsigned depth, Metrics &out)
{
    if (value.is_structured()) {
        if (depth > deepestMetrics) return false;
        for (const auto &[key, inner] : value.items())
            if (!flatten(inner, path.empty() ? key : path + "." + key, depth + 1, out))
                return false;
        return true;
    }
    if (value.is_boolean())
        out.add(path, value.get<bool>());
    else if (value.is_number())
        out.add(path, value.get<double>());
    else if (value.is_string())
        out.add(path, value.get<std::string>());
    return true;
}

std::string show(const MetricValue &value)
{
    if (const auto *number = std::get_if<double>(&value)) return fmt::format("{}", *number);
    if (const auto *truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
    return fmt::format("\"{}\"", std::get<std::string>(value));
}

std::string wanted(const MetricRule &rule)
{
    if (const auto *number = std::get_if<double>(&rule.equals)) return fmt::format("{}", *number);
    if (const auto *truth = std::get_if<bool>(&rule.equals)) return *truth ? "true" : "false";
    if (const auto *text = std::get_if<std::string>(&rule.equals))
        return fmt::format("\"{}\"", *text);
    if (rule.min && rule.max) return fmt::format("from {} to {}", *rule.min, *rule.max);
    return rule.min ? fmt::format("at least {}", *rule.min) : fmt::format("at most {}", *rule.max);
}

bool holds(const MetricRule &rule, const MetricValue &value)
{
    const auto *number = std::get_if<double>(&value);
    if (rule.min || rule.max)
        return number && (!rule.min || *number >= *rule.min) && (!rule.max || *number <= *rule.max);
    if (const auto *same = std::get_if<double>(&rule.equals)) return number && *number == *same;
    if (const auto *same = std::get_if<bool>(&rule.equals)) {
        const auto *truth = std::get_if<bool>(&value);
        return truth && *truth == *same;
    }
    const auto *text = std::get_if<std::string>(&value);
    const auto *same = std::get_if<std::string>(&rule.equals);
    return text && same && *text == *same;
}

/// "exit code 0", "to be killed by signal 9", for "expected ...".
std::string wantedEnding(const Expectations &expect)
{
    switch (expect.ending) {
    case Expectations::Ending::code: return fmt::format("exit code {}", expect.number);
    case Expectations::Ending::nonzero: return "an exit code other than 0";
    case Expectations::Ending::signal: return fmt::format("an end by signal {}", expect.number);
    case Expectations::Ending::timeout: return "it still to run at its timeout";
    case Expectations::Ending::any: break;
    }
    return "an exit code";
}

bool endedAsExpected(const Expectations &expect, const Observed &observed)
{
    using Wanted = Expectations::Ending;
    using Seen = Observed::Ending;
    const bool exited = observed.ending == Seen::exited;
    switch (expect.ending) {
    case Wanted::code: return exited && observed.number == expect.number;
    case Wanted::nonzero: return exited && observed.number != 0;
    case Wanted::any: return exited;
    case Wanted::signal: return observed.ending == Seen::killed && observed.number == expect.number;
    case Wanted::timeout: return observed.ending == Seen::timedOut;
    }
    return false;
}

void judgeText(const std::vector<Pattern> &patterns, std::string_view text, bool present,
               std::string_view stream, std::vector<std::string> &out)
{
    for (const Pattern &pattern : patterns) {
        const auto matcher = Matcher::compile(pattern.text); // compiled once before, by the parser
        if (matcher && matcher->matches(text) == present) continue;
        out.push_back(fmt::format("expected {} {} \"{}\"", stream, present ? "to have" : "to lack",
                                  pattern.text));
    }
}

} // namespace

void Metrics::add(std::string path, MetricValue value)
{
    values_.emplace_back(std::move(path), std::move(value));
}

const MetricValue *Metrics::find(std::string_view path) const
{
    const auto found = std::find_if(values_.begin(), values_.end(),
                                    [&](const auto &entry) { return entry.first == path; });
    return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string> Metrics::paths() const
{
    std::vector<std::string> out;
    for (const auto &[path, value] : values_)
        out.push_back(path);
    return out;
}

std::optional<Metrics> Metrics::parse(std::string_view text)
{
    if (text.size() > longestMetrics_bytes) return {};
    const auto object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) return {};
    Metrics out;
    if (!flatten(object, {}, 1, out)) return {};
    out.json_ = object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return out;
}

std::optional<Metrics> Metrics::lastLine(std::string_view output)
{
    while (!output.empty()) {
        const std::size_t newline = output.rfind('\n');
        const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
        const std::string_view line = output.substr(start);
        if (line.find('{') != std::string_view::npos)
            if (auto metrics = parse(line)) return metrics;
        output = output.substr(0, newline == std::string_view::npos ? 0 : newline);
    }
    return {};
}

std::vector<std::string> unmet(const std::vector<MetricRule> &rules, const Metrics &metrics,
                               std::string_view source)
{
    std::vector<std::string> out;
    for (const MetricRule &rule : rules) {
        const MetricValue *value = metrics.find(rule.path);
        if (!value) {
            const std::vector<std::string> paths = metrics.paths();
            out.push_back(fmt::format("{} has no metric \"{}\"; {}", source, rule.path,
                                      didYouMean(rule.path, paths)));
        } else if (!holds(rule, *value)) {
            out.push_back(
                fmt::format("expected {} {}, found {}", rule.path, wanted(rule), show(*value)));
        }
    }
    return out;
}

std::vector<std::string> unmet(const RunCommand &run, const Observed &observed)
{
    const Expectations &expect = run.expect;
    std::vector<std::string> out;
    if (observed.ending != Observed::Ending::cancelled && !endedAsExpected(expect, observed))
        out.push_back(fmt::format("expected {}, found {}", wantedEnding(expect), observed.endText));
    judgeText(expect.stdoutHas, observed.output, true, "stdout", out);
    judgeText(expect.stdoutLacks, observed.output, false, "stdout", out);
    judgeText(expect.stderrHas, observed.errorOutput, true, "stderr", out);
    judgeText(expect.stderrLacks, observed.errorOutput, false, "stderr", out);
    if (run.readsMetrics && !observed.metrics) {
        out.emplace_back("no line of stdout is a JSON object with metrics");
    } else if (observed.metrics) {
        const auto metrics = unmet(expect.metrics, *observed.metrics, "stdout");
        out.insert(out.end(), metrics.begin(), metrics.end());
    }
    return out;
}

} // namespace testcard::scenario
