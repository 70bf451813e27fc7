// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent_process.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace testcard::agent::test
{

namespace
{

/// Where the child finds its stream.
constexpr int streamInChild = 3;

std::string uniqueMarkSocket()
{
    static std::atomic<int> count{0};
    return "org.testcard.test." + std::to_string(getpid()) + "." + std::to_string(count++);
}

} // namespace

StreamPair makeStreamPair()
{
    std::array<int, 2> fds{-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
    return {FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

Folder::Folder()
{
    std::string name = std::filesystem::temp_directory_path() / "testcard-agent-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
}

Folder::~Folder()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

AgentProcess::AgentProcess(const FileDescriptor &stream, std::vector<std::string> options)
{
    options.insert(options.end(), {"--fd", std::to_string(streamInChild)});
    launch(stream.get(), std::move(options));
}

AgentProcess::AgentProcess(std::vector<std::string> options)
{
    launch(-1, std::move(options));
}

void AgentProcess::launch(int stream, std::vector<std::string> options)
{
    options.insert(options.begin(), {TESTCARD_AGENT_PROGRAM, "--mark-socket", uniqueMarkSocket()});
    std::vector<char *> arguments;
    for (std::string &option : options)
        arguments.push_back(option.data());
    arguments.push_back(nullptr);
    process_ = fork();
    REQUIRE(process_ >= 0);
    if (process_ != 0) return;
    if (stream == streamInChild)
        fcntl(stream, F_SETFD, 0);
    else if (stream >= 0)
        dup2(stream, streamInChild);
    execv(arguments[0], arguments.data());
    _exit(127);
}

AgentProcess::~AgentProcess()
{
    if (process_ < 0) return;
    kill(process_, SIGTERM);
    wait();
}

void AgentProcess::signal(int number) const
{
    kill(process_, number);
}

int AgentProcess::wait()
{
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return status;
}

AgentAndClient::AgentAndClient(std::vector<std::string> options, ConnectOptions connect)
    : streams_(makeStreamPair()),
      process_(streams_.guest, std::move(options)),
      client_(connected(std::move(streams_.host), std::move(connect)))
{
    streams_.guest.reset();
}

LifeLine::LifeLine(const Folder &folder, const std::string &name) : path_(folder / name)
{
    REQUIRE(mkfifo(path_.c_str(), 0600) == 0);
    reader_.reset(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(reader_);
}

void LifeLine::waitForEnd()
{
    // While writers exist a read would block; without them it says end of file.
    pollfd reader{reader_.get(), POLLIN, 0};
    while (isHeld())
        poll(&reader, 1, -1); // POLLHUP when the last writer goes
}

bool LifeLine::isHeld()
{
    char byte = 0;
    return ::read(reader_.get(), &byte, 1) < 0 && errno == EAGAIN;
}

Client connected(FileDescriptor stream, ConnectOptions options)
{
    auto client = Client::open(stream.release(), std::move(options));
    if (!client) FAIL(client.error().message);
    return *std::move(client);
}

} // namespace testcard::agent::test
