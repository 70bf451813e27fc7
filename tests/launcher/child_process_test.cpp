// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/child_process.hpp"
#include "launcher/process_table.hpp"
#include "processes.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace
{

std::unique_ptr<ChildProcess> start(ChildOptions options)
{
    auto child = ChildProcess::start(std::move(options), nullptr);
    if (!child) FAIL(child.error().message);
    return std::move(*child);
}

std::unique_ptr<ChildProcess> shell(const std::string &script, const fs::path &log = {})
{
    return start({.name = "the child", .argv = {"sh", "-c", script}, .log = log});
}

std::string textOf(const fs::path &path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace

TEST_CASE("A child's exit code and signal are told apart", "[launcher][child]")
{
    const auto leaves = shell("exit 7");
    const auto code = leaves->wait(5s, nullptr);
    REQUIRE(code);
    CHECK(code->code == 7);
    CHECK(code->describe() == "exited with code 7");

    const auto dies = shell("kill -SEGV $$");
    const auto signal = dies->wait(5s, nullptr);
    REQUIRE(signal);
    CHECK(signal->signal == SIGSEGV);
    CHECK(signal->describe() == "was killed by SIGSEGV");
    CHECK(dies->status()->signal == SIGSEGV); // asked again
}

TEST_CASE("Output of both kinds is appended to the log", "[launcher][child]")
{
    const ScratchFolder folder;
    const fs::path log = folder.path() / "log";
    std::ofstream(log) << "before\n";
    REQUIRE(shell("echo out; echo err >&2", log)->wait(5s, nullptr));
    CHECK(textOf(log) == "before\nout\nerr\n");
}

TEST_CASE("A child gets arguments and environment as they are, and nothing else of ours",
          "[launcher][child]")
{
    const ScratchFolder folder;
    const fs::path log = folder.path() / "log";
    const int leak = open("/dev/null", O_RDONLY); // without O_CLOEXEC
    setenv("LAUNCHER_TEST", "old", 1);
    const auto child =
        start({.argv = {"sh", "-c", "echo \"$0|$1|$LAUNCHER_TEST\"; ls /proc/self/fd | wc -l",
                        "a b", "$x"},
               .environment = {"LAUNCHER_TEST=new=1"},
               .log = log});
    REQUIRE(child->wait(5s, nullptr));
    close(leak);
    unsetenv("LAUNCHER_TEST");
    CHECK(textOf(log) == "a b|$x|new=1\n4\n"); // 0, 1, 2 and the one that ls opens
}

TEST_CASE("A program that does not start is an error that names it", "[launcher][child]")
{
    const ScratchFolder folder;
    const auto missing =
        ChildProcess::start({.name = "the card", .argv = {"no-such-program"}}, nullptr);
    REQUIRE_FALSE(missing);
    CHECK_THAT(missing.error().message, ContainsSubstring("the card") &&
                                            ContainsSubstring("no-such-program is not in PATH"));
    std::ofstream(folder.path() / "data") << "not a program";
    const auto data = ChildProcess::start({.argv = {(folder.path() / "data").string()}}, nullptr);
    REQUIRE_FALSE(data);
    CHECK_THAT(data.error().message, ContainsSubstring("Permission denied"));
    const auto log =
        ChildProcess::start({.argv = {"true"}, .log = folder.path() / "none/log"}, nullptr);
    REQUIRE_FALSE(log);
    CHECK_THAT(log.error().message, ContainsSubstring("none/log"));
    CHECK_FALSE(ChildProcess::start({}, nullptr));
}

TEST_CASE("A child is stopped by SIGTERM, and by SIGKILL if it does not listen",
          "[launcher][child]")
{
    const ScratchFolder folder;
    const auto polite = shell("exec sleep 100");
    CHECK(polite->stop().signal == SIGTERM);
    CHECK(polite->stop().signal == SIGTERM);

    const auto deaf = start(
        {.argv = {"sh", "-c", "trap '' TERM; echo >&$TESTCARD_READY_FD; sleep 100; sleep 100"},
         .readyByDescriptor = true});
    REQUIRE(deaf->waitReady(5s, nullptr));
    CHECK(deaf->stop(50ms).signal == SIGKILL);

    const auto frozen = shell("kill -STOP $$; exit 1");
    CHECK(becomesTrue([&] { return stateOf(frozen->pid()) == 'T'; }));
    CHECK(frozen->stop().signal == SIGTERM);
}

TEST_CASE("What a child leaves behind in its group goes with it", "[launcher][child]")
{
    const ScratchFolder folder;
    const fs::path file = folder.path() / "pid";
    const auto child = shell("sleep 100 & echo $! > '" + file.string() + "'; exit 0");
    REQUIRE(child->wait(5s, nullptr));
    const pid_t grandchild = std::stoi(textOf(file));
    CHECK(becomesTrue([&] { return !runs(grandchild); }));
}

TEST_CASE("A child that goes out of scope is stopped", "[launcher][child]")
{
    const pid_t pid = shell("exec sleep 100")->pid();
    CHECK_FALSE(runs(pid));
}

TEST_CASE("A child is ready when it says so", "[launcher][child]")
{
    const auto child =
        start({.argv = {"sh", "-c", "sleep 0.05; echo ready >&$TESTCARD_READY_FD; exec sleep 100"},
               .readyByDescriptor = true});
    CHECK(child->waitReady(5s, nullptr));
    CHECK(child->waitReady(0s, nullptr)); // and stays so
}

TEST_CASE("A child that closes its descriptor without a word is not ready", "[launcher][child]")
{
    const auto child = start({.name = "mute",
                              .argv = {"sh", "-c", "exec 3>&-; exec sleep 100"},
                              .readyByDescriptor = true});
    const auto ready = child->waitReady(100ms, nullptr);
    REQUIRE_FALSE(ready);
    CHECK(ready.error().kind == Error::Kind::timedOut);
    CHECK_THAT(ready.error().message, ContainsSubstring("mute was not ready within 100 ms"));
}

TEST_CASE("A child is ready when somebody listens on its sockets, not when they merely exist",
          "[launcher][child]")
{
    const ScratchFolder folder;
    const fs::path path = folder.path() / "card.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
    CHECK_FALSE(socketListens(path));

    const auto child = start({.argv = {"sleep", "100"}, .readySockets = {path}});
    const auto early = child->waitReady(30ms, nullptr);
    REQUIRE_FALSE(early);
    CHECK(early.error().kind == Error::Kind::timedOut);

    const std::jthread listener([&] {
        std::this_thread::sleep_for(30ms);
        listen(socket.get(), 1);
    });
    CHECK(child->waitReady(5s, nullptr));
    CHECK(socketListens(path));
}

TEST_CASE("A child that ends before it is ready says why", "[launcher][child]")
{
    const ScratchFolder folder;
    const auto child = start({.name = "card capture0",
                              .argv = {"sh", "-c", "echo 'no such pattern: rainbow' >&2; exit 2"},
                              .log = folder.path() / "log",
                              .readySockets = {folder.path() / "card.sock"}});
    const auto ready = child->waitReady(5s, nullptr);
    REQUIRE_FALSE(ready);
    CHECK(ready.error().kind == Error::Kind::ended);
    CHECK_THAT(ready.error().message,
               ContainsSubstring("card capture0 exited with code 2 before it was ready") &&
                   ContainsSubstring("no such pattern: rainbow"));
}

TEST_CASE("Waits for a child end with the interrupt or the deadline", "[launcher][child]")
{
    const auto child = shell("exec sleep 100");
    const auto late = child->wait(10ms, nullptr);
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == Error::Kind::timedOut);
    Interrupt interrupt;
    interrupt.raise();
    const auto interrupted = child->wait(10s, &interrupt);
    REQUIRE_FALSE(interrupted);
    CHECK(interrupted.error().kind == Error::Kind::interrupted);
    const auto waiting = start({.argv = {"sleep", "100"}, .readyByDescriptor = true});
    const auto ready = waiting->waitReady(10s, &interrupt);
    REQUIRE_FALSE(ready);
    CHECK(ready.error().kind == Error::Kind::interrupted);
}

TEST_CASE("A child that a short-lived thread started lives on", "[launcher][child]")
{
    // The kernel's parent-death signal would come at the thread's end.
    std::unique_ptr<ChildProcess> child;
    std::thread([&] { child = shell("exec sleep 100"); }).join();
    CHECK_FALSE(child->wait(50ms, nullptr));
}
