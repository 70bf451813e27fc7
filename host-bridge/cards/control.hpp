// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The control socket of a card: JSON lines in the manner of QMP. README.md defines the protocol.
#pragma once

#include "cards/card.hpp"
#include "cards/error.hpp"
#include "vfio-user/file_descriptor.hpp"
#include "vfio-user/listener.hpp"
#include "vfio-user/loop.hpp"

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace testcard::cards
{

/// Answers one request line. Never throws; whatever the line is, the answer is one JSON object.
class ControlProtocol
{
public:
    /// `stop` and `crash` are what the requests of those names do; `status` adds to the card's own.
    struct Host {
        std::function<void()> stop;
        std::function<nlohmann::json()> status;
        std::function<void()> crash{}; ///< does not come back
    };

    ControlProtocol(std::string name, Card &card, Host host);

    std::string greeting() const;
    std::string answer(std::string_view line);

private:
    tl::expected<nlohmann::json, Error> execute(const nlohmann::json &request);

    std::string name_;
    Card &card_;
    Host host_;
};

/// Accepts clients on a Unix socket and gives each its own conversation.
class ControlServer
{
public:
    static constexpr std::size_t longestLine = 64u << 10; ///< bytes; a longer request is refused
    static constexpr std::size_t mostClients = 16;
    static constexpr std::size_t mostUnread = 1u << 20; ///< bytes of answers; then the client goes

    ControlServer(vfio_user::Loop &loop, ControlProtocol protocol);
    ~ControlServer();
    ControlServer(const ControlServer &) = delete;
    ControlServer &operator=(const ControlServer &) = delete;

    tl::expected<void, Error> listen(const std::filesystem::path &socket);

private:
    struct Client {
        vfio_user::FileDescriptor fd;
        vfio_user::Loop::WatchId watch = 0;
        std::string received; ///< an unfinished line
        std::string unsent;
        bool closing = false; ///< ends when its answers are sent
    };

    void acceptClient();
    void clientReady(int fd, short events);
    bool receive(Client &client);
    void takeLines(Client &client);
    bool send(Client &client);
    void drop(int fd);

    vfio_user::Loop &loop_;
    ControlProtocol protocol_;
    std::optional<vfio_user::Listener> listener_;
    vfio_user::Loop::WatchId listenerWatch_ = 0;
    std::map<int, std::unique_ptr<Client>> clients_;
};

} // namespace testcard::cards
