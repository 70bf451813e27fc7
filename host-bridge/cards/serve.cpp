// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/serve.hpp"

#include "cards/card.hpp"
#include "cards/control.hpp"
#include "vfio-user/server.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

namespace testcard::cards
{

namespace
{

/// SIGINT, SIGTERM and SIGHUP as a descriptor; what nohup ignores stays ignored.
vfio_user::FileDescriptor catchSignals()
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    struct sigaction hangup = {};
    ::sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return vfio_user::FileDescriptor{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
}

/// One card with its two sockets.
class Slot
{
public:
    Slot(std::unique_ptr<Card> card, vfio_user::Loop &loop, const ServedCard &served,
         const ServeOptions &options)
        : name_{served.spec.name},
          card_{std::move(card)},
          server_{loop, card_->function(), serverOptions(served, options)},
          control_{loop, ControlProtocol{name_,
                                         *card_,
                                         {[&loop] { loop.stop(); }, [this] { return status(); },
                                          [this] { crash(); }}}}
    {
    }
    Slot(const Slot &) = delete;
    Slot &operator=(const Slot &) = delete;

    tl::expected<void, Error> listen(const ServedCard &served)
    {
        if (const auto listening = server_.listen(); !listening)
            return tl::unexpected(Error{Error::Kind::host, listening.error().message});
        if (served.control.empty()) return {};
        return control_.listen(served.control);
    }

private:
    vfio_user::ServerOptions serverOptions(const ServedCard &served,
                                           const ServeOptions &options) const
    {
        vfio_user::ServerOptions server;
        server.socket = served.socket;
        server.pollFor = options.pollFor;
        if (options.report)
            server.report = [report = options.report, name = name_](std::string_view line) {
                report(fmt::format("{}: {}", name, line));
            };
        return server;
    }

    /// Dies as by kill -9, but for one thing: unread requests in the socket would abort QEMU up to
    /// 11.1 (its client sets an error twice on ECONNRESET), so the connection ends first.
    void crash()
    {
        server_.disconnect();
        ::raise(SIGKILL);
    }

    nlohmann::json status() const
    {
        const vfio_user::ServerStatistics &statistics = server_.statistics();
        return {{"name", name_},
                {"connected", server_.connected()},
                {"connections", statistics.connections},
                {"requests", statistics.requests},
                {"errors", statistics.errors},
                {"violations", statistics.violations}};
    }

    std::string name_;
    std::unique_ptr<Card> card_;
    vfio_user::Server server_;
    ControlServer control_;
};

} // namespace

tl::expected<void, Error> serve(const ServeOptions &options)
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    const vfio_user::FileDescriptor signals = catchSignals();
    if (!signals)
        return tl::unexpected(
            Error{Error::Kind::host, fmt::format("signalfd: {}", std::strerror(errno))});
    loop.watch(signals.get(), POLLIN, [&loop](short) { loop.stop(); });

    std::vector<std::unique_ptr<Slot>> slots;
    for (const ServedCard &served : options.cards) {
        auto card = makeCard(served.spec, clock);
        if (!card) return tl::unexpected(card.error());
        slots.push_back(std::make_unique<Slot>(std::move(*card), loop, served, options));
        if (auto listening = slots.back()->listen(served); !listening) return listening;
    }
    if (options.ready) options.ready();
    loop.run();
    return {};
}

} // namespace testcard::cards
