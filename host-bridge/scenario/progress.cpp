// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/progress.hpp"

#include "scenario/kept_output.hpp"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace testcard::scenario
{

namespace
{

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string_view mark(Outcome outcome)
{
    switch (outcome) {
    case Outcome::passed: return "ok";
    case Outcome::failed: return "FAILED";
    case Outcome::error: return "ERROR";
    case Outcome::skipped: break;
    }
    return "skipped";
}

std::string stepLine(const StepResult &step)
{
    const double seconds = std::chrono::duration<double>(step.duration).count();
    return fmt::format("  {:<7} {} ({:.1f} s)", mark(step.outcome), printable(step.name), seconds);
}

/// Where progress and reports are written.
class Writer : public Progress
{
public:
    Writer(std::FILE *progress, std::FILE *reports) : progress_(progress), reports_(reports) {}

protected:
    void tell(const std::string &line) { fmt::print(progress_, "{}\n", line); }
    void report(const std::string &text)
    {
        std::fflush(progress_);
        fmt::print(reports_, "{}", text);
        std::fflush(reports_);
    }

    std::FILE *progress_;
    std::FILE *reports_;
};

/// For logs: a line whenever something begins or ends.
class LineProgress : public Writer
{
public:
    using Writer::Writer;

    void scenarioBegins(const Scenario &scenario) override
    {
        tell(fmt::format("{}: {}", scenario.name, scenario.title));
    }
    void phase(const std::string &text) override { tell(fmt::format("  {} ...", text)); }
    void detail(const std::string &text) override { tell(fmt::format("    {}", printable(text))); }
    void stepBegins(const std::string &name, std::size_t number, std::size_t count) override
    {
        tell(fmt::format("  step {} of {}: {} ...", number, count, name));
    }
    void stepEnds(const StepResult &step) override { tell(stepLine(step)); }
    void scenarioEnds(const RunResult &, const std::string &text) override { report(text); }
};

/// GitHub folds groups, and shows errors at the lines of the scenario file.
/// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
class GithubProgress final : public LineProgress
{
public:
    using LineProgress::LineProgress;

    void scenarioBegins(const Scenario &scenario) override
    {
        tell(fmt::format("::group::{}: {}", scenario.name, escapedData(scenario.title)));
        scenario_ = &scenario;
    }

    void scenarioEnds(const RunResult &result, const std::string &text) override
    {
        tell("::endgroup::");
        if (result.outcome != Outcome::passed) annotate(result);
        report(text);
    }

private:
    void annotate(const RunResult &result)
    {
        std::uint32_t line = 1;
        for (std::size_t i = 0; i < result.steps.size() && i < scenario_->steps.size(); ++i) {
            if (result.steps[i].cause == Cause::none) continue;
            line = scenario_->steps[i].where.line;
            break;
        }
        const std::string message =
            printable(result.messages.empty() ? std::string() : result.messages.front());
        tell(fmt::format(
            "::error file={},line={},title={}::{}", escapedProperty(result.file.string()), line,
            escapedProperty(fmt::format("{} {} ({})", result.scenario, toString(result.outcome),
                                        toString(result.cause))),
            escapedData(message)));
    }

    static std::string escapedData(std::string_view text)
    {
        std::string out;
        for (const char c : text) {
            if (c == '%')
                out += "%25";
            else if (c == '\r')
                out += "%0D";
            else if (c == '\n')
                out += "%0A";
            else
                out += c;
        }
        return out;
    }

    static std::string escapedProperty(std::string_view text)
    {
        std::string out;
        for (const char c : escapedData(text)) {
            if (c == ':')
                out += "%3A";
            else if (c == ',')
                out += "%2C";
            else
                out += c;
        }
        return out;
    }

    const Scenario *scenario_ = nullptr;
};

/// For people: one line that moves, redrawn by a thread so that the seconds go on.
class TerminalProgress final : public Writer
{
public:
    TerminalProgress(std::FILE *progress, std::FILE *reports)
        : Writer(progress, reports), thread_([this] { animate(); })
    {
    }
    ~TerminalProgress() override
    {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            wake_.notify_all();
        }
        thread_.join();
        erase();
    }

    void scenarioBegins(const Scenario &scenario) override
    {
        const std::lock_guard lock(mutex_);
        line(fmt::format("{}: {}", scenario.name, scenario.title));
    }
    void phase(const std::string &text) override { begin(text); }
    void detail(const std::string &text) override
    {
        const std::lock_guard lock(mutex_);
        detail_ = printable(text);
        draw();
    }
    void stepBegins(const std::string &name, std::size_t number, std::size_t count) override
    {
        begin(fmt::format("step {} of {}: {}", number, count, name));
    }
    void stepEnds(const StepResult &step) override
    {
        const std::lock_guard lock(mutex_);
        line(stepLine(step));
    }
    void scenarioEnds(const RunResult &, const std::string &text) override
    {
        const std::lock_guard lock(mutex_);
        current_.clear();
        erase();
        report(text);
    }

private:
    void begin(std::string text)
    {
        const std::lock_guard lock(mutex_);
        current_ = std::move(text);
        detail_.clear();
        began_ = Clock::now();
        draw();
    }

    /// A line that stays, above the one that moves.
    void line(const std::string &text)
    {
        erase();
        tell(text);
        current_.clear();
    }

    void erase()
    {
        fmt::print(progress_, "\r\x1b[K");
        std::fflush(progress_);
    }

    std::size_t columns() const
    {
        winsize size{};
        constexpr std::size_t usual = 80;
        return ioctl(fileno(progress_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                                   : usual;
    }

    void draw()
    {
        if (current_.empty()) return;
        std::string text =
            fmt::format("  {} {} {:.1f} s", "|/-\\"[turn_ % 4], current_, secondsSince(began_));
        if (!detail_.empty()) text += fmt::format("  {}", detail_);
        const std::size_t room = columns() - 1;
        if (text.size() > room) text.resize(room);
        fmt::print(progress_, "\r\x1b[K{}", text);
        std::fflush(progress_);
    }

    void animate()
    {
        constexpr std::chrono::milliseconds step{120};
        std::unique_lock lock(mutex_);
        while (!stopping_) {
            wake_.wait_for(lock, step);
            ++turn_;
            if (!stopping_) draw();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::string current_;
    std::string detail_;
    Clock::time_point began_;
    unsigned turn_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

class SilentProgress final : public Progress
{
public:
    void scenarioBegins(const Scenario &) override {}
    void phase(const std::string &) override {}
    void detail(const std::string &) override {}
    void stepBegins(const std::string &, std::size_t, std::size_t) override {}
    void stepEnds(const StepResult &) override {}
    void scenarioEnds(const RunResult &, const std::string &) override {}
};

} // namespace

ProgressKind progressKind()
{
    const char *github = std::getenv("GITHUB_ACTIONS");
    if (github && std::string_view(github) == "true") return ProgressKind::github;
    const char *terminal = std::getenv("TERM");
    const bool dumb = !terminal || std::string_view(terminal) == "dumb";
    return isatty(STDERR_FILENO) != 0 && !dumb ? ProgressKind::terminal : ProgressKind::lines;
}

std::unique_ptr<Progress> makeProgress(ProgressKind kind, std::FILE *progress, std::FILE *reports)
{
    switch (kind) {
    case ProgressKind::terminal: return std::make_unique<TerminalProgress>(progress, reports);
    case ProgressKind::lines: return std::make_unique<LineProgress>(progress, reports);
    case ProgressKind::github: return std::make_unique<GithubProgress>(progress, reports);
    }
    return silentProgress();
}

std::unique_ptr<Progress> silentProgress()
{
    return std::make_unique<SilentProgress>();
}

} // namespace testcard::scenario
