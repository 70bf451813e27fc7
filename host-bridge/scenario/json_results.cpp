// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/result_files.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace testcard::scenario
{

namespace
{

// Keys in the order in which they are written, which is the order in which people read.
using Json = nlohmann::ordered_json;

constexpr int resultSchema = 1;

double seconds(std::chrono::milliseconds duration)
{
    return std::chrono::duration<double>(duration).count();
}

Json optional(const std::optional<std::uint64_t> &value)
{
    return value ? Json(*value) : Json(nullptr);
}

Json framesJson(const FrameTable &frames)
{
    return {{"sent", optional(frames.sent)},
            {"received", optional(frames.received)},
            {"dropped", optional(frames.dropped)},
            {"torn", optional(frames.torn)},
            {"repeated", optional(frames.repeated)},
            {"out-of-order", optional(frames.outOfOrder)},
            {"wrong", optional(frames.wrong)},
            {"driver", frames.driver},
            {"signal", frames.signal}};
}

Json timesJson(const Times &times)
{
    return {{"set-up", seconds(times.setUp)},
            {"boot", seconds(times.boot)},
            {"first-frame", times.firstFrame ? Json(seconds(*times.firstFrame)) : Json(nullptr)},
            {"total", seconds(times.total)}};
}

Json stepJson(const StepResult &step)
{
    Json out{{"name", step.name},
             {"verb", step.verb},
             {"outcome", toString(step.outcome)},
             {"cause", toString(step.cause)},
             {"messages", step.messages},
             {"start", seconds(step.start)},
             {"seconds", seconds(step.duration)},
             {"attempts", step.attempts}};
    if (!step.ending.empty()) out["ending"] = step.ending;
    if (!step.metrics.empty()) out["metrics"] = Json::parse(step.metrics, nullptr, false);
    return out;
}

Json runJson(const RunResult &result)
{
    Json steps = Json::array();
    for (const StepResult &step : result.steps)
        steps.push_back(stepJson(step));
    Json versions = Json::object();
    for (const auto &[name, value] : result.versions)
        versions[name] = value;
    Json out{
        {"scenario", result.scenario},
        {"file", result.file.string()},
        {"title", result.title},
        {"tags", result.tags},
        {"seed", result.seed},
        {"repetition", result.repetition},
        {"outcome", toString(result.outcome)},
        {"cause", toString(result.cause)},
        {"messages", result.messages},
        {"started", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                                fmt::gmtime(std::chrono::system_clock::to_time_t(result.started)))},
        {"seconds", timesJson(result.times)}};
    if (result.frames) out["frames"] = framesJson(*result.frames);
    out["steps"] = std::move(steps);
    out["versions"] = std::move(versions);
    out["artifacts"] = result.artifacts.string();
    return out;
}

} // namespace

std::string resultJson(const std::vector<RunResult> &results)
{
    Json runs = Json::array();
    Json counts{{"passed", 0}, {"failed", 0}, {"error", 0}};
    for (const RunResult &result : results) {
        runs.push_back(runJson(result));
        Json &count = counts[std::string(toString(result.outcome))];
        count = count.get<int>() + 1;
    }
    const Json out{{"schema", resultSchema}, {"counts", counts}, {"runs", runs}};
    // A guest's text may be no UTF-8; it is made so rather than thrown over.
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace testcard::scenario
