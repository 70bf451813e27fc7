// SPDX-License-Identifier: GPL-2.0-or-later
// The whole card process: sockets appear, answer, and go.
#include "cards/serve.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace testcard;

namespace
{

/// `serve` in a child process, which is how it is used; ends with the test.
class ServeProcess
{
public:
    /// `hangUp` is what SIGHUP does to the process that calls `serve`.
    explicit ServeProcess(sighandler_t hangUp = SIG_DFL)
    {
        std::array<int, 2> ready{};
        REQUIRE(::pipe(ready.data()) == 0);
        std::filesystem::create_directory(folder);
        child_ = ::fork();
        REQUIRE(child_ >= 0);
        if (child_ == 0) {
            ::signal(SIGHUP, hangUp);
            ::_exit(serveCards(ready[1]));
        }
        ::close(ready[1]);
        char byte = 0;
        REQUIRE(::read(ready[0], &byte, 1) == 1);
        ::close(ready[0]);
    }
    ~ServeProcess()
    {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
        std::filesystem::remove_all(folder);
    }

    void signal(int number) const { ::kill(child_, number); }
    int waitForCode()
    {
        int status = 0;
        ::waitpid(std::exchange(child_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    int connect(const std::string &name) const
    {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, (folder / name).c_str(), sizeof address.sun_path - 1);
        if (::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0)
            return fd;
        ::close(fd);
        return -1;
    }

    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / fmt::format("testcard-serve-{}", ::getpid());

private:
    int serveCards(int ready) const
    {
        cards::ServeOptions options;
        for (const std::string name : {"one", "two"})
            options.cards.push_back({*cards::parseCard("capture,name=" + name), folder / name,
                                     folder / (name + ".control")});
        options.ready = [ready] { return ::write(ready, "r", 1) == 1 ? void() : ::_exit(9); };
        return cards::serve(options) ? 0 : 1;
    }

    pid_t child_ = -1;
};

} // namespace

TEST_CASE("Cards are served until a signal, and their sockets go with them", "[cards][serve]")
{
    ServeProcess process;
    for (const std::string name : {"one", "two", "one.control", "two.control"}) {
        const int fd = process.connect(name);
        CHECK(fd >= 0);
        ::close(fd);
    }
    SECTION("SIGTERM")
    {
        process.signal(SIGTERM);
    }
    SECTION("SIGINT")
    {
        process.signal(SIGINT);
    }
    SECTION("SIGHUP")
    {
        process.signal(SIGHUP);
    }
    CHECK(process.waitForCode() == 0);
    CHECK(std::filesystem::is_empty(process.folder));
}

TEST_CASE("Cards outlive a hang-up that nohup has them ignore", "[cards][serve]")
{
    ServeProcess process{SIG_IGN};
    process.signal(SIGHUP);
    const int control = process.connect("one.control");
    REQUIRE(control >= 0);
    const std::string status = "{\"execute\": \"status\"}\n";
    std::array<char, 4096> answer;
    for (int i = 0; i < 3; ++i) { // the greeting, then answers: turns of the loop after the signal
        REQUIRE(::read(control, answer.data(), answer.size()) > 0);
        REQUIRE(::write(control, status.data(), status.size()) ==
                static_cast<ssize_t>(status.size()));
    }
    ::close(control);
    process.signal(SIGTERM);
    CHECK(process.waitForCode() == 0);
    CHECK(std::filesystem::is_empty(process.folder));
}

TEST_CASE("Cards are served until the control socket says stop", "[cards][serve]")
{
    ServeProcess process;
    const int control = process.connect("two.control");
    REQUIRE(control >= 0);
    const std::string stop = "{\"execute\": \"stop\"}\n";
    REQUIRE(::write(control, stop.data(), stop.size()) == static_cast<ssize_t>(stop.size()));
    CHECK(process.waitForCode() == 0);
    ::close(control);
}

TEST_CASE("A socket path that cannot be had is an error with its name", "[cards][serve]")
{
    cards::ServeOptions options;
    options.cards.push_back({*cards::parseCard("capture"), "/dev/null/socket", {}});
    const auto served = cards::serve(options);
    REQUIRE_FALSE(served);
    CHECK(served.error().kind == cards::Error::Kind::host);
    CHECK(served.error().message.find("/dev/null/socket") != std::string::npos);
}
