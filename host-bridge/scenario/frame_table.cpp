// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/frame_table.hpp"

#include "scenario/expectations.hpp"
#include "scenario/kept_output.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace testcard::scenario
{

namespace
{

const StepResult *stepOf(const Scenario &scenario, const std::vector<StepResult> &steps)
{
    const auto found = std::find_if(steps.begin(), steps.end(), [&](const StepResult &step) {
        return step.name == scenario.verdict.frames.step.name;
    });
    return found == steps.end() ? nullptr : &*found;
}

/// A count out of metrics, which a guest may have written: nothing if it is none.
std::optional<std::uint64_t> countOf(const Metrics &metrics, std::string_view path)
{
    constexpr double largest = 9007199254740992.0; // 2^53: whole numbers are exact up to here
    const MetricValue *value = metrics.find(path);
    const auto *number = value ? std::get_if<double>(value) : nullptr;
    if (!number || !(*number >= 0) || *number > largest) return {};
    return static_cast<std::uint64_t>(*number);
}

std::string textOf(const Metrics &metrics, std::string_view path)
{
    const MetricValue *value = metrics.find(path);
    const auto *text = value ? std::get_if<std::string>(value) : nullptr;
    constexpr std::size_t longest = 100;
    return text ? printable(text->substr(0, longest)) : std::string{};
}

std::string signalOf(const Metrics &metrics)
{
    if (const std::string signal = textOf(metrics, "signal"); !signal.empty()) return signal;
    const auto width = countOf(metrics, "width");
    const auto height = countOf(metrics, "height");
    if (!width || !height) return {};
    return fmt::format("{}x{}", *width, *height);
}

} // namespace

FrameTable frameTable(const Scenario &scenario, const std::vector<StepResult> &steps,
                      CardProcess &card)
{
    FrameTable out;
    constexpr std::chrono::milliseconds limit{2000};
    if (const auto status = card.status(limit)) {
        out.sent = countOf(*status, "frames-sent");
        out.signal = textOf(*status, "signal.timings");
    }
    const StepResult *step = stepOf(scenario, steps);
    const auto metrics = step ? Metrics::parse(step->metrics) : std::nullopt;
    if (!metrics) return out;
    out.received = countOf(*metrics, "received");
    out.dropped = countOf(*metrics, "dropped");
    out.torn = countOf(*metrics, "torn");
    out.repeated = countOf(*metrics, "repeated");
    out.outOfOrder = countOf(*metrics, "out-of-order");
    out.wrong = countOf(*metrics, "wrong");
    out.driver = textOf(*metrics, "driver");
    if (out.signal.empty()) out.signal = signalOf(*metrics);
    if (const std::string format = textOf(*metrics, "format"); !format.empty())
        out.signal += fmt::format("{}{}", out.signal.empty() ? "" : ", ", format);
    return out;
}

std::optional<std::chrono::milliseconds> firstFrame(const Scenario &scenario,
                                                    const std::vector<StepResult> &steps)
{
    const StepResult *step = stepOf(scenario, steps);
    const auto metrics = step ? Metrics::parse(step->metrics) : std::nullopt;
    if (!metrics) return {};
    const auto sinceStepStart_ms = countOf(*metrics, "first-frame-ms");
    constexpr std::uint64_t longest_ms = 86'400'000;
    if (!sinceStepStart_ms || *sinceStepStart_ms > longest_ms) return {};
    return step->start + std::chrono::milliseconds(*sinceStepStart_ms);
}

} // namespace testcard::scenario
