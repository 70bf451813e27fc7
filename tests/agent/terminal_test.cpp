// SPDX-License-Identifier: GPL-2.0-or-later
// Terminals and the interactive shell, with the real agent program.
#include "agent/shell.hpp"
#include "agent_process.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <future>
#include <mutex>
#include <string>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

using namespace testcard::agent;
using namespace testcard::agent::test;
using namespace std::chrono_literals;

namespace
{

/// A command in a terminal of the guest, with its output.
class TerminalCommand
{
public:
    TerminalCommand(Client &client, const std::string &script, TerminalSize size = {})
    {
        Command command = Command::shell(script);
        command.terminal = size;
        auto running = client.start(command, [this](Stream, std::string_view bytes) {
            const std::lock_guard lock(mutex_);
            text_ += bytes;
            changed_.notify_all();
        });
        if (!running) FAIL(running.error().message);
        running_ = *std::move(running);
    }
    ~TerminalCommand() { running_.reset(); } // before the text that its handler writes to

    RunningCommand *operator->() { return &*running_; }
    void waitFor(const std::string &text)
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return text_.find(text) != std::string::npos; });
    }
    std::string text()
    {
        const std::lock_guard lock(mutex_);
        return text_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    std::optional<RunningCommand> running_;
};

/// A terminal of the host: what a user sits at.
struct HostTerminal {
    HostTerminal() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC))
    {
        REQUIRE(grantpt(master.get()) == 0);
        REQUIRE(unlockpt(master.get()) == 0);
        slave.reset(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
        REQUIRE(slave);
        resize(40, 120);
    }
    void resize(unsigned short rows, unsigned short columns) const
    {
        const winsize size{rows, columns, 0, 0};
        ioctl(master.get(), TIOCSWINSZ, &size);
    }
    void type(const std::string &keys) const
    {
        REQUIRE(write(master.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
    }
    /// Reads what appears on it until this does: all of it, with this.
    std::string waitFor(const std::string &text)
    {
        while (screen.find(text) == std::string::npos) {
            std::array<char, 4096> chunk{};
            const ssize_t bytes = read(master.get(), chunk.data(), chunk.size());
            REQUIRE(bytes > 0);
            screen.append(chunk.data(), static_cast<std::size_t>(bytes));
        }
        const std::size_t end = screen.find(text) + text.size();
        std::string seen = screen.substr(0, end);
        screen.erase(0, end);
        return seen;
    }
    tcflag_t localModes() const
    {
        termios settings{};
        tcgetattr(slave.get(), &settings);
        return settings.c_lflag;
    }

    FileDescriptor master;
    FileDescriptor slave;
    std::string screen;
};

std::future<tl::expected<ExitStatus, Error>> shellOn(Client &client, ShellOptions options)
{
    return std::async(std::launch::async, [&client, options] { return shell(client, options); });
}

} // namespace

TEST_CASE("A command in a terminal has one, of the size wished for", "[agent][program]")
{
    AgentAndClient agent;
    TerminalCommand command(*agent, "tty; stty size; test -t 0 && test -t 1 && test -t 2",
                            {30, 100});
    CHECK(command->wait()->code == 0);
    CHECK(command.text().find("30 100\r\n") != std::string::npos);
    CHECK(command.text().starts_with("/dev/pts/"));
}

TEST_CASE("A terminal follows the size of the host's", "[agent][program]")
{
    AgentAndClient agent;
    TerminalCommand command(*agent, "trap 'stty size; exit 6' WINCH; echo ready; read x; read y");
    command.waitFor("ready");
    command->resize({50, 132});
    CHECK(command->wait()->code == 6);
    CHECK(command.text().find("50 132") != std::string::npos);
}

TEST_CASE("Ctrl-C interrupts what runs in a terminal", "[agent][program]")
{
    AgentAndClient agent;
    TerminalCommand command(*agent, "trap 'exit 7' INT; echo ready; while :; do read x; done");
    command.waitFor("ready");
    REQUIRE(command->write("\x03"));
    CHECK(command->wait()->code == 7);
}

TEST_CASE("The end of input is an end of file in a terminal", "[agent][program]")
{
    AgentAndClient agent;
    TerminalCommand command(*agent, "cat; echo over");
    REQUIRE(command->write("text\n"));
    command.waitFor("text\r\ntext\r\n"); // echoed, and written by cat
    REQUIRE(command->closeInput());
    CHECK(command->wait()->code == 0);
    CHECK(command.text().find("over") != std::string::npos);
}

TEST_CASE("The last words in a terminal are not lost", "[agent][program]")
{
    AgentAndClient agent;
    for (int i = 0; i < 20; ++i) {
        TerminalCommand command(*agent, "seq 1 2000; echo last words");
        CHECK(command->wait()->code == 0);
        CHECK(command.text().ends_with("2000\r\nlast words\r\n"));
    }
}

TEST_CASE("A terminal that a daemon keeps open does not keep the command", "[agent][program]")
{
    AgentAndClient agent;
    TerminalCommand command(*agent, "trap '' HUP; sleep 1000 & echo done");
    CHECK(command->wait()->code == 0);
    CHECK(command.text().find("done") != std::string::npos);
}

TEST_CASE("The interactive shell works on a terminal", "[agent][program]")
{
    AgentAndClient agent;
    HostTerminal terminal;
    const tcflag_t before = terminal.localModes();
    ShellOptions options;
    options.input = options.output = terminal.slave.get();
    options.argv = {"/bin/sh"};
    options.environment = {"PS1=prompt> ", "ENV="};
    auto result = shellOn(*agent, options);
    terminal.waitFor("prompt> ");
    CHECK((terminal.localModes() & ECHO) == 0);

    SECTION("commands, interruption and exit")
    {
        terminal.type("stty size\n");
        terminal.waitFor("40 120");
        terminal.waitFor("prompt> ");
        // Its own process says that it runs: earlier the shell itself might get the Ctrl-C.
        terminal.type("sh -c 'echo wait; exec sleep 1000'\n");
        terminal.waitFor("\nwait");
        terminal.type("\x03");
        terminal.waitFor("prompt> ");
        terminal.type("exit 4\n");
        CHECK(result.get()->code == 4);
    }
    SECTION("an end of file ends it")
    {
        terminal.type("\x04");
        CHECK(result.get()->code == 0);
    }
    SECTION("a new size of the terminal arrives")
    {
        terminal.resize(25, 99);
        std::string seen;
        while (seen.find("25 99") == std::string::npos) {
            terminal.type("stty size\n");
            seen = terminal.waitFor("prompt> ");
        }
        terminal.type("exit\n");
        CHECK(result.get());
    }
    SECTION("the escape character leaves it at once")
    {
        terminal.type("sleep 1000\n\x1d");
        CHECK(result.get()->cancelled);
    }
    CHECK(terminal.localModes() == before);
    CHECK(agent->ping());
}

TEST_CASE("The interactive shell works on pipes", "[agent][program]")
{
    AgentAndClient agent;
    std::array<int, 2> in{-1, -1};
    std::array<int, 2> out{-1, -1};
    REQUIRE(pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(pipe2(out.data(), O_CLOEXEC) == 0);
    FileDescriptor keys(in[1]);
    const FileDescriptor input(in[0]);
    FileDescriptor output(out[1]);
    const FileDescriptor screen(out[0]);
    ShellOptions options;
    options.input = input.get();
    options.output = output.get();
    auto result = shellOn(*agent, options);
    const std::string script = "echo one; echo two >&2; tty\n";
    REQUIRE(write(keys.get(), script.data(), script.size()) == static_cast<ssize_t>(script.size()));
    keys.reset();
    const auto status = result.get();
    REQUIRE(status);
    CHECK(status->code == 1); // tty: "not a tty"
    output.reset();
    std::string text;
    std::array<char, 4096> chunk{};
    for (ssize_t bytes = 0; (bytes = read(screen.get(), chunk.data(), chunk.size())) > 0;)
        text.append(chunk.data(), static_cast<std::size_t>(bytes));
    CHECK(text == "one\ntwo\nnot a tty\n");
}

TEST_CASE("A terminal that goes away ends its shell", "[agent][program]")
{
    AgentAndClient agent;
    HostTerminal terminal;
    ShellOptions options;
    options.input = options.output = terminal.slave.get();
    options.argv = {"/bin/sh"};
    options.environment = {"PS1=prompt> ", "ENV="};
    auto result = shellOn(*agent, options);
    terminal.waitFor("prompt> ");
    terminal.master.reset();
    const auto status = result.get();
    REQUIRE(status);
    CHECK(status->cancelled);
}
