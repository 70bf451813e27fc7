// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/client.hpp"

#include "agent/client_state.hpp"
#include "agent/running_command.hpp"
#include "protocol/wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

constexpr int connectAgainAfter_ms = 20;

/// Whether the caller's stop descriptor became readable within this time.
bool stoppedWithin(int stopFd, int wait_ms)
{
    pollfd stop{stopFd, POLLIN, 0};
    return poll(&stop, 1, wait_ms) > 0 && stop.revents != 0;
}

tl::expected<FileDescriptor, Error> connectSocket(const std::filesystem::path &path,
                                                  Clock::time_point until, int stopFd)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string &name = path.native();
    if (name.size() >= sizeof address.sun_path)
        return tl::unexpected(
            Error{ErrorKind::Connect, fmt::format("the path of the socket is too long ({} bytes, "
                                                  "at most {}): {}",
                                                  name.size(), sizeof address.sun_path - 1, name)});
    std::memcpy(address.sun_path, name.data(), name.size());
    for (;;) {
        FileDescriptor stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!stream)
            return tl::unexpected(Error{ErrorKind::Connect, fmt::format("no socket can be made: {}",
                                                                        std::strerror(errno))});
        if (connect(stream.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) ==
            0)
            return stream;
        const int number = errno;
        const bool mayComeYet = number == ENOENT || number == ECONNREFUSED || number == EINTR;
        if (!mayComeYet || Clock::now() >= until)
            return tl::unexpected(
                Error{ErrorKind::Connect, fmt::format("{}: {}", name, std::strerror(number))});
        if (stoppedWithin(stopFd, connectAgainAfter_ms))
            return tl::unexpected(Error{ErrorKind::Stopped, "stopped on request"});
    }
}

tl::expected<void, Error> checkCommand(const Command &command)
{
    const auto refuse = [](std::string message) {
        return tl::unexpected(Error{ErrorKind::Local, std::move(message)});
    };
    if (command.argv.empty() || command.argv.front().empty())
        return refuse("a command without a program");
    if (command.argv.size() > mostArguments || command.environment.size() > mostArguments)
        return refuse(fmt::format("more than {} arguments or variables", mostArguments));
    for (const auto *strings : {&command.argv, &command.environment})
        for (const std::string &string : *strings)
            if (string.find('\0') != std::string::npos || string.size() > UINT16_MAX)
                return refuse("an argument or variable that is longer than 65535 bytes or has a "
                              "NUL in it");
    if (command.directory.size() > mostPathBytes ||
        command.directory.find('\0') != std::string::npos)
        return refuse("a working directory that is no path");
    if (command.timeout.count() < 0 || command.timeout.count() > INT32_MAX)
        return refuse("a time limit that is negative or longer than 24 days");
    return {};
}

RunRequest runRequest(const Command &command)
{
    RunRequest run;
    run.input = command.keepInputOpen || !command.input.empty() || command.terminal;
    run.mergeOutput = command.mergeOutput;
    run.killLeftovers = command.killLeftovers;
    run.timeout_ms = static_cast<std::uint32_t>(command.timeout.count());
    if (command.terminal)
        run.terminal = TerminalRequest{command.terminal->rows, command.terminal->columns};
    run.directory = command.directory;
    run.argv = command.argv;
    run.environment = command.environment;
    return run;
}

Sink sinkOf(OutputHandler handler)
{
    if (!handler) return {};
    return
        [handler = std::move(handler)](OutputStream stream, std::span<const std::uint8_t> bytes) {
            handler(stream == OutputStream::Output ? Stream::Output : Stream::Error,
                    {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
        };
}

/// Sends a request that is answered by Done or Failed, and waits for that.
tl::expected<void, Error> ask(ClientState &state, std::string_view what,
                              const std::function<MessageBuffer(std::uint32_t)> &make)
{
    auto request = state.begin(make);
    if (!request) return tl::unexpected(request.error());
    const bool inTime = state.waitUntil(**request, Clock::now() + state.options().answer);
    state.detach(*request);
    if (!inTime)
        return tl::unexpected(Error{ErrorKind::Timeout, fmt::format("{}: no answer", what)});
    if ((*request)->error) return tl::unexpected(*(*request)->error);
    return {};
}

} // namespace

Client::Client(std::shared_ptr<ClientState> state) : state_(std::move(state)) {}
Client::Client(Client &&) noexcept = default;

Client &Client::operator=(Client &&other) noexcept
{
    if (state_ && state_ != other.state_) state_->shutDown();
    state_ = std::move(other.state_);
    return *this;
}

Client::~Client()
{
    if (state_) state_->shutDown();
}

tl::expected<Client, Error> Client::connect(const std::filesystem::path &socket,
                                            ConnectOptions options)
{
    const auto until = Clock::now() + options.timeout;
    auto stream = connectSocket(socket, until, options.stopFd);
    if (!stream) return tl::unexpected(stream.error());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    options.timeout = std::max(left, 0ms);
    return open(stream->release(), std::move(options));
}

tl::expected<Client, Error> Client::open(int fd, ConnectOptions options)
{
    const auto timeout = options.timeout;
    auto state = std::make_shared<ClientState>(FileDescriptor(fd), std::move(options));
    if (auto opened = state->open(timeout); !opened) return tl::unexpected(opened.error());
    return Client(std::move(state));
}

tl::expected<void, Error> Client::reopen(std::chrono::milliseconds timeout)
{
    return state_->open(timeout);
}

const GuestInfo &Client::info() const
{
    return state_->info();
}

// Commands ------------------------------------------------------------------------------------

tl::expected<RunningCommand, Error> Client::start(const Command &command, OutputHandler handler)
{
    if (auto good = checkCommand(command); !good) return tl::unexpected(good.error());
    const RunRequest run = runRequest(command);
    auto state = std::make_shared<RunningCommand::State>();
    state->client = state_;
    state->timeout = command.timeout;
    state->startedAt = Clock::now();
    auto request = state_->begin(
        [&run](std::uint32_t number) { return encode(number, run); }, sinkOf(std::move(handler)),
        [&](Request &made) {
            made.input = command.input;
            made.inputEnd = run.input && !command.keepInputOpen && !command.terminal;
            made.event.reset(makeEvent());
        });
    if (!request) return tl::unexpected(request.error());
    state->request = *request;
    RunningCommand running(state); // from here on every way out cancels it
    const bool inTime =
        state_->waitUntil(**request, Clock::now() + state_->options().answer,
                          [](const Request &now) { return now.process.has_value(); });
    std::optional<Error> error;
    state_->locked([&] { error = (*request)->error; });
    if (error) return tl::unexpected(*error);
    if (!inTime)
        return tl::unexpected(
            Error{ErrorKind::Timeout,
                  fmt::format("the guest did not start {} within {:.1f} s", command.argv.front(),
                              static_cast<double>(state_->options().answer.count()) / 1000)});
    return running;
}

tl::expected<ExitStatus, Error> Client::run(const Command &command, OutputHandler handler)
{
    auto running = start(command, std::move(handler));
    if (!running) return tl::unexpected(running.error());
    return running->wait();
}

tl::expected<Captured, Error> Client::capture(const Command &command, std::size_t limit)
{
    Captured captured;
    auto status = run(command, [&](Stream stream, std::string_view bytes) {
        std::string &text = stream == Stream::Output ? captured.output : captured.error;
        const std::size_t room = limit - std::min(limit, text.size());
        captured.truncated = captured.truncated || bytes.size() > room;
        text.append(bytes.substr(0, room));
    });
    if (!status) return tl::unexpected(status.error());
    captured.status = *status;
    return captured;
}

// Short requests ------------------------------------------------------------------------------

tl::expected<void, Error> Client::makeDirectory(std::string_view guestPath, unsigned mode)
{
    const MakeDirectoryRequest make{mode, std::string(guestPath)};
    return ask(*state_, guestPath, [&make](std::uint32_t number) { return encode(number, make); });
}

tl::expected<std::chrono::nanoseconds, Error> Client::ping()
{
    const auto before = Clock::now();
    auto answered = ask(*state_, "ping", [](std::uint32_t number) {
        return makeMessage(MessageType::Ping, number);
    });
    if (!answered) return tl::unexpected(answered.error());
    return std::chrono::nanoseconds(Clock::now() - before);
}

tl::expected<void, Error> Client::mark(std::string_view text)
{
    const std::string line = printable(text, mostMarkBytes);
    return ask(*state_, "mark", [&line](std::uint32_t number) {
        return encodeBytes(MessageType::Mark, number,
                           {reinterpret_cast<const std::uint8_t *>(line.data()), line.size()});
    });
}

tl::expected<void, Error> Client::powerOff()
{
    return ask(*state_, "power off", [](std::uint32_t number) {
        return encodeNumber(MessageType::Power, number,
                            static_cast<std::uint32_t>(PowerAction::Off));
    });
}

tl::expected<void, Error> Client::reboot()
{
    return ask(*state_, "restart", [](std::uint32_t number) {
        return encodeNumber(MessageType::Power, number,
                            static_cast<std::uint32_t>(PowerAction::Restart));
    });
}

} // namespace testcard::agent
