// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/card_types.hpp"

#include "scenario/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace testcard::scenario
{

namespace
{

/// One option of a type of card: a word out of a list, a number, or a text of some form.
struct CardOption {
    std::string name;
    std::vector<std::string> words;
    std::int64_t lowest = 0;
    std::int64_t highest = 0;
    std::string form;    ///< a regular expression; empty for words and numbers
    std::string example; ///< of a text
};

struct CardType {
    std::string name;
    std::vector<CardOption> options;
};

const std::vector<CardType> &types()
{
    constexpr auto anySeed = std::numeric_limits<std::int64_t>::max();
    static const std::vector<CardType> all{
        {"capture",
         {
             {"media", {"smpte-bars", "ramp", "checkerboard", "moving-box", "noise"}, 0, 0, {}, {}},
             {"width", {}, 640, 1920, {}, {}},
             {"height", {}, 480, 1200, {}, {}},
             {"rate", {}, 24, 75, {}, {}},
             {"pacing", {"as-fast-as-possible", "real-time"}, 0, 0, {}, {}},
             {"seed", {}, 0, anySeed, {}, {}},
             {"stream", {}, 0, 255, {}, {}},
             {"interrupts", {"intx", "msi", "msix"}, 0, 0, {}, {}},
             {"id", {}, 0, 0, "^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}$", "7c01:0001"},
         }},
    };
    return all;
}

std::optional<std::string> readOption(const CardOption &option, TableReader &reader)
{
    if (!option.words.empty()) return reader.choice(option.name, option.words);
    if (option.form.empty()) {
        const auto value = reader.integer(option.name, option.lowest, option.highest);
        return value ? std::optional(std::to_string(*value)) : std::nullopt;
    }
    const auto value = reader.text(option.name);
    if (value && !Matcher::compile(option.form)->matches(*value)) {
        reader.refuse(option.name,
                      fmt::format("\"{}\" does not look like \"{}\"", *value, option.example));
        return {};
    }
    return value;
}

/// FNV-1a: stable for ever, which std::hash is not.
std::uint64_t hashOf(std::string_view text)
{
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
}

} // namespace

const std::vector<std::string> &cardTypes()
{
    static const std::vector<std::string> names = [] {
        std::vector<std::string> out;
        for (const CardType &type : types())
            out.push_back(type.name);
        return out;
    }();
    return names;
}

std::vector<std::pair<std::string, std::string>> readCardOptions(const std::string &type,
                                                                 TableReader &reader)
{
    std::vector<std::pair<std::string, std::string>> out;
    const auto found = std::find_if(types().begin(), types().end(), [&](const CardType &candidate) {
        return candidate.name == type;
    });
    if (found == types().end()) return out;
    for (const CardOption &option : found->options)
        if (auto value = readOption(option, reader)) out.emplace_back(option.name, *value);
    return out;
}

std::string Card::description(std::uint64_t runSeed) const
{
    std::string out = type;
    bool hasSeed = false;
    for (const auto &[key, value] : options) {
        out += fmt::format(",{}={}", key, value);
        hasSeed = hasSeed || key == "seed";
    }
    // 53 bits: the number goes through JSON, whose readers keep no more.
    constexpr std::uint64_t mask = (std::uint64_t{1} << 53) - 1;
    if (!hasSeed)
        out += fmt::format(",seed={}", (runSeed * 0x9e3779b97f4a7c15u ^ hashOf(name)) & mask);
    return out + fmt::format(",name={}", name);
}

} // namespace testcard::scenario
