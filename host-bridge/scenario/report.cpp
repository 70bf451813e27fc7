// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/kept_output.hpp"
#include "scenario/result_files.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace testcard::scenario
{

namespace
{

double seconds(std::chrono::milliseconds duration)
{
    return std::chrono::duration<double>(duration).count();
}

std::string verdictWord(Outcome outcome)
{
    switch (outcome) {
    case Outcome::passed: return "PASSED";
    case Outcome::failed: return "FAILED";
    case Outcome::error: return "ERROR";
    case Outcome::skipped: break;
    }
    return "SKIPPED";
}

std::string count(const std::optional<std::uint64_t> &value)
{
    return value ? std::to_string(*value) : std::string("?");
}

/// The card fills the buffers that wait for it until the program stops, which then reads no more.
std::string leftInBuffers(const FrameTable &frames)
{
    if (!frames.sent || !frames.received || !frames.dropped) return {};
    const std::uint64_t accounted = *frames.received + *frames.dropped;
    if (*frames.sent <= accounted) return {};
    return fmt::format(", {} left in buffers", *frames.sent - accounted);
}

std::string framesLine(const FrameTable &frames)
{
    return fmt::format("{} sent, {} received, {} dropped{}, {} torn, {} repeated, {} out of order, "
                       "{} wrong",
                       count(frames.sent), count(frames.received), count(frames.dropped),
                       leftInBuffers(frames), count(frames.torn), count(frames.repeated),
                       count(frames.outOfOrder), count(frames.wrong));
}

std::string timesLine(const Times &times)
{
    std::string out =
        fmt::format("set-up {:.1f} s, boot {:.1f} s", seconds(times.setUp), seconds(times.boot));
    if (times.firstFrame)
        out += fmt::format(", first frame at {:.1f} s", seconds(*times.firstFrame));
    return out + fmt::format(", total {:.1f} s", seconds(times.total));
}

std::string version(const RunResult &result, std::string_view name)
{
    for (const auto &[key, value] : result.versions)
        if (key == name) return value;
    return {};
}

std::string guestLine(const RunResult &result)
{
    const std::string kernel = version(result, "kernel");
    if (kernel.empty()) return {};
    std::string accelerator = version(result, "accelerator");
    if (const std::string reason = version(result, "accelerator-reason"); !reason.empty())
        accelerator += fmt::format(" ({})", reason);
    return fmt::format("Linux {}, QEMU {}, {}", kernel, version(result, "qemu"), accelerator);
}

/// A message of several lines, each begun like the first.
void addMessage(std::string &out, const std::string &message)
{
    const std::string clean = printable(message);
    std::string_view rest = clean;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        out += fmt::format("  why        {}\n", line);
    }
}

/// The end of what a failed step's command wrote, which mostly says why.
void addOutput(std::string &out, const StepResult &step)
{
    constexpr unsigned lines = 8;
    for (const auto &[stream, text] :
         {std::pair("stdout", &step.output), std::pair("stderr", &step.errorOutput)}) {
        const std::string clean = printable(lastLines(*text, lines));
        if (clean.empty()) continue;
        out += fmt::format("  {}     the end of step \"{}\":\n", stream, step.name);
        std::string_view rest = clean;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            out += fmt::format("    | {}\n", line);
        }
    }
}

} // namespace

std::string reportText(const RunResult &result)
{
    std::string out = fmt::format("{}: {}", result.scenario, verdictWord(result.outcome));
    if (result.cause != Cause::none) out += fmt::format(" ({})", toString(result.cause));
    out += '\n';
    for (const std::string &message : result.messages)
        addMessage(out, message);
    for (const StepResult &step : result.steps)
        if (step.outcome == Outcome::failed) addOutput(out, step);
    if (result.frames) {
        out += fmt::format("  frames     {}\n", framesLine(*result.frames));
        if (!result.frames->driver.empty())
            out += fmt::format("  driver     {}\n", result.frames->driver);
        if (!result.frames->signal.empty())
            out += fmt::format("  signal     {}\n", result.frames->signal);
    }
    out += fmt::format("  time       {}\n", timesLine(result.times));
    if (const std::string guest = guestLine(result); !guest.empty())
        out += fmt::format("  guest      {}\n", guest);
    return out + fmt::format("  artifacts  {}\n", result.artifacts.string());
}

} // namespace testcard::scenario
