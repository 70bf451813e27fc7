// SPDX-License-Identifier: GPL-2.0-or-later
// The requests of a session: what the host asks for, and what the system says became of it.
#include "core/agent.hpp"
#include "protocol/wire.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// The host's last acknowledgement before power off; without it the guest goes all the same.
constexpr Time powerGrace = 1s;
/// Below this the bytes are copied out of the scratch message rather than sent with it.
constexpr std::size_t copyBelow = 16 * 1024;
/// A virtio port takes 32 KiB in one write: two writes a frame, not two and a tiny one.
constexpr std::size_t largestFrame = 64 * 1024;

} // namespace

// What the host asks for ----------------------------------------------------------------------

void Agent::message(std::span<const std::uint8_t> payload, Time now)
{
    const auto view = decodeHead(payload);
    if (!view) return violated("a message without a head");
    switch (view->type) {
    case MessageType::Ping: return pingAsked(*view, now);
    case MessageType::Run: return runAsked(*view, now);
    case MessageType::Input:
    case MessageType::InputEnd: return inputCame(*view);
    case MessageType::Signal: return signalAsked(*view);
    case MessageType::Resize: return resizeAsked(*view);
    case MessageType::Cancel: return cancelAsked(*view, now);
    case MessageType::Put: return putAsked(*view);
    case MessageType::Get: return getAsked(*view);
    case MessageType::MakeDirectory: return makeDirectoryAsked(*view);
    case MessageType::Power: return powerAsked(*view, now);
    case MessageType::Mark: return markAsked(*view);
    default: return refuse(view->request, ENOSYS, "this agent does not know that request");
    }
}

void Agent::refuse(std::uint32_t request, int number, std::string_view text)
{
    link_.send(encode(request, Failure{static_cast<std::uint32_t>(number), std::string(text)}));
}

/// Whether a request of this number may begin; if not the host is told.
bool Agent::admit(const MessageView &view, bool isCommand)
{
    if (requests_.contains(view.request)) {
        violated("a request number that is in use");
        return false;
    }
    if (requests_.size() >= mostRequests) {
        refuse(view.request, EAGAIN,
               "more than " + std::to_string(mostRequests) + " requests at once");
        return false;
    }
    Request &request = requests_[view.request];
    request.isCommand = isCommand;
    request.credit = inputCreditBytes;
    return true;
}

void Agent::runAsked(const MessageView &view, Time now)
{
    const auto run = decodeRun(view.body);
    if (!run) return refuse(view.request, EINVAL, "the request to run something is malformed");
    if (!admit(view, true)) return;
    if (run->timeout_ms != 0)
        requests_[view.request].timeout = now + std::chrono::milliseconds(run->timeout_ms);
    system_.run(view.request, *run);
}

void Agent::putAsked(const MessageView &view)
{
    const auto put = decodePut(view.body);
    if (!put) return refuse(view.request, EINVAL, "the request to write a file is malformed");
    if (admit(view, false)) system_.put(view.request, *put);
}

void Agent::getAsked(const MessageView &view)
{
    const auto get = decodeGet(view.body);
    if (!get) return refuse(view.request, EINVAL, "the request to read a file is malformed");
    if (admit(view, false)) system_.get(view.request, *get);
}

void Agent::makeDirectoryAsked(const MessageView &view)
{
    const auto make = decodeMakeDirectory(view.body);
    if (!make) return refuse(view.request, EINVAL, "the request to make a folder is malformed");
    if (admit(view, false)) system_.makeDirectory(view.request, *make);
}

// What concerns a request that has ended meanwhile is no mistake of the host: it is ignored.

void Agent::inputCame(const MessageView &view)
{
    const auto found = requests_.find(view.request);
    if (found == requests_.end()) return;
    if (view.type == MessageType::InputEnd) return system_.inputEnd(view.request);
    if (view.body.size() > found->second.credit) return violated("more input than was granted");
    found->second.credit -= view.body.size();
    system_.input(view.request, view.body);
}

void Agent::signalAsked(const MessageView &view)
{
    const auto number = decodeNumber(view.body);
    if (!number || *number == 0 || *number > 64) return violated("a malformed signal");
    if (requests_.contains(view.request)) system_.signal(view.request, *number);
}

void Agent::resizeAsked(const MessageView &view)
{
    const auto size = decodeResize(view.body);
    if (!size) return violated("a malformed size of a terminal");
    if (requests_.contains(view.request)) system_.resize(view.request, *size);
}

void Agent::cancelAsked(const MessageView &view, Time now)
{
    const auto found = requests_.find(view.request);
    if (found == requests_.end()) return;
    Request &request = found->second;
    if (request.giveUp) return; // it is being killed already
    request.cancelled = true;
    killRequest(view.request, request, now);
}

void Agent::markAsked(const MessageView &view)
{
    const std::string_view text(reinterpret_cast<const char *>(view.body.data()), view.body.size());
    if (!system_.writeKernelLog(printable(text, mostMarkBytes)))
        return refuse(view.request, errno,
                      std::string("the kernel log cannot be written: ") + std::strerror(errno));
    done(view.request, 0);
}

void Agent::pingAsked(const MessageView &view, Time now)
{
    MessageBuffer pong = makeMessage(MessageType::Pong, view.request);
    WireWriter(pong).u64(static_cast<std::uint64_t>(now.count()));
    link_.send(std::move(pong));
}

void Agent::powerAsked(const MessageView &view, Time now)
{
    const auto action = decodePower(view.body);
    if (!action) return refuse(view.request, EINVAL, "the request to power off is malformed");
    if (!system_.describe().canPowerOff)
        return refuse(view.request, EPERM, "the agent was not allowed to power off (--power)");
    done(view.request, 0);
    power_ = PowerPending{*action, view.request, now + powerGrace};
}

/// Powers off as soon as the host has our consent.
void Agent::powerIfDue(Time now)
{
    if (!power_) return;
    if (link_.isOpen() && link_.queuedMessages() > 0 && now < power_->giveUp) return;
    const PowerPending pending = *std::exchange(power_, std::nullopt);
    if (!system_.power(pending.action)) violated("the guest could not power off");
}

// What the system reports ---------------------------------------------------------------------

void Agent::started(std::uint32_t request, std::uint32_t process)
{
    link_.send(encodeNumber(MessageType::Started, request, process));
}

std::span<std::uint8_t> Agent::outputSpace()
{
    if (!hasRoom()) return {};
    if (scratch_.empty())
        scratch_ =
            makeOutput(0, OutputStream::Output, largestFrame - frameHeaderBytes - outputHeadBytes);
    const std::size_t head = frameHeaderBytes + outputHeadBytes;
    const std::size_t frame =
        std::min(largestFrame, frameHeaderBytes + link_.maxPayload() + frameTrailerBytes);
    return std::span(scratch_).subspan(head, frame - head - frameTrailerBytes);
}

void Agent::outputFilled(std::uint32_t request, OutputStream stream, std::size_t bytes)
{
    const std::size_t head = frameHeaderBytes + outputHeadBytes;
    MessageBuffer message = makeOutput(request, stream, 0);
    if (bytes < copyBelow) {
        message.insert(message.end(), scratch_.begin() + static_cast<std::ptrdiff_t>(head),
                       scratch_.begin() + static_cast<std::ptrdiff_t>(head + bytes));
    } else {
        std::copy(message.begin(), message.end(), scratch_.begin());
        message = std::exchange(scratch_, {});
        message.resize(head + bytes);
    }
    link_.send(std::move(message));
}

void Agent::inputTaken(std::uint32_t request, std::size_t bytes)
{
    const auto found = requests_.find(request);
    if (found == requests_.end()) return;
    found->second.credit += bytes;
    link_.send(encodeNumber(MessageType::InputCredit, request, static_cast<std::uint32_t>(bytes)));
}

void Agent::exited(std::uint32_t request, const ProcessEnd &end)
{
    const auto found = requests_.find(request);
    if (found == requests_.end()) return;
    ExitReport exit;
    exit.bySignal = end.bySignal;
    exit.value = end.value;
    exit.duration_ns = end.duration_ns;
    exit.timedOut = found->second.timedOut;
    exit.cancelled = found->second.cancelled;
    link_.send(encode(request, exit));
    requests_.erase(found);
}

void Agent::fileOpened(std::uint32_t request, const FileReport &file)
{
    link_.send(encode(request, file));
}

void Agent::done(std::uint32_t request, std::uint64_t value)
{
    MessageBuffer message = makeMessage(MessageType::Done, request);
    WireWriter(message).u64(value);
    link_.send(std::move(message));
    requests_.erase(request);
}

void Agent::failed(std::uint32_t request, const Failure &failure)
{
    link_.send(encode(request, failure));
    requests_.erase(request);
}

bool Agent::marked(const MarkReport &mark)
{
    if (!link_.isOpen()) return true; // nobody listens: the program goes on all the same
    if (!hasRoom()) return false;
    link_.send(encode(mark));
    return true;
}

} // namespace testcard::agent
