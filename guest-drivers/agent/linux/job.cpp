// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/job.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <utility>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// A terminal's last output comes through a work queue of the kernel, and a daemon may hold the
/// terminal open, so neither its end nor a count can be waited for.
constexpr Time terminalDrain = 100ms;

ProcessEnd processEnd(const Report &report)
{
    ProcessEnd end;
    end.bySignal = WIFSIGNALED(report.number);
    end.value = static_cast<std::uint32_t>(end.bySignal ? WTERMSIG(report.number)
                                                        : WEXITSTATUS(report.number));
    end.duration_ns = report.value;
    return end;
}

} // namespace

Job::Job(Loop &loop, SystemEvents &events, std::uint32_t request, pid_t child, bool isCommand,
         JobStreams streams)
    : loop_(loop),
      events_(events),
      request_(request),
      child_(child),
      isCommand_(isCommand),
      isTerminal_(streams.isTerminal),
      control_(std::move(streams.control)),
      input_(std::move(streams.input)),
      output_{std::move(streams.output), OutputStream::Output, {}},
      error_{std::move(streams.error), OutputStream::Error, {}},
      started_(!isCommand)
{
    makeNonBlocking(control_.get());
    loop_.watch(control_.get(), watchRead, [this](std::uint32_t) { controlReady(); });
    for (Output *output : {&output_, &error_}) {
        if (!output->fd) continue;
        makeNonBlocking(output->fd.get());
        loop_.watch(output->fd.get(), watchNothing,
                    [this, output](std::uint32_t) { outputReady(*output); });
    }
    if (input_) {
        makeNonBlocking(input_.get());
        loop_.watch(input_.get(), watchNothing, [this](std::uint32_t) { inputReady(); });
    }
}

Job::~Job()
{
    for (const FileDescriptor *fd : {&control_, &input_, &output_.fd, &error_.fd})
        if (*fd) loop_.forget(fd->get());
}

// Reports of the child ------------------------------------------------------------------------

void Job::controlReady()
{
    for (;;) {
        Report report;
        const ssize_t bytes = recv(control_.get(), &report, sizeof report, 0);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0 && errno == EAGAIN) return;
        if (bytes <= static_cast<ssize_t>(offsetof(Report, text))) return controlEnded();
        report.text.back() = '\0';
        reported(report);
    }
}

void Job::reported(const Report &report)
{
    switch (report.kind) {
    case Report::Kind::Started:
        if (!reported_) events_.started(request_, static_cast<std::uint32_t>(report.number));
        started_ = true;
        updateOutput();
        break;
    case Report::Kind::Exited:
        end_ = processEnd(report);
        drain();
        break;
    case Report::Kind::AllGone: gone_ = true; break;
    case Report::Kind::File:
        if (!reported_)
            events_.fileOpened(request_, {static_cast<std::uint32_t>(report.number), report.value});
        break;
    case Report::Kind::Temporary: temporary_ = report.text.data(); break;
    case Report::Kind::Done:
        temporary_.clear();
        done_ = report.value;
        finishIfDrained();
        break;
    case Report::Kind::Failed:
        if (reported_) break;
        markReported();
        events_.failed(request_, {static_cast<std::uint32_t>(report.number), report.text.data()});
        break;
    }
}

/// The child has ended: a supervisor after AllGone, one for a file at any time.
void Job::controlEnded()
{
    loop_.forget(control_.get());
    control_.reset();
    if (!temporary_.empty()) unlink(temporary_.c_str());
    const bool died = isCommand_ && !gone_;
    strays_ = died;
    gone_ = true;
    if (reported_ || end_ || done_) return;
    markReported();
    events_.failed(request_, died ? Failure{EIO, "the command killed its supervisor"}
                                  : Failure{ECANCELED, "the transfer was ended"});
}

// Output --------------------------------------------------------------------------------------

void Job::enableOutput(bool enabled)
{
    outputEnabled_ = enabled;
    updateOutput();
}

void Job::updateOutput()
{
    const bool reads = reported_ || (started_ && outputEnabled_);
    for (const Output *output : {&output_, &error_})
        if (output->fd) loop_.change(output->fd.get(), reads ? watchRead : watchNothing);
}

void Job::outputReady(Output &output)
{
    if (reported_) {
        std::array<std::uint8_t, 16 * 1024> nowhere;
        return outputRead(output, read(output.fd.get(), nowhere.data(), nowhere.size()));
    }
    std::span<std::uint8_t> space = events_.outputSpace();
    if (output.left) space = space.first(std::min(space.size(), *output.left));
    if (space.empty()) return; // no room at the host; the loop turns us off before it waits
    const ssize_t bytes = read(output.fd.get(), space.data(), space.size());
    if (bytes > 0) {
        if (output.left) *output.left -= static_cast<std::size_t>(bytes);
        events_.outputFilled(request_, output.stream, static_cast<std::size_t>(bytes));
    }
    outputRead(output, bytes);
}

void Job::outputRead(Output &output, ssize_t bytes)
{
    // A terminal whose last user is gone says EIO.
    if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR)) closeOutput(output);
    finishIfDrained();
}

void Job::closeOutput(Output &output)
{
    loop_.forget(output.fd.get());
    output.fd.reset();
}

/// The first process has ended: what it wrote is in the pipes now, and nothing else is waited for.
void Job::drain()
{
    if (isTerminal_) {
        drainUntil_ = now() + terminalDrain;
    } else {
        for (Output *output : {&output_, &error_}) {
            int bytes = 0;
            if (output->fd) ioctl(output->fd.get(), FIONREAD, &bytes);
            output->left = static_cast<std::size_t>(bytes);
        }
    }
    finishIfDrained();
}

void Job::tick(Time now)
{
    if (!drainUntil_ || now < *drainUntil_) return;
    drainUntil_.reset();
    output_.left = 0;
    finishIfDrained();
}

void Job::finishIfDrained()
{
    if (reported_ || !output_.isDrained() || !error_.isDrained()) return;
    if (end_) {
        markReported();
        events_.exited(request_, *end_);
    } else if (done_) {
        markReported();
        events_.done(request_, *done_);
    }
}

void Job::markReported()
{
    reported_ = true;
    drainUntil_.reset();
    updateOutput();
    waiting_.clear();
    if (input_) loop_.forget(input_.get());
    input_.reset();
}

// Input ---------------------------------------------------------------------------------------

void Job::input(std::span<const std::uint8_t> bytes)
{
    if (!input_) return takeInput(bytes.size());
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    inputReady();
}

void Job::inputEnd()
{
    inputEnding_ = true;
    if (input_) inputReady();
}

void Job::takeInput(std::size_t bytes)
{
    if (bytes > 0 && !reported_) events_.inputTaken(request_, bytes);
}

void Job::inputReady()
{
    while (!waiting_.empty()) {
        const ssize_t bytes = write(input_.get(), waiting_.data(), waiting_.size());
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0 && errno == EAGAIN) return loop_.change(input_.get(), watchWrite);
        if (bytes < 0) {
            // Nobody reads it any more. The host may go on sending, as into any closed program.
            loop_.forget(input_.get());
            input_.reset();
            return takeInput(std::exchange(waiting_, {}).size());
        }
        waiting_.erase(waiting_.begin(), waiting_.begin() + bytes);
        takeInput(static_cast<std::size_t>(bytes));
    }
    loop_.change(input_.get(), watchNothing);
    if (!std::exchange(inputEnding_, false)) return;
    if (isTerminal_) {
        termios settings{};
        if (tcgetattr(input_.get(), &settings) == 0)
            static_cast<void>(!write(input_.get(), &settings.c_cc[VEOF], 1));
    } else {
        loop_.forget(input_.get());
        input_.reset();
    }
}

// Orders --------------------------------------------------------------------------------------

void Job::order(Order::Kind kind, std::int32_t number)
{
    const Order order{kind, number};
    if (control_) send(control_.get(), &order, sizeof order, MSG_NOSIGNAL);
}

void Job::signal(std::uint32_t number)
{
    if (isCommand_) order(Order::Kind::Signal, static_cast<std::int32_t>(number));
}

void Job::resize(const TerminalRequest &size)
{
    if (!isTerminal_ || !output_.fd) return;
    winsize window{};
    window.ws_row = size.rows;
    window.ws_col = size.columns;
    ioctl(output_.fd.get(), TIOCSWINSZ, &window);
}

void Job::kill()
{
    if (gone_) return;
    if (isCommand_) {
        ::kill(child_, SIGCONT); // should the command have stopped it
        order(Order::Kind::Kill);
    } else {
        ::kill(child_, SIGKILL);
    }
}

void Job::abandon()
{
    if (!reported_) markReported();
    kill();
}

} // namespace testcard::agent
