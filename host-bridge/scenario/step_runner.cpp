// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/step_runner.hpp"

#include "scenario/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace testcard::scenario
{

namespace
{

using namespace std::chrono_literals;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// How long it takes at most to see that something waited for has come.
constexpr milliseconds slice{20};
/// Between two attempts of a step with `within`.
constexpr milliseconds betweenAttempts{100};
/// How long the agent may take beyond a command's own timeout to report its end.
constexpr milliseconds grace{15'000};

double seconds(milliseconds duration)
{
    return std::chrono::duration<double>(duration).count();
}

void pass(StepResult &result)
{
    result.outcome = Outcome::passed;
    result.cause = Cause::none;
    result.messages.clear();
}

void fail(StepResult &result, Failure failure)
{
    result.outcome = outcomeOf(failure.cause);
    result.cause = failure.cause;
    result.messages.push_back(std::move(failure.message));
}

void settle(StepResult &result, const Result<void> &outcome)
{
    if (outcome)
        pass(result);
    else
        fail(result, outcome.error());
}

bool troubled(const StepResult &result)
{
    return result.outcome == Outcome::failed || result.outcome == Outcome::error;
}

} // namespace

std::vector<StepResult> StepRunner::perform(const std::vector<Step> &steps)
{
    for (const Step &step : steps) {
        StepResult result;
        result.name = step.name;
        result.verb = verbOf(step);
        results_.push_back(std::move(result));
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (stage_.watch.halted()) break;
        const bool trouble = std::any_of(results_.begin(), results_.end(), troubled);
        if (trouble && !steps[i].always) continue;
        stage_.progress.stepBegins(steps[i].name, i + 1, steps.size());
        perform(steps[i], results_[i]);
        const bool isBackground = background_.contains(steps[i].name);
        if (!isBackground) stage_.progress.stepEnds(results_[i]);
    }
    abandonBackground();
    for (std::size_t i = 0; i < results_.size(); ++i)
        stage_.artifacts.writeStep(i + 1, results_[i]);
    return std::move(results_);
}

void StepRunner::perform(const Step &step, StepResult &result)
{
    stage_.agent.mark(fmt::format("testcard: step {}", step.name));
    const auto started = Clock::now();
    result.start = duration_cast<milliseconds>(started - stage_.start);
    std::visit([&](const auto &action) { act(step, action, result); }, step.action);
    result.duration = duration_cast<milliseconds>(Clock::now() - started);
}

bool StepRunner::pause(milliseconds duration)
{
    return !stage_.watch.causeWithin(duration);
}

void StepRunner::act(const Step &step, const RunCommand &run, StepResult &result)
{
    if (run.background) return startBackground(step, run, result);
    const auto giveUp = Clock::now() + run.within.value_or(0ms);
    runOnce(step, run, result);
    while (result.outcome == Outcome::failed && Clock::now() < giveUp && pause(betweenAttempts)) {
        result.messages.clear();
        runOnce(step, run, result);
    }
    if (run.within && result.outcome == Outcome::failed)
        result.messages.push_back(
            fmt::format("in {} attempts over {:.1f} s", result.attempts, seconds(*run.within)));
    collect(run, result);
}

void StepRunner::runOnce(const Step &step, const RunCommand &run, StepResult &result)
{
    ++result.attempts;
    auto command = GuestCommand::start(stage_.agent, run, step.timeout, stage_.watch);
    if (!command) return fail(result, command.error());
    auto observed = (*command)->waitFor(step.timeout + grace);
    if (!observed) return fail(result, observed.error());
    if (!*observed)
        return fail(result, {Cause::guestSilent, "the agent did not say how the command ended"});
    judge(run, **std::move(observed), result);
}

void StepRunner::judge(const RunCommand &run, Observed observed, StepResult &result)
{
    auto problems = unmet(run, observed);
    const bool late = observed.ending == Observed::Ending::timedOut &&
                      run.expect.ending != Expectations::Ending::timeout;
    result.ending = std::move(observed.endText);
    result.output = std::move(observed.output);
    result.errorOutput = std::move(observed.errorOutput);
    if (observed.metrics) result.metrics = observed.metrics->json();
    if (problems.empty()) return pass(result);
    result.outcome = Outcome::failed;
    result.cause = late ? Cause::timeout : Cause::expectation;
    result.messages = std::move(problems);
}

void StepRunner::collect(const RunCommand &run, StepResult &result)
{
    const bool nothingToDo = run.collect.empty() && run.contactSheet.empty();
    if (nothingToDo || stage_.watch.halted()) return;
    // What is missing after a failure is no news; what is missing after a success is a failure.
    const auto complain = [&](const Failure &failure) {
        if (result.outcome == Outcome::passed) fail(result, failure);
    };
    for (const std::string &path : run.collect)
        if (const auto files = stage_.artifacts.collect(stage_.agent, path); !files)
            complain(
                {files.error().cause, fmt::format("collect {}: {}", path, files.error().message)});
    if (run.contactSheet.empty()) return;
    const auto files = stage_.artifacts.collect(stage_.agent, run.contactSheet);
    if (!files)
        return complain({files.error().cause, fmt::format("contact-sheet {}: {}", run.contactSheet,
                                                          files.error().message)});
    if (const auto png = stage_.artifacts.makeContactSheet(*files, result.name); !png)
        complain({png.error().cause, fmt::format("contact-sheet: {}", png.error().message)});
}

void StepRunner::startBackground(const Step &step, const RunCommand &run, StepResult &result)
{
    ++result.attempts;
    auto command = GuestCommand::start(stage_.agent, run, step.timeout, stage_.watch);
    if (!command) return fail(result, command.error());
    const auto index = static_cast<std::size_t>(&result - results_.data());
    background_[step.name] = {index, &run, *std::move(command), Clock::now()};
}

void StepRunner::act(const Step &step, const WaitFor &wait, StepResult &result)
{
    const auto found = background_.find(wait.step.name);
    if (found == background_.end())
        return fail(result, {Cause::expectation,
                             fmt::format("step \"{}\" has not been started", wait.step.name)});
    if (wait.until) return awaitOutput(step, *wait.until, found->second, result);
    finishBackground(wait.step.name, Clock::now() + step.timeout, result);
}

void StepRunner::awaitOutput(const Step &step, const Pattern &until, Background &background,
                             StepResult &result)
{
    const auto deadline = Clock::now() + step.timeout;
    const auto matcher = Matcher::compile(until.text); // compiled once before, by the parser
    std::uint64_t seen_bytes = ~std::uint64_t{0};
    while (true) {
        auto ended = background.command->waitFor(slice);
        if (!ended) return fail(result, ended.error());
        if (background.command->outputBytes() != seen_bytes) {
            seen_bytes = background.command->outputBytes();
            if (matcher && matcher->matches(background.command->outputSoFar())) return pass(result);
        }
        if (*ended)
            return fail(result, {Cause::expectation,
                                 fmt::format("step \"{}\" ended without writing \"{}\": {}",
                                             results_[background.index].name, until.text,
                                             (*ended)->endText)});
        if (Clock::now() >= deadline)
            return fail(result, {Cause::timeout,
                                 fmt::format("step \"{}\" has not written \"{}\" within {:.1f} s",
                                             results_[background.index].name, until.text,
                                             seconds(step.timeout))});
    }
}

void StepRunner::finishBackground(const std::string &name, Clock::time_point deadline,
                                  StepResult &result)
{
    Background background = std::move(background_[name]);
    background_.erase(name);
    StepResult &its = results_[background.index];
    while (true) {
        auto ended = background.command->waitFor(slice);
        its.duration = duration_cast<milliseconds>(Clock::now() - background.started);
        if (!ended) {
            fail(its, ended.error());
            fail(result, ended.error());
            break;
        }
        if (*ended) {
            judge(*background.run, **std::move(ended), its);
            pass(result);
            break;
        }
        if (Clock::now() >= deadline) {
            its.output = background.command->outputSoFar();
            fail(its, {Cause::timeout, "still ran when the step that waits for it gave up"});
            fail(result, {Cause::timeout, fmt::format("step \"{}\" has not ended", name)});
            break;
        }
    }
    collect(*background.run, its);
    stage_.progress.stepEnds(its);
}

void StepRunner::abandonBackground()
{
    for (auto &[name, background] : background_) {
        StepResult &its = results_[background.index];
        its.duration = duration_cast<milliseconds>(Clock::now() - background.started);
        its.output = background.command->outputSoFar();
        its.messages.emplace_back("still ran when another step's failure ended the scenario");
        stage_.progress.stepEnds(its);
    }
    background_.clear(); // which kills them
}

void StepRunner::act(const Step &step, const Cancel &cancel, StepResult &result)
{
    const auto found = background_.find(cancel.step.name);
    if (found == background_.end())
        return fail(result, {Cause::expectation,
                             fmt::format("step \"{}\" has not been started", cancel.step.name)});
    found->second.command->cancel();
    finishBackground(cancel.step.name, Clock::now() + step.timeout, result);
}

void StepRunner::act(const Step &step, const SetSignal &signal, StepResult &result)
{
    settle(result, stage_.cards.at(signal.card.name).process->setSignal(signal, step.timeout));
}

void StepRunner::act(const Step &step, const ReadStatus &status, StepResult &result)
{
    const auto giveUp = Clock::now() + status.within.value_or(0ms);
    CardProcess &card = *stage_.cards.at(status.card.name).process;
    do {
        ++result.attempts;
        const auto metrics = card.status(step.timeout);
        if (!metrics) return fail(result, metrics.error());
        result.metrics = metrics->json();
        result.messages = unmet(status.metrics, *metrics, "the card's status");
        if (result.messages.empty()) return pass(result);
    } while (Clock::now() < giveUp && pause(betweenAttempts));
    result.outcome = Outcome::failed;
    result.cause = Cause::expectation;
}

void StepRunner::act(const Step &step, const CardAction &action, StepResult &result)
{
    settle(result, performAction(step, action));
}

Result<void> StepRunner::performAction(const Step &step, const CardAction &action)
{
    RunningCard &card = stage_.cards.at(action.card.name);
    const auto meaning = [&](const launcher::Result<void> &done, Cause cause) -> Result<void> {
        if (done) return {};
        if (const auto why = stage_.watch.causeWithin(500ms)) return tl::unexpected(*why);
        const bool late = done.error().kind == launcher::Error::Kind::timedOut;
        return failure(late ? Cause::timeout : cause, done.error().message);
    };
    switch (action.kind) {
    case CardAction::Kind::kill: card.process->kill(); return {};
    case CardAction::Kind::pause: card.process->pause(); return {};
    case CardAction::Kind::resume: card.process->resume(); return {};
    case CardAction::Kind::restart: return card.process->restart(step.timeout);
    case CardAction::Kind::plug:
        return meaning(stage_.machine.plug(card.socket), Cause::infrastructure);
    case CardAction::Kind::unplug:
        return meaning(stage_.machine.unplug(card.socket.name, step.timeout), Cause::expectation);
    }
    return {};
}

void StepRunner::act(const Step &, const Sleep &sleep, StepResult &result)
{
    if (pause(sleep.duration))
        pass(result);
    else
        fail(result, *stage_.watch.cause());
}

} // namespace testcard::scenario
