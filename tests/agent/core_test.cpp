// SPDX-License-Identifier: GPL-2.0-or-later
// The agent's logic without an operating system, in virtual time.
#include "core/agent.hpp"
#include "protocol/wire.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace testcard::agent;
using namespace std::chrono_literals;

namespace
{

constexpr LinkLimits hostLimits{.window = 128 * 1024, .maxPayload = 65536};

/// Writes down what the agent asks for.
class RecordingSystem final : public System
{
public:
    Welcome describe() override
    {
        Welcome welcome;
        welcome.canPowerOff = canPowerOff;
        return welcome;
    }
    void run(std::uint32_t request, const RunRequest &run) override
    {
        note("run", request, run.argv.front());
    }
    void put(std::uint32_t request, const PutRequest &put) override
    {
        note("put", request, put.path);
    }
    void get(std::uint32_t request, const GetRequest &get) override
    {
        note("get", request, get.path);
    }
    void makeDirectory(std::uint32_t request, const MakeDirectoryRequest &make) override
    {
        note("mkdir", request, make.path);
    }
    void input(std::uint32_t request, std::span<const std::uint8_t> bytes) override
    {
        note("input", request, std::to_string(bytes.size()));
    }
    void inputEnd(std::uint32_t request) override { note("end", request); }
    void signal(std::uint32_t request, std::uint32_t number) override
    {
        note("signal", request, std::to_string(number));
    }
    void resize(std::uint32_t request, const TerminalRequest &) override
    {
        note("resize", request);
    }
    void kill(std::uint32_t request) override { note("kill", request); }
    void abandon(std::uint32_t request) override { note("abandon", request); }
    void abandonAll() override { calls.emplace_back("abandon all"); }
    bool idle() const override { return isIdle; }
    bool writeKernelLog(std::string_view text) override
    {
        calls.push_back("log " + std::string(text));
        errno = EACCES;
        return canLog;
    }
    bool power(PowerAction action) override
    {
        calls.emplace_back(action == PowerAction::Off ? "off" : "restart");
        return true;
    }

    std::vector<std::string> takeCalls() { return std::exchange(calls, {}); }

    std::vector<std::string> calls;
    bool isIdle = true;
    bool canPowerOff = true;
    bool canLog = true;

private:
    void note(const char *what, std::uint32_t request, const std::string &more = {})
    {
        calls.push_back(fmt::format("{} {}{}{}", what, request, more.empty() ? "" : " ", more));
    }
};

using Calls = std::vector<std::string>;

/// An agent and the host's link to it.
class Bench
{
public:
    Bench() { open(1); }

    void open(std::uint32_t session)
    {
        OpenRequest request;
        request.limits = hostLimits;
        host.close();
        host.sendControl(FrameKind::Open, session, encodeOpen(request));
        session_ = session;
        exchange();
        system.takeCalls();
    }
    void send(MessageBuffer message)
    {
        host.send(std::move(message));
        exchange();
    }
    void tick(Time time)
    {
        now = time;
        agent.tick(now);
        exchange();
    }
    /// Moves bytes both ways until there are no more.
    void exchange()
    {
        for (bool more = true; more;) {
            more = false;
            while (!host.output().empty()) {
                const auto bytes = host.output();
                std::copy(bytes.begin(), bytes.end(), agent.space().begin());
                const std::size_t count = bytes.size();
                host.written(count, now);
                agent.received(count, now);
                more = true;
            }
            while (hostReads && !agent.output().empty()) {
                const auto bytes = agent.output();
                std::copy(bytes.begin(), bytes.end(), host.space().begin());
                host.received(bytes.size());
                agent.written(bytes.size(), now);
                takeEvents();
                more = true;
            }
        }
    }
    /// Types of the messages that came, and what they are about.
    Calls takeMessages() { return std::exchange(messages, {}); }

    RecordingSystem system;
    Agent agent{system};
    Link host{hostLimits};
    Time now{1s};
    bool hostReads = true;
    Calls messages;

private:
    void takeEvents()
    {
        for (;;) {
            const Link::Event event = host.next(now);
            if (event.kind == Link::EventKind::Nothing) return;
            if (event.kind == Link::EventKind::Control) control(event.frame.header);
            if (event.kind == Link::EventKind::Message) message(event.frame.payload);
        }
    }
    void control(const FrameHeader &header)
    {
        if (header.kind == FrameKind::Accept && header.session == session_)
            host.open(session_, hostLimits);
        if (header.kind == FrameKind::Accept) messages.emplace_back("accept");
        if (header.kind == FrameKind::Refuse) messages.emplace_back("refuse");
        if (header.kind == FrameKind::Reset) messages.emplace_back("reset");
        if (header.kind == FrameKind::Announce) messages.emplace_back("announce");
    }
    void message(std::span<const std::uint8_t> payload)
    {
        const auto view = decodeHead(payload);
        REQUIRE(view);
        std::string text =
            fmt::format("{:02x} {}", static_cast<unsigned>(view->type), view->request);
        if (view->type == MessageType::Exited) {
            const auto exit = decodeExit(view->body);
            REQUIRE(exit);
            text += fmt::format(" {}{}{}{}{}", exit->bySignal ? "signal " : "code ", exit->value,
                                exit->timedOut ? " timeout" : "",
                                exit->cancelled ? " cancelled" : "", exit->stuck ? " stuck" : "");
        }
        if (view->type == MessageType::Failed)
            text += fmt::format(" {}", decodeFailure(view->body)->number);
        messages.push_back(text);
    }

    std::uint32_t session_ = 0;
};

RunRequest runOf(const std::string &program, std::uint32_t timeout_ms = 0)
{
    RunRequest run;
    run.argv = {program};
    run.timeout_ms = timeout_ms;
    return run;
}

} // namespace

TEST_CASE("A command goes from the host to the system and back", "[agent][core]")
{
    Bench bench;
    bench.takeMessages();
    bench.send(encode(5, runOf("program")));
    CHECK(bench.system.takeCalls() == Calls{"run 5 program"});
    bench.agent.started(5, 100);
    bench.agent.exited(5, {.bySignal = false, .value = 3, .duration_ns = 7});
    bench.exchange();
    CHECK(bench.takeMessages() == Calls{"82 5", "85 5 code 3"});
}

TEST_CASE("A time limit kills, and what cannot be killed is stuck", "[agent][core]")
{
    Bench bench;
    bench.takeMessages();
    bench.send(encode(5, runOf("program", 500)));
    bench.system.takeCalls();
    CHECK(bench.agent.deadline() == 1500ms);
    bench.tick(1499ms);
    CHECK(bench.system.takeCalls().empty());
    bench.tick(1500ms);
    CHECK(bench.system.takeCalls() == Calls{"kill 5"});
    SECTION("it dies")
    {
        bench.agent.exited(5, {.bySignal = true, .value = 9, .duration_ns = 7});
        bench.exchange();
        CHECK(bench.takeMessages() == Calls{"85 5 signal 9 timeout"});
    }
    SECTION("it does not die")
    {
        bench.tick(4499ms);
        CHECK(bench.takeMessages().empty());
        bench.tick(4500ms);
        CHECK(bench.takeMessages() == Calls{"85 5 signal 9 timeout stuck"});
        CHECK(bench.system.takeCalls() == Calls{"abandon 5"});
        bench.agent.exited(5, {}); // too late, nobody is told
        bench.exchange();
        CHECK(bench.takeMessages().empty());
    }
}

TEST_CASE("A cancel kills once", "[agent][core]")
{
    Bench bench;
    bench.takeMessages();
    bench.send(encode(5, runOf("program")));
    bench.system.takeCalls();
    bench.send(makeMessage(MessageType::Cancel, 5));
    bench.send(makeMessage(MessageType::Cancel, 5));
    CHECK(bench.system.takeCalls() == Calls{"kill 5"});
    bench.agent.exited(5, {.bySignal = true, .value = 9, .duration_ns = 7});
    bench.exchange();
    CHECK(bench.takeMessages() == Calls{"85 5 signal 9 cancelled"});
    bench.send(makeMessage(MessageType::Cancel, 5));
    CHECK(bench.system.takeCalls().empty());
}

TEST_CASE("Output stops while the host takes none, and nothing grows", "[agent][core]")
{
    Bench bench;
    bench.send(encode(5, runOf("program")));
    bench.hostReads = false;
    std::size_t bytes = 0;
    while (bench.agent.hasRoom()) {
        const auto space = bench.agent.outputSpace();
        REQUIRE_FALSE(space.empty());
        std::fill(space.begin(), space.end(), std::uint8_t{'x'});
        bench.agent.outputFilled(5, OutputStream::Output, space.size());
        bytes += space.size();
    }
    CHECK(bytes <= hostLimits.window + 65536);
    CHECK(bench.agent.outputSpace().empty());
    CHECK_FALSE(bench.agent.marked({}));
    bench.hostReads = true;
    bench.exchange();
    CHECK(bench.agent.hasRoom());
}

TEST_CASE("Input beyond its credit ends the session", "[agent][core]")
{
    Bench bench;
    bench.send(encode(5, runOf("program")));
    bench.system.takeCalls();
    const std::vector<std::uint8_t> chunk(65000);
    for (std::size_t sent = 0; sent + chunk.size() <= inputCreditBytes; sent += chunk.size())
        bench.send(encodeBytes(MessageType::Input, 5, chunk));
    CHECK(bench.takeMessages() == Calls{"accept"});
    SECTION("taken input is credit again")
    {
        bench.agent.inputTaken(5, chunk.size());
        bench.send(encodeBytes(MessageType::Input, 5, chunk));
        CHECK(bench.takeMessages() == Calls{"84 5"});
    }
    SECTION("without that it is too much")
    {
        bench.send(encodeBytes(MessageType::Input, 5, chunk));
        CHECK(bench.takeMessages() == Calls{"reset"});
        CHECK(bench.system.takeCalls().back() == "abandon all");
    }
}

TEST_CASE("A new session waits for the end of the old one's commands", "[agent][core]")
{
    Bench bench;
    bench.send(encode(5, runOf("program")));
    bench.takeMessages();
    bench.system.isIdle = false;
    bench.open(2);
    CHECK(bench.takeMessages().empty());
    SECTION("they die")
    {
        bench.system.isIdle = true;
        bench.tick(1100ms);
    }
    SECTION("they hang")
    {
        bench.tick(3999ms);
        CHECK(bench.takeMessages().empty());
        bench.tick(4000ms);
    }
    CHECK(bench.takeMessages() == Calls{"accept"});
    bench.send(encode(5, runOf("again")));
    CHECK(bench.system.takeCalls() == Calls{"run 5 again"});
}

TEST_CASE("Opening the same session again changes nothing", "[agent][core]")
{
    Bench bench;
    bench.send(encode(5, runOf("program")));
    bench.takeMessages();
    bench.system.takeCalls();
    OpenRequest request;
    request.limits = hostLimits;
    bench.host.sendControl(FrameKind::Open, 1, encodeOpen(request));
    bench.exchange();
    CHECK(bench.system.takeCalls().empty());
}

TEST_CASE("A host of another version is refused", "[agent][core]")
{
    Bench bench;
    bench.takeMessages();
    OpenRequest request;
    request.lowestVersion = request.highestVersion = 2;
    bench.host.sendControl(FrameKind::Open, 9, encodeOpen(request));
    bench.exchange();
    CHECK(bench.takeMessages() == Calls{"refuse"});
}

TEST_CASE("Requests that are malformed or too many fail alone", "[agent][core]")
{
    Bench bench;
    bench.takeMessages();
    bench.send(encode(1, RunRequest{}));
    bench.send(encodeNumber(static_cast<MessageType>(0x70), 2, 0));
    CHECK(bench.takeMessages() ==
          Calls{fmt::format("88 1 {}", EINVAL), fmt::format("88 2 {}", ENOSYS)});
    for (std::uint32_t i = 10; i < 10 + mostRequests; ++i)
        bench.send(encode(i, runOf("x")));
    CHECK(bench.takeMessages().empty());
    bench.send(encode(200, runOf("x")));
    CHECK(bench.takeMessages() == Calls{fmt::format("88 200 {}", EAGAIN)});
    bench.send(encode(10, runOf("x"))); // in use: the two sides do not agree any more
    CHECK(bench.takeMessages() == Calls{"reset"});
}

TEST_CASE("Power goes off once the host has the answer", "[agent][core]")
{
    Bench bench;
    bench.takeMessages();
    SECTION("at once if it acknowledges")
    {
        bench.send(encodeNumber(MessageType::Power, 5, 0));
        bench.tick(1001ms);
        CHECK(bench.takeMessages() == Calls{"87 5"});
        CHECK(bench.system.takeCalls() == Calls{"off"});
    }
    SECTION("after a second if it does not")
    {
        bench.hostReads = false;
        bench.send(encodeNumber(MessageType::Power, 5, 1));
        CHECK(bench.system.takeCalls().empty());
        bench.tick(2000ms);
        CHECK(bench.system.takeCalls() == Calls{"restart"});
    }
    SECTION("never if that is not allowed")
    {
        bench.system.canPowerOff = false;
        bench.send(encodeNumber(MessageType::Power, 5, 0));
        bench.tick(9s);
        CHECK(bench.takeMessages() == Calls{fmt::format("88 5 {}", EPERM)});
        CHECK(bench.system.takeCalls().empty());
    }
}

TEST_CASE("When the line is lost everything ends, and a new one is announced", "[agent][core]")
{
    Bench bench;
    bench.send(encode(5, runOf("program")));
    bench.takeMessages();
    bench.system.takeCalls();
    bench.agent.lineLost();
    CHECK(bench.system.takeCalls() == Calls{"abandon all"});
    CHECK(bench.agent.output().empty());
    bench.agent.lineConnected();
    bench.exchange();
    CHECK(bench.takeMessages() == Calls{"announce"});
    bench.send(makeMessage(MessageType::Cancel, 5)); // of the old session
    CHECK(bench.takeMessages() == Calls{"reset"});
}

TEST_CASE("A host that sends at random cannot break the agent", "[agent][core]")
{
    std::mt19937 random(4);
    Bench bench;
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        if (!bench.host.isOpen() || bench.host.queuedMessages() > 100) bench.open(i + 2);
        std::vector<std::uint8_t> body(random() % 32);
        for (std::uint8_t &byte : body)
            byte = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 3);
        const auto type = static_cast<MessageType>(random() % 0x10);
        bench.send(encodeBytes(type, random() % 8, body));
        if (random() % 16 == 0) bench.agent.exited(random() % 8, {});
        if (random() % 64 == 0) bench.tick(bench.now + 1s);
        for (const std::string &message : bench.takeMessages())
            if (message == "reset") bench.host.close();
        bench.system.calls.clear();
    }
    bench.open(1);
    bench.takeMessages();
    bench.send(encode(5, runOf("program")));
    CHECK(bench.system.takeCalls() == Calls{"run 5 program"});
}
