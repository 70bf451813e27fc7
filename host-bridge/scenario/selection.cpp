// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/selection.hpp"

#include "scenario/parse.hpp"
#include "scenario/suggestion.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fnmatch.h>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

std::vector<fs::path> filesOf(const fs::path &folder)
{
    std::vector<fs::path> out;
    std::error_code ignored;
    for (const auto &entry : fs::directory_iterator(folder, ignored))
        if (entry.path().extension() == ".toml") out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

std::vector<std::string> namesIn(const fs::path &folder)
{
    std::vector<std::string> out;
    for (const fs::path &file : filesOf(folder))
        out.push_back(file.stem().string());
    return out;
}

bool isPath(const std::string &name)
{
    return name.find('/') != std::string::npos || name.ends_with(".toml");
}

/// The files that one name means; empty if it means nothing.
std::vector<fs::path> filesNamed(const std::string &name, const fs::path &folder)
{
    std::error_code ignored;
    if (!isPath(name)) {
        const fs::path file = folder / (name + ".toml");
        if (fs::is_regular_file(file, ignored)) return {file};
    }
    if (fs::is_directory(name, ignored)) return filesOf(name);
    if (isPath(name) && fs::is_regular_file(name, ignored)) return {name};
    return {};
}

/// Why a name means no file.
std::string whyNone(const std::string &name, const fs::path &folder)
{
    std::error_code ignored;
    if (fs::is_directory(name, ignored))
        return fmt::format("the folder {} has no .toml files", name);
    const auto known = namesIn(folder);
    if (!isPath(name))
        return fmt::format("there is no scenario \"{}\"; {}", name,
                           known.empty() ? fmt::format("{} has none", folder.string())
                                         : didYouMean(name, known));
    if (fs::exists(name, ignored)) return fmt::format("{} is neither a file nor a folder", name);
    const std::string meant = nearest(fs::path(name).stem().string(), known);
    return fmt::format("there is no file or folder {}{}", name,
                       meant.empty() ? std::string()
                                     : fmt::format("; did you mean \"{}\"?", meant));
}

} // namespace

tl::expected<std::vector<fs::path>, std::string>
scenarioFiles(const std::vector<std::string> &names, const fs::path &folder)
{
    if (names.empty()) return filesOf(folder);
    std::vector<fs::path> out;
    for (const std::string &name : names) {
        const auto files = filesNamed(name, folder);
        if (files.empty()) return tl::unexpected(whyNone(name, folder));
        for (const fs::path &file : files)
            if (std::find(out.begin(), out.end(), file) == out.end()) out.push_back(file);
    }
    return out;
}

bool selects(const Selection &selection, const Scenario &scenario)
{
    if (!selection.filter.empty() &&
        fnmatch(selection.filter.c_str(), scenario.name.c_str(), 0) != 0)
        return false;
    const auto has = [&](const std::string &tag) {
        return std::find(scenario.tags.begin(), scenario.tags.end(), tag) != scenario.tags.end();
    };
    bool asked = false;
    bool found = false;
    for (const std::string &tag : selection.tags) {
        if (tag.starts_with('!')) {
            if (has(tag.substr(1))) return false;
            continue;
        }
        asked = true;
        found = found || has(tag);
    }
    return found || !asked;
}

tl::expected<Selected, std::string> select(const Selection &selection, const fs::path &folder)
{
    const auto files = scenarioFiles(selection.names, folder);
    if (!files) return tl::unexpected(files.error());
    Selected out;
    for (const fs::path &file : *files) {
        auto scenario = loadScenario(file);
        if (!scenario)
            out.problems.insert(out.problems.end(), scenario.error().begin(),
                                scenario.error().end());
        else if (selects(selection, *scenario))
            out.scenarios.push_back(*std::move(scenario));
    }
    return out;
}

} // namespace testcard::scenario
