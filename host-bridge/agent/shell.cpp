// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/shell.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace testcard::agent
{

namespace
{

/// How often the size of the terminal is looked at: SIGWINCH belongs to the program that uses us.
constexpr int sizeCheck_ms = 250;
constexpr std::size_t chunkBytes = 4096;

/// Every key reaches us as it is, until this goes out of scope.
class RawTerminal
{
public:
    explicit RawTerminal(int fd) : fd_(fd)
    {
        if (tcgetattr(fd_, &before_) != 0) return;
        isRaw_ = true;
        termios raw = before_;
        cfmakeraw(&raw);
        tcsetattr(fd_, TCSADRAIN, &raw);
    }
    RawTerminal(const RawTerminal &) = delete;
    RawTerminal &operator=(const RawTerminal &) = delete;
    ~RawTerminal()
    {
        if (isRaw_) tcsetattr(fd_, TCSADRAIN, &before_);
    }

private:
    int fd_;
    termios before_{};
    bool isRaw_ = false;
};

TerminalSize terminalSize(int fd)
{
    winsize window{};
    if (ioctl(fd, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) return {};
    return {window.ws_row, window.ws_col};
}

void writeAll(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        const ssize_t done = ::write(fd, bytes.data(), bytes.size());
        if (done > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(done));
        } else if (done < 0 && errno == EAGAIN) {
            pollfd out{fd, POLLOUT, 0};
            poll(&out, 1, -1);
        } else if (done < 0 && errno != EINTR) {
            return; // nobody looks any more; the shell goes on until its input ends
        }
    }
}

class Session
{
public:
    Session(const ShellOptions &options, RunningCommand command,
            std::optional<TerminalSize> terminal)
        : options_(options),
          command_(std::move(command)),
          isTerminal_(terminal.has_value()),
          size_(terminal.value_or(TerminalSize{}))
    {
    }

    tl::expected<ExitStatus, Error> run()
    {
        for (;;) {
            auto status = command_.waitFor(std::chrono::milliseconds(0));
            if (!status) return tl::unexpected(status.error());
            if (*status) return **status;
            if (!sendPending()) continue; // it has just ended
            waitForSomething();
            followSize();
        }
    }

private:
    /// False: the command takes no input any more.
    bool sendPending()
    {
        if (pending_.empty()) return true;
        const auto taken = command_.writeSome(pending_);
        if (!taken) {
            pending_ = {};
            inputEnded_ = true;
            return false;
        }
        pending_.remove_prefix(*taken);
        return true;
    }

    void waitForSomething()
    {
        const bool reads = !inputEnded_ && pending_.empty();
        std::array<pollfd, 2> fds{
            {{command_.eventFd(), POLLIN, 0}, {reads ? options_.input : -1, POLLIN, 0}}};
        poll(fds.data(), fds.size(), isTerminal_ ? sizeCheck_ms : -1);
        if (fds[0].revents != 0) command_.clearEvent();
        if (fds[1].revents != 0) readInput();
    }

    void readInput()
    {
        const ssize_t bytes = ::read(options_.input, chunk_.data(), chunk_.size());
        if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (bytes <= 0) {
            inputEnded_ = true;
            // A terminal that went away takes its shell with it, as a hang-up does.
            if (isTerminal_)
                command_.cancel();
            else
                static_cast<void>(command_.closeInput());
            return;
        }
        pending_ = {chunk_.data(), static_cast<std::size_t>(bytes)};
        if (!isTerminal_ || !options_.escape) return;
        const std::size_t escape = pending_.find(*options_.escape);
        if (escape == pending_.npos) return;
        pending_ = {};
        inputEnded_ = true;
        command_.cancel();
    }

    void followSize()
    {
        if (!isTerminal_) return;
        const TerminalSize now = terminalSize(options_.input);
        if (now.rows == size_.rows && now.columns == size_.columns) return;
        size_ = now;
        command_.resize(now);
    }

    const ShellOptions &options_;
    RunningCommand command_;
    bool isTerminal_;
    TerminalSize size_; ///< that the guest's terminal has
    std::array<char, chunkBytes> chunk_{};
    std::string_view pending_; ///< what of chunk_ is not sent yet
    bool inputEnded_ = false;
};

} // namespace

tl::expected<ExitStatus, Error> shell(Client &client, const ShellOptions &options)
{
    const bool isTerminal = isatty(options.input) != 0;
    Command command;
    command.argv = options.argv;
    const char *term = std::getenv("TERM");
    if (isTerminal && term != nullptr) command.environment.push_back(std::string("TERM=") + term);
    command.environment.insert(command.environment.end(), options.environment.begin(),
                               options.environment.end());
    if (isTerminal)
        command.terminal = terminalSize(options.input);
    else
        command.mergeOutput = true;
    command.keepInputOpen = true;
    const RawTerminal raw(options.input); // before the first prompt
    auto running = client.start(
        command, [&options](Stream, std::string_view bytes) { writeAll(options.output, bytes); });
    if (!running) return tl::unexpected(running.error());
    return Session(options, *std::move(running), command.terminal).run();
}

} // namespace testcard::agent
