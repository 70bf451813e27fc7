// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/accelerator.hpp"

#include "launcher/child_process.hpp"
#include "launcher/text_file.hpp"
#include "launcher/unique_fd.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

namespace testcard::launcher
{
namespace
{

/// What a kernel without a root file system says when all of it has come up, or when it ends in
/// another good way.
constexpr std::array<std::string_view, 4> signsOfLife{"Unable to mount root fs",
                                                      "No working init found", "reboot: Power down",
                                                      "reboot: Restarting system"};

/// The boot is short of user space by design; much more than this would be a kernel gone mad.
constexpr std::size_t longestLog = 1 << 20;

std::string fileIdentity(const std::filesystem::path &path)
{
    struct stat info {
    };
    if (stat(path.c_str(), &info) != 0) return path.string();
    return fmt::format("{} {} bytes, {}.{:09}", path.string(), info.st_size, info.st_mtim.tv_sec,
                       info.st_mtim.tv_nsec);
}

std::string processorModel()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 1);
    return {};
}

/// Everything on which the answer depends, as the cache file shows it.
nlohmann::ordered_json circumstances(const AcceleratorProbe &probe)
{
    utsname host{};
    uname(&host);
    return {{"host", fmt::format("{} {} {}{}", host.nodename, host.release, host.version,
                                 processorModel())},
            {"kernel", fileIdentity(probe.kernel)},
            {"qemu", fileIdentity(probe.qemu)}};
}

/// FNV-1a, for a file name only: the file's content is compared in full.
std::filesystem::path cacheFile(const AcceleratorProbe &probe, const nlohmann::ordered_json &key)
{
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : key.dump())
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return probe.cacheFolder / fmt::format("accelerator-{:016x}.json", hash);
}

std::optional<AcceleratorChoice> readCache(const std::filesystem::path &path,
                                           const nlohmann::ordered_json &key)
{
    std::ifstream file(path);
    const auto cached = nlohmann::ordered_json::parse(file, nullptr, false);
    if (!cached.is_object() || cached.value("circumstances", nlohmann::ordered_json{}) != key ||
        !cached.contains("reason") || !cached["reason"].is_string())
        return std::nullopt;
    const bool kvm = cached.value("kvm", false);
    return AcceleratorChoice{
        kvm ? Accelerator::kvm : Accelerator::tcg,
        fmt::format("{} (remembered in {})", cached["reason"].get<std::string>(), path.string())};
}

/// A cache that cannot be written costs time, nothing else.
void writeCache(const std::filesystem::path &path, const nlohmann::ordered_json &key,
                const AcceleratorChoice &choice)
{
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    const auto partial = std::filesystem::path(fmt::format("{}.{}", path.string(), getpid()));
    std::ofstream(partial) << nlohmann::ordered_json{{"kvm",
                                                      choice.accelerator == Accelerator::kvm},
                                                     {"reason", choice.reason},
                                                     {"circumstances", key}}
                                  .dump(2)
                           << '\n';
    std::filesystem::rename(partial, path, ignored);
}

std::vector<std::string> probeArguments(const AcceleratorProbe &probe,
                                        const std::filesystem::path &serial)
{
    std::vector<std::string> arguments{probe.qemu.string()};
    for (const auto &folder : probe.dataFolders) {
        arguments.emplace_back("-L");
        arguments.push_back(folder.string());
    }
    for (const char *fixed : {"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
                              "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-smp", "2", "-m",
                              "256", "-append", "console=ttyS0 panic=-1"})
        arguments.emplace_back(fixed);
    arguments.insert(arguments.end(),
                     {"-kernel", probe.kernel.string(), "-serial", "file:" + serial.string()});
    return arguments;
}

bool cameUp(const std::filesystem::path &serial)
{
    const std::string text = tailOf(serial, longestLog, longestLog);
    return std::ranges::any_of(
        signsOfLife, [&](std::string_view sign) { return text.find(sign) != std::string::npos; });
}

std::string lastWords(const std::filesystem::path &serial)
{
    const std::string line = tailOf(serial, 1, 200);
    return line.empty() ? "it said nothing on its serial port"
                        : fmt::format("its last line: {}", line);
}

Result<AcceleratorChoice> bootUnderKvm(const AcceleratorProbe &probe, const Interrupt *interrupt)
{
    const auto serial = probe.workFolder / "kvm-probe-serial.log";
    const auto log = probe.workFolder / "kvm-probe.log";
    for (const auto &file : {serial, log}) {
        std::error_code ignored;
        std::filesystem::remove(file, ignored); // of an earlier probe in this session
    }
    auto child = ChildProcess::start(
        {.name = "the KVM probe", .argv = probeArguments(probe, serial), .log = log}, probe.reaper);
    if (!child) return AcceleratorChoice{Accelerator::tcg, child.error().message};

    const auto end = (*child)->wait(probe.limit, interrupt);
    if (!end && end.error().kind == Error::Kind::interrupted) return tl::unexpected(end.error());
    (*child)->stop(std::chrono::milliseconds{0}); // a QEMU that hangs in KVM deserves no grace
    if (cameUp(serial))
        return AcceleratorChoice{Accelerator::kvm,
                                 "the guest's kernel boots under KVM on this host"};
    if (!end)
        return AcceleratorChoice{
            Accelerator::tcg,
            fmt::format(
                "{} opens, but the guest's kernel hangs under it: no boot within {} s, {}",
                probe.device.string(),
                std::chrono::duration_cast<std::chrono::duration<double>>(probe.limit).count(),
                lastWords(serial))};
    const std::string complaint = tailOf(log, 1);
    return AcceleratorChoice{
        Accelerator::tcg,
        fmt::format("{} opens, but the guest's kernel does not boot under it: QEMU {}, {}",
                    probe.device.string(), end->describe(),
                    complaint.empty() ? lastWords(serial) : complaint)};
}

} // namespace

std::string_view name(Accelerator accelerator)
{
    return accelerator == Accelerator::kvm ? "kvm" : "tcg";
}

Result<std::optional<Accelerator>> parseAccelerator(std::string_view text)
{
    if (text == "auto") return std::nullopt;
    if (text == "tcg") return Accelerator::tcg;
    if (text == "kvm") return Accelerator::kvm;
    return failure(Error::Kind::usage, fmt::format("--accel {}: say auto, tcg or kvm", text));
}

Result<AcceleratorChoice> probeAccelerator(const AcceleratorProbe &probe,
                                           const Interrupt *interrupt)
{
    const UniqueFd device{open(probe.device.c_str(), O_RDWR | O_CLOEXEC)};
    if (!device) {
        const int why = errno;
        return AcceleratorChoice{
            Accelerator::tcg,
            why == ENOENT
                ? fmt::format("{} does not exist", probe.device.string())
                : fmt::format("{} cannot be opened: {}", probe.device.string(), strerror(why))};
    }
    if (probe.kernel.empty())
        return AcceleratorChoice{
            Accelerator::tcg,
            fmt::format("{} opens, but there is no guest kernel to prove that it works; "
                        "--accel kvm takes it on trust",
                        probe.device.string())};
    const auto key = circumstances(probe);
    const auto file = cacheFile(probe, key);
    if (!probe.cacheFolder.empty())
        if (auto cached = readCache(file, key)) return *cached;
    auto choice = bootUnderKvm(probe, interrupt);
    if (choice && !probe.cacheFolder.empty()) writeCache(file, key, *choice);
    return choice;
}

} // namespace testcard::launcher
