// SPDX-License-Identifier: GPL-2.0-or-later
#include "lifetime_bench.hpp"

#include <fstream>
#include <sstream>

namespace testcard::launcher
{

std::string LifetimeBench::program()
{
    return SESSION_PROCESS;
}

LifetimeBench::LifetimeBench(std::vector<std::string> arguments, std::vector<std::string> prefix,
                             std::vector<std::string> environment)
{
    prefix.push_back(program());
    prefix.insert(prefix.end(), arguments.begin(), arguments.end());
    // Not known to a reaper of ours: what cleans up must be its own doing.
    auto child = ChildProcess::start({.argv = std::move(prefix),
                                      .environment = std::move(environment),
                                      .log = scratch_.path() / "out"},
                                     nullptr);
    if (!child) FAIL(child.error().message);
    process_ = std::move(*child);
}

void LifetimeBench::begin(std::chrono::seconds limit)
{
    beginUntil("waiting", limit);
}

void LifetimeBench::beginUntil(const std::string &word, std::chrono::seconds limit)
{
    const bool heard = becomesTrue(
        [&] {
            readTold();
            return said(word) || process_->status();
        },
        limit);
    INFO("session-process said:\n" << process_->logTail());
    REQUIRE(heard);
    REQUIRE(said(word));
}

void LifetimeBench::readTold()
{
    std::ifstream file(scratch_.path() / "out");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string key, value;
        words >> key >> value;
        told_[key] = value;
    }
}

void LifetimeBench::checkNothingIsLeft()
{
    CHECK(becomesTrue([&] { return !std::filesystem::exists(folder()); }));
    CHECK(becomesTrue([&] { return processesThatMention(folder()).empty(); }));
    readTold();
    for (const char *what : {"child", "reaper", "emulator"}) {
        if (!said(what)) continue;
        INFO(what);
        CHECK(becomesTrue([&] { return !runs(pidOf(what)); }));
    }
}

} // namespace testcard::launcher
