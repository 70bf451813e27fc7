// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// "Did you mean": the word that a typing error was meant to be.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace testcard::scenario
{

/// How many single-character insertions, deletions, substitutions and swaps of neighbours turn
/// `from` into `to` (optimal string alignment).
std::size_t editDistance(std::string_view from, std::string_view to);

/// The candidate nearest to `word`, if it is near enough to be what was meant (at most one error
/// in three characters); empty otherwise. Case, `_` and `-` count for nothing.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// `did you mean "stdout"?`, or failing that `known are "a", "b"`; empty without candidates.
std::string didYouMean(std::string_view word, std::span<const std::string> candidates);

} // namespace testcard::scenario
