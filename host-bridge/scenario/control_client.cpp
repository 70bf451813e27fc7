// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/control_client.hpp"

#include "launcher/unique_fd.hpp"
#include "launcher/waiting.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace testcard::scenario
{

namespace
{

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t longestLine_bytes = 1 << 20;

/// One connection to a control socket, as long as a request takes.
class Conversation
{
public:
    Conversation(const std::filesystem::path &socket, Clock::time_point deadline)
        : socket_(socket), deadline_(deadline)
    {
    }

    tl::expected<void, std::string> connect()
    {
        fd_ = launcher::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string &path = socket_.native();
        if (path.size() >= sizeof(address.sun_path)) return failed("its path is too long");
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        // A Unix socket connects at once or, with a full backlog, waits: then send and receive have
        // their deadlines but this call has not, so it gets one.
        const timeval patience = timevalUntil(deadline_);
        setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        const auto *generic = reinterpret_cast<const sockaddr *>(&address);
        if (!fd_ || ::connect(fd_.get(), generic, sizeof(address)) != 0)
            return failed(std::strerror(errno));
        return {};
    }

    tl::expected<void, std::string> send(std::string_view line)
    {
        while (!line.empty()) {
            const ssize_t sent = ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent <= 0) return failed("it does not take the request");
            line.remove_prefix(static_cast<std::size_t>(sent));
        }
        return {};
    }

    /// The next line, which is an object.
    tl::expected<json, std::string> receive()
    {
        while (received_.find('\n') == std::string::npos) {
            const auto wake = launcher::waitFor(fd_.get(), deadline_, nullptr);
            if (wake != launcher::Wake::ready) return failed("it does not answer");
            std::array<char, 4096> chunk{};
            const ssize_t got = recv(fd_.get(), chunk.data(), chunk.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return failed("it closed the connection");
            received_.append(chunk.data(), static_cast<std::size_t>(got));
            if (received_.size() > longestLine_bytes) return failed("its answer has no end");
        }
        const std::size_t end = received_.find('\n');
        json out =
            json::parse(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(end),
                        nullptr, false);
        received_.erase(0, end + 1);
        if (!out.is_object()) return failed("it does not answer in JSON objects");
        return out;
    }

private:
    static timeval timevalUntil(Clock::time_point deadline)
    {
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
            std::max(deadline - Clock::now(), Clock::duration(std::chrono::milliseconds(1))));
        return {left.count() / 1'000'000, left.count() % 1'000'000};
    }

    tl::unexpected<std::string> failed(std::string_view why) const
    {
        return tl::unexpected(fmt::format("control socket {}: {}", socket_.string(), why));
    }

    std::filesystem::path socket_;
    Clock::time_point deadline_;
    launcher::UniqueFd fd_;
    std::string received_;
};

} // namespace

tl::expected<json, std::string> askCard(const std::filesystem::path &controlSocket,
                                        std::string_view command, const json &arguments,
                                        std::chrono::milliseconds limit)
{
    Conversation card(controlSocket, Clock::now() + limit);
    if (auto connected = card.connect(); !connected) return tl::unexpected(connected.error());
    if (auto greeting = card.receive(); !greeting) return greeting;
    json request{{"execute", command}};
    if (!arguments.is_null()) request["arguments"] = arguments;
    if (auto sent = card.send(request.dump() + "\n"); !sent) return tl::unexpected(sent.error());
    auto answer = card.receive();
    if (!answer) return answer;
    if (const auto result = answer->find("return"); result != answer->end()) return *result;
    const json error = answer->value("error", json::object());
    const bool described = error.is_object() && error.contains("desc") && error["desc"].is_string();
    return tl::unexpected(described ? error["desc"].get<std::string>()
                                    : std::string("the card refused without saying why"));
}

} // namespace testcard::scenario
