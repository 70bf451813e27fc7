// SPDX-License-Identifier: GPL-2.0-or-later
// The thread of a ClientState: moves bytes, opens the session, hands out what arrives.
#include "agent/client_state.hpp"
#include "protocol/wire.hpp"

#include <climits>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// The guest may not have booted yet; what we say meanwhile piles up in a socket.
constexpr Time openAgainAfter = 1s;
/// After this much quiet the guest is asked for a sign of life.
constexpr Time longestQuiet = 5s;
/// For the last words of a session.
constexpr int goodbye_ms = 100;
/// Requests, signals and sizes of terminals that a guest has not acknowledged.
constexpr std::size_t mostQueued = 4096;

Time now()
{
    return Clock::now().time_since_epoch();
}

} // namespace

void ClientState::serve()
{
    std::unique_lock lock(mutex_);
    heardAt_ = now();
    while (!stopping_ && !ended_)
        serveOnce(lock);
    if (stopping_) {
        fail(ErrorKind::Closed, "the client was closed");
        ended_ = true;
        sayGoodbye();
    }
}

void ClientState::serveOnce(std::unique_lock<std::mutex> &lock)
{
    keepTime(now());
    writeOut();
    if (ended_) return;
    const bool wantsToWrite = !link_.output().empty();
    const short events = static_cast<short>(wantsToWrite ? POLLIN | POLLOUT : POLLIN);
    std::array<pollfd, 3> fds{
        {{stream_.get(), events, 0}, {wake_.get(), POLLIN, 0}, {options_.stopFd, POLLIN, 0}}};
    const int wait_ms = waitTime(now());
    lock.unlock();
    poll(fds.data(), fds.size(), wait_ms);
    lock.lock();
    if (fds[2].revents != 0) {
        fail(ErrorKind::Stopped, "stopped on request");
        ended_ = true;
        sayGoodbye();
        return;
    }
    if (fds[1].revents != 0) {
        std::uint64_t count = 0;
        static_cast<void>(!read(wake_.get(), &count, sizeof count));
    }
    if (fds[0].revents != 0) readIn(lock);
}

void ClientState::readIn(std::unique_lock<std::mutex> &lock)
{
    const auto space = link_.space(); // used by this thread only
    lock.unlock();
    const ssize_t bytes = read(stream_.get(), space.data(), space.size());
    const int number = errno;
    lock.lock();
    if (bytes < 0 && (number == EAGAIN || number == EINTR)) return;
    if (bytes <= 0) {
        fail(ErrorKind::Closed,
             bytes == 0 ? std::string("the guest's end of the connection was closed")
                        : fmt::format("the connection broke: {}", std::strerror(number)));
        ended_ = true;
        return;
    }
    link_.received(static_cast<std::size_t>(bytes));
    handleFrames(lock);
}

void ClientState::writeOut()
{
    for (;;) {
        const auto output = link_.output();
        if (output.empty()) return;
        const ssize_t bytes = isSocket_
                                  ? send(stream_.get(), output.data(), output.size(), MSG_NOSIGNAL)
                                  : ::write(stream_.get(), output.data(), output.size());
        if (bytes < 0 && errno == EINTR) continue;
        // A broken connection is noticed by reading, after what arrived before it broke.
        if (bytes <= 0) return;
        link_.written(static_cast<std::size_t>(bytes), now());
    }
}

void ClientState::sayGoodbye()
{
    if (session_ == 0) return;
    link_.close();
    link_.sendControl(FrameKind::Close, session_);
    pollfd stream{stream_.get(), POLLOUT, 0};
    for (writeOut(); !link_.output().empty(); writeOut())
        if (poll(&stream, 1, goodbye_ms) <= 0 || (stream.revents & (POLLERR | POLLHUP)) != 0)
            return;
}

// Time ----------------------------------------------------------------------------------------

void ClientState::keepTime(Time now)
{
    link_.tick(now);
    if (link_.framesReceived() != framesHeard_) {
        framesHeard_ = link_.framesReceived();
        heardAt_ = now;
        pingAt_.reset();
    }
    if (phase_ == Phase::Opening && openAgainAt_ && now >= *openAgainAt_) sendOpen(now);
    if (phase_ != Phase::Open) return;
    if (link_.queuedMessages() > mostQueued)
        return fail(ErrorKind::Silent, "the guest takes no requests any more");
    if (options_.silence.count() == 0) return;
    // Counted from the question, not from the last word: a handler of the caller may have kept this
    // thread from listening for any time.
    if (!pingAt_ && now - heardAt_ >= std::min<Time>(longestQuiet, options_.silence / 4)) {
        link_.send(makeMessage(MessageType::Ping, 0));
        pingAt_ = now;
    }
    if (pingAt_ && now - *pingAt_ >= options_.silence)
        fail(ErrorKind::Silent, fmt::format("the guest's agent gave no sign of life for {:.1f} s",
                                            static_cast<double>(options_.silence.count()) / 1000));
}

int ClientState::waitTime(Time now) const
{
    std::optional<Time> next = link_.deadline();
    const auto consider = [&next](Time time) { next = next ? std::min(*next, time) : time; };
    if (phase_ == Phase::Opening && openAgainAt_) consider(*openAgainAt_);
    if (phase_ == Phase::Open && options_.silence.count() != 0)
        consider(pingAt_ ? *pingAt_ + options_.silence
                         : heardAt_ + std::min<Time>(longestQuiet, options_.silence / 4));
    if (!next) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
    return static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
}

void ClientState::sendOpen(Time now)
{
    openAgainAt_ = now + openAgainAfter;
    if (!link_.output().empty()) return; // nobody took the last one yet
    OpenRequest open;
    open.limits = link_.ownLimits();
    open.name = "testcard";
    link_.sendControl(FrameKind::Open, session_, encodeOpen(open));
}

// What arrives --------------------------------------------------------------------------------

void ClientState::handleFrames(std::unique_lock<std::mutex> &lock)
{
    for (;;) {
        const Link::Event event = link_.next(now());
        switch (event.kind) {
        case Link::EventKind::Nothing: return;
        case Link::EventKind::Message: message(event.frame.payload, lock); break;
        case Link::EventKind::Control: control(event.frame); break;
        case Link::EventKind::Violation:
            fail(ErrorKind::Protocol, fmt::format("the guest's agent sent {}", event.what));
            link_.lineReset();
            return;
        }
        if (stopping_) return;
    }
}

void ClientState::control(const Frame &frame)
{
    const bool ours = frame.header.session == session_;
    WireReader reader(frame.payload);
    switch (frame.header.kind) {
    case FrameKind::Announce:
        if (phase_ == Phase::Opening) openAgainAt_ = Time{};
        if (phase_ == Phase::Open)
            fail(ErrorKind::SessionLost, "the guest or its agent was started anew");
        break;
    case FrameKind::Accept:
        if (ours && phase_ == Phase::Opening) accepted(frame);
        break;
    case FrameKind::Refuse:
        if (ours && phase_ == Phase::Opening)
            fail(ErrorKind::Connect, fmt::format("the guest's agent refuses the session: {}",
                                                 printable(reader.string())));
        break;
    case FrameKind::Reset:
        if (ours && phase_ == Phase::Open)
            fail(ErrorKind::SessionLost, fmt::format("the guest's agent has ended the session {}",
                                                     printable(reader.string())));
        break;
    default: break; // of an earlier session, or our own echoed by a line
    }
}

void ClientState::accepted(const Frame &frame)
{
    const auto welcome = decodeWelcome(frame.payload);
    if (!welcome || welcome->version != protocolVersion)
        return fail(ErrorKind::Protocol, "the guest's agent opens the session with nonsense");
    info_ = {.protocolVersion = welcome->version,
             .agentVersion = welcome->agentVersion,
             .system = welcome->system,
             .kernel = welcome->kernel,
             .machine = welcome->machine,
             .hostName = welcome->hostName,
             .uptime = std::chrono::nanoseconds(welcome->uptime_ns),
             .canPowerOff = welcome->canPowerOff};
    link_.open(session_, welcome->limits);
    phase_ = Phase::Open;
    heardAt_ = now();
    pingAt_.reset();
    changed_.notify_all();
}

void ClientState::message(std::span<const std::uint8_t> payload, std::unique_lock<std::mutex> &lock)
{
    const auto view = decodeHead(payload);
    bool good = false;
    if (view && view->type == MessageType::Marked)
        good = markCame(*view, lock);
    else if (view && view->type == MessageType::Pong && view->request == 0)
        good = true;
    else if (view)
        good = requestMessage(*view, lock);
    if (!good)
        fail(ErrorKind::Protocol,
             view ? fmt::format("the guest's agent sent a message that makes no sense here "
                                "(type {:#04x}, request {}, {} bytes)",
                                static_cast<unsigned>(view->type), view->request, payload.size())
                  : "the guest's agent sent a message without a head");
}

/// Takes a value that may come only once.
template <typename Value>
bool takeOnce(std::optional<Value> &place, const std::optional<Value> &value)
{
    if (place || !value) return false;
    place = value;
    return true;
}

/// False: not allowed here.
bool ClientState::requestMessage(const MessageView &view, std::unique_lock<std::mutex> &lock)
{
    const auto found = requests_.find(view.request);
    if (found == requests_.end()) return false;
    const RequestPointer request = found->second;
    ++request->progress;
    bool good = false;
    switch (view.type) {
    case MessageType::Output: good = outputCame(request, view, lock); break;
    case MessageType::Started: good = takeOnce(request->process, decodeNumber(view.body)); break;
    case MessageType::File: good = takeOnce(request->file, decodeFile(view.body)); break;
    case MessageType::Exited: good = takeOnce(request->exit, decodeExit(view.body)); break;
    case MessageType::Pong:
    case MessageType::Done: {
        WireReader reader(view.body);
        request->done = reader.u64();
        good = reader.finished();
        break;
    }
    case MessageType::InputCredit: {
        const auto more = decodeNumber(view.body);
        // No more than it took away from what we sent.
        good = more && *more <= inputCreditBytes - request->credit;
        if (good) request->credit += *more;
        if (good) sendInput(*request);
        break;
    }
    case MessageType::Failed:
        if (const auto failure = decodeFailure(view.body)) {
            const bool tooLarge = failure->number == EFBIG;
            request->error = Error{tooLarge ? ErrorKind::TooLarge : ErrorKind::Refused,
                                   failure->text, static_cast<int>(failure->number)};
            good = true;
        }
        break;
    default: break;
    }
    if (request->isFinished()) finish(*request);
    notify(*request);
    return good;
}

bool ClientState::outputCame(const RequestPointer &request, const MessageView &view,
                             std::unique_lock<std::mutex> &lock)
{
    const auto output = decodeOutput(view.body);
    if (!output) return false;
    if (!request->sink || request->isDetached) return true;
    request->sinkBusy = true;
    lock.unlock();
    request->sink(output->stream, output->bytes);
    lock.lock();
    request->sinkBusy = false;
    changed_.notify_all();
    return true;
}

bool ClientState::markCame(const MessageView &view, std::unique_lock<std::mutex> &lock)
{
    const auto mark = decodeMark(view.body);
    if (!mark) return false;
    if (!options_.onMark) return true;
    lock.unlock();
    options_.onMark({mark->text, std::chrono::nanoseconds(mark->time_ns)});
    lock.lock();
    return true;
}

// Ends ----------------------------------------------------------------------------------------

void ClientState::finish(Request &request)
{
    request.input.clear();
    request.inputAt = 0;
    requests_.erase(request.number);
}

void ClientState::notify(Request &request)
{
    changed_.notify_all();
    if (request.event) {
        const std::uint64_t one = 1;
        static_cast<void>(!::write(request.event.get(), &one, sizeof one));
    }
}

/// The session is over: every request ends with this error, and so does every later call.
void ClientState::fail(ErrorKind kind, std::string message)
{
    if (phase_ == Phase::Failed) return; // the first reason is the one that helps
    phase_ = Phase::Failed;
    error_ = {kind, std::move(message)};
    link_.close();
    for (const auto &[number, request] : std::exchange(requests_, {})) {
        request->error = error_;
        notify(*request);
    }
    changed_.notify_all();
}

void ClientState::wake()
{
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
}

} // namespace testcard::agent
