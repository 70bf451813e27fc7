// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What is wrong with a scenario file, and where.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// A place in a file, counted from 1; 0 where the file as a whole is meant.
struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    bool operator==(const Position &) const = default;
};

/// One thing that is wrong: where, which key, what is wrong with it and what to do.
struct Problem {
    std::string file;
    Position where;
    std::string key;    ///< path of the key, such as `step[2].expect.exit`; empty for the file
    std::string what;   ///< what was expected and what was found
    std::string advice; ///< what to do; may be empty

    /// `FILE:LINE:COLUMN: KEY: WHAT; ADVICE`, the form that editors understand.
    std::string text() const;
};

/// All the problems of one file: a reader goes on after the first, so that one look repairs all.
class Problems
{
public:
    explicit Problems(std::string file) : file_(std::move(file)) {}

    void add(Position where, std::string key, std::string what, std::string advice = {});

    bool empty() const { return list_.empty(); }
    /// The problems in the order of the file.
    std::vector<Problem> take();

private:
    std::string file_;
    std::vector<Problem> list_;
};

} // namespace testcard::scenario
