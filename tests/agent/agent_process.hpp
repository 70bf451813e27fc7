// SPDX-License-Identifier: GPL-2.0-or-later
// The real agent program, run by a test.
#pragma once

#include "agent/client.hpp"
#include "linux/file_descriptor.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace testcard::agent::test
{

/// Two ends of a stream.
struct StreamPair {
    FileDescriptor host;
    FileDescriptor guest;
};
StreamPair makeStreamPair();

/// A folder that goes away with its contents.
class Folder
{
public:
    Folder();
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    ~Folder();

    std::filesystem::path operator/(const std::string &name) const { return path_ / name; }
    const std::filesystem::path &path() const { return path_; }

private:
    std::filesystem::path path_;
};

class AgentProcess
{
public:
    /// Serves this stream.
    explicit AgentProcess(const FileDescriptor &stream, std::vector<std::string> options = {});
    /// Without a stream: `options` say where the host comes from.
    explicit AgentProcess(std::vector<std::string> options);
    AgentProcess(const AgentProcess &) = delete;
    AgentProcess &operator=(const AgentProcess &) = delete;
    /// Ends it.
    ~AgentProcess();

    pid_t id() const { return process_; }
    void signal(int number) const;
    /// Waits for its end: the wait status.
    int wait();

private:
    void launch(int stream, std::vector<std::string> options);

    pid_t process_ = -1;
};

/// An agent, and a client in session with it.
class AgentAndClient
{
public:
    explicit AgentAndClient(std::vector<std::string> options = {}, ConnectOptions connect = {});

    AgentProcess &process() { return process_; }
    Client &operator*() { return client_; }
    Client *operator->() { return &client_; }

private:
    StreamPair streams_;
    AgentProcess process_;
    Client client_;
};

/// A named pipe that shows whether anybody is left: what a test gives to the processes whose end it
/// waits for. `held()` is a piece of shell that opens it in a process.
class LifeLine
{
public:
    explicit LifeLine(const Folder &folder, const std::string &name = "life");

    /// Redirection that makes a command hold it: "sleep 1000 " + held() + " &".
    std::string held() const { return "9>'" + path_ + "'"; }
    /// Waits until nobody holds it. Hangs if somebody does for ever: the test's time limit tells.
    void waitForEnd();
    /// Whether somebody holds it now.
    bool isHeld();

private:
    std::string path_;
    FileDescriptor reader_;
};

/// A session over a stream, with short limits; fails the test if it does not open.
Client connected(FileDescriptor stream, ConnectOptions options = {});

} // namespace testcard::agent::test
