// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Reads the keys of one TOML table and reports everything in it that nobody asked for.
#pragma once

#include "scenario/document.hpp"
#include "scenario/problem.hpp"
#include "scenario/scenario.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// Each reading function makes its key a known one; what is left over is unknown to finish(). So
/// there is no list of keys beside the code that reads them.
class TableReader
{
public:
    /// `path` is the table's own key path, empty for the file. Both references must outlive this.
    TableReader(const Node &table, std::string path, Problems &problems);

    const std::string &path() const { return path_; }
    Position where() const { return table_.where; }
    const Node &node() const { return table_; }
    Problems &problems() const { return problems_; }

    /// The value of `key`, or null; the caller checks its kind.
    const Node *find(std::string_view key);
    bool has(std::string_view key) { return find(key) != nullptr; }

    // Each of these returns nothing when the key is missing or when it has a problem, which is then
    // on the list.
    std::optional<std::string> text(std::string_view key);
    /// The name of something, with its place; an empty name where text() has nothing.
    Reference reference(std::string_view key);
    std::optional<bool> boolean(std::string_view key);
    std::optional<std::int64_t> integer(std::string_view key, std::int64_t lowest,
                                        std::int64_t highest);
    /// One of the words given.
    std::optional<std::string> choice(std::string_view key, std::span<const std::string> words);
    /// "500ms", "30s", "2min", "1h"; longer than nothing.
    std::optional<std::chrono::milliseconds> duration(std::string_view key);
    /// "256M", "1G" as bytes.
    std::optional<std::uint64_t> size(std::string_view key);
    /// A list of strings, or one string where one is enough; each with its place.
    std::vector<Entry> texts(std::string_view key);
    /// A table within this one.
    const Node *table(std::string_view key);
    /// The tables of [[key]].
    std::vector<const Node *> tables(std::string_view key);

    /// Says that `key` must be there, unless it is; true if it is.
    bool require(std::string_view key, std::string_view advice);
    /// A problem of `key`'s value, or of this table if it has no such key.
    void refuse(std::string_view key, std::string what, std::string advice = {});
    /// The path of a key within this table.
    std::string pathOf(std::string_view key) const;

    /// Reports every key that no function above was asked for.
    void finish();

private:
    void expected(std::string_view key, const Node &found, std::string_view what);

    const Node &table_;
    std::string path_;
    Problems &problems_;
    std::vector<std::string> known_;
};

/// "500ms", "30s", "2min", "1h", also with a fraction as in "1.5s"; nothing for other texts.
std::optional<std::chrono::milliseconds> parseDuration(std::string_view text);
/// "64K", "256M", "1G" (powers of 1024) as bytes; nothing for other texts.
std::optional<std::uint64_t> parseSize(std::string_view text);

} // namespace testcard::scenario
