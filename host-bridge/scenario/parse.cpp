// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/parse.hpp"

#include "cards/card_spec.hpp"
#include "scenario/card_types.hpp"
#include "scenario/document.hpp"
#include "scenario/parse_parts.hpp"
#include "scenario/pattern.hpp"
#include "scenario/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

namespace testcard::scenario
{

namespace
{

constexpr std::int64_t highestSeed = std::int64_t{1} << 53;

void refuseForm(Problems &problems, const Entry &entry, std::string_view what)
{
    problems.add(entry.where, entry.key, fmt::format("\"{}\" {}", entry.value.text, what));
}

std::vector<std::string> readTags(TableReader &reader)
{
    static const Matcher form = *Matcher::compile("^[a-z0-9][a-z0-9-]*$");
    std::vector<std::string> out;
    for (const Entry &tag : reader.texts("tags")) {
        if (!form.matches(tag.value.text))
            refuseForm(reader.problems(), tag, "is not a tag: lower-case letters, digits and '-'");
        out.push_back(tag.value.text);
    }
    return out;
}

Card readCard(TableReader &reader, std::map<std::string, unsigned> &countOfType)
{
    Card card;
    card.where = reader.where();
    reader.require("type", "say what kind of card this is, as in type = \"capture\"");
    const auto type = reader.choice("type", cards::cardTypes());
    card.name = reader.text("name").value_or("");
    static const Matcher form = *Matcher::compile("^[a-z][a-z0-9-]{0,31}$");
    if (!card.name.empty() && !form.matches(card.name))
        reader.refuse("name", fmt::format("\"{}\" is not a name: a lower-case letter, then "
                                          "letters, digits and '-', 32 at most",
                                          card.name));
    card.plugged = reader.boolean("plugged").value_or(true);
    if (!type) return card; // its options cannot be told from errors
    card.type = *type;
    if (card.name.empty()) card.name = fmt::format("{}{}", *type, countOfType[*type]);
    ++countOfType[*type];
    card.options = readCardOptions(*type, reader);
    reader.finish();
    return card;
}

Verdict readVerdict(TableReader &reader)
{
    Verdict verdict;
    if (const Node *node = reader.table("frames")) {
        TableReader frames(*node, reader.pathOf("frames"), reader.problems());
        frames.require("step", "name the step whose metrics count frames");
        frames.require("card", "name the card that sent them");
        verdict.frames = {frames.reference("step"), frames.reference("card")};
        frames.finish();
    }
    if (const Node *node = reader.table("kernel-log")) {
        TableReader log(*node, reader.pathOf("kernel-log"), reader.problems());
        verdict.kernelLogRefuse = readPatterns(log, "refuse");
        verdict.kernelLogAllow = readPatterns(log, "allow");
        log.finish();
    }
    reader.finish();
    return verdict;
}

std::vector<Card> readCards(TableReader &file)
{
    std::vector<Card> cards;
    std::map<std::string, unsigned> countOfType;
    for (const Node *table : file.tables("card")) {
        TableReader reader(*table, fmt::format("card[{}]", cards.size()), file.problems());
        cards.push_back(readCard(reader, countOfType));
    }
    return cards;
}

std::vector<Step> readSteps(TableReader &file)
{
    std::vector<Step> steps;
    for (const Node *table : file.tables("step")) {
        TableReader reader(*table, fmt::format("step[{}]", steps.size()), file.problems());
        steps.push_back(readStep(reader));
        reader.finish();
        if (steps.back().name.empty())
            steps.back().name = fmt::format("{}: {}", steps.size(), verbOf(steps.back()));
    }
    return steps;
}

void readFile(TableReader &file, Scenario &scenario)
{
    if (file.require("schema", "begin the file with schema = 1")) {
        const Node *schema = file.find("schema");
        if (schema->kind != Node::Kind::integer || schema->integer != 1)
            file.refuse("schema", fmt::format("expected 1, the only schema that this testcard "
                                              "knows, found {}",
                                              schema->description()));
    }
    file.require("title", "say in a sentence what the scenario shows");
    scenario.title = file.text("title").value_or("");
    scenario.description = file.text("description").value_or("");
    scenario.tags = readTags(file);
    scenario.seed = static_cast<std::uint64_t>(file.integer("seed", 0, highestSeed).value_or(1));
    scenario.timeout = file.duration("timeout").value_or(scenario.timeout);
    if (const Node *node = file.table("guest")) {
        TableReader guest(*node, "guest", file.problems());
        scenario.guest = readGuest(guest, scenario.file.parent_path());
        guest.finish();
    }
    scenario.cards = readCards(file);
    scenario.steps = readSteps(file);
    if (const Node *node = file.table("verdict")) {
        TableReader verdict(*node, "verdict", file.problems());
        scenario.verdict = readVerdict(verdict);
    }
    file.finish();
}

} // namespace

tl::expected<Scenario, std::vector<Problem>> parseScenario(std::string_view text,
                                                           const std::filesystem::path &file)
{
    auto document = readDocument(text, file.string());
    if (!document) return tl::make_unexpected(std::vector<Problem>{document.error()});
    if (document->where.line == 0) document->where = {1, 1};

    Scenario scenario;
    scenario.file = file;
    scenario.name = file.stem().string();
    Problems problems(file.string());
    TableReader reader(*document, {}, problems);
    readFile(reader, scenario);
    checkReferences(scenario, problems);
    if (!problems.empty()) return tl::make_unexpected(problems.take());
    return scenario;
}

tl::expected<Scenario, std::vector<Problem>> loadScenario(const std::filesystem::path &file)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    std::error_code ignored;
    const bool folder = std::filesystem::is_directory(file, ignored);
    if (!folder && in && in.peek() == std::ifstream::traits_type::eof() && !in.bad())
        return tl::make_unexpected(std::vector<Problem>{
            {file.string(), {}, {}, "is empty", "begin the file with schema = 1"}});
    if (folder || !in || !(text << in.rdbuf()))
        return tl::make_unexpected(std::vector<Problem>{
            {file.string(), {}, {}, "cannot be read", "`testcard list` tells what there is"}});
    return parseScenario(text.str(), file);
}

} // namespace testcard::scenario
