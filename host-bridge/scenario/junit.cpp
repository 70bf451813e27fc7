// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/kept_output.hpp"
#include "scenario/result_files.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pugixml.hpp>

#include <algorithm>
#include <sstream>

namespace testcard::scenario
{

namespace
{

/// JUnit's readers load the file whole; the whole output is in the artifacts.
constexpr std::size_t longestText_bytes = 16 * 1024;

std::string secondsText(std::chrono::milliseconds duration)
{
    return fmt::format("{:.3f}", std::chrono::duration<double>(duration).count());
}

/// XML 1.0 has no way to write control characters, so printable() takes them out.
void set(pugi::xml_node node, const char *name, const std::string &value)
{
    node.append_attribute(name).set_value(printable(value).c_str());
}

void addProperty(pugi::xml_node properties, const std::string &name, const std::string &value)
{
    pugi::xml_node property = properties.append_child("property");
    set(property, "name", name);
    set(property, "value", value);
}

void addProperties(pugi::xml_node suite, const RunResult &result)
{
    pugi::xml_node properties = suite.append_child("properties");
    addProperty(properties, "seed", std::to_string(result.seed));
    addProperty(properties, "artifacts", result.artifacts.string());
    addProperty(properties, "file", result.file.string());
    addProperty(properties, "title", result.title);
    addProperty(properties, "repetition", std::to_string(result.repetition));
    for (const std::string &tag : result.tags)
        addProperty(properties, "tag", tag);
    for (const auto &[name, value] : result.versions)
        addProperty(properties, name, value);
}

void addOutcome(pugi::xml_node testcase, Outcome outcome, Cause cause,
                const std::vector<std::string> &messages)
{
    if (outcome == Outcome::passed) return;
    const char *element = outcome == Outcome::failed  ? "failure"
                          : outcome == Outcome::error ? "error"
                                                      : "skipped";
    pugi::xml_node node = testcase.append_child(element);
    set(node, "message", messages.empty() ? std::string("not reached") : messages.front());
    if (outcome == Outcome::skipped) return;
    set(node, "type", std::string(toString(cause)));
    node.text().set(printable(fmt::format("{}", fmt::join(messages, "\n"))).c_str());
}

void addText(pugi::xml_node testcase, const char *element, std::string_view text)
{
    if (text.empty()) return;
    const bool cut = text.size() > longestText_bytes;
    if (cut) text.remove_prefix(text.size() - longestText_bytes);
    const std::string shown =
        (cut ? "[the beginning is in the artifacts]\n" : "") + printable(text);
    testcase.append_child(element).text().set(shown.c_str());
}

std::string suiteName(const RunResult &result)
{
    return result.repetition > 1 ? fmt::format("{} #{}", result.scenario, result.repetition)
                                 : result.scenario;
}

pugi::xml_node addCase(pugi::xml_node suite, const RunResult &result, const std::string &name,
                       std::chrono::milliseconds duration)
{
    pugi::xml_node testcase = suite.append_child("testcase");
    set(testcase, "classname", fmt::format("testcard.{}", result.scenario));
    set(testcase, "name", name);
    set(testcase, "time", secondsText(duration));
    return testcase;
}

/// What went wrong outside the steps, or nothing: the steps' own failures stand at the steps.
void addWholeRun(pugi::xml_node suite, const RunResult &result)
{
    const bool stepSaysIt =
        std::any_of(result.steps.begin(), result.steps.end(), [&](const StepResult &step) {
            return step.cause != Cause::none && step.cause == result.cause;
        });
    const Outcome outcome = stepSaysIt ? Outcome::passed : result.outcome;
    addOutcome(addCase(suite, result, "the scenario as a whole", result.times.total), outcome,
               result.cause, result.messages);
}

struct Counts {
    unsigned tests = 0;
    unsigned failures = 0;
    unsigned errors = 0;
    unsigned skipped = 0;
};

Counts countCases(pugi::xml_node suite)
{
    Counts out;
    for (const pugi::xml_node testcase : suite.children("testcase")) {
        ++out.tests;
        out.failures += testcase.child("failure") ? 1 : 0;
        out.errors += testcase.child("error") ? 1 : 0;
        out.skipped += testcase.child("skipped") ? 1 : 0;
    }
    return out;
}

Counts addSuite(pugi::xml_node root, const RunResult &result)
{
    pugi::xml_node suite = root.append_child("testsuite");
    set(suite, "name", suiteName(result));
    addProperties(suite, result);
    for (const StepResult &step : result.steps) {
        pugi::xml_node testcase = addCase(suite, result, step.name, step.duration);
        addOutcome(testcase, step.outcome, step.cause, step.messages);
        addText(testcase, "system-out", step.output);
        addText(testcase, "system-err", step.errorOutput);
    }
    addWholeRun(suite, result);
    const Counts counts = countCases(suite);
    set(suite, "tests", std::to_string(counts.tests));
    set(suite, "failures", std::to_string(counts.failures));
    set(suite, "errors", std::to_string(counts.errors));
    set(suite, "skipped", std::to_string(counts.skipped));
    set(suite, "time", secondsText(result.times.total));
    set(suite, "timestamp",
        fmt::format("{:%Y-%m-%dT%H:%M:%S}",
                    fmt::gmtime(std::chrono::system_clock::to_time_t(result.started))));
    return counts;
}

} // namespace

std::string resultJUnit(const std::vector<RunResult> &results)
{
    pugi::xml_document document;
    pugi::xml_node declaration = document.append_child(pugi::node_declaration);
    declaration.append_attribute("version") = "1.0";
    declaration.append_attribute("encoding") = "UTF-8";
    pugi::xml_node root = document.append_child("testsuites");
    set(root, "name", "testcard");
    Counts total;
    std::chrono::milliseconds time{0};
    for (const RunResult &result : results) {
        const Counts counts = addSuite(root, result);
        total.tests += counts.tests;
        total.failures += counts.failures;
        total.errors += counts.errors;
        total.skipped += counts.skipped;
        time += result.times.total;
    }
    set(root, "tests", std::to_string(total.tests));
    set(root, "failures", std::to_string(total.failures));
    set(root, "errors", std::to_string(total.errors));
    set(root, "skipped", std::to_string(total.skipped));
    set(root, "time", secondsText(time));
    std::ostringstream out;
    document.save(out, "  ");
    return out.str();
}

} // namespace testcard::scenario
