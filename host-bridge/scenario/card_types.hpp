// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Reads the options of a [[card]], which are those of `testcard serve` and judged by the same
/// code.
#pragma once

#include "scenario/table_reader.hpp"

#include <string>
#include <utility>
#include <vector>

namespace testcard::scenario
{

/// The options of a card of a known `type`, in the order of the file. Those that the card would
/// refuse are problems, alone and together.
std::vector<std::pair<std::string, std::string>> readCardOptions(const std::string &type,
                                                                 TableReader &reader);

} // namespace testcard::scenario
