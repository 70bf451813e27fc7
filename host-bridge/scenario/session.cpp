// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/session.hpp"

#include "scenario/config.hpp"
#include "scenario/host_bench.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/parse.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace testcard::scenario
{

std::optional<std::unique_ptr<launcher::Session>> openSession(const GuestArguments &arguments)
{
    launcher::SessionOptions options;
    options.uri = arguments.connect;
    options.cacheFolder = Places::ofThisBuild().buildRoot / "launcher";
    auto session = launcher::Session::open(options);
    if (session) return *std::move(session);
    fmt::print(stderr, "testcard: {}\n", session.error().message);
    return {};
}

std::optional<Scenario> loadNamed(const std::string &name)
{
    const auto files = scenarioFiles({name}, std::filesystem::path(sourceRoot) / "scenarios");
    if (!files || files->size() != 1) {
        fmt::print(stderr, "testcard: {}\n",
                   files ? fmt::format("{} has {} scenarios; name one", name, files->size())
                         : files.error());
        return {};
    }
    auto scenario = loadScenario(files->front());
    if (scenario) return *std::move(scenario);
    for (const Problem &problem : scenario.error())
        fmt::print(stderr, "{}\n", printable(problem.text()));
    return {};
}

} // namespace testcard::scenario
