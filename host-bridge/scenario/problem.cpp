// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace testcard::scenario
{

std::string Problem::text() const
{
    std::string out = file;
    if (where.line != 0) out += fmt::format(":{}:{}", where.line, where.column);
    out += ": ";
    if (!key.empty()) out += key + ": ";
    out += what;
    if (!advice.empty()) out += "; " + advice;
    return out;
}

void Problems::add(Position where, std::string key, std::string what, std::string advice)
{
    list_.push_back({file_, where, std::move(key), std::move(what), std::move(advice)});
}

std::vector<Problem> Problems::take()
{
    std::stable_sort(list_.begin(), list_.end(), [](const Problem &a, const Problem &b) {
        return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
    });
    return std::move(list_);
}

} // namespace testcard::scenario
