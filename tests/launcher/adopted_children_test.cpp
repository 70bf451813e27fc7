// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/adopted_children.hpp"
#include "launcher/child_process.hpp"
#include "launcher/event_loop.hpp"
#include "launcher/process_table.hpp"
#include "processes.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <memory>

#include <signal.h>
#include <unistd.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;

namespace
{

/// The process number that `child` wrote into `file`.
pid_t numberFrom(ChildProcess &child, const std::filesystem::path &file)
{
    REQUIRE(child.wait(5s, nullptr));
    pid_t pid = 0;
    std::ifstream(file) >> pid;
    REQUIRE(pid > 0);
    return pid;
}

std::unique_ptr<ChildProcess> shell(const std::string &script, const std::filesystem::path &file)
{
    auto child = ChildProcess::start({.argv = {"sh", "-c", script, file.string()}}, nullptr);
    if (!child) FAIL(child.error().message);
    return std::move(*child);
}

} // namespace

TEST_CASE("A daemon becomes our child, and is buried when it ends", "[launcher][adopted]")
{
    const ScratchFolder folder;
    EventLoop loop;
    const AdoptedChildren adopted;
    const auto starter =
        shell("setsid sh -c 'sleep 1000 & echo $! > \"$0\"' \"$0\"", folder.path() / "pid");
    const pid_t daemon = numberFrom(*starter, folder.path() / "pid");
    CHECK(becomesTrue([&] {
        const auto state = processState(daemon);
        return state && state->parent == getpid();
    }));
    kill(daemon, SIGKILL);
    CHECK(becomesTrue([&] { return stateOf(daemon) == '\0'; }, 1s));
}

TEST_CASE("What a child leaves behind is buried, too", "[launcher][adopted]")
{
    const ScratchFolder folder;
    EventLoop loop;
    const AdoptedChildren adopted;
    const auto child = shell("sleep 1000 & echo $! > \"$0\"", folder.path() / "pid");
    const pid_t helper = numberFrom(*child, folder.path() / "pid");
    CHECK(becomesTrue([&] { return stateOf(helper) == '\0'; }, 1s));
}

TEST_CASE("A child of ours is left for who waits for it", "[launcher][adopted]")
{
    const ScratchFolder folder;
    EventLoop loop;
    const AdoptedChildren adopted;
    const auto child = shell("exit 7", folder.path() / "none");
    CHECK(becomesTrue([&] { return stateOf(child->pid()) == 'Z'; }));
    usleep(50'000); // time enough for a mistake
    const auto end = child->wait(5s, nullptr);
    REQUIRE(end);
    CHECK(end->code == 7);
}
