// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/domain_xml.hpp"
#include "launcher/launcher.hpp"
#include "launcher/libvirt_connection.hpp"
#include "launcher/machine.hpp"
#include "launcher/process_table.hpp"
#include "launcher/reaper.hpp"
#include "launcher/runtime_folder.hpp"
#include "launcher/waiting.hpp"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

tl::unexpected<Error> wrong(std::string message)
{
    return failure(Error::Kind::usage, std::move(message));
}

Result<void> checkReadable(const char *what, const fs::path &file, int mode = R_OK)
{
    if (file.empty() || access(file.c_str(), mode) == 0) return {};
    return wrong(fmt::format("{} {}: {}", what, file.string(), strerror(errno)));
}

/// What check() cannot know: whether things are there. libvirt's own words for these name no key of
/// ours.
Result<void> checkFiles(const GuestConfig &config)
{
    if (auto ok = checkReadable("emulator", config.qemu, X_OK); !ok) return ok;
    if (auto ok = checkReadable("kernel", config.kernel); !ok) return ok;
    if (auto ok = checkReadable("initrd", config.initrd); !ok) return ok;
    for (const Disk &disk : config.disks)
        if (auto ok = checkReadable("disk", disk.file, disk.readOnly ? R_OK : R_OK | W_OK); !ok)
            return ok;
    for (const CardSocket &card : config.cards)
        if (card.plugged && !socketListens(card.socket))
            return wrong(
                fmt::format("card {}: nobody serves its socket {}; start the card before the guest",
                            card.name, card.socket.string()));
    return {};
}

/// Finds the domain's QEMU among this host's processes; 0 if it runs on another.
int findEmulator(const fs::path &folder, const std::string &domain, UniqueFd &pidfd)
{
    const std::string marker = fmt::format("{}={}", runtimeFolderVariable, folder.string());
    for (const pid_t pid : allProcesses()) {
        if (!processName(pid).starts_with("qemu-")) continue;
        pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
        if (pidfd && environmentHas(pid, marker) && argumentsMention(pid, "guest=" + domain + ","))
            return pid;
    }
    pidfd.reset();
    return 0;
}

} // namespace

class LibvirtSession final : public Session
{
public:
    LibvirtSession(SessionOptions options, fs::path folder, std::unique_ptr<Reaper> reaper)
        : options_(std::move(options)), folder_(std::move(folder)), reaper_(std::move(reaper))
    {
    }

    const fs::path &folder() const override { return folder_; }
    Interrupt &interrupt() override { return interrupt_; }
    Result<std::unique_ptr<ChildProcess>> spawn(ChildOptions options) override
    {
        return ChildProcess::start(std::move(options), reaper_.get());
    }
    Result<AcceleratorChoice> chooseAccelerator(std::optional<Accelerator> wanted,
                                                const GuestConfig &config) override;
    Result<std::unique_ptr<Machine>> start(const GuestConfig &config) override;
    std::string libvirtVersion() const override;

private:
    Result<std::shared_ptr<LibvirtConnection>> connection();
    std::string domainName(const GuestConfig &config);
    Result<DomainHandle> create(LibvirtConnection &connection, const std::string &name,
                                const std::string &xml, const std::shared_ptr<MachineWatch> &watch);

    SessionOptions options_;
    fs::path folder_;
    std::unique_ptr<Reaper> reaper_; ///< destroyed after the connection: it takes what is left
    Interrupt interrupt_;
    std::mutex mutex_;
    std::shared_ptr<LibvirtConnection> connection_;
    std::atomic<unsigned> started_{0};
};

Result<std::unique_ptr<Session>> Session::open(SessionOptions options)
{
    auto folder = makeRuntimeFolder();
    if (!folder) return tl::unexpected(folder.error());
    auto reaper = Reaper::start(*folder);
    if (!reaper) {
        std::error_code ignored;
        fs::remove_all(*folder, ignored);
        return tl::unexpected(reaper.error());
    }
    return std::make_unique<LibvirtSession>(std::move(options), *folder, std::move(*reaper));
}

Result<std::shared_ptr<LibvirtConnection>> LibvirtSession::connection()
{
    const std::scoped_lock lock(mutex_);
    if (!connection_) {
        auto opened = LibvirtConnection::open({options_.uri, folder_, options_.cacheFolder});
        if (!opened) return tl::unexpected(opened.error());
        connection_ = std::move(*opened);
    }
    return connection_;
}

/// A daemon serves others, too: the folder's random part makes the name ours.
std::string LibvirtSession::domainName(const GuestConfig &config)
{
    const std::string folder = folder_.filename().string();
    return fmt::format("{}-{}-{}", config.name, folder.substr(folder.rfind('-') + 1), ++started_);
}

Result<AcceleratorChoice> LibvirtSession::chooseAccelerator(std::optional<Accelerator> wanted,
                                                            const GuestConfig &config)
{
    if (wanted) {
        if (*wanted == Accelerator::kvm && options_.uri.find("ssh") == std::string::npos &&
            access("/dev/kvm", R_OK | W_OK) != 0)
            return failure(
                Error::Kind::host,
                fmt::format("--accel kvm: /dev/kvm: {}; use --accel auto or tcg", strerror(errno)));
        return AcceleratorChoice{*wanted, fmt::format("--accel {} asks for it", name(*wanted))};
    }
    if (options_.uri.find("://") != std::string::npos &&
        options_.uri.find(":///") == std::string::npos)
        return AcceleratorChoice{Accelerator::tcg,
                                 fmt::format("KVM cannot be tried out over {}; --accel kvm "
                                             "takes it on trust",
                                             options_.uri)};
    return probeAccelerator({.qemu = config.qemu,
                             .dataFolders = config.dataFolders,
                             .kernel = config.kernel,
                             .workFolder = folder_,
                             .cacheFolder = options_.cacheFolder,
                             .reaper = reaper_.get()},
                            &interrupt_);
}

/// virDomainCreateXML waits for QEMU, which waits for its cards, and nothing interrupts it but
/// QEMU's end.
Result<DomainHandle> LibvirtSession::create(LibvirtConnection &connection, const std::string &name,
                                            const std::string &xml,
                                            const std::shared_ptr<MachineWatch> &watch)
{
    const UniqueFd done{eventfd(0, EFD_CLOEXEC)};
    Result<DomainHandle> result = failure(Error::Kind::host, "not started");
    std::jthread starter([&] {
        result = connection.create(name, xml, watch);
        eventfd_write(done.get(), 1);
    });
    const bool interrupted =
        waitFor(done.get(), Clock::time_point::max(), &interrupt_) == Wake::interrupted;
    if (interrupted) {
        do
            killSessionProcesses(folder_, true);
        while (waitFor(done.get(), Clock::now() + 100ms, nullptr) != Wake::ready);
    }
    starter.join();
    if (!interrupted) return result;
    if (result) virDomainDestroy(result->get());
    connection.forget(name);
    return failure(Error::Kind::interrupted, "interrupted while the guest was starting");
}

Result<std::unique_ptr<Machine>> LibvirtSession::start(const GuestConfig &config)
{
    if (auto ok = check(config); !ok) return tl::unexpected(ok.error());
    if (auto ok = checkFiles(config); !ok) return tl::unexpected(ok.error());
    auto opened = connection();
    if (!opened) return tl::unexpected(opened.error());
    const auto &connection = *opened;

    GuestConfig named = config;
    named.name = domainName(config);
    DomainSurroundings surroundings;
    surroundings.securityModels = connection->securityModels();
    surroundings.user = geteuid();
    surroundings.group = getegid();
    surroundings.environment = {{runtimeFolderVariable, folder_.string()}};

    LibvirtMachine::Parts parts;
    parts.connection = connection;
    parts.interrupt = &interrupt_;
    parts.xml = domainXml(named, surroundings);
    parts.emulatorLog = connection->emulatorLog(named.name);
    parts.watch = std::make_shared<MachineWatch>(
        config.serialLog.empty() ? nullptr : SerialLog::open(config.serialLog), parts.emulatorLog);
    parts.watch->begin();
    auto domain = create(*connection, named.name, parts.xml, parts.watch);
    if (!domain) return tl::unexpected(domain.error());
    parts.domain = std::move(*domain);
    parts.emulatorPid = findEmulator(folder_, named.name, parts.emulator);
    return std::make_unique<LibvirtMachine>(std::move(parts), config);
}

std::string LibvirtSession::libvirtVersion() const
{
    unsigned long number = 0;
    virGetVersion(&number, nullptr, nullptr);
    return fmt::format("{}.{}.{}", number / 1'000'000, number / 1000 % 1000, number % 1000);
}

} // namespace testcard::launcher
