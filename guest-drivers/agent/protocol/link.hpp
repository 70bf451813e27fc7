// SPDX-License-Identifier: GPL-2.0-or-later
// Both ends of a session use a Link to make a noisy byte stream into an ordered, complete sequence
// of messages: README.md, "Delivery". It has no idea of files, threads and wall time. Its owner
// moves bytes between the Link and the line, tells the time, and takes what next() gives.
#pragma once

#include "protocol/frame.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace testcard::agent
{

/// Since any fixed moment; only differences count.
using Time = std::chrono::nanoseconds;

/// A message on its way out: the room of a frame's header, then the payload.
using MessageBuffer = std::vector<std::uint8_t>;

/// What one end can take, as it says when the session opens.
struct LinkLimits {
    std::uint32_t window = 0;     ///< bytes of payload that may be sent without acknowledgement
    std::uint32_t maxPayload = 0; ///< bytes of payload of one frame
};

inline constexpr std::uint32_t leastPayloadBytes = 4096; ///< every implementation can take these
inline constexpr std::uint32_t leastWindowBytes = 4096;
inline constexpr std::uint32_t mostWindowBytes = 1 << 20;

/// `limits` within what the protocol allows: nothing that the peer says makes us keep more.
LinkLimits boundedLimits(LinkLimits limits);

class Link
{
public:
    enum class EventKind {
        Nothing,   ///< more bytes are needed
        Message,   ///< the next message of the session
        Control,   ///< a frame that opens or ends sessions; `frame.header` says which
        Violation, ///< the peer breaks the protocol; `what` says how. The session is over.
    };
    struct Event {
        EventKind kind = EventKind::Nothing;
        Frame frame; ///< payload valid until the next call of space() or next()
        const char *what = nullptr;
    };

    /// `own` is what this end takes.
    explicit Link(LinkLimits own);

    /// Begins a session with a peer that takes `peer` (bounded by the caller). What was under way
    /// in an earlier one is forgotten.
    void open(std::uint32_t session, LinkLimits peer);
    /// Ends it; control frames still work.
    void close();
    bool isOpen() const { return open_; }
    std::uint32_t session() const { return session_; }
    /// The line itself began anew: half frames of either direction are forgotten as well.
    void lineReset();

    // From the line.
    std::span<std::uint8_t> space() { return decoder_.space(); }
    void received(std::size_t bytes) { decoder_.received(bytes); }
    Event next(Time now);

    // To the line.
    /// The next bytes to write, empty if there are none now.
    std::span<const std::uint8_t> output();
    void written(std::size_t bytes, Time now);

    /// Queues a message (frameHeaderBytes of room, then at most maxPayload() bytes).
    void send(MessageBuffer message);
    void sendControl(FrameKind kind, std::uint32_t session,
                     std::span<const std::uint8_t> payload = {});
    /// Bytes of payload that may be queued before the peer has to acknowledge some. Senders of bulk
    /// data wait while it is 0; answers, whose number is bounded otherwise, may go beyond.
    std::size_t room() const;
    LinkLimits ownLimits() const { return own_; }
    std::size_t maxPayload() const { return peer_.maxPayload; }
    std::size_t queuedMessages() const { return queue_.size(); }

    /// When tick() wants to be called.
    std::optional<Time> deadline() const { return retryAt_; }
    void tick(Time now);

    std::uint64_t skippedBytes() const { return decoder_.skippedBytes(); }
    std::uint64_t framesReceived() const { return decoder_.framesReceived(); }
    std::uint64_t framesSentAgain() const { return sentAgain_; }

private:
    using Bytes = std::shared_ptr<MessageBuffer>;

    /// The frame whose bytes are on their way to the line.
    struct Writing {
        Bytes bytes;
        std::size_t offset = 0;
        bool isData = false;
        std::uint32_t sequence = 0;
    };

    std::optional<Event> session(const Frame &frame, Time now);
    const char *acknowledged(const FrameHeader &header, Time now);
    bool accepts(std::uint32_t sequence);
    void askAgainForDamaged();
    bool chooseNext();
    void startData(std::size_t index);
    void sendAcknowledgement();
    void goBack();
    void armRetry(Time now);

    FrameDecoder decoder_;
    LinkLimits own_;
    LinkLimits peer_;
    bool open_ = false;
    std::uint32_t session_ = 0;

    // What we send: queue_[i] has the number base_ + i. [0, sent_) were written completely at least
    // once; [0, next_) need not be written (again) unless the peer or the clock says so.
    std::deque<Bytes> queue_;
    std::deque<Bytes> control_;
    Writing writing_;
    std::uint32_t base_ = 0;
    std::size_t sent_ = 0;
    std::size_t next_ = 0;
    std::size_t queuedBytes_ = 0; ///< payload in queue_
    std::size_t flyingBytes_ = 0; ///< payload in queue_[0, next_)

    // Repetition.
    std::optional<Time> retryAt_;
    Time retryAfter_;
    bool probe_ = false;      ///< queue_[0] is due once more
    bool recovering_ = false; ///< a probe went out: progress means that what followed was lost, too
    std::uint64_t sentAgain_ = 0;

    // What we receive.
    std::uint32_t expected_ = 0;
    bool acknowledgementDue_ = false;
    bool resendDue_ = false;      ///< the next acknowledgement asks for what is missing
    bool resendAsked_ = false;    ///< it was asked for since the last frame in order
    std::uint32_t lastAhead_ = 0; ///< number of the last frame that came too early
};

} // namespace testcard::agent
