// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/parse_parts.hpp"
#include "scenario/suggestion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace testcard::scenario
{

namespace
{

/// Walks the steps in their order and keeps what is true of cards and background steps by then.
class ReferenceCheck
{
public:
    ReferenceCheck(const Scenario &scenario, Problems &problems)
        : scenario_(scenario), problems_(problems)
    {
    }

    void run()
    {
        checkCardNames();
        checkStepNames();
        for (index_ = 0; index_ < scenario_.steps.size(); ++index_)
            std::visit([this](const auto &action) { check(action); },
                       scenario_.steps[index_].action);
        reportUnjudgedSteps();
        checkFrames();
        checkJudgesSomething();
    }

private:
    struct CardState {
        bool plugged = true;
        bool alive = true;
        bool paused = false;
    };

    const Step &step() const { return scenario_.steps[index_]; }
    std::string path(std::string_view key) const { return fmt::format("step[{}].{}", index_, key); }

    void refuse(Position where, std::string_view key, std::string what, std::string advice = {})
    {
        problems_.add(where, path(key), std::move(what), std::move(advice));
    }

    void checkCardNames()
    {
        for (std::size_t i = 0; i < scenario_.cards.size(); ++i) {
            const Card &card = scenario_.cards[i];
            if (card.name.empty()) continue;
            const bool added = cards_.emplace(card.name, CardState{card.plugged}).second;
            if (!added)
                problems_.add(card.where, fmt::format("card[{}].name", i),
                              fmt::format("there already is a card \"{}\"", card.name),
                              "names are unique");
            cardNames_.push_back(card.name);
        }
    }

    void checkStepNames()
    {
        std::set<std::string> names;
        for (index_ = 0; index_ < scenario_.steps.size(); ++index_)
            if (!names.insert(step().name).second)
                refuse(step().where, "name",
                       fmt::format("there already is a step \"{}\"", step().name),
                       "names are unique");
    }

    CardState *card(const Reference &reference, std::string_view key)
    {
        const std::string &name = reference.name;
        if (name.empty()) return nullptr; // reported where it was read
        const auto found = cards_.find(name);
        if (found != cards_.end()) return &found->second;
        refuse(reference.where, key, fmt::format("there is no card \"{}\"", name),
               cardNames_.empty() ? "the scenario has no [[card]]" : didYouMean(name, cardNames_));
        return nullptr;
    }

    /// Is `name` a background step that runs by now?
    bool background(const Reference &reference, std::string_view key)
    {
        const std::string &name = reference.name;
        if (name.empty()) return false;
        if (running_.contains(name)) return true;
        const auto found = std::find_if(scenario_.steps.begin(), scenario_.steps.end(),
                                        [&](const Step &s) { return s.name == name; });
        if (found == scenario_.steps.end()) {
            const std::vector<std::string> names(running_.begin(), running_.end());
            refuse(reference.where, key, fmt::format("there is no step \"{}\"", name),
                   names.empty() ? "no step is in the background by then"
                                 : didYouMean(name, names));
            return false;
        }
        const auto *run = std::get_if<RunCommand>(&found->action);
        if (!run || !run->background)
            refuse(reference.where, key, fmt::format("step \"{}\" is not in the background", name),
                   "give it background = true");
        else if (ended_.contains(name))
            refuse(reference.where, key,
                   fmt::format("step \"{}\" has been ended by a step before", name));
        else
            refuse(reference.where, key, fmt::format("step \"{}\" starts only later", name));
        return false;
    }

    void end(const std::string &name)
    {
        running_.erase(name);
        ended_.insert(name);
    }

    void check(const RunCommand &run)
    {
        if (run.background && !ended_.contains(step().name)) running_.insert(step().name);
    }

    void check(const WaitFor &wait)
    {
        if (background(wait.step, "wait") && !wait.until) end(wait.step.name);
    }

    void check(const Cancel &cancel)
    {
        if (background(cancel.step, "cancel")) end(cancel.step.name);
    }

    void check(const SetSignal &signal) { requireLive(signal.card, "signal.card"); }
    void check(const ReadStatus &status) { requireLive(status.card, "status"); }
    void check(const Sleep &) {}

    void requireLive(const Reference &reference, std::string_view key)
    {
        const std::string &name = reference.name;
        const CardState *state = card(reference, key);
        if (state && !state->alive)
            refuse(reference.where, key,
                   fmt::format("card \"{}\" has been killed by a step before", name),
                   "restart it first");
        else if (state && state->paused)
            refuse(reference.where, key,
                   fmt::format("card \"{}\" is paused by then and cannot answer", name),
                   "resume it first");
    }

    void check(const CardAction &action)
    {
        const std::string verb = verbOf(step());
        CardState *state = card(action.card, verb);
        if (!state) return;
        const auto impossible = [&](std::string_view why) {
            refuse(action.card.where, verb,
                   fmt::format("card \"{}\" {} by then", action.card.name, why));
        };
        switch (action.kind) {
        case CardAction::Kind::kill:
            if (!state->alive) impossible("is dead");
            *state = {state->plugged, false, false};
            break;
        case CardAction::Kind::restart:
            if (state->alive) impossible("runs");
            if (!state->alive && state->plugged)
                refuse(action.card.where, verb,
                       fmt::format("card \"{}\" is still plugged in", action.card.name),
                       "the guest's old connection is gone for good: unplug it first");
            *state = {state->plugged, true, false};
            break;
        case CardAction::Kind::pause:
            if (!state->alive) impossible("is dead");
            if (state->paused) impossible("is paused");
            state->paused = true;
            break;
        case CardAction::Kind::resume:
            if (!state->paused) impossible("is not paused");
            state->paused = false;
            break;
        case CardAction::Kind::plug:
            if (state->plugged) impossible("is plugged in");
            if (!state->alive) impossible("is dead");
            if (state->paused) impossible("is paused");
            state->plugged = true;
            break;
        case CardAction::Kind::unplug:
            if (!state->plugged) impossible("is not plugged in");
            state->plugged = false;
            break;
        }
    }

    void reportUnjudgedSteps()
    {
        for (index_ = 0; index_ < scenario_.steps.size(); ++index_)
            if (running_.contains(step().name))
                refuse(step().where, "background", "no later step waits for this one or cancels it",
                       "without that its expectations cannot fail");
    }

    void checkFrames()
    {
        const Verdict::Frames &frames = scenario_.verdict.frames;
        if (!frames.card.name.empty() && !cards_.contains(frames.card.name))
            problems_.add(frames.card.where, "verdict.frames.card",
                          fmt::format("there is no card \"{}\"", frames.card.name),
                          didYouMean(frames.card.name, cardNames_));
        if (frames.step.name.empty()) return;
        std::vector<std::string> candidates;
        for (const Step &candidate : scenario_.steps) {
            const auto *run = std::get_if<RunCommand>(&candidate.action);
            if (run && run->readsMetrics) candidates.push_back(candidate.name);
        }
        if (std::find(candidates.begin(), candidates.end(), frames.step.name) == candidates.end())
            problems_.add(
                frames.step.where, "verdict.frames.step",
                fmt::format("there is no step \"{}\" that reads metrics", frames.step.name),
                didYouMean(frames.step.name, candidates));
    }

    void checkJudgesSomething()
    {
        const bool judges =
            std::any_of(scenario_.steps.begin(), scenario_.steps.end(), [](const Step &candidate) {
                return std::holds_alternative<RunCommand>(candidate.action) ||
                       std::holds_alternative<ReadStatus>(candidate.action);
            });
        if (!judges)
            problems_.add({1, 1}, "step", "no step can fail, so the scenario judges nothing",
                          "add a [[step]] with run or status");
    }

    const Scenario &scenario_;
    Problems &problems_;
    std::size_t index_ = 0;
    std::map<std::string, CardState> cards_;
    std::vector<std::string> cardNames_;
    std::set<std::string> running_; ///< background steps that nothing has ended yet
    std::set<std::string> ended_;
};

} // namespace

void checkReferences(const Scenario &scenario, Problems &problems)
{
    ReferenceCheck(scenario, problems).run();
}

} // namespace testcard::scenario
