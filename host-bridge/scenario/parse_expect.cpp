// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/parse_parts.hpp"
#include "scenario/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <string.h>

namespace testcard::scenario
{

namespace
{

/// A signal by its name without SIG, as the C library knows it; 0 if it is none.
int signalByName(std::string_view name)
{
    if (name.starts_with("SIG")) name.remove_prefix(3);
    constexpr int lastClassicSignal = 31;
    for (int number = 1; number <= lastClassicSignal; ++number) {
        const char *abbreviation = sigabbrev_np(number);
        if (abbreviation && name == abbreviation) return number;
    }
    return 0;
}

void readExit(TableReader &reader, Expectations &out)
{
    const Node *node = reader.find("exit");
    if (!node) return;
    if (node->kind == Node::Kind::text && node->text == "any") {
        out.ending = Expectations::Ending::any;
    } else if (node->kind == Node::Kind::text && node->text == "nonzero") {
        out.ending = Expectations::Ending::nonzero;
    } else if (node->kind == Node::Kind::integer && node->integer >= 0 && node->integer <= 255) {
        out.number = static_cast<int>(node->integer);
    } else {
        reader.refuse("exit", fmt::format("expected a code from 0 to 255, \"nonzero\" or \"any\", "
                                          "found {}",
                                          node->description()));
    }
}

void readSignal(TableReader &reader, Expectations &out)
{
    const Node *node = reader.find("signal");
    if (!node) return;
    out.ending = Expectations::Ending::signal;
    if (node->kind == Node::Kind::text) out.number = signalByName(node->text);
    if (node->kind == Node::Kind::integer && node->integer >= 1 && node->integer <= 64)
        out.number = static_cast<int>(node->integer);
    if (out.number == 0)
        reader.refuse("signal", fmt::format("expected a signal such as \"KILL\" or 9, found {}",
                                            node->description()));
}

void readEnding(TableReader &reader, Expectations &out)
{
    readExit(reader, out);
    readSignal(reader, out);
    const auto timeout = reader.boolean("timeout");
    if (timeout && *timeout) out.ending = Expectations::Ending::timeout;
    if (timeout && !*timeout)
        reader.refuse("timeout", "false is what every step expects", "leave it out");
    const int given =
        int{reader.has("exit")} + int{reader.has("signal")} + int{timeout.has_value()};
    if (given > 1)
        reader.refuse(reader.has("signal") ? "signal" : "timeout",
                      "a command ends only once: by exit, by signal or by its timeout",
                      "keep one of them");
}

bool isBound(const Node &node)
{
    return node.kind == Node::Kind::table && !node.entries.empty() &&
           std::all_of(node.entries.begin(), node.entries.end(),
                       [](const Entry &entry) { return entry.key == "min" || entry.key == "max"; });
}

std::optional<double> numberOf(const Node &node)
{
    if (node.kind == Node::Kind::integer) return static_cast<double>(node.integer);
    if (node.kind == Node::Kind::real) return node.real;
    return {};
}

/// The metric's path below expect.metrics, which is what the metrics themselves go by.
std::string metricPath(const std::string &prefix, const std::string &key)
{
    return prefix.empty() ? key : prefix + "." + key;
}

MetricRule readBound(const Node &node, const std::string &key, Problems &problems)
{
    MetricRule rule;
    for (const Entry &entry : node.entries) {
        const auto number = numberOf(entry.value);
        if (!number)
            problems.add(entry.value.where, key + "." + entry.key,
                         fmt::format("expected a number, found {}", entry.value.description()));
        (entry.key == "min" ? rule.min : rule.max) = number;
    }
    if (rule.min && rule.max && *rule.min > *rule.max)
        problems.add(node.where, key, "can never hold: its min is above its max");
    return rule;
}

void readMetricTable(const Node &table, const std::string &prefix, const std::string &key,
                     Problems &problems, std::vector<MetricRule> &out)
{
    if (table.entries.empty())
        problems.add(table.where, key, "expects nothing", "an expectation must be able to fail");
    for (const Entry &entry : table.entries) {
        const std::string path = metricPath(prefix, entry.key);
        const std::string fullKey = key + "." + entry.key;
        const Node &value = entry.value;
        MetricRule rule;
        if (isBound(value)) {
            rule = readBound(value, fullKey, problems);
        } else if (value.kind == Node::Kind::table) {
            readMetricTable(value, path, fullKey, problems, out);
            continue;
        } else if (const auto number = numberOf(value)) {
            rule.equals = *number;
        } else if (value.kind == Node::Kind::text) {
            rule.equals = value.text;
        } else if (value.kind == Node::Kind::boolean) {
            rule.equals = value.boolean;
        } else {
            problems.add(value.where, fullKey,
                         fmt::format("expected a number, a string, true, false or {{ min, max }}, "
                                     "found {}",
                                     value.description()));
        }
        rule.path = path;
        rule.where = entry.where;
        out.push_back(std::move(rule));
    }
}

} // namespace

std::vector<MetricRule> readMetricRules(TableReader &reader)
{
    std::vector<MetricRule> out;
    readMetricTable(reader.node(), {}, reader.path(), reader.problems(), out);
    return out;
}

std::vector<Pattern> readPatterns(TableReader &reader, std::string_view key)
{
    std::vector<Pattern> out;
    for (const Entry &entry : reader.texts(key)) {
        const auto matcher = Matcher::compile(entry.value.text);
        if (!matcher)
            reader.problems().add(
                entry.where, entry.key,
                fmt::format("not a POSIX extended regular expression: {}", matcher.error()));
        else if (matcher->matchesEverything())
            reader.problems().add(
                entry.where, entry.key,
                fmt::format("\"{}\" matches every text and so judges nothing", entry.value.text),
                "say what has to be there");
        out.push_back({entry.value.text, entry.where});
    }
    return out;
}

Expectations readExpectations(TableReader &reader, bool readsMetrics)
{
    Expectations out;
    readEnding(reader, out);
    out.stdoutHas = readPatterns(reader, "stdout");
    out.stdoutLacks = readPatterns(reader, "stdout-lacks");
    out.stderrHas = readPatterns(reader, "stderr");
    out.stderrLacks = readPatterns(reader, "stderr-lacks");
    if (const Node *node = reader.table("metrics")) {
        if (!readsMetrics)
            reader.refuse("metrics", "the step reads no metrics",
                          "let it, with metrics = \"json\" beside expect");
        TableReader metrics(*node, reader.pathOf("metrics"), reader.problems());
        out.metrics = readMetricRules(metrics);
    }
    const bool onlyEnding = out.stdoutHas.empty() && out.stdoutLacks.empty() &&
                            out.stderrHas.empty() && out.stderrLacks.empty() && out.metrics.empty();
    if (reader.node().entries.empty())
        reader.problems().add(reader.where(), reader.path(), "expects nothing",
                              "leave it out: exit = 0 is expected anyway");
    else if (onlyEnding && out.ending == Expectations::Ending::any)
        reader.refuse("exit", "\"any\" alone cannot fail, so it judges nothing",
                      "expect something of the output too, or end the command with `|| true`");
    reader.finish();
    return out;
}

} // namespace testcard::scenario
