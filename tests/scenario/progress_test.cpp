// SPDX-License-Identifier: GPL-2.0-or-later
#include "parsing.hpp"
#include "scenario/progress.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

namespace testcard::scenario
{

using namespace std::chrono_literals;

namespace
{

/// A stream that keeps what is written to it.
class Paper
{
public:
    Paper() : file_(open_memstream(&text_, &size_)) {}
    ~Paper()
    {
        std::fclose(file_);
        std::free(text_); // NOLINT: the C library's own
    }
    Paper(const Paper &) = delete;
    Paper &operator=(const Paper &) = delete;

    std::FILE *file() { return file_; }
    std::string text()
    {
        std::fflush(file_);
        return {text_, size_};
    }

private:
    char *text_ = nullptr;
    std::size_t size_ = 0;
    std::FILE *file_;
};

const std::string fileText = header + "[[step]]\nname = \"second\"\nrun = \"x\"\n";

/// What a failing run of two steps tells.
void tellAll(Progress &progress, const Scenario &scenario)
{
    progress.scenarioBegins(scenario);
    progress.phase("booting");
    progress.detail("a line\x1b");
    progress.stepBegins("first", 1, 2);
    StepResult good;
    good.name = "first";
    good.outcome = Outcome::passed;
    good.duration = 1200ms;
    progress.stepEnds(good);
    RunResult result;
    result.scenario = "test";
    result.file = "a,b/test.toml";
    result.steps = {good, good};
    result.steps[1].cause = Cause::expectation;
    result.outcome = Outcome::passed;
    result.worsen(Cause::expectation, "100% wrong\nreally");
    progress.scenarioEnds(result, "the report\n");
}

} // namespace

TEST_CASE("Logs get a line for whatever begins or ends", "[scenario]")
{
    Paper lines;
    Paper reports;
    const auto progress = makeProgress(ProgressKind::lines, lines.file(), reports.file());
    tellAll(*progress, parsed(fileText));
    CHECK(lines.text() == "test: A test\n"
                          "  booting ...\n"
                          "    a line?\n"
                          "  step 1 of 2: first ...\n"
                          "  ok      first (1.2 s)\n");
    CHECK(reports.text() == "the report\n");
}

TEST_CASE("GitHub gets groups, and errors at the line of the failed step", "[scenario]")
{
    Paper lines;
    Paper reports;
    const auto progress = makeProgress(ProgressKind::github, lines.file(), reports.file());
    tellAll(*progress, parsed(fileText));
    const std::string text = lines.text();
    CHECK(text.starts_with("::group::test: A test\n"));
    CHECK(text.find("::endgroup::\n::error file=a%2Cb/test.toml,line=6,title=test failed "
                    "(expectation)::100%25 wrong%0Areally\n") != std::string::npos);
    CHECK(reports.text() == "the report\n");
}

TEST_CASE("A terminal gets one line that moves, and leaves nothing of it behind", "[scenario]")
{
    Paper lines;
    Paper reports;
    {
        const auto progress = makeProgress(ProgressKind::terminal, lines.file(), reports.file());
        tellAll(*progress, parsed(fileText));
    }
    const std::string text = lines.text();
    CHECK(text.find("booting 0.0 s") != std::string::npos);
    CHECK(text.find("  ok      first (1.2 s)\n") != std::string::npos);
    CHECK(text.ends_with("\r\x1b[K"));
    CHECK(reports.text() == "the report\n");
}

TEST_CASE("The kind of progress follows the surroundings", "[scenario]")
{
    const char *before = std::getenv("GITHUB_ACTIONS");
    const std::optional<std::string> kept =
        before ? std::optional<std::string>(before) : std::nullopt;
    setenv("GITHUB_ACTIONS", "true", 1);
    CHECK(progressKind() == ProgressKind::github);
    setenv("GITHUB_ACTIONS", "false", 1);
    CHECK(progressKind() != ProgressKind::github);
    if (kept)
        setenv("GITHUB_ACTIONS", kept->c_str(), 1);
    else
        unsetenv("GITHUB_ACTIONS");
}

} // namespace testcard::scenario
