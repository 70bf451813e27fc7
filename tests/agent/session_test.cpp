// SPDX-License-Identifier: GPL-2.0-or-later
// How sessions begin, end and begin again, with the real agent program.
#include "agent_process.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <string>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

using namespace testcard::agent;
using namespace testcard::agent::test;
using namespace std::chrono_literals;

namespace
{

/// A command that holds the line and says when it does.
RunningCommand holding(Client &client, const LifeLine &life)
{
    std::promise<void> ready;
    auto isReady = ready.get_future();
    auto promise = std::make_shared<std::promise<void>>(std::move(ready));
    auto running =
        client.start(Command::shell("exec " + life.held() +
                                    "; (setsid sleep 1000 &); echo ready; exec sleep 1000"),
                     [promise, said = false](Stream, std::string_view) mutable {
                         if (!std::exchange(said, true)) promise->set_value();
                     });
    if (!running) FAIL(running.error().message);
    isReady.wait();
    return *std::move(running);
}

std::string output(Client &client, const std::string &script)
{
    const auto result = client.capture(Command::shell(script));
    if (!result) FAIL(result.error().message);
    return result->output;
}

FileDescriptor makeEvent()
{
    return FileDescriptor(eventfd(0, EFD_CLOEXEC));
}

void raise(const FileDescriptor &event)
{
    const std::uint64_t one = 1;
    REQUIRE(write(event.get(), &one, sizeof one) == sizeof one);
}

} // namespace

TEST_CASE("The host may come before the agent", "[agent][program]")
{
    StreamPair streams = makeStreamPair();
    auto client =
        std::async(std::launch::async, [&] { return Client::open(streams.host.release()); });
    // The first request for a session lies in the stream before the agent is there.
    pollfd guest{streams.guest.get(), POLLIN, 0};
    poll(&guest, 1, -1);
    const AgentProcess agent(streams.guest);
    auto connected = client.get();
    REQUIRE(connected);
    CHECK(output(*connected, "echo hello") == "hello\n");
}

TEST_CASE("The host may come long after the agent, again and again", "[agent][program]")
{
    Folder folder;
    const auto socket = folder / "socket";
    const AgentProcess agent({"--listen", socket.native()});
    for (int i = 0; i < 5; ++i) {
        LifeLine life(folder, "life" + std::to_string(i));
        {
            auto client = Client::connect(socket);
            REQUIRE(client);
            CHECK(output(*client, "echo hello") == "hello\n");
            RunningCommand left = holding(*client, life);
            CHECK(life.isHeld());
        }
        life.waitForEnd();
    }
}

TEST_CASE("The socket may appear later", "[agent][program]")
{
    Folder folder;
    const auto socket = folder / "socket";
    auto client = std::async(std::launch::async, [&] { return Client::connect(socket); });
    const AgentProcess agent({"--listen", socket.native()});
    auto connected = client.get();
    REQUIRE(connected);
    CHECK(output(*connected, "echo hello") == "hello\n");
}

TEST_CASE("A connection that breaks ends the commands of its session", "[agent][program]")
{
    Folder folder;
    LifeLine life(folder);
    const auto socket = folder / "socket";
    const AgentProcess agent({"--listen", socket.native()});
    StreamPair streams = makeStreamPair();
    auto client = Client::connect(socket);
    REQUIRE(client);
    // A host that is killed says no good-bye: its child does the same here.
    const pid_t host = fork();
    if (host == 0) pause();
    RunningCommand running = holding(*client, life);
    kill(host, SIGKILL);
    waitpid(host, nullptr, 0);
    running.cancel();
    CHECK(running.wait());
    life.waitForEnd();
}

TEST_CASE("A new session on the same stream ends the commands of the one before",
          "[agent][program]")
{
    Folder folder;
    LifeLine life(folder);
    AgentAndClient agent;
    RunningCommand before = holding(*agent, life);
    REQUIRE(agent->reopen(10s));
    // The agent accepts only when they are dead.
    CHECK_FALSE(life.isHeld());
    const auto status = before.wait();
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::SessionLost);
    CHECK(output(*agent, "echo hello") == "hello\n");
}

TEST_CASE("An agent that is started anew is noticed, and can be used", "[agent][program]")
{
    Folder folder;
    LifeLine life(folder);
    StreamPair streams = makeStreamPair();
    std::optional<AgentProcess> agent(std::in_place, streams.guest);
    Client client = connected(std::move(streams.host));
    RunningCommand running = holding(client, life);
    agent->signal(SIGKILL);
    agent->wait();
    agent.emplace(streams.guest); // as a guest that restarted, on the same line
    const auto status = running.wait();
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::SessionLost);
    CHECK(client.ping().error().kind == ErrorKind::SessionLost);
    REQUIRE(client.reopen(10s));
    CHECK(output(client, "echo hello") == "hello\n");
    life.waitForEnd();
}

TEST_CASE("A client that goes away ends its session", "[agent][program]")
{
    Folder folder;
    LifeLine life(folder);
    StreamPair streams = makeStreamPair();
    const FileDescriptor keepOpen(dup(streams.host.get())); // no end of file tells the agent
    const AgentProcess agent(streams.guest);
    std::optional<RunningCommand> running;
    {
        Client client = connected(std::move(streams.host));
        running = holding(client, life);
    }
    life.waitForEnd();
    const auto status = running->wait();
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::Closed);
}

TEST_CASE("The agent ends with its stream", "[agent][program]")
{
    StreamPair streams = makeStreamPair();
    AgentProcess agent(streams.guest);
    streams.guest.reset();
    streams.host.reset();
    const int status = agent.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("Without an agent connecting ends in time", "[agent]")
{
    SECTION("nobody listens")
    {
        Folder folder;
        const auto client = Client::connect(folder / "socket", {.timeout = 50ms});
        REQUIRE_FALSE(client);
        CHECK(client.error().kind == ErrorKind::Connect);
        CHECK(client.error().message.find("No such file") != std::string::npos);
    }
    SECTION("nobody answers")
    {
        StreamPair streams = makeStreamPair();
        const auto client = Client::open(streams.host.release(), {.timeout = 50ms});
        REQUIRE_FALSE(client);
        CHECK(client.error().kind == ErrorKind::Connect);
        CHECK(client.error().message.find("no agent answered within 0.1 s") == 0);
    }
    SECTION("the other end is closed")
    {
        StreamPair streams = makeStreamPair();
        streams.guest.reset();
        const auto client = Client::open(streams.host.release());
        REQUIRE_FALSE(client);
        CHECK(client.error().kind == ErrorKind::Closed);
    }
    SECTION("the path is too long for a socket")
    {
        const auto client = Client::connect("/tmp/" + std::string(200, 'x'));
        REQUIRE_FALSE(client);
        CHECK(client.error().kind == ErrorKind::Connect);
    }
}

TEST_CASE("Everything stops when the caller's descriptor says so", "[agent][program]")
{
    const FileDescriptor stop = makeEvent();
    SECTION("while connecting to nobody")
    {
        Folder folder;
        raise(stop);
        const auto client = Client::connect(folder / "socket", {.stopFd = stop.get()});
        REQUIRE_FALSE(client);
        CHECK(client.error().kind == ErrorKind::Stopped);
    }
    SECTION("while waiting for an agent")
    {
        StreamPair streams = makeStreamPair();
        raise(stop);
        const auto client = Client::open(streams.host.release(), {.stopFd = stop.get()});
        REQUIRE_FALSE(client);
        CHECK(client.error().kind == ErrorKind::Stopped);
    }
    SECTION("while a command runs")
    {
        Folder folder;
        LifeLine life(folder);
        AgentAndClient agent({}, {.stopFd = stop.get()});
        RunningCommand running = holding(*agent, life);
        raise(stop);
        const auto status = running.wait();
        REQUIRE_FALSE(status);
        CHECK(status.error().kind == ErrorKind::Stopped);
        CHECK(agent->ping().error().kind == ErrorKind::Stopped);
        life.waitForEnd();
    }
}

TEST_CASE("An agent that hangs is noticed", "[agent][program]")
{
    AgentAndClient agent({}, {.silence = 200ms});
    auto running = agent->start({.argv = {"sleep", "1000"}});
    REQUIRE(running);
    agent.process().signal(SIGSTOP);
    const auto status = running->wait();
    agent.process().signal(SIGCONT);
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == ErrorKind::Silent);
}

TEST_CASE("A quiet command is no silence", "[agent][program]")
{
    AgentAndClient agent({}, {.silence = 200ms});
    const auto status = agent->run({.argv = {"sleep", "1"}});
    REQUIRE(status);
    CHECK(status->succeeded());
}

TEST_CASE("A handler that takes its time is no silence", "[agent][program]")
{
    AgentAndClient agent({}, {.silence = 100ms});
    const FileDescriptor never = makeEvent();
    const auto status = agent->run({.argv = {"echo"}}, [&](Stream, std::string_view) {
        pollfd wait{never.get(), POLLIN, 0};
        poll(&wait, 1, 500);
    });
    REQUIRE(status);
    CHECK(status->succeeded());
}

TEST_CASE("The agent powers off only if it was allowed to", "[agent][program]")
{
    SECTION("it was not")
    {
        AgentAndClient agent;
        const auto off = agent->powerOff();
        REQUIRE_FALSE(off);
        CHECK(off.error().guestErrno == EPERM);
        CHECK(agent->ping());
    }
    SECTION("it has a program for it")
    {
        Folder folder;
        const std::string program = (folder / "power").native();
        const std::string said = (folder / "said").native();
        REQUIRE(system(("mkfifo " + said).c_str()) == 0);
        std::ofstream(program) << "#!/bin/sh\necho \"$1\" >" + said + "\n";
        std::filesystem::permissions(program, std::filesystem::perms::owner_all);
        AgentAndClient agent({"--power", program});
        CHECK(agent->info().canPowerOff);
        std::string word;
        SECTION("off")
        {
            REQUIRE(agent->powerOff());
            std::ifstream(said) >> word;
            CHECK(word == "poweroff");
        }
        SECTION("restart")
        {
            REQUIRE(agent->reboot());
            std::ifstream(said) >> word;
            CHECK(word == "reboot");
        }
    }
}

TEST_CASE("Marks of the host go to the kernel's log", "[agent][program]")
{
    Folder folder;
    const std::string log = (folder / "log").native();
    std::ofstream(log) << "";
    AgentAndClient agent({"--kernel-log", log});
    REQUIRE(agent->mark("step one\x1b[31m"));
    std::string line;
    std::ifstream file(log);
    std::getline(file, line);
    CHECK(line == "<5>step one?[31m");

    AgentAndClient without({"--kernel-log", (folder / "none").native()});
    const auto mark = without->mark("x");
    REQUIRE_FALSE(mark);
    CHECK(mark.error().guestErrno == ENOENT);
}

TEST_CASE("Marks of the guest's programs come to the host, in order", "[agent][program]")
{
    std::vector<std::string> marks;
    ConnectOptions options;
    options.onMark = [&marks](const Mark &mark) {
        if (mark.guestTime > 0ns) marks.push_back(mark.text);
    };
    AgentAndClient agent({}, options);
    const std::string program = TESTCARD_AGENT_PROGRAM;
    CHECK(output(*agent, program + " mark first mark; " + program + " mark second; echo marked") ==
          "marked\n");
    REQUIRE(agent->ping()); // all that came before is here
    CHECK(marks == std::vector<std::string>{"first mark", "second"});
}

TEST_CASE("A mark without an agent is an error", "[agent][program]")
{
    const std::string program = TESTCARD_AGENT_PROGRAM;
    const int status =
        system(("TESTCARD_AGENT=org.testcard.nobody " + program + " mark x 2>/dev/null").c_str());
    CHECK(WEXITSTATUS(status) == 1);
}
