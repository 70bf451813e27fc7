// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A TOML file as a tree that knows where each of its values stands.
///
/// The rest of the folder reads this tree and not toml++, which would cost every file that
/// includes it many seconds of compilation.
#pragma once

#include "scenario/problem.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

struct Entry;

/// One value of the file. Only the member of its kind is filled.
struct Node {
    enum class Kind { text, integer, real, boolean, moment, list, table };

    Kind kind = Kind::table;
    Position where;
    std::string text;
    std::int64_t integer = 0;
    double real = 0;
    bool boolean = false;
    std::vector<Node> items;    ///< of a list
    std::vector<Entry> entries; ///< of a table, in the order of the file

    /// The kind and value for an error message: `the string "two"`, `a table`.
    std::string description() const;
};

/// A key of a table with its value; `where` is the place of the key.
struct Entry {
    std::string key;
    Position where;
    Node value;
};

/// Reads TOML 1.0. A syntax error is the one problem that ends the reading at once.
tl::expected<Node, Problem> readDocument(std::string_view text, const std::string &file);

} // namespace testcard::scenario
