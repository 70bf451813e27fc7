// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/resolved.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace testcard::scenario
{

namespace
{

using Json = nlohmann::ordered_json;

std::string durationText(std::chrono::milliseconds duration)
{
    const auto count = duration.count();
    return count % 1000 == 0 ? fmt::format("{}s", count / 1000) : fmt::format("{}ms", count);
}

Json patternsJson(const std::vector<Pattern> &patterns)
{
    Json out = Json::array();
    for (const Pattern &pattern : patterns)
        out.push_back(pattern.text);
    return out;
}

Json ruleJson(const MetricRule &rule)
{
    if (rule.min || rule.max) {
        Json out = Json::object();
        if (rule.min) out["min"] = *rule.min;
        if (rule.max) out["max"] = *rule.max;
        return out;
    }
    if (const auto *number = std::get_if<double>(&rule.equals)) return *number;
    if (const auto *truth = std::get_if<bool>(&rule.equals)) return *truth;
    if (const auto *text = std::get_if<std::string>(&rule.equals)) return *text;
    return nullptr;
}

Json rulesJson(const std::vector<MetricRule> &rules)
{
    Json out = Json::object();
    for (const MetricRule &rule : rules)
        out[rule.path] = ruleJson(rule);
    return out;
}

Json expectJson(const Expectations &expect)
{
    Json out = Json::object();
    switch (expect.ending) {
    case Expectations::Ending::code: out["exit"] = expect.number; break;
    case Expectations::Ending::nonzero: out["exit"] = "nonzero"; break;
    case Expectations::Ending::any: out["exit"] = "any"; break;
    case Expectations::Ending::signal: out["signal"] = expect.number; break;
    case Expectations::Ending::timeout: out["timeout"] = true; break;
    }
    if (!expect.stdoutHas.empty()) out["stdout"] = patternsJson(expect.stdoutHas);
    if (!expect.stdoutLacks.empty()) out["stdout-lacks"] = patternsJson(expect.stdoutLacks);
    if (!expect.stderrHas.empty()) out["stderr"] = patternsJson(expect.stderrHas);
    if (!expect.stderrLacks.empty()) out["stderr-lacks"] = patternsJson(expect.stderrLacks);
    if (!expect.metrics.empty()) out["metrics"] = rulesJson(expect.metrics);
    return out;
}

void add(Json &out, const RunCommand &run)
{
    out["run"] = run.argv;
    if (!run.environment.empty()) out["environment"] = run.environment;
    if (!run.directory.empty()) out["directory"] = run.directory;
    if (run.background) out["background"] = true;
    if (run.within) out["within"] = durationText(*run.within);
    if (run.readsMetrics) out["metrics"] = "json";
    if (!run.collect.empty()) out["collect"] = run.collect;
    if (!run.contactSheet.empty()) out["contact-sheet"] = run.contactSheet;
    out["expect"] = expectJson(run.expect);
}

void add(Json &out, const WaitFor &wait)
{
    out["wait"] = wait.step.name;
    if (wait.until) out["until"] = wait.until->text;
}

void add(Json &out, const Cancel &cancel)
{
    out["cancel"] = cancel.step.name;
}

void add(Json &out, const SetSignal &signal)
{
    Json &table = out["signal"];
    table["card"] = signal.card.name;
    if (signal.present) table["present"] = *signal.present;
    if (signal.locked) table["locked"] = *signal.locked;
    if (signal.inRange) table["in-range"] = *signal.inRange;
    if (!signal.timings.empty()) table["timings"] = signal.timings;
}

void add(Json &out, const ReadStatus &status)
{
    out["status"] = status.card.name;
    if (status.within) out["within"] = durationText(*status.within);
    out["expect"]["metrics"] = rulesJson(status.metrics);
}

void add(Json &, const CardAction &) {} // its verb, which every step has, names the card

void add(Json &out, const Sleep &sleep)
{
    out["sleep"] = durationText(sleep.duration);
}

Json stepJson(const Step &step)
{
    Json out{{"name", step.name}, {"timeout", durationText(step.timeout)}};
    if (step.always) out["always"] = true;
    if (const auto *action = std::get_if<CardAction>(&step.action))
        out[verbOf(step)] = action->card.name;
    std::visit([&](const auto &action) { add(out, action); }, step.action);
    return out;
}

Json guestJson(const Guest &guest)
{
    Json files = Json::array();
    for (const Guest::File &file : guest.files)
        files.push_back(fmt::format("{}:{}", file.host.string(), file.guest));
    return {{"kernel", guest.kernel},
            {"modules", guest.modules},
            {"packages", guest.packages},
            {"files", files},
            {"memory", fmt::format("{}M", guest.memory_bytes >> 20)},
            {"cpus", guest.cpus},
            {"append", guest.append},
            {"boot-timeout", durationText(guest.bootTimeout)}};
}

std::string commandInWords(const RunCommand &run)
{
    const bool shell = run.argv.size() == 3 && run.argv[0] == "/bin/sh" && run.argv[1] == "-c";
    const std::string text = shell ? run.argv[2] : fmt::format("{}", fmt::join(run.argv, " "));
    const std::string firstLine = text.substr(0, text.find('\n'));
    return fmt::format("{}{}{}", firstLine, firstLine.size() < text.size() ? " ..." : "",
                       run.background ? "   (in the background)" : "");
}

} // namespace

std::string resolvedScenario(const Scenario &scenario, std::uint64_t seed)
{
    Json cards = Json::array();
    for (const Card &card : scenario.cards)
        cards.push_back({{"name", card.name},
                         {"plugged", card.plugged},
                         {"description", card.description(seed)}});
    Json steps = Json::array();
    for (const Step &step : scenario.steps)
        steps.push_back(stepJson(step));
    Json verdict = Json::object();
    if (!scenario.verdict.frames.step.name.empty())
        verdict["frames"] = {{"step", scenario.verdict.frames.step.name},
                             {"card", scenario.verdict.frames.card.name}};
    verdict["kernel-log"] = {{"refuse", patternsJson(scenario.verdict.kernelLogRefuse)},
                             {"allow", patternsJson(scenario.verdict.kernelLogAllow)}};
    const Json out{{"schema", 1},
                   {"name", scenario.name},
                   {"file", scenario.file.string()},
                   {"title", scenario.title},
                   {"tags", scenario.tags},
                   {"seed", seed},
                   {"timeout", durationText(scenario.timeout)},
                   {"guest", guestJson(scenario.guest)},
                   {"card", cards},
                   {"step", steps},
                   {"verdict", verdict}};
    return out.dump(2) + "\n";
}

std::string stepInWords(const Step &step)
{
    std::string what;
    if (const auto *run = std::get_if<RunCommand>(&step.action)) what = commandInWords(*run);
    if (const auto *wait = std::get_if<WaitFor>(&step.action))
        what = wait->until ? fmt::format("{} until \"{}\"", wait->step.name, wait->until->text)
                           : wait->step.name;
    if (const auto *cancel = std::get_if<Cancel>(&step.action)) what = cancel->step.name;
    if (const auto *signal = std::get_if<SetSignal>(&step.action)) what = signal->card.name;
    if (const auto *status = std::get_if<ReadStatus>(&step.action)) what = status->card.name;
    if (const auto *action = std::get_if<CardAction>(&step.action)) what = action->card.name;
    if (const auto *sleep = std::get_if<Sleep>(&step.action)) what = durationText(sleep->duration);
    return fmt::format("{:<8} {}", verbOf(step), what);
}

} // namespace testcard::scenario
