// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/launcher.hpp"
#include "launcher/reaper.hpp"
#include "launcher/runtime_folder.hpp"
#include "lifetime_bench.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <memory>

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

TEST_CASE("A runtime folder is private and leaves room for socket names", "[launcher][reaper]")
{
    const auto folder = makeRuntimeFolder();
    REQUIRE(folder);
    struct stat info {
    };
    REQUIRE(stat(folder->c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
    CHECK(folder->native().size() + 1 + 40 <= socketPathLimit);
    fs::remove(*folder);
}

TEST_CASE("XDG_RUNTIME_DIR is used if it is private and short", "[launcher][reaper]")
{
    const char *before = getenv("XDG_RUNTIME_DIR");
    const std::string saved = before != nullptr ? before : "";
    std::string base = "/tmp/xdg-XXXXXX";
    REQUIRE(mkdtemp(base.data()) != nullptr);
    const auto baseOfNext = [&](const std::string &runtime) {
        setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
        const auto folder = makeRuntimeFolder();
        REQUIRE(folder);
        fs::remove(*folder);
        return folder->parent_path().string();
    };
    CHECK(baseOfNext(base) == base);
    const std::string longName = base + "/" + std::string(40, 'x');
    fs::create_directory(longName);
    fs::permissions(longName, fs::perms::owner_all);
    CHECK(baseOfNext(longName) == "/tmp");
    fs::permissions(base, fs::perms::owner_all | fs::perms::others_read);
    CHECK(baseOfNext(base) == "/tmp");
    CHECK(baseOfNext(base + "/none") == "/tmp");
    fs::remove_all(base);
    before != nullptr ? setenv("XDG_RUNTIME_DIR", saved.c_str(), 1) : unsetenv("XDG_RUNTIME_DIR");
}

TEST_CASE("A session ends in order: folder, sockets and child processes are gone",
          "[launcher][reaper]")
{
    fs::path folder;
    std::unique_ptr<ChildProcess> forgotten; // that nobody stops before the session ends
    {
        auto session = Session::open({});
        REQUIRE(session);
        folder = (*session)->folder();
        fs::create_directories(folder / "deep/er");
        std::ofstream(folder / "deep/er/file") << "x";
        fs::create_directory_symlink("/etc", folder / "deep/link"); // must not be followed
        auto child = (*session)->spawn({.argv = {"sleep", "1000"}});
        REQUIRE(child);
        forgotten = std::move(*child);
        CHECK(fs::exists(folder));
        CHECK(environmentOf(forgotten->pid()).find("TESTCARD_RUNTIME=" + folder.string()) !=
              std::string::npos);
    }
    CHECK_FALSE(fs::exists(folder));
    CHECK_FALSE(runs(forgotten->pid()));
    CHECK(fs::exists("/etc/passwd"));
}

TEST_CASE("Nothing survives the kill of the session's process", "[launcher][reaper]")
{
    for (const char *child : {"", "--deaf-child"}) {
        INFO("option: " << child);
        LifetimeBench bench(*child != '\0' ? std::vector<std::string>{child}
                                           : std::vector<std::string>{});
        bench.begin();
        CHECK(fs::exists(bench.folder()));
        // The card, its helper and nothing else; the reaper carries no mark.
        CHECK(processesThatMention(bench.folder()).size() == 2);
        kill(bench.process().pid(), SIGKILL);
        bench.checkNothingIsLeft();
    }
}

TEST_CASE("Nothing survives Ctrl-C, and the process ends in order", "[launcher][reaper]")
{
    for (const int number : {SIGINT, SIGTERM}) {
        LifetimeBench bench;
        bench.begin();
        kill(bench.process().pid(), number);
        const auto end = bench.process().wait(10s, nullptr);
        REQUIRE(end);
        CHECK(end->code == 128 + number);
        // In order means that it was all gone before the process was.
        CHECK_FALSE(fs::exists(bench.folder()));
        bench.checkNothingIsLeft();
    }
}

TEST_CASE("Nothing survives two Ctrl-Cs of an impatient user", "[launcher][reaper]")
{
    LifetimeBench bench({"--deaf-child"}); // stopping it takes two seconds, enough to lose patience
    bench.begin();
    kill(bench.process().pid(), SIGINT);
    CHECK(becomesTrue(
        [&] { return bench.process().logTail().find("interrupted") != std::string::npos; }));
    kill(bench.process().pid(), SIGINT);
    const auto end = bench.process().wait(1s, nullptr);
    REQUIRE(end);
    CHECK(end->code == 128 + SIGINT);
    bench.checkNothingIsLeft();
}

TEST_CASE("A killed reaper takes only the safety net with it", "[launcher][reaper]")
{
    LifetimeBench bench;
    bench.begin();
    kill(bench.pidOf("reaper"), SIGKILL);
    kill(bench.process().pid(), SIGINT);
    const auto end = bench.process().wait(15s, nullptr);
    REQUIRE(end);
    CHECK(end->code == 128 + SIGINT);
    bench.checkNothingIsLeft();
}

TEST_CASE("Only processes of the session are killed, not those that look at its files",
          "[launcher][reaper]")
{
    auto folder = makeRuntimeFolder();
    REQUIRE(folder);
    std::ofstream(*folder / "serial.log") << "x\n";
    auto reaper = Reaper::start(*folder);
    REQUIRE(reaper);
    const auto onlooker =
        ChildProcess::start({.argv = {"tail", "-f", (*folder / "serial.log").string()}}, nullptr);
    const auto other = ChildProcess::start(
        {.argv = {"sleep", "1000"}, .environment = {"TESTCARD_RUNTIME=" + folder->string() + "x"}},
        nullptr);
    REQUIRE(onlooker);
    REQUIRE(other);
    reaper->reset();
    CHECK_FALSE(fs::exists(*folder));
    CHECK(runs((*onlooker)->pid()));
    CHECK(runs((*other)->pid()));
}
