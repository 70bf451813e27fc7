// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The connection to libvirt: the embedded driver or a daemon, its event loop and its errors as
/// values.
#pragma once

#include "launcher/adopted_children.hpp"
#include "launcher/error.hpp"
#include "launcher/event_loop.hpp"

#include <libvirt/libvirt.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::launcher
{

/// libvirt's last error on this thread as "what: libvirt's words; what to do".
Error libvirtError(std::string_view what);

/// Where a domain's events go. Called on the event loop's thread, one at a time.
class DomainEvents
{
public:
    virtual ~DomainEvents() = default;
    /// virDomainEventType and its detail.
    virtual void lifecycle(int event, int detail) = 0;
    /// A QMP event: its name and its data, a JSON object.
    virtual void monitorEvent(std::string_view event, std::string_view data) = 0;
    virtual void connectionLost() = 0;
};

struct DomainFree {
    void operator()(virDomainPtr domain) const { virDomainFree(domain); }
};
using DomainHandle = std::unique_ptr<virDomain, DomainFree>;

class LibvirtConnection
{
public:
    struct Options {
        std::string uri;                ///< empty: the embedded driver below `folder`
        std::filesystem::path folder{}; ///< the session's
        std::filesystem::path
            cacheFolder{}; ///< libvirt's knowledge of emulators stays there; may be empty
    };
    static Result<std::unique_ptr<LibvirtConnection>> open(const Options &options);
    ~LibvirtConnection();
    LibvirtConnection(const LibvirtConnection &) = delete;
    LibvirtConnection &operator=(const LibvirtConnection &) = delete;

    /// Starts a transient domain that ends with this connection. Its events go to `events` from the
    /// first one on.
    Result<DomainHandle> create(const std::string &name, const std::string &xml,
                                std::weak_ptr<DomainEvents> events);
    /// No event of the domain is delivered after this returned, unless it is being delivered.
    void forget(const std::string &name);

    bool embedded() const { return options_.uri.empty(); }
    /// "dac", "apparmor", ...: the security drivers of the host that runs the emulator.
    const std::vector<std::string> &securityModels() const { return securityModels_; }
    /// The log that the embedded driver keeps of a domain's emulator; empty with a daemon.
    std::filesystem::path emulatorLog(const std::string &name) const;

private:
    explicit LibvirtConnection(Options options);
    Result<void> connect();
    void registerEvents();
    void readSecurityModels();
    void dispatch(const char *name, const std::function<void(DomainEvents &)> &deliver);

    static int onLifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void *self);
    static void onMonitorEvent(virConnectPtr, virDomainPtr domain, const char *event,
                               long long seconds, unsigned microseconds, const char *details,
                               void *self);
    static void onClose(virConnectPtr, int reason, void *self);

    Options options_;
    EventLoop loop_;
    std::optional<AdoptedChildren> adopted_; ///< with the embedded driver
    virConnectPtr connection_ = nullptr;
    int lifecycleCallback_ = -1;
    int monitorCallback_ = -1;
    std::vector<std::string> securityModels_;
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<DomainEvents>> domains_;
};

} // namespace testcard::launcher
