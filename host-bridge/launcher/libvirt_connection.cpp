// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/libvirt_connection.hpp"

#include <fmt/format.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <pugixml.hpp>

#include <array>
#include <fstream>
#include <system_error>
#include <utility>

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

namespace fs = std::filesystem;

struct Advice {
    std::string_view symptom; ///< part of libvirt's or QEMU's message
    std::string_view advice;
};

/// What people can do about the failures that a wrong set-up brings.
constexpr std::array advices{
    Advice{"'vfio-user-pci' is not a valid device model",
           "this QEMU is older than 10.1 or built without vfio-user: run the set-up, which gets a "
           "newer one"},
    Advice{"no connection driver available",
           "install the packages libvirt-daemon and libvirt-daemon-driver-qemu"},
    Advice{"Failed to connect socket to", "no libvirt daemon answers at this URI: start it, or "
                                          "leave --connect out to use the embedded driver"},
    Advice{"Cannot open embedded driver",
           "a process has libvirt's embedded driver for one session only: keep the session"},
    Advice{"Could not access KVM", "use --accel auto or --accel tcg"},
    Advice{"could not get preferred machine",
           "this accelerator is not available on this host: use --accel auto or --accel tcg"},
    Advice{"authentication",
           "join the group libvirt, or leave --connect out to use the embedded driver"},
};

void ignoreError(void *, virErrorPtr) {}

fs::path embeddedRoot(const fs::path &folder)
{
    return folder / "libvirt";
}

/// libvirt says "info: libvirt version" and its warnings on stderr otherwise. Who debugs it sets
/// the variables.
void quietLog(const fs::path &folder)
{
    setenv("LIBVIRT_LOG_OUTPUTS", fmt::format("3:file:{}/libvirt.log", folder.string()).c_str(), 0);
}

/// Without root the driver keeps files in the caller's home as well, which may not be writable, and
/// which are not ours to litter. This process and its children need these folders for nothing else.
void moveHome(const fs::path &root)
{
    for (const char *variable : {"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"})
        setenv(variable, (root / "home").c_str(), 1);
}

/// As root the driver looks that user up before it reads the configuration that names another.
Result<void> checkServiceUser()
{
    if (geteuid() != 0 ||
        (getpwnam("libvirt-qemu") != nullptr && getgrnam("libvirt-qemu") != nullptr))
        return {};
    return failure(
        Error::Kind::host,
        "libvirt's embedded driver does not start as root without the system user and group "
        "libvirt-qemu: run the set-up as root, which makes them (or: groupadd --system "
        "libvirt-qemu; "
        "useradd --system --gid libvirt-qemu --no-create-home libvirt-qemu), or work as an "
        "ordinary user");
}

/// Keeps what libvirt learns of an emulator (0.5 s of probing) by linking its cache out of the
/// session's folder.
void linkCache(const fs::path &root, const fs::path &cacheFolder)
{
    if (cacheFolder.empty()) return;
    const fs::path kept = cacheFolder / "libvirt-capabilities";
    std::error_code error;
    fs::create_directories(kept, error);
    if (!error) fs::create_directories(root / "cache/qemu", error);
    if (!error) fs::create_directory_symlink(kept, root / "cache/qemu/capabilities", error);
}

/// QEMU runs as the caller, unconfined by anything that a container or a checkout in a private home
/// would trip over.
Result<void> prepareRoot(const fs::path &root, const fs::path &cacheFolder)
{
    std::error_code error;
    fs::create_directories(root / "etc", error);
    std::ofstream file(root / "etc/qemu.conf");
    file << "security_driver = \"none\"\n"
            "stdio_handler = \"file\"\n" // no virtlogd
            "dynamic_ownership = 0\n"
            "remember_owner = 0\n"
            "namespaces = []\n"         // no private /dev: needs a privilege that containers lack
            "cgroup_controllers = []\n" // no systemd, no cgroup of its own
            "clear_emulator_capabilities = 0\n"
         << fmt::format("user = \"+{}\"\ngroup = \"+{}\"\n", geteuid(), getegid());
    file.close();
    if (error || !file)
        return failure(
            Error::Kind::host,
            fmt::format("cannot write {}/etc/qemu.conf; is the disk full?", root.string()));
    linkCache(root, cacheFolder);
    return {};
}

} // namespace

Error libvirtError(std::string_view what)
{
    const virError *error = virGetLastError();
    const std::string words =
        error != nullptr && error->message != nullptr ? error->message : "unknown error";
    std::string message = fmt::format("{}: {}", what, words);
    for (const Advice &known : advices)
        if (words.find(known.symptom) != std::string::npos)
            message += fmt::format("; {}", known.advice);
    return {Error::Kind::host, std::move(message)};
}

LibvirtConnection::LibvirtConnection(Options options) : options_(std::move(options)) {}

Result<std::unique_ptr<LibvirtConnection>> LibvirtConnection::open(const Options &options)
{
    quietLog(options.folder);
    virSetErrorFunc(nullptr, ignoreError);
    if (virInitialize() < 0) return tl::unexpected(libvirtError("libvirt does not start"));
    std::unique_ptr<LibvirtConnection> connection(new LibvirtConnection(options));
    if (auto ok = connection->connect(); !ok) return tl::unexpected(ok.error());
    return connection;
}

Result<void> LibvirtConnection::connect()
{
    std::string uri = options_.uri;
    if (embedded()) {
        if (auto ok = checkServiceUser(); !ok) return ok;
        const fs::path root = embeddedRoot(options_.folder);
        if (auto ok = prepareRoot(root, options_.cacheFolder); !ok) return ok;
        moveHome(root);
        adopted_.emplace();
        uri = fmt::format("qemu:///embed?root={}", root.string());
    }
    connection_ = virConnectOpen(uri.c_str());
    if (connection_ == nullptr)
        return tl::unexpected(libvirtError(fmt::format("cannot connect to libvirt at {}", uri)));
    const char *type = virConnectGetType(connection_);
    if (type == nullptr || std::string_view(type) != "QEMU")
        return failure(
            Error::Kind::usage,
            fmt::format("--connect {}: this is libvirt's {} driver; the cards need QEMU's, "
                        "as in qemu:///session",
                        uri, type != nullptr ? type : "unknown"));
    virConnSetErrorFunc(connection_, nullptr, ignoreError);
    registerEvents();
    readSecurityModels();
    return {};
}

void LibvirtConnection::registerEvents()
{
    virConnectSetKeepAlive(connection_, 5, 3);
    virConnectRegisterCloseCallback(connection_, onClose, this, nullptr);
    lifecycleCallback_ =
        virConnectDomainEventRegisterAny(connection_, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(onLifecycle), this, nullptr);
    monitorCallback_ = virConnectDomainQemuMonitorEventRegister(connection_, nullptr, nullptr,
                                                                onMonitorEvent, this, nullptr, 0);
}

void LibvirtConnection::readSecurityModels()
{
    char *text = virConnectGetCapabilities(connection_);
    pugi::xml_document document;
    if (text != nullptr) document.load_string(text);
    free(text);
    for (const pugi::xml_node model :
         document.child("capabilities").child("host").children("secmodel"))
        if (const std::string name = model.child_value("model"); name != "none")
            securityModels_.push_back(name);
}

LibvirtConnection::~LibvirtConnection()
{
    if (connection_ == nullptr) return;
    if (lifecycleCallback_ >= 0)
        virConnectDomainEventDeregisterAny(connection_, lifecycleCallback_);
    if (monitorCallback_ >= 0)
        virConnectDomainQemuMonitorEventDeregister(connection_, monitorCallback_);
    virConnectUnregisterCloseCallback(connection_, onClose);
    virConnectClose(connection_);
}

Result<DomainHandle> LibvirtConnection::create(const std::string &name, const std::string &xml,
                                               std::weak_ptr<DomainEvents> events)
{
    {
        const std::scoped_lock lock(mutex_);
        domains_[name] = std::move(events);
    }
    // A daemon ends the domain when this process goes, however it goes. The embedded driver cannot;
    // there the reaper ends QEMU.
    const unsigned flags = embedded() ? 0 : VIR_DOMAIN_START_AUTODESTROY;
    DomainHandle domain(virDomainCreateXML(connection_, xml.c_str(), flags));
    if (domain) return domain;
    Error error = libvirtError(fmt::format("the guest {} did not start", name));
    forget(name);
    return tl::unexpected(std::move(error));
}

void LibvirtConnection::forget(const std::string &name)
{
    const std::scoped_lock lock(mutex_);
    domains_.erase(name);
}

std::filesystem::path LibvirtConnection::emulatorLog(const std::string &name) const
{
    if (!embedded()) return {};
    return embeddedRoot(options_.folder) / "log/qemu" / (name + ".log");
}

void LibvirtConnection::dispatch(const char *name,
                                 const std::function<void(DomainEvents &)> &deliver)
{
    std::vector<std::shared_ptr<DomainEvents>> receivers;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto &[domain, events] : domains_)
            if (name == nullptr || domain == name)
                if (auto receiver = events.lock()) receivers.push_back(std::move(receiver));
    }
    for (const auto &receiver : receivers)
        deliver(*receiver);
}

int LibvirtConnection::onLifecycle(virConnectPtr, virDomainPtr domain, int event, int detail,
                                   void *self)
{
    static_cast<LibvirtConnection *>(self)->dispatch(
        virDomainGetName(domain), [&](DomainEvents &events) { events.lifecycle(event, detail); });
    return 0;
}

void LibvirtConnection::onMonitorEvent(virConnectPtr, virDomainPtr domain, const char *event,
                                       long long, unsigned, const char *details, void *self)
{
    static_cast<LibvirtConnection *>(self)->dispatch(
        virDomainGetName(domain), [&](DomainEvents &events) {
            events.monitorEvent(event, details != nullptr ? details : "{}");
        });
}

void LibvirtConnection::onClose(virConnectPtr, int, void *self)
{
    static_cast<LibvirtConnection *>(self)->dispatch(
        nullptr, [](DomainEvents &events) { events.connectionLost(); });
}

} // namespace testcard::launcher
