// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/server.hpp"

#include "vfio-user/listener.hpp"
#include "vfio-user/regions.hpp"
#include "vfio-user/session.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace testcard::vfio_user
{

class Server::Implementation
{
public:
    Implementation(Loop &loop, bus::PciFunction &function, ServerOptions options)
        : loop_{loop}, function_{function}, options_{std::move(options)}
    {
    }
    Implementation(const Implementation &) = delete;
    Implementation &operator=(const Implementation &) = delete;
    ~Implementation()
    {
        loop_.unwatch(acceptWatch_);
        closeSession();
    }

    tl::expected<void, Error> listen();
    tl::expected<void, Error> adopt(FileDescriptor client);
    void disconnect();
    bool connected() const { return session_ != nullptr; }
    const ServerStatistics &statistics() const { return statistics_; }

private:
    void clientsWait();
    void begin(FileDescriptor client);
    void serve();
    void closeSession();

    Loop &loop_;
    bus::PciFunction &function_;
    ServerOptions options_;
    ServerStatistics statistics_;
    std::optional<Listener> listener_;
    Loop::WatchId acceptWatch_ = 0;
    std::unique_ptr<Session> session_;
    Loop::WatchId sessionWatch_ = 0;
    Loop::WatchId turnWatch_ = 0;
    bool serving_ = false;
};

tl::expected<void, Error> Server::Implementation::listen()
{
    if (auto checked = checkSharedBars(function_.info(), options_.sharedBars); !checked)
        return checked;
    auto listener = Listener::open(options_.socket);
    if (!listener) return tl::unexpected{std::move(listener.error())};
    loop_.unwatch(acceptWatch_);
    listener_.emplace(std::move(*listener));
    acceptWatch_ = loop_.watch(listener_->fd(), POLLIN, [this](short) { clientsWait(); });
    return {};
}

tl::expected<void, Error> Server::Implementation::adopt(FileDescriptor client)
{
    if (auto checked = checkSharedBars(function_.info(), options_.sharedBars); !checked)
        return checked;
    if (session_) return tl::unexpected{Error{"the card already has a client"}};
    if (!client) return tl::unexpected{Error{"there is no descriptor of the client"}};
    begin(std::move(client));
    return {};
}

void Server::Implementation::clientsWait()
{
    while (FileDescriptor client = listener_->accept()) {
        // The client before may be gone without our having looked.
        if (session_ && !serving_) serve();
        // One card, one client. Who never said VERSION does not block who may.
        if (session_ && !session_->negotiated()) closeSession();
        if (session_) {
            if (options_.report) options_.report("a second client was turned away");
            continue;
        }
        begin(std::move(client));
    }
}

void Server::Implementation::begin(FileDescriptor client)
{
    session_ =
        std::make_unique<Session>(loop_, function_, options_, statistics_, std::move(client));
    sessionWatch_ = loop_.watch(session_->fd(), session_->events(), [this](short) { serve(); });
    // Often enough to notice, within the deadline, that this process did not run for a while.
    turnWatch_ = loop_.eachTurn(std::max(options_.replyDeadline / 8, std::chrono::milliseconds{1}),
                                [this] { session_->turn(); });
    ++statistics_.connections;
    if (options_.report) options_.report("a client has connected");
    if (options_.connectionChanged) options_.connectionChanged(true);
}

void Server::Implementation::serve()
{
    serving_ = true;
    const bool goesOn = session_->ready();
    serving_ = false;
    if (goesOn)
        loop_.change(sessionWatch_, session_->events());
    else
        closeSession();
}

void Server::Implementation::closeSession()
{
    if (!session_) return;
    loop_.unwatch(std::exchange(sessionWatch_, 0));
    loop_.unwatch(std::exchange(turnWatch_, 0));
    session_.reset();
    if (options_.report) options_.report("the client is gone");
    if (options_.connectionChanged) options_.connectionChanged(false);
}

void Server::Implementation::disconnect()
{
    // From inside a register access, the session must live until that is over.
    if (session_ && serving_)
        session_->end();
    else
        closeSession();
}

Server::Server(Loop &loop, bus::PciFunction &function, ServerOptions options)
    : implementation_{std::make_unique<Implementation>(loop, function, std::move(options))}
{
}

Server::~Server() = default;

tl::expected<void, Error> Server::listen()
{
    return implementation_->listen();
}

tl::expected<void, Error> Server::adopt(FileDescriptor client)
{
    return implementation_->adopt(std::move(client));
}

void Server::disconnect()
{
    implementation_->disconnect();
}

bool Server::connected() const
{
    return implementation_->connected();
}

const ServerStatistics &Server::statistics() const
{
    return implementation_->statistics();
}

} // namespace testcard::vfio_user
