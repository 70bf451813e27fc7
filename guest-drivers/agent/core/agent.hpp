// SPDX-License-Identifier: GPL-2.0-or-later
// The agent without its operating system: one session with the host, and what the host asked for.
// It is driven from outside: bytes of the line, events of the System, the time.
#pragma once

#include "core/system.hpp"
#include "protocol/link.hpp"
#include "protocol/messages.hpp"

#include <map>
#include <optional>
#include <span>

namespace testcard::agent
{

inline constexpr std::string_view agentVersion = "0.1.0";

class Agent final : public SystemEvents
{
public:
    explicit Agent(System &system);

    // The line. After each group of calls: write output() until it is empty.
    /// The host is there (again): says so to it.
    void lineConnected();
    /// The host is gone: its commands are ended.
    void lineLost();
    std::span<std::uint8_t> space() { return link_.space(); }
    void received(std::size_t bytes, Time now);
    std::span<const std::uint8_t> output() { return link_.output(); }
    void written(std::size_t bytes, Time now);

    // The clock.
    std::optional<Time> deadline() const;
    void tick(Time now);

    /// False: the System must not read output of requests nor take marks until it is true again.
    bool hasRoom() const { return link_.room() > 0; }

    // SystemEvents
    void started(std::uint32_t request, std::uint32_t process) override;
    std::span<std::uint8_t> outputSpace() override;
    void outputFilled(std::uint32_t request, OutputStream stream, std::size_t bytes) override;
    void inputTaken(std::uint32_t request, std::size_t bytes) override;
    void exited(std::uint32_t request, const ProcessEnd &end) override;
    void fileOpened(std::uint32_t request, const FileReport &file) override;
    void done(std::uint32_t request, std::uint64_t value) override;
    void failed(std::uint32_t request, const Failure &failure) override;
    bool marked(const MarkReport &mark) override;

private:
    struct Request {
        bool isCommand = false;
        bool timedOut = false;
        bool cancelled = false;
        std::size_t credit = 0;      ///< bytes of input the host may still send
        std::optional<Time> timeout; ///< then it is killed
        std::optional<Time> giveUp;  ///< killed; if it is not dead then, it is stuck
    };
    struct PendingSession {
        std::uint32_t session;
        LinkLimits peer;
        Time giveUp; ///< for the ends of the commands of the session before
    };

    void control(const Frame &frame, Time now);
    void openAsked(const Frame &frame, Time now);
    void acceptPending(Time now);
    void endSession();
    void violated(const char *what);

    void message(std::span<const std::uint8_t> payload, Time now);
    void runAsked(const MessageView &view, Time now);
    void putAsked(const MessageView &view);
    void getAsked(const MessageView &view);
    void makeDirectoryAsked(const MessageView &view);
    void inputCame(const MessageView &view);
    void signalAsked(const MessageView &view);
    void resizeAsked(const MessageView &view);
    void cancelAsked(const MessageView &view, Time now);
    void powerAsked(const MessageView &view, Time now);
    void markAsked(const MessageView &view);
    void pingAsked(const MessageView &view, Time now);

    bool admit(const MessageView &view, bool isCommand);
    void refuse(std::uint32_t request, int number, std::string_view text);
    void killRequest(std::uint32_t id, Request &request, Time now);
    void stuck(std::uint32_t id, const Request &request);
    void powerIfDue(Time now);

    System &system_;
    Link link_;
    std::map<std::uint32_t, Request> requests_;
    std::optional<PendingSession> pending_;
    std::vector<std::uint8_t> pendingWelcome_;
    MessageBuffer scratch_; ///< outputSpace(): an Output message of the largest size
    struct PowerPending {
        PowerAction action;
        std::uint32_t request;
        Time giveUp; ///< for the host's acknowledgement of our consent
    };
    std::optional<PowerPending> power_;
};

} // namespace testcard::agent
