// SPDX-License-Identifier: GPL-2.0-or-later
// The client against a guest that plays by its own rules.
#include "agent_process.hpp"
#include "protocol/link.hpp"
#include "protocol/messages.hpp"
#include "protocol/wire.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <thread>

#include <sys/socket.h>

using namespace testcard::agent;
using namespace testcard::agent::test;
using namespace std::chrono_literals;

namespace
{

constexpr LinkLimits limits{.window = 1 << 20, .maxPayload = 65536};

/// The guest's end of a stream, in a thread: opens the session, then does what the test says with
/// each message of the host.
class FakeGuest
{
public:
    using Act = std::function<void(FakeGuest &, const MessageView &)>;

    explicit FakeGuest(Act act) : act_(std::move(act))
    {
        StreamPair streams = makeStreamPair();
        host_ = std::move(streams.host);
        guest_ = std::move(streams.guest);
        thread_ = std::thread([this] { serve(); });
    }
    FakeGuest(const FakeGuest &) = delete;
    FakeGuest &operator=(const FakeGuest &) = delete;
    ~FakeGuest()
    {
        shutdown(guest_.get(), SHUT_RDWR);
        thread_.join();
    }

    FileDescriptor takeHost() { return std::move(host_); }
    void send(MessageBuffer message)
    {
        link_.send(std::move(message));
        flush();
    }
    void sendText(MessageType type, std::uint32_t request, std::string_view text)
    {
        send(encodeBytes(type, request,
                         {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()}));
    }
    void output(std::uint32_t request, std::string_view text)
    {
        MessageBuffer message = makeOutput(request, OutputStream::Output, 0);
        message.insert(message.end(), text.begin(), text.end());
        send(std::move(message));
    }
    void control(FrameKind kind, std::span<const std::uint8_t> payload = {})
    {
        link_.sendControl(kind, session_, payload);
        flush();
    }
    void raw(std::span<const std::uint8_t> bytes)
    {
        while (!bytes.empty()) {
            const ssize_t done = ::send(guest_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (done <= 0) return;
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        }
    }
    void hangUp() { shutdown(guest_.get(), SHUT_RDWR); }
    /// What is sent in place of a proper Accept.
    void acceptWith(std::vector<std::uint8_t> payload) { welcome_ = std::move(payload); }

private:
    void flush()
    {
        for (auto bytes = link_.output(); !bytes.empty(); bytes = link_.output()) {
            raw(bytes);
            link_.written(bytes.size(), Time{});
        }
    }
    void serve()
    {
        for (;;) {
            const auto space = link_.space();
            const ssize_t bytes = read(guest_.get(), space.data(), space.size());
            if (bytes <= 0) return;
            link_.received(static_cast<std::size_t>(bytes));
            for (;;) {
                const Link::Event event = link_.next(Time{});
                if (event.kind == Link::EventKind::Nothing) break;
                if (event.kind == Link::EventKind::Control) opened(event.frame);
                if (event.kind == Link::EventKind::Message)
                    act_(*this, *decodeHead(event.frame.payload));
            }
            flush();
        }
    }
    void opened(const Frame &frame)
    {
        if (frame.header.kind != FrameKind::Open) return;
        session_ = frame.header.session;
        link_.open(session_, limits);
        control(FrameKind::Accept, welcome_);
    }
    static std::vector<std::uint8_t> goodWelcome()
    {
        Welcome welcome;
        welcome.limits = limits;
        return encodeWelcome(welcome);
    }

    Act act_;
    FileDescriptor host_;
    FileDescriptor guest_;
    std::vector<std::uint8_t> welcome_ = goodWelcome();
    std::uint32_t session_ = 0;
    Link link_{limits};
    std::thread thread_;
};

/// What run() says when the guest answers the request to run in this way.
Error errorOfRun(FakeGuest::Act act, ConnectOptions options = {})
{
    FakeGuest guest(std::move(act));
    Client client = connected(guest.takeHost(), std::move(options));
    const auto status = client.run({.argv = {"program"}});
    REQUIRE_FALSE(status);
    return status.error();
}

} // namespace

TEST_CASE("A guest whose answers fit no request is cut off", "[agent][hostile]")
{
    using Type = MessageType;
    const FakeGuest::Act act = GENERATE(
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.output(view.request + 1, "of a request that does not exist");
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.sendText(static_cast<Type>(0x1234), view.request, "unknown type");
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.sendText(Type::Run, view.request, "a request of the host");
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.sendText(Type::Exited, view.request, "short");
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.send(encodeNumber(Type::Started, view.request, 1));
            guest.send(encodeNumber(Type::Started, view.request, 2));
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.send(encodeNumber(Type::InputCredit, view.request, 1)); // nothing was sent
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &view) {
            guest.sendText(Type::Output, view.request, "\x07\x00\x00\x00 no such stream");
        }),
        FakeGuest::Act([](FakeGuest &guest, const MessageView &) {
            guest.send(MessageBuffer(frameHeaderBytes + 3)); // no head
        }));
    const Error error = errorOfRun(act);
    CHECK(error.kind == ErrorKind::Protocol);
    CHECK(error.message.find("agent sent a message") != std::string::npos);
}

TEST_CASE("A guest whose frames break the rules is cut off", "[agent][hostile]")
{
    const Error error = errorOfRun(
        [](FakeGuest &guest, const MessageView &) { guest.control(static_cast<FrameKind>(99)); });
    CHECK(error.kind == ErrorKind::Protocol);
    CHECK(error.message == "the guest's agent sent a frame of unknown kind");
}

TEST_CASE("A guest that goes on after the end is cut off", "[agent][hostile]")
{
    FakeGuest guest([](FakeGuest &self, const MessageView &view) {
        if (view.type != MessageType::Run) return;
        self.send(encodeNumber(MessageType::Started, view.request, 1));
        self.send(encode(view.request, ExitReport{}));
        self.send(encode(view.request, ExitReport{}));
    });
    Client client = connected(guest.takeHost());
    const auto status = client.run({.argv = {"program"}});
    REQUIRE(status); // the first end was a good one
    const auto ping = client.ping();
    REQUIRE_FALSE(ping);
    CHECK(ping.error().kind == ErrorKind::Protocol);
}

TEST_CASE("A guest that opens the session with nonsense is refused", "[agent][hostile]")
{
    FakeGuest guest([](FakeGuest &, const MessageView &) {});
    SECTION("too short")
    {
        guest.acceptWith({1, 0});
    }
    SECTION("another version")
    {
        Welcome welcome;
        welcome.version = 2;
        guest.acceptWith(encodeWelcome(welcome));
    }
    const auto client = Client::open(guest.takeHost().release());
    REQUIRE_FALSE(client);
    CHECK(client.error().kind == ErrorKind::Protocol);
}

TEST_CASE("A guest that sends only garbage is no agent", "[agent][hostile]")
{
    StreamPair streams = makeStreamPair();
    std::thread garbage([&] {
        std::mt19937 random(3);
        std::vector<std::uint8_t> bytes(65536);
        do
            for (std::uint8_t &byte : bytes)
                byte = random() % 50 == 0 ? 0xF5 : static_cast<std::uint8_t>(random());
        while (send(streams.guest.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
    });
    const auto client = Client::open(streams.host.release(), {.timeout = 200ms});
    shutdown(streams.guest.get(), SHUT_RDWR);
    garbage.join();
    REQUIRE_FALSE(client);
    CHECK(client.error().kind == ErrorKind::Connect);
}

TEST_CASE("A guest that says nothing is given up", "[agent][hostile]")
{
    SECTION("it never starts the command")
    {
        // It acknowledges, so it lives; the request is not answered.
        const Error error = errorOfRun([](FakeGuest &, const MessageView &) {}, {.answer = 100ms});
        CHECK(error.kind == ErrorKind::Timeout);
        CHECK(error.message == "the guest did not start program within 0.1 s");
    }
    SECTION("it never ends the command")
    {
        FakeGuest guest([](FakeGuest &self, const MessageView &view) {
            if (view.type == MessageType::Run)
                self.send(encodeNumber(MessageType::Started, view.request, 1));
        });
        Client client = connected(guest.takeHost(), {.answer = 100ms});
        Command command{.argv = {"program"}};
        command.timeout = 50ms;
        const auto status = client.run(command);
        REQUIRE_FALSE(status);
        CHECK(status.error().kind == ErrorKind::Timeout);
    }
    SECTION("it answers no ping")
    {
        FakeGuest guest([](FakeGuest &, const MessageView &) {});
        Client client = connected(guest.takeHost(), {.answer = 100ms});
        CHECK(client.ping().error().kind == ErrorKind::Timeout);
        CHECK(client.makeDirectory("/x").error().kind == ErrorKind::Timeout);
        CHECK(client.putBytes("x", "/x").error().kind == ErrorKind::Timeout);
        CHECK(client.getBytes("/x").error().kind == ErrorKind::Timeout);
    }
    SECTION("it hangs up")
    {
        const Error error =
            errorOfRun([](FakeGuest &guest, const MessageView &) { guest.hangUp(); });
        CHECK(error.kind == ErrorKind::Closed);
    }
    SECTION("it forgets the session")
    {
        const Error error = errorOfRun([](FakeGuest &guest, const MessageView &) {
            std::vector<std::uint8_t> why;
            WireWriter(why).string("no \x1b[31m idea");
            guest.control(FrameKind::Reset, why);
        });
        CHECK(error.kind == ErrorKind::SessionLost);
        CHECK(error.message == "the guest's agent has ended the session no ?[31m idea");
    }
}

TEST_CASE("A guest cannot send more of a file than was asked for", "[agent][hostile]")
{
    Folder folder;
    FakeGuest guest([](FakeGuest &self, const MessageView &view) {
        if (view.type != MessageType::Get) return;
        self.send(encode(view.request, FileReport{0644, 10}));
        for (int i = 0; i < 100; ++i)
            self.output(view.request, std::string(60'000, 'x'));
    });
    Client client = connected(guest.takeHost());
    const auto got = client.get("/file", folder / "file", 100'000);
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == ErrorKind::TooLarge);
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("A guest cannot pass half a file for a whole one", "[agent][hostile]")
{
    FakeGuest guest([](FakeGuest &self, const MessageView &view) {
        if (view.type != MessageType::Get) return;
        self.output(view.request, "half");
        MessageBuffer done = makeMessage(MessageType::Done, view.request);
        WireWriter(done).u64(8);
        self.send(std::move(done));
    });
    Client client = connected(guest.takeHost());
    const auto got = client.getBytes("/file");
    REQUIRE_FALSE(got);
    CHECK(got.error().kind == ErrorKind::Protocol);
}

TEST_CASE("What a guest says cannot steer the host's terminal", "[agent][hostile]")
{
    FakeGuest guest([](FakeGuest &self, const MessageView &view) {
        self.send(encode(view.request, Failure{2, "\x1b[2Jgone\n"}));
    });
    Client client = connected(guest.takeHost());
    const auto made = client.makeDirectory("/x");
    REQUIRE_FALSE(made);
    CHECK(made.error().message == "?[2Jgone?");
}

TEST_CASE("A guest that sends at random never does more than fail calls", "[agent][hostile]")
{
    const auto seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U);
    std::mt19937 random(seed);
    for (int round = 0; round < 20; ++round) {
        FakeGuest guest([&random](FakeGuest &self, const MessageView &view) {
            for (int i = 0; i < 5; ++i) {
                std::string body(random() % 24, '\0');
                for (char &byte : body)
                    byte = static_cast<char>(random() % 3 == 0 ? random() : random() % 3);
                const auto type = static_cast<MessageType>(0x81 + random() % 9);
                self.sendText(type, random() % 4 == 0 ? random() % 3 : view.request, body);
            }
        });
        Client client = connected(guest.takeHost(), {.answer = 50ms});
        Command command{.argv = {"program"}};
        command.timeout = 1ms;
        static_cast<void>(client.run(command));
        static_cast<void>(client.getBytes("/file", 1000));
        static_cast<void>(client.putBytes("text", "/file"));
    }
    SUCCEED();
}
