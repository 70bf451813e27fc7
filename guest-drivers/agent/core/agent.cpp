// SPDX-License-Identifier: GPL-2.0-or-later
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

constexpr LinkLimits ownLimits{.window = 512 * 1024, .maxPayload = maxPayloadBytes};
/// A killed process that lives on for so long waits in the kernel for something that does not come.
constexpr Time killGrace = 3s;

std::optional<Time> earlier(std::optional<Time> a, std::optional<Time> b)
{
    if (!a) return b;
    if (!b) return a;
    return std::min(*a, *b);
}

} // namespace

Agent::Agent(System &system) : system_(system), link_(ownLimits) {}

// The line ------------------------------------------------------------------------------------

void Agent::lineConnected()
{
    link_.lineReset();
    link_.sendControl(FrameKind::Announce, 0);
}

void Agent::lineLost()
{
    endSession();
    link_.lineReset();
}

void Agent::received(std::size_t bytes, Time now)
{
    link_.received(bytes);
    for (;;) {
        const Link::Event event = link_.next(now);
        switch (event.kind) {
        case Link::EventKind::Nothing: return;
        case Link::EventKind::Message: message(event.frame.payload, now); break;
        case Link::EventKind::Control: control(event.frame, now); break;
        case Link::EventKind::Violation: violated(event.what); return;
        }
    }
}

void Agent::written(std::size_t bytes, Time now)
{
    link_.written(bytes, now);
    powerIfDue(now);
}

// Sessions ------------------------------------------------------------------------------------

void Agent::control(const Frame &frame, Time now)
{
    const std::uint32_t session = frame.header.session;
    switch (frame.header.kind) {
    case FrameKind::Open: openAsked(frame, now); break;
    case FrameKind::Close:
        if (link_.isOpen() && session == link_.session()) endSession();
        break;
    case FrameKind::Data:
        // The host believes in a session that we do not have: we were started anew.
        if (!pending_ || pending_->session != session) link_.sendControl(FrameKind::Reset, session);
        break;
    default: break; // guest's frames: an echo of the line
    }
}

void Agent::openAsked(const Frame &frame, Time now)
{
    const std::uint32_t session = frame.header.session;
    if (pending_ && pending_->session == session) return;
    if (link_.isOpen() && link_.session() == session) {
        // Our Accept was lost, or crossed a repetition of Open.
        link_.sendControl(FrameKind::Accept, session, pendingWelcome_);
        return;
    }
    const auto open = decodeOpen(frame.payload);
    if (!open || open->lowestVersion > protocolVersion || open->highestVersion < protocolVersion) {
        const std::string reason = "testcard-agent " + std::string(agentVersion) +
                                   " speaks version " + std::to_string(protocolVersion) +
                                   " of the protocol only";
        std::vector<std::uint8_t> payload;
        WireWriter(payload).string(reason);
        link_.sendControl(FrameKind::Refuse, session, payload);
        return;
    }
    endSession();
    pending_ = PendingSession{session, open->limits, now + killGrace};
    acceptPending(now);
}

/// Accepts the session that waits, once the commands of the one before are dead: they would hold
/// the devices that the new one is about to use.
void Agent::acceptPending(Time now)
{
    if (!pending_) return;
    if (!system_.idle() && now < pending_->giveUp) return;
    const PendingSession pending = *std::exchange(pending_, std::nullopt);
    Welcome welcome = system_.describe();
    welcome.version = protocolVersion;
    welcome.limits = ownLimits;
    welcome.agentVersion = agentVersion;
    pendingWelcome_ = encodeWelcome(welcome);
    link_.open(pending.session, pending.peer);
    link_.sendControl(FrameKind::Accept, pending.session, pendingWelcome_);
}

void Agent::endSession()
{
    link_.close();
    requests_.clear();
    pending_.reset();
    system_.abandonAll();
}

/// The host made a mistake that leaves the two sides without a common view: it must begin again.
void Agent::violated(const char *what)
{
    std::vector<std::uint8_t> payload;
    WireWriter(payload).string(what);
    const std::uint32_t session = link_.session();
    const bool wasOpen = link_.isOpen();
    endSession();
    link_.lineReset();
    if (wasOpen) link_.sendControl(FrameKind::Reset, session, payload);
}

// The clock -----------------------------------------------------------------------------------

std::optional<Time> Agent::deadline() const
{
    std::optional<Time> next = link_.deadline();
    for (const auto &[id, request] : requests_)
        next = earlier(next, earlier(request.timeout, request.giveUp));
    if (pending_) next = earlier(next, pending_->giveUp);
    if (power_) next = earlier(next, power_->giveUp);
    return next;
}

void Agent::tick(Time now)
{
    link_.tick(now);
    for (auto at = requests_.begin(); at != requests_.end();) {
        const auto here = at++;
        Request &request = here->second;
        if (request.timeout && now >= *request.timeout) {
            request.timedOut = true;
            killRequest(here->first, request, now);
        } else if (request.giveUp && now >= *request.giveUp) {
            const std::uint32_t id = here->first;
            stuck(id, request);
            system_.abandon(id);
            requests_.erase(here);
        }
    }
    acceptPending(now);
    powerIfDue(now);
}

void Agent::killRequest(std::uint32_t id, Request &request, Time now)
{
    request.timeout.reset();
    request.giveUp = now + killGrace;
    system_.kill(id);
}

void Agent::stuck(std::uint32_t id, const Request &request)
{
    if (!request.isCommand) {
        refuse(id, ETIMEDOUT, "cancelled, but it is stuck in the kernel");
        return;
    }
    ExitReport exit;
    exit.bySignal = true;
    exit.value = 9; // SIGKILL, on its way
    exit.timedOut = request.timedOut;
    exit.cancelled = request.cancelled;
    exit.stuck = true;
    link_.send(encode(id, exit));
}

} // namespace testcard::agent
