// SPDX-License-Identifier: GPL-2.0-or-later
#include "protocol/link.hpp"

#include <algorithm>
#include <utility>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// Long enough for a busy host under emulation, short enough that a lost last frame is no pause.
constexpr Time firstRetry = 250ms;
constexpr Time longestRetry = 4s;
constexpr std::uint32_t mostDamagedInARow = 1000;
/// Control frames are few and repeated by those who need them; a flood of them gets no flood of
/// answers.
constexpr std::size_t mostControlFrames = 64;

std::size_t payloadBytes(const MessageBuffer &frame)
{
    return frame.size() - frameHeaderBytes - frameTrailerBytes;
}

} // namespace

LinkLimits boundedLimits(LinkLimits limits)
{
    limits.maxPayload = std::clamp<std::uint32_t>(limits.maxPayload, leastPayloadBytes,
                                                  static_cast<std::uint32_t>(maxPayloadBytes));
    limits.window = std::clamp(limits.window, leastWindowBytes, mostWindowBytes);
    return limits;
}

Link::Link(LinkLimits own) : own_(own), peer_(boundedLimits({})), retryAfter_(firstRetry) {}

void Link::open(std::uint32_t session, LinkLimits peer)
{
    close();
    session_ = session;
    peer_ = peer;
    open_ = true;
}

void Link::close()
{
    open_ = false;
    queue_.clear();
    base_ = 0;
    sent_ = next_ = 0;
    queuedBytes_ = flyingBytes_ = 0;
    retryAt_.reset();
    retryAfter_ = firstRetry;
    probe_ = recovering_ = false;
    expected_ = 0;
    acknowledgementDue_ = resendDue_ = resendAsked_ = false;
    writing_.isData = false; // its rest is still written: half a frame would cost the next one
}

void Link::lineReset()
{
    close();
    decoder_.clear();
    control_.clear();
    writing_ = {};
}

Link::Event Link::next(Time now)
{
    while (const auto frame = decoder_.next()) {
        askAgainForDamaged();
        switch (frame->header.kind) {
        case FrameKind::Data:
        case FrameKind::Acknowledge:
            if (auto event = session(*frame, now)) return *event;
            break;
        case FrameKind::Announce:
        case FrameKind::Open:
        case FrameKind::Accept:
        case FrameKind::Refuse:
        case FrameKind::Reset:
        case FrameKind::Close: return {EventKind::Control, *frame, nullptr};
        default: return {EventKind::Violation, *frame, "a frame of unknown kind"};
        }
    }
    askAgainForDamaged();
    if (decoder_.damagedInARow() > mostDamagedInARow)
        return {EventKind::Violation, {}, "nothing but damaged frames"};
    return {};
}

/// A Data or Acknowledge frame. Nothing to report: nullopt.
std::optional<Link::Event> Link::session(const Frame &frame, Time now)
{
    const FrameHeader &header = frame.header;
    if (!open_ || header.session != session_) {
        // Left over from an earlier session, or the peer believes in one that we do not know: the
        // agent answers the latter with Reset, so its owner hears of it.
        if (header.kind == FrameKind::Data) return Event{EventKind::Control, frame, nullptr};
        return {};
    }
    if (const char *what = acknowledged(header, now))
        return Event{EventKind::Violation, frame, what};
    if (header.kind == FrameKind::Acknowledge) return {};
    if (header.length > own_.maxPayload)
        return Event{EventKind::Violation, frame, "a frame beyond the agreed size"};
    if (!accepts(header.sequence)) return {};
    return Event{EventKind::Message, frame, nullptr};
}

/// Whether the Data frame is the expected one. In any case it will be answered.
bool Link::accepts(std::uint32_t sequence)
{
    acknowledgementDue_ = true;
    const auto ahead = static_cast<std::int32_t>(sequence - expected_);
    if (ahead == 0) {
        ++expected_;
        resendAsked_ = false;
        return true;
    }
    if (ahead > 0) {
        // Once per gap: what was still under way would otherwise ask again with every frame. But
        // when numbers go back, the repetition has begun, and missed what we wait for again.
        const bool wentBack = static_cast<std::int32_t>(sequence - lastAhead_) <= 0;
        if (!resendAsked_ || wentBack) resendDue_ = true;
        resendAsked_ = true;
        lastAhead_ = sequence;
    }
    return false;
}

/// A frame came whose number can be read, but not its payload: no need to wait for a gap to show.
void Link::askAgainForDamaged()
{
    const auto damaged = decoder_.takeDamaged();
    if (!damaged || !open_ || damaged->session != session_) return;
    if (damaged->kind != FrameKind::Data) return;
    if (static_cast<std::int32_t>(damaged->sequence - expected_) < 0) return;
    acknowledgementDue_ = resendDue_ = resendAsked_ = true;
    lastAhead_ = damaged->sequence;
}

/// Takes the acknowledgement of any frame of the session. Not allowed: says what.
const char *Link::acknowledged(const FrameHeader &header, Time now)
{
    const std::uint32_t count = header.acknowledged - base_;
    if (static_cast<std::int32_t>(count) < 0) return nullptr; // sent before a later one
    if (count > sent_) return "an acknowledgement of what was never sent";
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t bytes = payloadBytes(*queue_.front());
        queue_.pop_front();
        queuedBytes_ -= bytes;
        if (next_ > 0) {
            --next_;
            flyingBytes_ -= bytes;
        }
    }
    base_ += count;
    sent_ -= count;
    if (count > 0) {
        retryAfter_ = firstRetry;
        probe_ = false;
        if (std::exchange(recovering_, false)) goBack();
        retryAt_.reset();
        if (sent_ > 0) armRetry(now);
    }
    if (header.kind == FrameKind::Acknowledge && (header.flags & frameFlagResend) != 0) goBack();
    return nullptr;
}

/// Everything from the first unacknowledged frame on is to be written again.
void Link::goBack()
{
    next_ = 0;
    flyingBytes_ = 0;
}

void Link::armRetry(Time now)
{
    retryAt_ = now + retryAfter_;
}

void Link::tick(Time now)
{
    if (!retryAt_ || now < *retryAt_) return;
    if (sent_ == 0) {
        retryAt_.reset();
        return;
    }
    // While the line takes nothing there is no point in adding to it.
    if (!writing_.bytes) {
        probe_ = true;
        recovering_ = true;
        retryAfter_ = std::min(2 * retryAfter_, longestRetry);
    }
    armRetry(now);
}

std::span<const std::uint8_t> Link::output()
{
    if (!writing_.bytes && !chooseNext()) return {};
    return std::span<const std::uint8_t>(*writing_.bytes).subspan(writing_.offset);
}

void Link::written(std::size_t bytes, Time now)
{
    writing_.offset += bytes;
    if (writing_.offset < writing_.bytes->size()) return;
    const Writing done = std::exchange(writing_, {});
    if (!done.isData) return;
    const std::uint32_t index = done.sequence - base_;
    if (index >= queue_.size()) return; // acknowledged meanwhile, thanks to an earlier copy
    sent_ = std::max<std::size_t>(sent_, index + 1);
    if (!retryAt_) armRetry(now);
}

/// Starts writing the most urgent frame: acknowledgements and control first, they are short.
bool Link::chooseNext()
{
    if (acknowledgementDue_) sendAcknowledgement();
    if (!control_.empty()) {
        writing_ = {std::move(control_.front()), 0, false, 0};
        control_.pop_front();
        return true;
    }
    if (std::exchange(probe_, false) && sent_ > 0) {
        startData(0);
        return true;
    }
    if (next_ == queue_.size()) return false;
    const std::size_t bytes = payloadBytes(*queue_[next_]);
    if (next_ > 0 && flyingBytes_ + bytes > peer_.window) return false;
    startData(next_);
    flyingBytes_ += bytes;
    ++next_;
    return true;
}

void Link::startData(std::size_t index)
{
    if (index < sent_) ++sentAgain_;
    writing_ = {queue_[index], 0, true, base_ + static_cast<std::uint32_t>(index)};
}

void Link::sendAcknowledgement()
{
    FrameHeader header{.kind = FrameKind::Acknowledge};
    header.flags = resendDue_ ? frameFlagResend : 0;
    header.session = session_;
    header.acknowledged = expected_;
    auto frame = std::make_shared<MessageBuffer>(frameHeaderBytes);
    sealFrame(header, *frame);
    control_.push_back(std::move(frame));
    acknowledgementDue_ = resendDue_ = false;
}

void Link::send(MessageBuffer message)
{
    if (!open_) return;
    queuedBytes_ += message.size() - frameHeaderBytes;
    FrameHeader header{.kind = FrameKind::Data};
    header.session = session_;
    header.sequence = base_ + static_cast<std::uint32_t>(queue_.size());
    header.acknowledged = expected_;
    sealFrame(header, message);
    queue_.push_back(std::make_shared<MessageBuffer>(std::move(message)));
}

void Link::sendControl(FrameKind kind, std::uint32_t session, std::span<const std::uint8_t> payload)
{
    if (control_.size() >= mostControlFrames) return;
    auto frame = std::make_shared<MessageBuffer>(frameHeaderBytes);
    frame->reserve(frameHeaderBytes + payload.size() + frameTrailerBytes);
    frame->insert(frame->end(), payload.begin(), payload.end());
    FrameHeader header{.kind = kind};
    header.session = session;
    sealFrame(header, *frame);
    control_.push_back(std::move(frame));
}

std::size_t Link::room() const
{
    if (!open_ || queuedBytes_ >= peer_.window) return 0;
    return peer_.window - queuedBytes_;
}

} // namespace testcard::agent
