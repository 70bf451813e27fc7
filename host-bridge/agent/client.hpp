// SPDX-License-Identifier: GPL-2.0-or-later
// The host's end of the agent protocol: runs commands in a guest, moves files, opens shells.
//
// A Client owns one connected byte stream (the Unix socket behind a virtio-serial port, or behind a
// serial line) and one session with the agent at its other end. A thread of its own serves the
// stream, so output arrives while the caller does something else. All functions may be called from
// any thread; handlers are called on the client's thread, one at a time, and must not call blocking
// functions of the same Client (cancel() and signal() are fine). A handler that takes long slows
// the guest down, it never makes memory grow.
//
// The guest is not trusted: whatever it sends, these functions end with a value or an Error within
// their time limits, and memory stays bounded. Text that comes from the guest is returned as it is
// (output, file contents) or with control characters replaced (GuestInfo, messages of errors).
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::agent
{

/// What went wrong, for code that must decide; `Error::message` is for people.
enum class ErrorKind {
    Connect,     ///< the socket could not be reached, or no agent answered in time
    Closed,      ///< the stream ended: the guest's machine is gone
    Silent,      ///< the guest is connected but has said nothing for ConnectOptions::silence
    SessionLost, ///< the agent or the guest restarted, or somebody else opened a session
    Timeout,     ///< the time limit of this call passed
    Stopped,     ///< ConnectOptions::stopFd became readable
    Protocol,    ///< the guest sent what the protocol does not allow
    Refused,     ///< the guest could not do it: no such program or file (see Error::guestErrno)
    TooLarge,    ///< a file, message or reply passes its limit
    Local,       ///< a file of the host could not be read or written
};

/// The name of a kind as used in results and logs: "session-lost".
std::string_view toString(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::Protocol;
    std::string message;
    int guestErrno = 0; ///< Linux errno value as reported by the guest, 0 if there is none
};

/// A mark that a program in the guest set (`testcard-agent mark TEXT`).
struct Mark {
    std::string text;                   ///< control characters replaced, at most 4096 bytes
    std::chrono::nanoseconds guestTime; ///< the guest's CLOCK_MONOTONIC when it was set
};

struct ConnectOptions {
    /// For the whole of connecting: the socket appears, the guest boots, the agent answers.
    std::chrono::milliseconds timeout{60'000};
    /// An eventfd, signalfd or pipe of the caller: as soon as it is readable all calls, now and
    /// later, end with ErrorKind::Stopped. It is never read. -1: none.
    int stopFd = -1;
    /// The guest is asked for a sign of life while it is quiet; this long without one is
    /// ErrorKind::Silent for every call. Zero: wait for ever.
    std::chrono::milliseconds silence{30'000};
    /// How long the guest may take for a short answer (a started command, a cancel, a file opened),
    /// and how much longer than its own timeout a command may take to end.
    std::chrono::milliseconds answer{15'000};
    /// Called for each mark set in the guest.
    std::function<void(const Mark &)> onMark{};
};

/// What the agent says about its guest. Strings have control characters replaced.
struct GuestInfo {
    std::uint32_t protocolVersion = 0;
    std::string agentVersion; ///< "0.1.0"
    std::string system;       ///< "Linux"
    std::string kernel;       ///< "6.1.0-32-amd64"
    std::string machine;      ///< "x86_64"
    std::string hostName;
    std::chrono::nanoseconds uptime{0}; ///< the guest's CLOCK_MONOTONIC when the session opened
    bool canPowerOff = false;           ///< powerOff() and reboot() are allowed
};

enum class Stream { Output, Error };

/// Bytes of a command as they arrive. Order within a stream is exact; between the two streams it is
/// the order in which the agent saw them (Command::mergeOutput makes it exact, as one stream).
using OutputHandler = std::function<void(Stream stream, std::string_view bytes)>;

struct TerminalSize {
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
};

struct Command {
    /// Program and arguments; the program is looked up in the guest's PATH. Never empty.
    std::vector<std::string> argv{};
    /// "NAME=value", added to the agent's environment.
    std::vector<std::string> environment{};
    /// Working directory; empty: the agent's (/).
    std::string directory{};
    /// When it passes, every process of the command is killed. Zero: none.
    std::chrono::milliseconds timeout{0};
    /// What the command reads from its standard input, which then ends.
    std::string input{};
    /// Standard input stays open for RunningCommand::write() after `input`.
    bool keepInputOpen = false;
    /// Standard error goes to standard output, in exact order, as Stream::Output.
    bool mergeOutput = false;
    /// What the command leaves behind (daemons) is killed as soon as its first process ends.
    /// Otherwise it lives on, with its output discarded, until the session ends.
    bool killLeftovers = false;
    /// Run in a terminal of its own: one stream, Ctrl-C and job control work.
    std::optional<TerminalSize> terminal{};

    /// `sh -c SCRIPT`.
    static Command shell(std::string script);
};

/// How a command ended: exactly one of code and signal is set.
struct ExitStatus {
    std::optional<int> code;
    std::optional<int> signal;
    bool timedOut = false;  ///< Command::timeout passed; the command was killed
    bool cancelled = false; ///< cancel() came first; the command was killed
    bool stuck = false;     ///< it was killed, but hangs in the guest's kernel and did not die
    std::chrono::nanoseconds duration{
        0}; ///< in the guest, from start to the end of the first process

    bool succeeded() const { return code == 0 && !timedOut && !cancelled; }
};

/// "exit code 3", "killed by signal 11 (SIGSEGV)", "timed out after 5.0 s".
std::string describe(const ExitStatus &status);

/// All that run() collects when the caller wants text rather than a handler.
struct Captured {
    ExitStatus status;
    std::string output;
    std::string error;
    bool truncated = false; ///< a stream passed the limit; what came later was dropped
};

class ClientState;

/// A command that was started. Destroying the handle before wait() returned cancels the command.
class RunningCommand
{
public:
    RunningCommand(RunningCommand &&) noexcept;
    RunningCommand &operator=(RunningCommand &&) noexcept;
    ~RunningCommand();

    /// Waits for the end; all output has been handed over by then. Without a time limit of the
    /// command this ends when the guest goes silent, the stream closes or stopFd is readable.
    tl::expected<ExitStatus, Error> wait();
    /// As wait(), but gives up after `limit` (nothing is lost: call again): nullopt.
    tl::expected<std::optional<ExitStatus>, Error> waitFor(std::chrono::milliseconds limit);
    /// Kills every process of the command; wait() then says `cancelled`. Does not block.
    void cancel();
    /// Sends a signal (Linux number) to the command's process group. Does not block.
    void signal(int number);
    /// Bytes for its standard input; waits while the command does not read them. Needs
    /// Command::keepInputOpen or a terminal.
    tl::expected<void, Error> write(std::string_view bytes);
    /// As write(), but takes only what can be sent now: the number of bytes, maybe 0.
    tl::expected<std::size_t, Error> writeSome(std::string_view bytes);
    /// Ends its standard input (a terminal gets its end-of-file character).
    tl::expected<void, Error> closeInput();
    /// New size of its terminal. Does not block.
    void resize(TerminalSize size);
    /// An eventfd of this handle: readable once the command has ended or the session failed, or
    /// when writeSome() that took less than it was given may go on. For poll(); clear it with
    /// clearEvent().
    int eventFd() const;
    void clearEvent();
    /// The guest's process number.
    int processId() const;

private:
    friend class Client;
    struct State;
    explicit RunningCommand(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

class Client
{
public:
    /// Connects to a Unix socket (which may not exist yet) and opens a session with the agent
    /// (which may not run yet). The agent ends whatever an earlier session left running.
    static tl::expected<Client, Error> connect(const std::filesystem::path &socket,
                                               ConnectOptions options = {});
    /// The same over a stream that is connected already: a socket, a pty. Takes the descriptor
    /// over.
    static tl::expected<Client, Error> open(int fd, ConnectOptions options = {});

    Client(Client &&) noexcept;
    Client &operator=(Client &&) noexcept;
    /// Ends the session: commands that still run are killed by the agent.
    ~Client();

    /// Opens a new session over the same stream, after SessionLost (a reboot).
    tl::expected<void, Error> reopen(std::chrono::milliseconds timeout);

    const GuestInfo &info() const;

    /// Runs a command to its end.
    tl::expected<ExitStatus, Error> run(const Command &command, OutputHandler handler = {});
    /// Runs a command and keeps its output, up to `limit` bytes of each stream.
    tl::expected<Captured, Error> capture(const Command &command, std::size_t limit = 1 << 20);
    /// Starts a command and returns once it runs (or could not be started). Any number (up to 64)
    /// may run at once.
    tl::expected<RunningCommand, Error> start(const Command &command, OutputHandler handler = {});

    /// Copies a file into the guest. Parent folders are made; the file appears whole or not at all
    /// (unless the target exists and is no regular file: then it is written directly, as for
    /// /sys/.../control). Without `mode` that of the host's file is used.
    tl::expected<void, Error> put(const std::filesystem::path &hostPath, std::string_view guestPath,
                                  std::optional<unsigned> mode = {});
    tl::expected<void, Error> putBytes(std::string_view bytes, std::string_view guestPath,
                                       unsigned mode = 0644);

    /// Copies a file out of the guest: parent folders are made, the file appears whole or not at
    /// all. More than `limit` bytes is ErrorKind::TooLarge. Returns its size in bytes. Files
    /// without a size (/proc, /sys) work; files that never end (/dev/zero) meet the limit.
    tl::expected<std::uint64_t, Error> get(std::string_view guestPath,
                                           const std::filesystem::path &hostPath,
                                           std::uint64_t limit = std::uint64_t{1} << 30);
    tl::expected<std::string, Error> getBytes(std::string_view guestPath,
                                              std::uint64_t limit = 1 << 20);

    /// Makes a folder and its parents; an existing one is no error.
    tl::expected<void, Error> makeDirectory(std::string_view guestPath, unsigned mode = 0755);

    /// Round trip of an empty message.
    tl::expected<std::chrono::nanoseconds, Error> ping();
    /// Writes a line into the guest's kernel log, so that the serial log shows where a step begins.
    tl::expected<void, Error> mark(std::string_view text);

    /// Asks the guest to power off or to restart. Returns when the agent has agreed; the session is
    /// lost right after.
    tl::expected<void, Error> powerOff();
    tl::expected<void, Error> reboot();

private:
    explicit Client(std::shared_ptr<ClientState> state);
    std::shared_ptr<ClientState> state_;
};

} // namespace testcard::agent
