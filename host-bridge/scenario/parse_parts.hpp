// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The readers of the parts of a scenario file, for parse.cpp alone.
#pragma once

#include "scenario/scenario.hpp"
#include "scenario/table_reader.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// A host path of a scenario file: relative ones start at `folder`, that of the file.
Guest readGuest(TableReader &reader, const std::filesystem::path &folder);

/// One [[step]] with everything that can be judged without looking at other tables.
Step readStep(TableReader &reader);

/// The expectations of a command; `readsMetrics` says whether it has any metrics to judge.
Expectations readExpectations(TableReader &reader, bool readsMetrics);
/// A table of metrics, nested as the metrics are.
std::vector<MetricRule> readMetricRules(TableReader &reader);

/// Regular expressions; those that do not compile or that match everything are refused.
std::vector<Pattern> readPatterns(TableReader &reader, std::string_view key);

/// Reports steps that name cards or steps that are not there, that are of the wrong kind or that
/// come in an impossible order, and scenarios that judge nothing.
void checkReferences(const Scenario &scenario, Problems &problems);

} // namespace testcard::scenario
