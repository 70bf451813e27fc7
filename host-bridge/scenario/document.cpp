// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/document.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

namespace testcard::scenario
{

namespace
{

Position positionOf(const toml::source_region &source)
{
    return {source.begin.line, source.begin.column};
}

Node convert(const toml::node &node);

Node convertTable(const toml::table &table)
{
    Node out;
    out.kind = Node::Kind::table;
    for (const auto &[key, value] : table)
        out.entries.push_back({std::string(key.str()), positionOf(key.source()), convert(value)});
    std::sort(out.entries.begin(), out.entries.end(), [](const Entry &a, const Entry &b) {
        return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
    });
    return out;
}

Node convertList(const toml::array &list)
{
    Node out;
    out.kind = Node::Kind::list;
    for (const toml::node &item : list)
        out.items.push_back(convert(item));
    return out;
}

Node convert(const toml::node &node)
{
    Node out;
    if (const auto *table = node.as_table()) {
        out = convertTable(*table);
    } else if (const auto *list = node.as_array()) {
        out = convertList(*list);
    } else if (const auto *text = node.as_string()) {
        out.kind = Node::Kind::text;
        out.text = text->get();
    } else if (const auto *integer = node.as_integer()) {
        out.kind = Node::Kind::integer;
        out.integer = integer->get();
    } else if (const auto *real = node.as_floating_point()) {
        out.kind = Node::Kind::real;
        out.real = real->get();
    } else if (const auto *boolean = node.as_boolean()) {
        out.kind = Node::Kind::boolean;
        out.boolean = boolean->get();
    } else {
        out.kind = Node::Kind::moment;
    }
    out.where = positionOf(node.source());
    return out;
}

} // namespace

std::string Node::description() const
{
    switch (kind) {
    case Kind::text: return fmt::format("the string \"{}\"", text);
    case Kind::integer: return fmt::format("the integer {}", integer);
    case Kind::real: return fmt::format("the number {}", real);
    case Kind::boolean: return boolean ? "true" : "false";
    case Kind::moment: return "a date or time";
    case Kind::list: return items.empty() ? "an empty list" : "a list";
    case Kind::table: return "a table";
    }
    return {};
}

tl::expected<Node, Problem> readDocument(std::string_view text, const std::string &file)
{
    // The library is built with exceptions; none leaves this function.
    try {
        return convertTable(toml::parse(text, file));
    } catch (const toml::parse_error &error) {
        return tl::make_unexpected(Problem{file,
                                           positionOf(error.source()),
                                           {},
                                           fmt::format("not TOML: {}", error.description()),
                                           {}});
    }
}

} // namespace testcard::scenario
