// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/parse_parts.hpp"
#include "scenario/pattern.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>

namespace testcard::scenario
{

namespace
{

using namespace std::chrono_literals;

constexpr std::array<std::pair<const char *, CardAction::Kind>, 6> cardActions{{
    {"kill", CardAction::Kind::kill},
    {"pause", CardAction::Kind::pause},
    {"resume", CardAction::Kind::resume},
    {"restart", CardAction::Kind::restart},
    {"plug", CardAction::Kind::plug},
    {"unplug", CardAction::Kind::unplug},
}};

/// The keys of which a step has exactly one.
const std::vector<std::string> &verbs()
{
    static const std::vector<std::string> all = [] {
        std::vector<std::string> out{"run", "wait", "cancel", "signal", "status"};
        for (const auto &[verb, kind] : cardActions)
            out.emplace_back(verb);
        out.emplace_back("sleep");
        return out;
    }();
    return all;
}

/// A string goes to the guest's shell; a list is run as it is.
std::vector<std::string> readArgv(TableReader &reader)
{
    const Node *node = reader.find("run");
    std::vector<std::string> out;
    if (node->kind == Node::Kind::text && !node->text.empty()) return {"/bin/sh", "-c", node->text};
    for (const Entry &word : reader.texts("run"))
        out.push_back(word.value.text);
    return out;
}

std::vector<std::string> readEnvironment(TableReader &reader)
{
    const Node *node = reader.table("environment");
    if (!node) return {};
    TableReader table(*node, reader.pathOf("environment"), reader.problems());
    std::vector<std::string> out;
    for (const Entry &entry : node->entries)
        if (const auto value = table.text(entry.key))
            out.push_back(fmt::format("{}={}", entry.key, *value));
    return out;
}

std::optional<std::string> readGuestPath(TableReader &reader, std::string_view key)
{
    const auto path = reader.text(key);
    if (path && !path->starts_with('/')) {
        reader.refuse(key, fmt::format("\"{}\" is not an absolute path of the guest", *path));
        return {};
    }
    return path;
}

std::vector<std::string> readCollect(TableReader &reader)
{
    std::vector<std::string> out;
    for (const Entry &path : reader.texts("collect")) {
        if (!path.value.text.starts_with('/'))
            reader.problems().add(
                path.where, path.key,
                fmt::format("\"{}\" is not an absolute path of the guest", path.value.text));
        out.push_back(path.value.text);
    }
    return out;
}

RunCommand readRun(TableReader &reader, const std::string &name)
{
    static const std::vector<std::string> metricForms{"json"};
    RunCommand run;
    run.argv = readArgv(reader);
    run.environment = readEnvironment(reader);
    run.directory = readGuestPath(reader, "directory").value_or("");
    run.background = reader.boolean("background").value_or(false);
    if (run.background && name.empty()) {
        run.background = false; // so that nobody complains again
        reader.refuse("background", "a step in the background needs a name",
                      "give it one, and let a later step wait for it or cancel it");
    }
    run.readsMetrics = reader.choice("metrics", metricForms).has_value();
    run.within = reader.duration("within");
    if (run.background && run.within)
        reader.refuse("within", "a step in the background is not tried again");
    run.collect = readCollect(reader);
    run.contactSheet = readGuestPath(reader, "contact-sheet").value_or("");
    if (const Node *node = reader.table("expect")) {
        TableReader expect(*node, reader.pathOf("expect"), reader.problems());
        run.expect = readExpectations(expect, run.readsMetrics);
    }
    return run;
}

WaitFor readWait(TableReader &reader)
{
    WaitFor wait;
    wait.step = reader.reference("wait");
    const auto until = readPatterns(reader, "until");
    if (until.size() > 1) reader.refuse("until", "expected one regular expression");
    if (!until.empty()) wait.until = until.front();
    return wait;
}

SetSignal readSignal(TableReader &reader)
{
    SetSignal signal;
    const Node *node = reader.table("signal");
    if (!node) return signal;
    TableReader table(*node, reader.pathOf("signal"), reader.problems());
    table.require("card", "name the card whose input this is");
    signal.card = table.reference("card");
    signal.present = table.boolean("present");
    signal.locked = table.boolean("locked");
    signal.inRange = table.boolean("in-range");
    signal.timings = table.text("timings").value_or("");
    static const Matcher form = *Matcher::compile("^[0-9]+x[0-9]+[pi][0-9.]+$");
    if (!signal.timings.empty() && !form.matches(signal.timings))
        table.refuse("timings",
                     fmt::format("\"{}\" does not look like \"1280x720p60\"", signal.timings));
    if (node->entries.size() <= 1)
        table.refuse("card", "changes nothing",
                     "say what becomes of the signal, as in present = false");
    table.finish();
    return signal;
}

ReadStatus readStatus(TableReader &reader)
{
    ReadStatus status;
    status.card = reader.reference("status");
    status.within = reader.duration("within");
    reader.require("expect", "say what the counters must be, as in "
                             "expect = { metrics = { frames-dropped = 0 } }");
    const Node *node = reader.table("expect");
    if (!node) return status;
    TableReader expect(*node, reader.pathOf("expect"), reader.problems());
    expect.require("metrics", "a card's status has metrics and nothing else");
    if (const Node *metrics = expect.table("metrics")) {
        TableReader rules(*metrics, expect.pathOf("metrics"), reader.problems());
        status.metrics = readMetricRules(rules);
    }
    expect.finish();
    return status;
}

CardAction readCardAction(TableReader &reader, const std::string &verb)
{
    CardAction action;
    for (const auto &[word, kind] : cardActions)
        if (verb == word) action.kind = kind;
    action.card = reader.reference(verb);
    return action;
}

Step::Action readAction(TableReader &reader, const std::string &verb, const std::string &name)
{
    if (verb == "run") return readRun(reader, name);
    if (verb == "wait") return readWait(reader);
    if (verb == "cancel") return Cancel{reader.reference("cancel")};
    if (verb == "signal") return readSignal(reader);
    if (verb == "status") return readStatus(reader);
    if (verb == "sleep") return Sleep{reader.duration("sleep").value_or(0ms)};
    return readCardAction(reader, verb);
}

/// Which of the verbs the step has; a problem unless it is exactly one.
std::string findVerb(TableReader &reader)
{
    std::vector<std::string> found;
    for (const std::string &verb : verbs())
        if (reader.has(verb)) found.push_back(verb);
    if (found.size() == 1) return found.front();
    const std::string what =
        found.empty() ? "does nothing" : fmt::format("does {} at once", fmt::join(found, " and "));
    reader.problems().add(reader.where(), reader.path(), what,
                          fmt::format("a step has exactly one of {}", fmt::join(verbs(), ", ")));
    return found.empty() ? std::string{} : found.front();
}

} // namespace

Step readStep(TableReader &reader)
{
    Step step;
    step.where = reader.where();
    step.name = reader.text("name").value_or("");
    step.always = reader.boolean("always").value_or(false);
    step.timeout = reader.duration("timeout").value_or(step.timeout);
    const std::string verb = findVerb(reader);
    if (!verb.empty()) step.action = readAction(reader, verb, step.name);
    if (verb == "sleep" && reader.has("timeout"))
        reader.refuse("timeout", "a sleep ends by itself");
    return step;
}

std::string verbOf(const Step &step)
{
    if (const auto *action = std::get_if<CardAction>(&step.action)) {
        for (const auto &[word, kind] : cardActions)
            if (action->kind == kind) return word;
    }
    constexpr std::array<const char *, 7> words{"run",    "wait", "cancel", "signal",
                                                "status", "",     "sleep"};
    return words[step.action.index()];
}

} // namespace testcard::scenario
