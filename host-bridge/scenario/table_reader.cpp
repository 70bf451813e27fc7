// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/table_reader.hpp"

#include "scenario/suggestion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace testcard::scenario
{

TableReader::TableReader(const Node &table, std::string path, Problems &problems)
    : table_(table), path_(std::move(path)), problems_(problems)
{
}

std::string TableReader::pathOf(std::string_view key) const
{
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

const Node *TableReader::find(std::string_view key)
{
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
    const auto entry = std::find_if(table_.entries.begin(), table_.entries.end(),
                                    [&](const Entry &e) { return e.key == key; });
    return entry == table_.entries.end() ? nullptr : &entry->value;
}

void TableReader::expected(std::string_view key, const Node &found, std::string_view what)
{
    problems_.add(found.where, pathOf(key),
                  fmt::format("expected {}, found {}", what, found.description()));
}

std::optional<std::string> TableReader::text(std::string_view key)
{
    const Node *node = find(key);
    if (!node) return {};
    if (node->kind != Node::Kind::text || node->text.empty()) {
        expected(key, *node, "a string with something in it");
        return {};
    }
    return node->text;
}

Reference TableReader::reference(std::string_view key)
{
    const Node *node = find(key);
    return {text(key).value_or(""), node ? node->where : table_.where};
}

std::optional<bool> TableReader::boolean(std::string_view key)
{
    const Node *node = find(key);
    if (!node) return {};
    if (node->kind != Node::Kind::boolean) {
        expected(key, *node, "true or false");
        return {};
    }
    return node->boolean;
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t lowest,
                                                 std::int64_t highest)
{
    const Node *node = find(key);
    if (!node) return {};
    if (node->kind != Node::Kind::integer || node->integer < lowest || node->integer > highest) {
        expected(key, *node, fmt::format("an integer from {} to {}", lowest, highest));
        return {};
    }
    return node->integer;
}

std::optional<std::string> TableReader::choice(std::string_view key,
                                               std::span<const std::string> words)
{
    const Node *node = find(key);
    if (!node) return {};
    const bool isText = node->kind == Node::Kind::text;
    if (isText && std::find(words.begin(), words.end(), node->text) != words.end())
        return node->text;
    const std::string meant = isText ? nearest(node->text, words) : std::string{};
    problems_.add(
        node->where, pathOf(key),
        fmt::format("expected \"{}\", found {}", fmt::join(words, "\" or \""), node->description()),
        meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant));
    return {};
}

std::optional<std::chrono::milliseconds> TableReader::duration(std::string_view key)
{
    const Node *node = find(key);
    if (!node) return {};
    if (node->kind == Node::Kind::text) {
        const auto value = parseDuration(node->text);
        if (value && value->count() > 0) return value;
    }
    expected(key, *node, "a duration such as \"500ms\", \"30s\" or \"2min\"");
    return {};
}

std::optional<std::uint64_t> TableReader::size(std::string_view key)
{
    const Node *node = find(key);
    if (!node) return {};
    if (node->kind == Node::Kind::text) {
        const auto value = parseSize(node->text);
        if (value && *value > 0) return value;
    }
    expected(key, *node, "a size such as \"256M\" or \"1G\"");
    return {};
}

std::vector<Entry> TableReader::texts(std::string_view key)
{
    const Node *node = find(key);
    if (!node) return {};
    if (node->kind == Node::Kind::text && !node->text.empty())
        return {{pathOf(key), node->where, *node}};
    if (node->kind != Node::Kind::list || node->items.empty()) {
        expected(key, *node, "a string or a list of strings");
        return {};
    }
    std::vector<Entry> out;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        const Node &item = node->items[i];
        const std::string name = fmt::format("{}[{}]", key, i);
        if (item.kind == Node::Kind::text && !item.text.empty())
            out.push_back({pathOf(name), item.where, item});
        else
            expected(name, item, "a string with something in it");
    }
    return out;
}

const Node *TableReader::table(std::string_view key)
{
    const Node *node = find(key);
    if (!node || node->kind == Node::Kind::table) return node;
    expected(key, *node, "a table");
    return nullptr;
}

std::vector<const Node *> TableReader::tables(std::string_view key)
{
    const Node *node = find(key);
    if (!node) return {};
    std::vector<const Node *> out;
    const bool isList = node->kind == Node::Kind::list;
    for (const Node &item : node->items)
        if (item.kind == Node::Kind::table) out.push_back(&item);
    if (!isList || out.size() != node->items.size())
        expected(key, *node, fmt::format("tables, each begun by [[{}]]", key));
    return out;
}

bool TableReader::require(std::string_view key, std::string_view advice)
{
    if (has(key)) return true;
    problems_.add(table_.where, pathOf(key), "missing", std::string(advice));
    return false;
}

void TableReader::refuse(std::string_view key, std::string what, std::string advice)
{
    const Node *node = find(key);
    problems_.add(node ? node->where : table_.where, pathOf(key), std::move(what),
                  std::move(advice));
}

void TableReader::finish()
{
    for (const Entry &entry : table_.entries) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        problems_.add(entry.where, pathOf(entry.key), "unknown key", didYouMean(entry.key, known_));
    }
}

namespace
{

/// The number at the start of `text`, which is cut off; nothing if it has none or if it is not one
/// that a person means.
std::optional<double> leadingNumber(std::string_view &text)
{
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(value) || value < 0 || value > 1e12) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    while (text.starts_with(' '))
        text.remove_prefix(1);
    return value;
}

} // namespace

std::optional<std::chrono::milliseconds> parseDuration(std::string_view text)
{
    const auto number = leadingNumber(text);
    if (!number) return {};
    double unit_ms = 0;
    if (text == "ms") unit_ms = 1;
    if (text == "s") unit_ms = 1000;
    if (text == "min") unit_ms = 60'000;
    if (text == "h") unit_ms = 3'600'000;
    const double milliseconds = *number * unit_ms;
    constexpr double longest_ms = 30.0 * 24 * 3'600'000;
    if (unit_ms == 0 || milliseconds > longest_ms) return {};
    return std::chrono::milliseconds(std::llround(milliseconds));
}

std::optional<std::uint64_t> parseSize(std::string_view text)
{
    const auto number = leadingNumber(text);
    if (!number) return {};
    double unit = 0;
    if (text == "K") unit = 1024.0;
    if (text == "M") unit = 1024.0 * 1024;
    if (text == "G") unit = 1024.0 * 1024 * 1024;
    const double bytes = *number * unit;
    if (unit == 0 || bytes > 1e15) return {};
    return static_cast<std::uint64_t>(bytes);
}

} // namespace testcard::scenario
