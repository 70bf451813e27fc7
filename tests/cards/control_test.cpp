// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/control.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace testcard;
using nlohmann::json;

namespace
{

struct Bench {
    bus::Clock clock;
    std::unique_ptr<cards::Card> card = *cards::makeCard(*cards::parseCard("capture"), clock);
    bool stopped = false;
    cards::ControlProtocol protocol{"cam",
                                    *card,
                                    {[this] { stopped = true; },
                                     [] {
                                         return json{{"connected", false}};
                                     }}};

    json ask(const std::string &line)
    {
        const std::string answer = protocol.answer(line);
        REQUIRE(answer.ends_with('\n'));
        REQUIRE(answer.find('\n') == answer.size() - 1);
        return json::parse(answer);
    }
    std::string refusal(const std::string &line)
    {
        const json answer = ask(line);
        REQUIRE(answer.contains("error"));
        CHECK(answer["error"]["class"] == "GenericError");
        return answer["error"]["desc"];
    }
};

} // namespace

TEST_CASE("The greeting names protocol and card", "[cards][control]")
{
    Bench bench;
    const json greeting = json::parse(bench.protocol.greeting());
    CHECK(greeting["testcard"]["protocol"] == 1);
    CHECK(greeting["testcard"]["card"] == "cam");
}

TEST_CASE("status tells counters, signal and what the host adds; ids come back", "[cards][control]")
{
    Bench bench;
    const json answer = bench.ask(R"({"execute": "status", "id": {"any": ["thing", 1]}})");
    CHECK(answer["id"] == json::parse(R"({"any": ["thing", 1]})"));
    const json &status = answer["return"];
    CHECK(status["frames-sent"] == 0);
    CHECK(status["streams"][0]["frames-delivered"] == 0);
    CHECK(status["signal"]["present"] == true);
    CHECK(status["connected"] == false);
}

TEST_CASE("set-signal changes what it names and nothing else", "[cards][control]")
{
    Bench bench;
    bench.ask(R"({"execute": "set-signal", "arguments": {"locked": false}})");
    json signal = bench.card->status()["signal"];
    CHECK(signal["present"] == true);
    CHECK(signal["locked"] == false);
    const json answer = bench.ask(
        R"({"execute": "set-signal", "arguments": {"locked": true, "timings": "1920x1080p60"}})");
    CHECK(answer["return"]["width"] == 1920);
    CHECK(answer["return"]["locked"] == true);
}

TEST_CASE("Bad requests get an error object and change nothing", "[cards][control]")
{
    Bench bench;
    const json before = bench.card->status();
    CHECK(bench.refusal("nonsense") == "the line is not JSON");
    CHECK(bench.refusal("{\"execute\": \"status\"") == "the line is not JSON");
    CHECK(bench.refusal("[1]") == "a request is a JSON object");
    CHECK(bench.refusal("{}").find("needs \"execute\"") != std::string::npos);
    CHECK(bench.refusal(R"({"execute": 7})").find("needs \"execute\"") != std::string::npos);
    CHECK(bench.refusal(R"({"execute": "status", "argument": {}})").find("\"argument\"") !=
          std::string::npos);
    CHECK(bench.refusal(R"({"execute": "status", "arguments": [1]})") ==
          "\"arguments\" must be an object");
    CHECK(bench.refusal(R"({"execute": "status", "arguments": {"a": 1}})") ==
          "\"status\" takes no arguments");
    CHECK(bench.refusal(R"({"execute": "explode"})").find("no command \"explode\"") !=
          std::string::npos);
    CHECK(bench.refusal(R"({"execute": "set-signal", "arguments": {"locked": 1}})") ==
          "\"locked\" must be true or false");
    CHECK(bench
              .refusal(
                  R"({"execute": "set-signal", "arguments": {"present": false, "colour": true}})")
              .find("no argument \"colour\"") != std::string::npos);
    CHECK(bench
              .refusal(
                  R"({"execute": "set-signal", "arguments": {"present": false, "timings": "9x9"}})")
              .find("9x9") != std::string::npos);
    CHECK(bench.refusal(R"({"execute": "set-signal", "arguments": {"timings": 5}})").find("name") !=
          std::string::npos);
    CHECK(bench.refusal(std::string(60000, '[')) == "the request is nested too deeply");
    CHECK(bench.refusal("\xFF\xFE").find("not JSON") != std::string::npos);
    CHECK(bench.card->status() == before);
}

TEST_CASE("stop stops", "[cards][control]")
{
    Bench bench;
    CHECK(bench.ask(R"({"execute": "stop"})")["return"] == json::object());
    CHECK(bench.stopped);
}

namespace
{

/// A control server on a loop that the test turns, and clients of it.
struct SocketBench : Bench {
    std::filesystem::path path = std::filesystem::temp_directory_path() /
                                 fmt::format("testcard-control-{}.sock", ::getpid());
    vfio_user::Loop loop{clock};
    cards::ControlServer server{loop, std::move(protocol)};

    SocketBench() { REQUIRE(server.listen(path)); }

    vfio_user::FileDescriptor connect()
    {
        vfio_user::FileDescriptor fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) ==
                0);
        turn();
        return fd;
    }
    void turn()
    {
        for (int i = 0; i < 8; ++i)
            loop.turn(std::chrono::nanoseconds{0});
    }
    /// What has arrived; nothing if the server has hung up.
    static std::optional<std::string> receive(const vfio_user::FileDescriptor &client)
    {
        std::string text(1 << 20, '\0');
        const ssize_t size = ::recv(client.get(), text.data(), text.size(), MSG_DONTWAIT);
        const bool waiting = size < 0 && errno == EAGAIN;
        if (size <= 0 && !waiting) return std::nullopt; // closed, or reset with requests unread
        text.resize(waiting ? 0 : static_cast<std::size_t>(size));
        return text;
    }
    static void send(const vfio_user::FileDescriptor &client, std::string_view text)
    {
        while (!text.empty()) {
            const ssize_t size =
                ::send(client.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (size <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(size));
        }
    }
};

} // namespace

TEST_CASE("A client is greeted and answered, in pieces and in batches", "[cards][control]")
{
    SocketBench bench;
    const auto client = bench.connect();
    CHECK(bench.receive(client)->starts_with("{\"testcard\""));
    bench.send(client, "{\"execute\": \"sta");
    bench.turn();
    CHECK(bench.receive(client) == "");
    bench.send(client, "tus\"}\n\n{\"execute\": \"status\", \"id\": 2}\n");
    bench.turn();
    const std::string answers = *bench.receive(client);
    CHECK(std::ranges::count(answers, '\n') == 2);
    CHECK(answers.find("\"id\":2") != std::string::npos);
}

TEST_CASE("A line without end is refused and the client hung up", "[cards][control]")
{
    SocketBench bench;
    const auto client = bench.connect();
    bench.receive(client);
    for (int i = 0; i < 40; ++i) {
        bench.send(client, std::string(4096, ' '));
        bench.turn();
    }
    const auto answer = bench.receive(client);
    REQUIRE(answer);
    CHECK(answer->find("longer than 64 KiB") != std::string::npos);
    CHECK_FALSE(bench.receive(client));
}

TEST_CASE("A client that never reads is hung up before memory grows", "[cards][control]")
{
    SocketBench bench;
    const auto greedy = bench.connect();
    std::string flood;
    for (int i = 0; i < 200; ++i)
        flood += "{\"execute\": \"status\"}\n";
    for (int i = 0; i < 400; ++i) {
        bench.send(greedy, flood);
        bench.turn();
    }
    const auto other = bench.connect(); // and others are served all the while
    CHECK(bench.receive(other)->starts_with("{\"testcard\""));
    while (const auto text = bench.receive(greedy))
        if (text->empty()) FAIL("the client is still connected");
}

TEST_CASE("Clients beyond the sixteenth are hung up on", "[cards][control]")
{
    SocketBench bench;
    std::vector<vfio_user::FileDescriptor> clients;
    for (std::size_t i = 0; i < cards::ControlServer::mostClients; ++i)
        clients.push_back(bench.connect());
    const auto extra = bench.connect();
    CHECK_FALSE(bench.receive(extra));
    clients.clear();
    bench.turn();
    const auto next = bench.connect();
    CHECK(bench.receive(next)->starts_with("{\"testcard\""));
}
