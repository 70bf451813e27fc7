// SPDX-License-Identifier: GPL-2.0-or-later
// What the real bench does without a guest: its arguments, its files, its conversations with cards.
#include "launcher/unique_fd.hpp"
#include "scenario/control_client.hpp"
#include "scenario/host_bench.hpp"
#include "scenario/program.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace testcard::scenario
{

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace
{

/// Accepts one connection and says what the test wrote down: the greeting, then for each line that
/// it reads the next answer. An answer without a newline is followed by the connection's end.
class FakeCardSocket
{
public:
    FakeCardSocket(const fs::path &path, std::vector<std::string> lines)
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
        const auto *generic = reinterpret_cast<const sockaddr *>(&address);
        if (bind(listener_.get(), generic, sizeof(address)) != 0 || listen(listener_.get(), 1) != 0)
            throw std::runtime_error("no socket");
        thread_ = std::thread([this, lines = std::move(lines)] { talk(lines); });
    }
    ~FakeCardSocket() { thread_.join(); }
    FakeCardSocket(const FakeCardSocket &) = delete;
    FakeCardSocket &operator=(const FakeCardSocket &) = delete;

    const std::string &received() const { return received_; } ///< once the client has its answer

private:
    void talk(const std::vector<std::string> &lines)
    {
        const launcher::UniqueFd fd(accept(listener_.get(), nullptr, nullptr));
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (i > 0 && !readLine(fd.get())) return;
            [[maybe_unused]] const ssize_t sent =
                send(fd.get(), lines[i].data(), lines[i].size(), MSG_NOSIGNAL);
        }
        const bool hangsUp = !lines.empty() && !lines.back().ends_with('\n');
        while (!hangsUp && readLine(fd.get()))
            ; // until the client hangs up
    }

    bool readLine(int fd)
    {
        char c = 0;
        while (read(fd, &c, 1) == 1) {
            received_ += c;
            if (c == '\n') return true;
        }
        return false;
    }

    launcher::UniqueFd listener_;
    std::thread thread_;
    std::string received_;
};

const std::string greeting = "{\"testcard\":{\"protocol\":1,\"card\":\"x\"}}\n";

} // namespace

TEST_CASE("A card is asked in JSON lines", "[scenario]")
{
    const TemporaryFolder folder;
    const fs::path socket = folder.path() / "ctl";
    const FakeCardSocket card(socket, {greeting, "{\"return\":{\"frames-sent\":7}}\n"});
    const auto answer = askCard(socket, "set-signal", {{"present", false}}, 5s);
    REQUIRE(answer);
    CHECK((*answer)["frames-sent"] == 7);
    const auto request = nlohmann::json::parse(card.received());
    CHECK(request["execute"] == "set-signal");
    CHECK(request["arguments"]["present"] == false);
}

TEST_CASE("What a card refuses or garbles is told", "[scenario]")
{
    const TemporaryFolder folder;
    const fs::path socket = folder.path() / "ctl";
    const auto answered = [&](std::vector<std::string> lines) {
        fs::remove(socket);
        const FakeCardSocket card(socket, std::move(lines));
        const auto answer = askCard(socket, "status", nullptr, 300ms);
        return answer ? std::string("an answer") : answer.error();
    };
    const std::string where = "control socket " + socket.string() + ": ";
    CHECK(answered({greeting, "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}}\n"}) ==
          "no");
    CHECK(answered({greeting, "{\"error\":5}\n"}) == "the card refused without saying why");
    CHECK(answered({greeting, "{\"ret"}) == where + "it closed the connection");
    CHECK(answered({greeting, "nonsense\n"}) == where + "it does not answer in JSON objects");
    CHECK(answered({greeting}) == where + "it does not answer");
    CHECK(answered({}) == where + "it does not answer");
    fs::remove(socket);
    const auto nobody = askCard(socket, "status", nullptr, 300ms);
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error() == where + "No such file or directory");
}

TEST_CASE("A guest becomes the arguments of build-guest", "[scenario]")
{
    Guest guest;
    guest.kernel = "6.1.0-32-amd64";
    guest.modules = {"/a/driver.ko", "vivid"};
    guest.packages = {"alsa-utils", "g++"};
    guest.files = {{"/a/clip", "/root/clip"}};
    CHECK(buildGuestArguments(guest, "/cache") ==
          std::vector<std::string>{"--out", "/cache", "--kernel", "6.1.0-32-amd64", "--module",
                                   "/a/driver.ko", "--module", "vivid", "--package", "alsa-utils",
                                   "--package", "g++", "--file", "/a/clip:/root/clip"});
    CHECK(buildGuestArguments({}, "/cache") == std::vector<std::string>{"--out", "/cache"});
}

TEST_CASE("The set-up's QEMU is used, else that of the system", "[scenario]")
{
    const TemporaryFolder folder;
    fs::create_directories(folder.path() / "setup");
    std::ofstream(folder.path() / "setup" / "env")
        << "QEMU_BINARY=/opt/qemu\nQEMU_VERSION=11.1.3 (Debian 1)\nQEMU_DATA=-L /a -L /b\nX\n=y\n";
    Places places;
    places.buildRoot = folder.path();
    const auto found = findEmulator(places);
    REQUIRE(found);
    CHECK(found->binary == "/opt/qemu");
    CHECK(found->version == "11.1.3 (Debian 1)");
    CHECK(found->dataFolders == std::vector<fs::path>{"/a", "/b"});

    const std::string path = std::getenv("PATH");
    fs::remove(folder.path() / "setup" / "env");
    setenv("PATH", folder.path().c_str(), 1);
    const auto none = findEmulator(places);
    std::ofstream(folder.path() / "qemu-system-x86_64") << "x";
    const auto system = findEmulator(places);
    setenv("PATH", path.c_str(), 1);
    REQUIRE_FALSE(none);
    CHECK(none.error().message.starts_with("there is no QEMU: "));
    REQUIRE(system);
    CHECK(system->binary == folder.path() / "qemu-system-x86_64");
}

TEST_CASE("Hashes go by their files", "[scenario]")
{
    const std::string a(64, 'a');
    const std::string b(64, 'b');
    CHECK(hashesIn(b + "  /two\n" + a + "  /one\n", {"/one", "/missing", "/two"}) ==
          std::vector<std::string>{a, "", b});
    CHECK(hashesIn("", {"/one"}) == std::vector<std::string>{""});
}

TEST_CASE("Programs answer on stdout and tell their progress on stderr", "[scenario]")
{
    auto session = launcher::Session::open({});
    REQUIRE(session);
    std::vector<std::string> lines;
    const auto run = [&](std::string script, std::chrono::milliseconds limit) {
        lines.clear();
        Program program{"a-program", {"/bin/sh", "-c", std::move(script)}, {"WORD=hello"}, limit};
        return runProgram(**session, program,
                          [&](const std::string &line) { lines.push_back(line); });
    };
    const auto good = run("echo one >&2; echo $WORD; echo two >&2", 10s);
    REQUIRE(good);
    CHECK(*good == "hello\n");
    CHECK(lines == std::vector<std::string>{"one", "two"});

    const auto bad = run("echo why >&2; exit 3", 10s);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().cause == Cause::infrastructure);
    CHECK(bad.error().message.starts_with("a-program exited with code 3:"));
    CHECK(bad.error().message.find("why") != std::string::npos);

    const auto late = run("sleep 30", 200ms);
    REQUIRE_FALSE(late);
    CHECK(late.error().message == "a-program has not ended within 0 s");

    (*session)->interrupt().raise(2);
    const auto stopped = run("sleep 30", 10s);
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().cause == Cause::interrupted);
}

} // namespace testcard::scenario
