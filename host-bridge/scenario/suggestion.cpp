// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/suggestion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace testcard::scenario
{

namespace
{

std::string folded(std::string_view word)
{
    std::string out;
    for (const char c : word)
        out += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

std::vector<std::string> quoted(std::span<const std::string> words)
{
    std::vector<std::string> out;
    for (const std::string &word : words)
        out.push_back(fmt::format("\"{}\"", word));
    return out;
}

} // namespace

std::size_t editDistance(std::string_view from, std::string_view to)
{
    const std::size_t width = to.size() + 1;
    std::vector<std::size_t> cost((from.size() + 1) * width);
    const auto at = [&](std::size_t i, std::size_t j) -> std::size_t & {
        return cost[i * width + j];
    };
    for (std::size_t i = 0; i <= from.size(); ++i)
        at(i, 0) = i;
    for (std::size_t j = 0; j <= to.size(); ++j)
        at(0, j) = j;
    for (std::size_t i = 1; i <= from.size(); ++i) {
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t substitution = from[i - 1] == to[j - 1] ? 0 : 1;
            at(i, j) =
                std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + substitution});
            const bool swapped =
                i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if (swapped) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
        }
    }
    return at(from.size(), to.size());
}

std::string nearest(std::string_view word, std::span<const std::string> candidates)
{
    const std::string wanted = folded(word);
    std::string best;
    std::size_t bestDistance = std::max<std::size_t>(1, (wanted.size() + 1) / 3) + 1;
    for (const std::string &candidate : candidates) {
        const std::size_t distance = editDistance(wanted, folded(candidate));
        if (distance < bestDistance) {
            bestDistance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string didYouMean(std::string_view word, std::span<const std::string> candidates)
{
    const std::string meant = nearest(word, candidates);
    if (!meant.empty()) return fmt::format("did you mean \"{}\"?", meant);
    if (candidates.empty()) return {};
    return fmt::format("known are {}", fmt::join(quoted(candidates), ", "));
}

} // namespace testcard::scenario
