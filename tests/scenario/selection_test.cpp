// SPDX-License-Identifier: GPL-2.0-or-later
// Which scenarios a command is about, and that all of ours are sound.
#include "parsing.hpp"
#include "scenario/config.hpp"
#include "scenario/selection.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <sstream>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

void writeScenario(const fs::path &file, const std::string &tags)
{
    std::ofstream(file) << "schema = 1\ntitle = \"T\"\n"
                        << (tags.empty() ? "" : "tags = [" + tags + "]\n")
                        << "[[step]]\nrun = \"true\"\n";
}

std::vector<std::string> names(const tl::expected<Selected, std::string> &selected)
{
    std::vector<std::string> out;
    if (selected)
        for (const Scenario &scenario : selected->scenarios)
            out.push_back(scenario.name);
    return out;
}

/// The indented blocks of a Markdown file that are whole scenarios.
std::vector<std::string> examplesIn(const fs::path &file)
{
    std::ifstream in(file);
    std::vector<std::string> out;
    std::string line;
    std::string block;
    const auto finish = [&] {
        if (block.starts_with("schema = 1\n")) out.push_back(block);
        block.clear();
    };
    while (std::getline(in, line)) {
        if (line.starts_with("    "))
            block += line.substr(4) + "\n";
        else if (!line.empty())
            finish();
        else if (!block.empty())
            block += "\n";
    }
    finish();
    return out;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("Every scenario of the project is sound", "[scenario]")
{
    const auto selected = select({}, fs::path(sourceRoot) / "scenarios");
    REQUIRE(selected);
    for (const Problem &problem : selected->problems)
        FAIL_CHECK(problem.text());
    CHECK(selected->scenarios.size() >= 1);
}

TEST_CASE("The scenarios that scenarios/README.md shows are sound", "[scenario]")
{
    const auto examples = examplesIn(fs::path(sourceRoot) / "scenarios/README.md");
    CHECK(examples.size() >= 2);
    for (const std::string &example : examples) {
        const auto problems = problemsOf(example);
        for (const std::string &problem : problems)
            FAIL_CHECK(problem);
    }
}

TEST_CASE("Scenarios are found by name, by file and by folder", "[scenario]")
{
    const TemporaryFolder folder;
    writeScenario(folder.path() / "alpha.toml", "\"guest\"");
    writeScenario(folder.path() / "beta.toml", "\"guest\", \"slow\"");
    fs::create_directory(folder.path() / "more");
    writeScenario(folder.path() / "more" / "gamma.toml", "");
    std::ofstream(folder.path() / "README.md") << "no scenario";
    const auto chosen = [&](Names names) { return scenarioFiles(names, folder.path()); };
    CHECK(chosen({})->size() == 2);
    CHECK(*chosen({"beta", "alpha", "beta"}) ==
          std::vector{folder.path() / "beta.toml", folder.path() / "alpha.toml"});
    const fs::path gamma = folder.path() / "more" / "gamma.toml";
    CHECK(*chosen({gamma.string()}) == std::vector{gamma});
    CHECK(*chosen({(folder.path() / "more").string()}) == std::vector{gamma});
    CHECK(chosen({"alhpa"}).error() == "there is no scenario \"alhpa\"; did you mean \"alpha\"?");
    CHECK(chosen({"else"}).error() ==
          "there is no scenario \"else\"; known are \"alpha\", \"beta\"");
}

TEST_CASE("A path to nothing and a folder without scenarios are told apart", "[scenario]")
{
    const TemporaryFolder folder;
    writeScenario(folder.path() / "alpha.toml", "");
    const fs::path empty = folder.path() / "empty";
    fs::create_directory(empty);
    const auto why = [&](const std::string &name) {
        return scenarioFiles({name}, folder.path()).error();
    };
    CHECK(why(empty.string()) == "the folder " + empty.string() + " has no .toml files");
    CHECK(why("no/such") == "there is no file or folder no/such");
    CHECK(why("no/such.toml") == "there is no file or folder no/such.toml");
    CHECK(why("alhpa.toml") == "there is no file or folder alhpa.toml; did you mean \"alpha\"?");
    CHECK(why("/dev/null") == "/dev/null is neither a file nor a folder");
    CHECK(scenarioFiles({"alpha"}, empty).error() ==
          "there is no scenario \"alpha\"; " + empty.string() + " has none");
}

TEST_CASE("Scenarios are selected by pattern and by tags", "[scenario]")
{
    const TemporaryFolder folder;
    writeScenario(folder.path() / "signal-loss.toml", "\"guest\"");
    writeScenario(folder.path() / "signal-slow.toml", "\"guest\", \"slow\"");
    writeScenario(folder.path() / "unit.toml", "");
    const auto chosen = [&](std::string filter, Names tags) {
        return names(select({{}, std::move(filter), std::move(tags)}, folder.path()));
    };
    CHECK(chosen("", {}) == Names{"signal-loss", "signal-slow", "unit"});
    CHECK(chosen("signal-*", {}) == Names{"signal-loss", "signal-slow"});
    CHECK(chosen("", {"slow"}) == Names{"signal-slow"});
    CHECK(chosen("", {"!slow"}) == Names{"signal-loss", "unit"});
    CHECK(chosen("", {"guest", "!slow"}) == Names{"signal-loss"});
    CHECK(chosen("x*", {}).empty());
}

} // namespace testcard::scenario
