// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/card_types.hpp"

#include "bus/clock.hpp"
#include "cards/card.hpp"
#include "cards/card_spec.hpp"
#include "scenario/scenario.hpp"

#include <fmt/format.h>

#include <optional>

namespace testcard::scenario
{

namespace
{

/// The value as a description has it; nothing for what a description cannot hold.
std::optional<std::string> optionText(const Node &node)
{
    switch (node.kind) {
    case Node::Kind::text:
        if (node.text.find(',') != std::string::npos) return {};
        return node.text;
    case Node::Kind::integer: return std::to_string(node.integer);
    case Node::Kind::real: return fmt::format("{}", node.real);
    default: return {};
    }
}

/// Without the start that names the card again: the problem's key does that.
std::string withoutCard(const std::string &message)
{
    const std::size_t end =
        message.starts_with("card \"") ? message.find("\": ") : std::string::npos;
    return end == std::string::npos ? message : message.substr(end + 3);
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

std::vector<std::pair<std::string, std::string>> readCardOptions(const std::string &type,
                                                                 TableReader &reader)
{
    std::vector<std::pair<std::string, std::string>> out;
    std::string description = type;
    bool sound = true;
    for (const std::string &name : cards::optionsOf(type)) {
        if (name == "name") continue; // every card has one
        const Node *node = reader.find(name);
        if (!node) continue;
        const auto text = optionText(*node);
        const std::string option = fmt::format(",{}={}", name, text.value_or(""));
        const auto alone = cards::parseCard(type + option);
        if (!text || !alone) {
            reader.refuse(name, text ? withoutCard(alone.error().message)
                                     : fmt::format("expected a string or a number, found {}",
                                                   node->description()));
            sound = false;
            continue;
        }
        description += option;
        out.emplace_back(name, *text);
    }
    if (!sound) return out;
    bus::Clock clock;
    const auto spec = cards::parseCard(description);
    const auto card = spec ? cards::makeCard(*spec, clock) : tl::unexpected(spec.error());
    if (!card) reader.refuse("type", withoutCard(card.error().message));
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
        out += fmt::format(",seed={}", ((runSeed * 0x9e3779b97f4a7c15u) ^ hashOf(name)) & mask);
    return out + fmt::format(",name={}", name);
}

} // namespace testcard::scenario
