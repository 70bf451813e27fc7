// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture.hpp"

#include "frame_stream.hpp"
#include "video_device.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace testcard::agent
{
namespace
{

using Clock = Judge::Clock;
using std::chrono::milliseconds;

void watchdogFired(int)
{
    static const char message[] = "frame-check: the driver does not return from a system call\n";
    if (::write(STDERR_FILENO, message, sizeof message - 1) < 0) ::_exit(1);
    ::_exit(static_cast<int>(ExitCode::failed));
}

/// Ends the program if it is not told in time that all is well: poll() has its deadlines, an ioctl
/// that a driver never finishes has not.
class Watchdog
{
public:
    explicit Watchdog(milliseconds patience)
        : seconds_{static_cast<unsigned>(patience.count() / 1000) + 5}
    {
        std::signal(SIGALRM, watchdogFired);
        allIsWell();
    }
    ~Watchdog() { ::alarm(0); }
    void allIsWell() const { ::alarm(seconds_); }

private:
    unsigned seconds_;
};

/// Why a stretch of streaming ended without a failure.
enum class Ended : std::uint8_t { finished, sourceChanged };

class DeviceCapture
{
public:
    DeviceCapture(const Options &options, Judge &judge, Outcome &outcome)
        : options_{options},
          judge_{judge},
          outcome_{outcome},
          watchdog_{std::max(options.frameTimeout, options.signalTimeout)}
    {
    }

    Result<void> run()
    {
        auto opened = VideoDevice::open(options_.device);
        if (!opened) return tl::unexpected(opened.error());
        VideoDevice &device = *opened;
        outcome_.driver = device.driver();
        outcome_.card = device.card();
        for (;;) {
            const auto ended = streamOnce(device);
            outcome_.events = device.events();
            if (!ended) return tl::unexpected(ended.error());
            if (*ended == Ended::finished) return {};
        }
    }

private:
    /// From the signal's timings to the end of the stream, or to their change.
    Result<Ended> streamOnce(VideoDevice &device)
    {
        watchdog_.allIsWell();
        if (auto adopted = device.adoptSignal(options_.signalTimeout); !adopted)
            return tl::unexpected(adopted.error());
        watchdog_.allIsWell(); // waiting for the signal may have taken long
        const auto format = device.setFormat(options_.format);
        if (!format) return tl::unexpected(format.error());
        outcome_.shape = format->shape;
        outcome_.nominalRate = device.nominalRate();
        judge_.streamStarted();
        auto stream = startStream(device, *format, options_);
        if (!stream) return tl::unexpected(stream.error());
        return receive(device, *format, **stream);
    }

    Result<Ended> receive(VideoDevice &device, const NegotiatedFormat &format, FrameStream &stream)
    {
        auto deadline = Clock::now() + options_.frameTimeout;
        while (!judge_.finished()) {
            const short happened = waitFor(device.fd(), deadline);
            const bool changed = (happened & POLLPRI) != 0 && device.takeEvents();
            if (changed && options_.followSourceChange) return Ended::sourceChanged;
            auto frame = stream.take();
            if (!frame) return tl::unexpected(frame.error());
            if (*frame) {
                if (auto judged = judge(format, **frame); !judged)
                    return tl::unexpected(judged.error());
                if (auto given = stream.giveBack(**frame); !given)
                    return tl::unexpected(given.error());
                deadline = Clock::now() + options_.frameTimeout;
                watchdog_.allIsWell();
            } else if ((happened & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
                return failed("the device reports an error instead of a frame");
            } else if (Clock::now() >= deadline) {
                return stopped(device);
            }
        }
        return Ended::finished;
    }

    /// What poll() says, at the latest when the deadline or the time of the run is over.
    short waitFor(int fd, Clock::time_point deadline) const
    {
        auto wait = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (options_.duration) wait = std::min(wait, milliseconds{50}); // finished() has a clock
        pollfd waiting{fd, POLLIN | POLLPRI, 0};
        if (::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(0, wait.count()))) < 0)
            return 0;
        return waiting.revents;
    }

    Result<void> judge(const NegotiatedFormat &format, const ReceivedFrame &frame)
    {
        return judge_.receive({format.shape, frame.bytes, format.stride},
                              {.sequence = frame.sequence, .flagged = frame.flagged},
                              frame.timestamp_us);
    }

    tl::unexpected<Failure> stopped(const VideoDevice &device) const
    {
        std::string message = "the device delivered no frame for " +
                              std::to_string(options_.frameTimeout.count()) + " ms, after " +
                              std::to_string(judge_.checker().counts().received);
        if (device.events().sourceChange > 0 && !options_.followSourceChange)
            message += "; the source has changed (--follow-source-change goes on then)";
        return failed(std::move(message));
    }

    const Options &options_;
    Judge &judge_;
    Outcome &outcome_;
    Watchdog watchdog_;
};

/// Reads until `into` is full or the input ends; the number of bytes.
Result<std::size_t> readFully(std::span<std::uint8_t> into)
{
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t count = ::read(STDIN_FILENO, into.data() + done, into.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed("cannot read standard input", errno);
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

Result<void> judgeStandardInput(const Options &options, const feed::Shape &shape, Judge &judge)
{
    std::vector<std::uint8_t> bytes(shape.bytes());
    judge.streamStarted();
    while (!judge.finished()) {
        const auto count = readFully(bytes);
        if (!count) return tl::unexpected(count.error());
        const std::string received = std::to_string(judge.checker().counts().received);
        if (*count == 0 && options.frames)
            return failed("standard input ended after " + received + " frames");
        if (*count == 0) return {};
        if (*count < bytes.size())
            return failed("standard input ended within a frame, after " + received);
        if (auto judged = judge.receive(feed::viewOf(shape, bytes), {}, std::nullopt); !judged)
            return judged;
    }
    return {};
}

} // namespace

Outcome captureFromDevice(const Options &options, Judge &judge)
{
    Outcome outcome;
    if (auto done = DeviceCapture{options, judge, outcome}.run(); !done)
        outcome.failure = done.error();
    return outcome;
}

Outcome readFromStandardInput(const Options &options, Judge &judge)
{
    Outcome outcome;
    outcome.shape = feed::Shape{options.format, options.width, options.height};
    if (auto done = judgeStandardInput(options, *outcome.shape, judge); !done)
        outcome.failure = done.error();
    return outcome;
}

} // namespace testcard::agent
