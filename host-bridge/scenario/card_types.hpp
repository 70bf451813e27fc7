// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The kinds of card that a scenario can have, with their options.
#pragma once

#include "scenario/scenario.hpp"
#include "scenario/table_reader.hpp"

#include <string>
#include <vector>

namespace testcard::scenario
{

/// The words that `type` may be.
const std::vector<std::string> &cardTypes();

/// Reads the options of a card of `type` from its table, in the order in which the description of
/// the card gives them; nothing for an unknown type.
std::vector<std::pair<std::string, std::string>> readCardOptions(const std::string &type,
                                                                 TableReader &reader);

} // namespace testcard::scenario
