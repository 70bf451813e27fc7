// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind a Client: the stream and the thread that serves it, the session, the requests.
#pragma once

#include "agent/client.hpp"
#include "agent/request.hpp"
#include "linux/file_descriptor.hpp"
#include "protocol/link.hpp"
#include "protocol/messages.hpp"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

namespace testcard::agent
{

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;
using RequestPointer = std::shared_ptr<Request>;

class ClientState
{
public:
    ClientState(FileDescriptor stream, ConnectOptions options);
    ~ClientState();
    ClientState(const ClientState &) = delete;
    ClientState &operator=(const ClientState &) = delete;

    /// Opens a session, after the one before if there is one.
    tl::expected<void, Error> open(std::chrono::milliseconds timeout);
    /// Ends session and thread; every call ends with ErrorKind::Closed.
    void shutDown();

    const ConnectOptions &options() const { return options_; }
    const GuestInfo &info() const { return info_; }

    /// Sends the message that `make` builds for a new request's number.
    tl::expected<RequestPointer, Error>
    begin(const std::function<MessageBuffer(std::uint32_t)> &make, Sink sink = {},
          const std::function<void(Request &)> &prepare = {});
    /// Sends a message about a request, if it is not finished. Does not wait.
    void post(const Request &request, MessageBuffer message);
    /// The caller loses interest: the sink is not called any more once this returns, and a request
    /// that is not finished is cancelled.
    void detach(const RequestPointer &request);

    /// Waits until `ready` or the request is finished; false if the deadline came first. `ready` is
    /// called under the mutex.
    bool waitUntil(const Request &request, Deadline deadline,
                   const std::function<bool(const Request &)> &ready = {});
    /// Waits for the end of a request as long as the guest shows progress on it at least every
    /// ConnectOptions::answer.
    tl::expected<void, Error> waitWithProgress(const RequestPointer &request,
                                               const std::function<bool(const Request &)> &ready,
                                               std::string_view what);
    /// Hands over input; it is sent as the guest grants credit. Waits until earlier input is sent.
    tl::expected<void, Error> write(const RequestPointer &request, std::string_view bytes);
    /// As write() without waiting: how much was taken.
    tl::expected<std::size_t, Error> writeSome(Request &request, std::string_view bytes);
    void endInput(Request &request);

    /// Runs `look` under the mutex.
    void locked(const std::function<void()> &look);

private:
    enum class Phase {
        Closed,  ///< no session was opened yet
        Opening, ///< Open is being sent
        Open,
        Failed, ///< error_ says why
    };

    // The client's thread.
    void serve();
    void serveOnce(std::unique_lock<std::mutex> &lock);
    void writeOut();
    void readIn(std::unique_lock<std::mutex> &lock);
    void handleFrames(std::unique_lock<std::mutex> &lock);
    void keepTime(Time now);
    void sendOpen(Time now);
    int waitTime(Time now) const;
    void sayGoodbye();

    // What arrives, on the client's thread.
    void control(const Frame &frame);
    void accepted(const Frame &frame);
    void message(std::span<const std::uint8_t> payload, std::unique_lock<std::mutex> &lock);
    bool requestMessage(const MessageView &view, std::unique_lock<std::mutex> &lock);
    bool outputCame(const RequestPointer &request, const MessageView &view,
                    std::unique_lock<std::mutex> &lock);
    bool markCame(const MessageView &view, std::unique_lock<std::mutex> &lock);

    void sendInput(Request &request);
    void finish(Request &request);
    void notify(Request &request);
    void fail(ErrorKind kind, std::string message);
    void wake();

    const ConnectOptions options_;
    FileDescriptor stream_;
    FileDescriptor wake_; ///< eventfd: there is something to do for the thread
    bool isSocket_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Phase phase_ = Phase::Closed;
    Error error_;
    bool ended_ = false; ///< the stream cannot be used again
    bool stopping_ = false;
    GuestInfo info_;
    Link link_;
    std::uint32_t session_ = 0;
    std::optional<Time> openAgainAt_;
    std::map<std::uint32_t, RequestPointer> requests_;
    std::uint32_t lastNumber_ = 0;

    // Signs of life.
    std::uint64_t framesHeard_ = 0;
    Time heardAt_{};
    std::optional<Time> pingAt_; ///< asked for one and heard nothing since

    std::thread thread_;
};

} // namespace testcard::agent
