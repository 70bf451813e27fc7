// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Regular expressions over what a guest wrote.
#pragma once

#include <tl/expected.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace testcard::scenario
{

/// A compiled POSIX extended regular expression; ^ and $ stand for the ends of any line.
///
/// The C library's matcher and not std::regex, whose recursion a long line from a guest turns
/// into a stack overflow.
class Matcher
{
public:
    /// The error says what is wrong with the expression, which has at most 1 KiB and 50 nested
    /// groups.
    static tl::expected<Matcher, std::string> compile(const std::string &expression);

    /// Does it match anywhere in `text`, which may hold any bytes?
    bool matches(std::string_view text) const;
    /// True if it matches whatever the text is, such as "" or ".*": it can judge nothing.
    bool matchesEverything() const;

private:
    struct Compiled;
    explicit Matcher(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

    std::shared_ptr<const Compiled> compiled_;
};

} // namespace testcard::scenario
