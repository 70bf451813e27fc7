// SPDX-License-Identifier: GPL-2.0-or-later
// The callers' side of a ClientState: requests, and waiting for them.
#include "agent/client_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <utility>

#include <sys/eventfd.h>
#include <sys/socket.h>

namespace testcard::agent
{

namespace
{

constexpr LinkLimits ownLimits{.window = mostWindowBytes,
                               .maxPayload = static_cast<std::uint32_t>(maxPayloadBytes)};

bool isSocket(int fd)
{
    int type = 0;
    socklen_t length = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}

std::uint32_t randomSession()
{
    std::random_device device;
    return std::uniform_int_distribution<std::uint32_t>(1)(device);
}

} // namespace

ClientState::ClientState(FileDescriptor stream, ConnectOptions options)
    : options_(std::move(options)),
      stream_(std::move(stream)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      isSocket_(isSocket(stream_.get())),
      link_(ownLimits)
{
    makeNonBlocking(stream_.get());
    // Signals are for the threads of the program that uses us.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ClientState::~ClientState()
{
    shutDown();
}

void ClientState::shutDown()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
}

tl::expected<void, Error> ClientState::open(std::chrono::milliseconds timeout)
{
    std::unique_lock lock(mutex_);
    if (ended_) return tl::unexpected(error_);
    fail(ErrorKind::SessionLost, "another session was opened");
    phase_ = Phase::Opening;
    session_ = randomSession();
    openAgainAt_ = Time{}; // at once
    wake();
    const bool inTime = changed_.wait_for(lock, timeout, [&] { return phase_ != Phase::Opening; });
    if (!inTime)
        fail(ErrorKind::Connect,
             fmt::format("no agent answered within {:.1f} s: does testcard-agent run in the guest?",
                         static_cast<double>(timeout.count()) / 1000));
    if (phase_ != Phase::Open) return tl::unexpected(error_);
    return {};
}

tl::expected<RequestPointer, Error>
ClientState::begin(const std::function<MessageBuffer(std::uint32_t)> &make, Sink sink,
                   const std::function<void(Request &)> &prepare)
{
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::Open) return tl::unexpected(error_);
    if (requests_.size() >= mostRequests)
        return tl::unexpected(
            Error{ErrorKind::TooLarge, fmt::format("more than {} requests at once", mostRequests)});
    do // skip 0, which means no request, and numbers still in use after 2^32 requests
        ++lastNumber_;
    while (lastNumber_ == 0 || requests_.contains(lastNumber_));
    MessageBuffer message = make(lastNumber_);
    const std::size_t bytes = message.size() - frameHeaderBytes;
    if (bytes > link_.maxPayload())
        return tl::unexpected(Error{
            ErrorKind::TooLarge,
            fmt::format("the request takes {} bytes, the guest takes {}: put long arguments into "
                        "a file",
                        bytes, link_.maxPayload())});
    auto request = std::make_shared<Request>(lastNumber_);
    request->sink = std::move(sink);
    requests_[request->number] = request;
    link_.send(std::move(message));
    if (prepare) prepare(*request);
    sendInput(*request);
    wake();
    return request;
}

void ClientState::post(const Request &request, MessageBuffer message)
{
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::Open || request.isFinished()) return;
    link_.send(std::move(message));
    wake();
}

void ClientState::detach(const RequestPointer &request)
{
    std::unique_lock lock(mutex_);
    // A handler that drops its own command would wait for itself.
    if (std::this_thread::get_id() != thread_.get_id())
        changed_.wait(lock, [&] { return !request->sinkBusy; });
    request->isDetached = true;
    if (request->isFinished() || phase_ != Phase::Open) return;
    link_.send(makeMessage(MessageType::Cancel, request->number));
    wake();
}

bool ClientState::waitUntil(const Request &request, Deadline deadline,
                            const std::function<bool(const Request &)> &ready)
{
    std::unique_lock lock(mutex_);
    const auto over = [&] { return request.isFinished() || (ready && ready(request)); };
    if (!deadline) {
        changed_.wait(lock, over);
        return true;
    }
    return changed_.wait_until(lock, *deadline, over);
}

tl::expected<void, Error>
ClientState::waitWithProgress(const RequestPointer &request,
                              const std::function<bool(const Request &)> &ready,
                              std::string_view what)
{
    for (std::uint64_t seen = 0;;) {
        locked([&] { seen = request->progress; });
        const Deadline deadline = Clock::now() + options_.answer;
        const bool inTime = waitUntil(*request, deadline, [&](const Request &now) {
            return now.progress != seen || (ready && ready(now));
        });
        if (!inTime)
            return tl::unexpected(
                Error{ErrorKind::Timeout,
                      fmt::format("{}: the guest did nothing about it for {:.1f} s", what,
                                  static_cast<double>(options_.answer.count()) / 1000)});
        bool over = false;
        locked([&] { over = request->isFinished() || (ready && ready(*request)); });
        if (over) return {};
    }
}

void ClientState::locked(const std::function<void()> &look)
{
    const std::lock_guard lock(mutex_);
    look();
}

// Input ---------------------------------------------------------------------------------------

tl::expected<void, Error> ClientState::write(const RequestPointer &request, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto taken = writeSome(*request, bytes);
        if (!taken) return tl::unexpected(taken.error());
        bytes.remove_prefix(*taken);
        if (*taken == 0) waitUntil(*request, {}, [](const Request &now) { return now.credit > 0; });
    }
    return {};
}

tl::expected<std::size_t, Error> ClientState::writeSome(Request &request, std::string_view bytes)
{
    const std::lock_guard lock(mutex_);
    if (request.error) return tl::unexpected(*request.error);
    if (request.isFinished())
        return tl::unexpected(Error{ErrorKind::Refused, "the command has ended", 32 /* EPIPE */});
    if (request.inputEnd)
        return tl::unexpected(Error{ErrorKind::Refused, "its input was closed", 32 /* EPIPE */});
    if (!request.isInputSent() || request.credit == 0) return 0;
    const std::size_t taken = std::min(bytes.size(), request.credit);
    request.input.assign(bytes.substr(0, taken));
    request.inputAt = 0;
    sendInput(request);
    wake();
    return taken;
}

void ClientState::endInput(Request &request)
{
    const std::lock_guard lock(mutex_);
    request.inputEnd = true;
    sendInput(request);
    wake();
}

/// Sends of the request's input what the guest has granted.
void ClientState::sendInput(Request &request)
{
    if (phase_ != Phase::Open || request.isFinished()) return;
    const std::size_t most = link_.maxPayload() - messageHeadBytes;
    while (!request.isInputSent() && request.credit > 0) {
        const std::size_t bytes =
            std::min({request.input.size() - request.inputAt, request.credit, most});
        const auto *from =
            reinterpret_cast<const std::uint8_t *>(request.input.data()) + request.inputAt;
        link_.send(encodeBytes(MessageType::Input, request.number, {from, bytes}));
        request.inputAt += bytes;
        request.credit -= bytes;
    }
    if (!request.isInputSent() || !request.inputEnd || request.inputEndSent) return;
    request.inputEndSent = true;
    link_.send(makeMessage(MessageType::InputEnd, request.number));
}

} // namespace testcard::agent
