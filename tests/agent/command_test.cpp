// SPDX-License-Identifier: GPL-2.0-or-later
// Commands, run by the real agent program.
#include "agent_process.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <future>
#include <map>
#include <string>
#include <thread>

#include <sys/utsname.h>

using namespace testcard::agent;
using namespace testcard::agent::test;
using namespace std::chrono_literals;

namespace
{

Captured captured(Client &client, const Command &command)
{
    auto result = client.capture(command, 64 << 20);
    if (!result) FAIL(result.error().message);
    return *result;
}

Captured scripted(Client &client, const std::string &script)
{
    return captured(client, Command::shell(script));
}

RunningCommand started(Client &client, const Command &command, OutputHandler handler = {})
{
    auto running = client.start(command, std::move(handler));
    if (!running) FAIL(running.error().message);
    return *std::move(running);
}

ExitStatus ended(RunningCommand &running)
{
    auto status = running.wait();
    if (!status) FAIL(status.error().message);
    return *status;
}

/// Output as it comes, with waiting for a piece of text in it.
class Watched
{
public:
    OutputHandler handler()
    {
        return [this](Stream, std::string_view bytes) {
            const std::lock_guard lock(mutex_);
            text_ += bytes;
            changed_.notify_all();
        };
    }
    void waitFor(const std::string &text)
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return text_.find(text) != std::string::npos; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
};

} // namespace

TEST_CASE("The agent says which system it runs in", "[agent][program]")
{
    AgentAndClient agent;
    utsname names{};
    uname(&names);
    CHECK(agent->info().protocolVersion == 1);
    CHECK(agent->info().agentVersion == "0.1.0");
    CHECK(agent->info().system == names.sysname);
    CHECK(agent->info().kernel == names.release);
    CHECK(agent->info().machine == names.machine);
    CHECK(agent->info().hostName == names.nodename);
    CHECK(agent->info().uptime > 0s);
    CHECK_FALSE(agent->info().canPowerOff);
    CHECK(agent->ping());
}

TEST_CASE("A command's two streams and its exit code come back", "[agent][program]")
{
    AgentAndClient agent;
    const Captured result = scripted(*agent, "echo out; echo err >&2; exit 3");
    CHECK(result.output == "out\n");
    CHECK(result.error == "err\n");
    CHECK(result.status.code == 3);
    CHECK_FALSE(result.status.signal);
    CHECK(result.status.duration > 0ns);
    CHECK_FALSE(result.truncated);
    CHECK(describe(result.status) == "exit code 3");
}

TEST_CASE("A command that crashes reports its signal", "[agent][program]")
{
    AgentAndClient agent;
    const Captured result = scripted(*agent, "ulimit -c 0; kill -SEGV $$");
    CHECK_FALSE(result.status.code);
    CHECK(result.status.signal == SIGSEGV);
    CHECK_FALSE(result.status.succeeded());
    CHECK(describe(result.status) == "killed by signal 11 (SIGSEGV)");
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
}

TEST_CASE("A command that cannot be started says why", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    SECTION("there is no such program")
    {
        const auto result = agent->run({.argv = {"no-such-program"}});
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == ErrorKind::Refused);
        CHECK(result.error().guestErrno == ENOENT);
        CHECK(result.error().message == "no-such-program: No such file or directory");
    }
    SECTION("it is not executable")
    {
        REQUIRE(agent->putBytes("x", (folder / "file").native(), 0644));
        const auto result = agent->run({.argv = {folder / "file"}});
        REQUIRE_FALSE(result);
        CHECK(result.error().guestErrno == EACCES);
    }
    SECTION("there is no such folder")
    {
        const auto result = agent->run({.argv = {"true"}, .directory = "/no/such/folder"});
        REQUIRE_FALSE(result);
        CHECK(result.error().guestErrno == ENOENT);
        CHECK(result.error().message == "/no/such/folder: No such file or directory");
    }
    SECTION("there is no program at all")
    {
        const auto result = agent->run({});
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == ErrorKind::Local);
    }
    SECTION("its arguments are too long for one message")
    {
        const auto result =
            agent->run({.argv = {"echo", std::string(60'000, 'a'), std::string(60'000, 'b')}});
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == ErrorKind::TooLarge);
    }
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
}

TEST_CASE("A command gets its arguments, environment and folder", "[agent][program]")
{
    AgentAndClient agent;
    CHECK(captured(*agent, {.argv = {"printf", "%s.", "a b", "", "$HOME"}}).output ==
          "a b..$HOME.");
    CHECK(
        captured(*agent, {.argv = {"sh", "-c", "echo $COLOUR"}, .environment = {"COLOUR=red blue"}})
            .output == "red blue\n");
    CHECK(captured(*agent, {.argv = {"pwd"}, .directory = "/usr"}).output == "/usr\n");
}

TEST_CASE("Without input a command reads nothing", "[agent][program]")
{
    AgentAndClient agent;
    CHECK(scripted(*agent, "cat; echo end").output == "end\n");
}

TEST_CASE("Input of any size reaches the command, then ends", "[agent][program]")
{
    AgentAndClient agent;
    std::string input;
    for (int i = 0; input.size() < 3'000'000; ++i)
        input += fmt::format("line {}\n", i);
    Command cat{.argv = {"cat"}};
    cat.input = input;
    const Captured result = captured(*agent, cat);
    CHECK(result.output == input);
    CHECK(result.status.succeeded());
}

TEST_CASE("Input that nobody reads holds nothing up", "[agent][program]")
{
    AgentAndClient agent;
    SECTION("the command ends first")
    {
        Command command{.argv = {"true"}};
        command.input = std::string(1'000'000, 'x');
        CHECK(captured(*agent, command).status.succeeded());
    }
    SECTION("the command goes on")
    {
        Command command{.argv = {"sleep", "1000"}};
        command.keepInputOpen = true;
        RunningCommand running = started(*agent, command);
        const std::string chunk(100'000, 'x');
        std::size_t total = 0;
        for (;;) {
            const auto taken = running.writeSome(chunk);
            REQUIRE(taken);
            if (*taken == 0) {
                // What the pipe takes comes back as credit: only when an answer that was sent after
                // it is here has the guest taken all that it will take.
                REQUIRE(agent->ping());
                if (*running.writeSome("y") == 0) break;
                ++total;
            }
            total += *taken;
        }
        CHECK(total < 2'000'000);
        CHECK(scripted(*agent, "echo alive").output == "alive\n");
        running.cancel();
        CHECK(ended(running).cancelled);
    }
    SECTION("the command closes it")
    {
        Watched output;
        Command command = Command::shell("exec <&-; echo closed; sleep 1000");
        command.keepInputOpen = true;
        RunningCommand running = started(*agent, command, output.handler());
        output.waitFor("closed");
        CHECK(running.write(std::string(1'000'000, 'x')));
        running.cancel();
        CHECK(ended(running).cancelled);
    }
}

TEST_CASE("Writing to a command that has ended is an error", "[agent][program]")
{
    AgentAndClient agent;
    Command command{.argv = {"true"}};
    command.keepInputOpen = true;
    RunningCommand running = started(*agent, command);
    CHECK(ended(running).succeeded());
    const auto result = running.write("x");
    REQUIRE_FALSE(result);
    CHECK(result.error().guestErrno == EPIPE);
}

TEST_CASE("A command's time limit kills everything that it started", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    LifeLine life(folder);
    // A child, a daemon in a session of its own whose parent is gone, and one that ignores signals.
    Command command = Command::shell("exec " + life.held() +
                                     "\n"
                                     "sleep 1000 &\n"
                                     "(setsid sleep 1000 &)\n"
                                     "(trap '' TERM HUP INT; setsid sh -c 'sleep 1000; :' &)\n"
                                     "sleep 1000");
    command.timeout = 300ms;
    const auto status = agent->run(command);
    REQUIRE(status);
    CHECK(status->timedOut);
    CHECK(status->signal == SIGKILL);
    CHECK(describe(*status).starts_with("timed out after 0.3"));
    life.waitForEnd();
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
}

TEST_CASE("A command that makes processes without end is killed with all of them",
          "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    LifeLine life(folder);
    Watched output;
    // Each generation starts the next one in a new session and ends: never the same process twice.
    const std::string chain = (folder / "chain").native();
    REQUIRE(agent->putBytes("#!/bin/sh\necho link\nsetsid " + chain + " &\n", chain, 0755));
    Command command = Command::shell("exec " + life.held() + "\n" + chain + "\nsleep 1000");
    RunningCommand running = started(*agent, command, output.handler());
    output.waitFor("link\nlink\nlink\nlink\n");
    running.cancel();
    CHECK(ended(running).cancelled);
    life.waitForEnd();
}

TEST_CASE("A command that is cancelled ends", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    LifeLine life(folder);
    Watched output;
    RunningCommand running =
        started(*agent, Command::shell("exec " + life.held() + "; echo ready; sleep 1000"),
                output.handler());
    output.waitFor("ready");
    CHECK(running.processId() > 0);
    const auto early = running.waitFor(0ms);
    REQUIRE(early);
    CHECK_FALSE(*early);
    running.cancel();
    const ExitStatus status = ended(running);
    CHECK(status.cancelled);
    CHECK_FALSE(status.timedOut);
    CHECK(describe(status) == "was cancelled");
    life.waitForEnd();
}

TEST_CASE("A command whose handle is dropped is cancelled", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    LifeLine life(folder);
    {
        Watched output;
        RunningCommand running =
            started(*agent, Command::shell("exec " + life.held() + "; echo ready; sleep 1000"),
                    output.handler());
        output.waitFor("ready");
    }
    life.waitForEnd();
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
}

TEST_CASE("A signal reaches the command's process group", "[agent][program]")
{
    AgentAndClient agent;
    Watched output;
    RunningCommand running = started(
        *agent, Command::shell("trap 'exit 9' USR1; echo ready; while :; do sleep 0.01; done"),
        output.handler());
    output.waitFor("ready");
    running.signal(SIGUSR1);
    CHECK(ended(running).code == 9);
}

TEST_CASE("A command that leaves a daemon behind ends at once", "[agent][program]")
{
    Folder folder;
    LifeLine life(folder);
    {
        AgentAndClient agent;
        // The daemon keeps the command's output open and goes on writing to it.
        Command command = Command::shell("exec " + life.held() + "; yes & echo done");
        SECTION("which lives until the session ends")
        {
            const Captured result = captured(*agent, command);
            CHECK(result.status.succeeded());
            CHECK(result.output.find("done\n") != std::string::npos);
            CHECK(life.isHeld());
            CHECK(scripted(*agent, "echo alive").output == "alive\n");
        }
        SECTION("which is killed if that is wished for")
        {
            command.killLeftovers = true;
            CHECK(captured(*agent, command).status.succeeded());
            life.waitForEnd();
        }
    }
    life.waitForEnd();
}

TEST_CASE("A command that closes its output goes on", "[agent][program]")
{
    AgentAndClient agent;
    Watched output;
    Command command = Command::shell("echo first; exec >&- 2>&-; read answer; exit \"$answer\"");
    command.keepInputOpen = true;
    RunningCommand running = started(*agent, command, output.handler());
    output.waitFor("first");
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
    CHECK_FALSE(running.waitFor(0ms).value());
    REQUIRE(running.write("5\n"));
    CHECK(ended(running).code == 5);
}

TEST_CASE("Large output arrives complete and in order", "[agent][program]")
{
    AgentAndClient agent;
    std::string expected;
    for (int i = 1; i <= 300'000; ++i)
        expected += fmt::format("{}\n", i);
    const Captured result = scripted(*agent, "seq 1 300000");
    CHECK(result.output == expected);
}

TEST_CASE("Merged output keeps the order of the two streams", "[agent][program]")
{
    AgentAndClient agent;
    Command command = Command::shell("for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo -$i >&2; done");
    command.mergeOutput = true;
    const Captured result = captured(*agent, command);
    CHECK(result.output == "1\n-1\n2\n-2\n3\n-3\n4\n-4\n5\n-5\n6\n-6\n7\n-7\n8\n-8\n9\n-9\n");
    CHECK(result.error.empty());
}

TEST_CASE("A flood of output neither fills memory nor stops anything else", "[agent][program]")
{
    AgentAndClient agent;
    std::atomic<std::uint64_t> bytes{0};
    std::promise<void> enough;
    RunningCommand flood =
        started(*agent, {.argv = {"cat", "/dev/zero"}}, [&](Stream, std::string_view part) {
            const std::uint64_t before = bytes.fetch_add(part.size());
            constexpr std::uint64_t limit = 200'000'000;
            if (before < limit && before + part.size() >= limit) enough.set_value();
        });
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
    CHECK(agent->ping());
    enough.get_future().wait();
    flood.cancel();
    CHECK(ended(flood).cancelled);

    std::ifstream status(fmt::format("/proc/{}/status", agent.process().id()));
    std::string word;
    long peak_kB = 0;
    while (status >> word)
        if (word == "VmHWM:") status >> peak_kB;
    CHECK(peak_kB > 0);
    CHECK(peak_kB < 100'000); // a few megabytes; a sanitized build needs more
}

TEST_CASE("A slow host slows the command down instead of losing its output", "[agent][program]")
{
    AgentAndClient agent;
    std::promise<void> first;
    std::promise<void> goOn;
    auto mayGoOn = goOn.get_future();
    std::size_t bytes = 0;
    RunningCommand running = started(*agent, {.argv = {"head", "-c", "20000000", "/dev/zero"}},
                                     [&](Stream, std::string_view part) {
                                         if (bytes == 0) {
                                             first.set_value();
                                             mayGoOn.wait();
                                         }
                                         bytes += part.size();
                                     });
    first.get_future().wait();
    // Nothing is read now, and the 20 MB are more than everything on the way can hold.
    CHECK_FALSE(running.waitFor(50ms).value());
    goOn.set_value();
    CHECK(ended(running).succeeded());
    CHECK(bytes == 20'000'000);
}

TEST_CASE("Many commands run at once", "[agent][program]")
{
    AgentAndClient agent;
    constexpr int count = 32;
    std::map<int, std::string> texts;
    std::vector<RunningCommand> running;
    // None goes on before the last one runs.
    for (int i = 0; i < count; ++i) {
        Command command =
            Command::shell(fmt::format("read go; seq {} {}", i * 1000, i * 1000 + 999));
        command.keepInputOpen = true;
        std::string &text = texts[i];
        running.push_back(
            started(*agent, command, [&text](Stream, std::string_view bytes) { text += bytes; }));
    }
    for (RunningCommand &command : running)
        REQUIRE(command.write("go\n"));
    for (int i = 0; i < count; ++i) {
        CHECK(ended(running[static_cast<std::size_t>(i)]).succeeded());
        std::string expected;
        for (int line = i * 1000; line < i * 1000 + 1000; ++line)
            expected += fmt::format("{}\n", line);
        CHECK(texts[i] == expected);
    }
}

TEST_CASE("Commands run from several threads at once", "[agent][program]")
{
    AgentAndClient agent;
    std::vector<std::future<std::string>> results;
    for (int i = 0; i < 8; ++i)
        results.push_back(std::async(std::launch::async, [&agent, i] {
            return agent->capture(Command::shell(fmt::format("echo {}", i)))->output;
        }));
    for (std::size_t i = 0; i < results.size(); ++i)
        CHECK(results[i].get() == fmt::format("{}\n", i));
}

TEST_CASE("There is a limit to commands at once", "[agent][program]")
{
    AgentAndClient agent;
    std::vector<RunningCommand> running;
    for (int i = 0; i < 64; ++i)
        running.push_back(started(*agent, {.argv = {"sleep", "1000"}}));
    const auto one = agent->run({.argv = {"true"}});
    REQUIRE_FALSE(one);
    CHECK(one.error().kind == ErrorKind::TooLarge);
    running.back().cancel();
    CHECK(ended(running.back()).cancelled);
    CHECK(agent->run({.argv = {"true"}}));
}

TEST_CASE("A command that kills its supervisor is killed itself", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    LifeLine life(folder);
    const auto status = agent->run(Command::shell(
        "exec " + life.held() + "; (setsid sleep 1000 &) ; kill -9 $PPID; sleep 1000"));
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::Refused);
    CHECK(status.error().guestErrno == EIO);
    life.waitForEnd();
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
}

TEST_CASE("A command that stops its supervisor can still be cancelled", "[agent][program]")
{
    AgentAndClient agent;
    Watched output;
    Command command = Command::shell("read go; kill -STOP $PPID; echo stopped; sleep 1000");
    command.keepInputOpen = true;
    RunningCommand running = started(*agent, command, output.handler());
    REQUIRE(running.write("go\n"));
    output.waitFor("stopped");
    running.cancel();
    CHECK(ended(running).cancelled);
}

TEST_CASE("Commands end with the agent, however it ends", "[agent][program]")
{
    Folder folder;
    LifeLine life(folder);
    AgentAndClient agent;
    Watched output;
    RunningCommand running = started(
        *agent,
        Command::shell("exec " + life.held() + "; (setsid sleep 1000 &) ; echo ready; sleep 1000"),
        output.handler());
    output.waitFor("ready");
    SECTION("when it is asked to")
    {
        agent.process().signal(SIGTERM);
    }
    SECTION("when it is killed")
    {
        agent.process().signal(SIGKILL);
    }
    const auto status = running.wait();
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::Closed);
    life.waitForEnd();
}

TEST_CASE("A handler may drop its own command", "[agent][program]")
{
    AgentAndClient agent;
    std::optional<RunningCommand> running;
    std::promise<void> dropped;
    std::promise<void> stored;
    auto isStored = stored.get_future();
    bool first = true;
    running = started(*agent, Command::shell("echo x; sleep 1000"), [&](Stream, std::string_view) {
        if (!std::exchange(first, false)) return;
        isStored.wait();
        running.reset();
        dropped.set_value();
    });
    stored.set_value();
    dropped.get_future().wait();
    CHECK(scripted(*agent, "echo alive").output == "alive\n");
}
