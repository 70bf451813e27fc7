// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/guest_config.hpp"

#include "launcher/runtime_folder.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

namespace testcard::launcher
{
namespace
{

/// Root ports share slots of the root bus, eight to a slot, in slots 4 to 11 (see topology.hpp).
constexpr std::size_t mostRootPorts = 64;
constexpr std::size_t mostDisks = 16;
constexpr std::size_t longestSerial = 20; ///< VIRTIO_BLK_ID_BYTES
constexpr std::uint64_t leastMemory_MiB = 32;
constexpr unsigned mostProcessors = 255;

tl::unexpected<Error> wrong(std::string message)
{
    return failure(Error::Kind::usage, std::move(message));
}

bool isName(std::string_view text, std::string_view punctuation)
{
    return !text.empty() && text.size() <= 64 &&
           std::isalpha(static_cast<unsigned char>(text[0])) &&
           std::ranges::all_of(text, [&](char c) {
               return std::isalnum(static_cast<unsigned char>(c)) ||
                      punctuation.find(c) != std::string_view::npos;
           });
}

Result<void> checkSocket(std::string_view what, const std::filesystem::path &socket)
{
    if (!socket.is_absolute())
        return wrong(fmt::format("{}: the socket path \"{}\" is not absolute; give the whole path",
                                 what, socket.string()));
    if (socket.native().size() > socketPathLimit)
        return wrong(
            fmt::format("{}: the socket path {} has {} bytes, a Unix socket's may have {}; "
                        "use a shorter folder",
                        what, socket.string(), socket.native().size(), socketPathLimit));
    return {};
}

Result<void> checkFile(std::string_view what, const std::filesystem::path &file)
{
    if (file.is_absolute()) return {};
    return wrong(fmt::format("{}: the path \"{}\" is not absolute; give the whole path", what,
                             file.string()));
}

Result<void> checkCards(const GuestConfig &config)
{
    std::set<std::string> names;
    for (const CardSocket &card : config.cards) {
        if (auto ok = check(card); !ok) return ok;
        if (!names.insert(card.name).second)
            return wrong(
                fmt::format("card {}: there are two cards of this name; rename one", card.name));
    }
    if (config.cards.size() + config.spareRootPorts > mostRootPorts)
        return wrong(
            fmt::format("{} cards and {} spare root ports are more than the {} root ports of a "
                        "guest; take fewer",
                        config.cards.size(), config.spareRootPorts, mostRootPorts));
    return {};
}

Result<void> checkDisks(const GuestConfig &config)
{
    if (config.disks.size() > mostDisks)
        return wrong(
            fmt::format("{} disks are more than {}; take fewer", config.disks.size(), mostDisks));
    for (const Disk &disk : config.disks) {
        if (auto ok = checkFile("disk", disk.file); !ok) return ok;
        if (disk.serial.size() > longestSerial ||
            (!disk.serial.empty() && !isName(disk.serial, "-_.")))
            return wrong(
                fmt::format("disk {}: the serial \"{}\" is not a name of at most {} letters, "
                            "digits, '-', '_' and '.'",
                            disk.file.string(), disk.serial, longestSerial));
    }
    return {};
}

/// Design D11: vfio-user cards keep no state over a snapshot, and QEMU does not notice.
Result<void> checkExtraArguments(const std::vector<std::string> &arguments)
{
    constexpr std::array<std::string_view, 4> refused{"-loadvm", "--loadvm", "-incoming",
                                                      "--incoming"};
    for (const std::string &argument : arguments)
        if (std::ranges::find(refused, argument) != refused.end())
            return wrong(
                fmt::format("extra argument {}: snapshots and migration lose the cards' state "
                            "without an error (design D11); boot the guest instead",
                            argument));
    return {};
}

} // namespace

Result<void> check(const CardSocket &card)
{
    if (!isName(card.name, "-_"))
        return wrong(
            fmt::format("card \"{}\": a name is up to 64 letters, digits, '-' and '_', and starts "
                        "with a letter",
                        card.name));
    if (card.messageTimeout <= std::chrono::milliseconds{0})
        return wrong(fmt::format("card {}: the message timeout must be at least 1 ms", card.name));
    return checkSocket("card " + card.name, card.socket);
}

Result<void> check(const GuestConfig &config)
{
    if (!isName(config.name, "-_."))
        return wrong(
            fmt::format("guest \"{}\": a name is up to 64 letters, digits, '-', '_' and '.', and "
                        "starts with a letter",
                        config.name));
    if (config.qemu.empty())
        return wrong("no emulator is given; run the set-up, or name a qemu-system-x86_64 that "
                     "knows vfio-user-pci");
    if (auto ok = checkFile("emulator", config.qemu); !ok) return ok;
    if (config.memory_MiB < leastMemory_MiB)
        return wrong(
            fmt::format("memory: {} MiB are less than {} MiB", config.memory_MiB, leastMemory_MiB));
    if (config.processors < 1 || config.processors > mostProcessors)
        return wrong(
            fmt::format("processors: {} is not within 1 to {}", config.processors, mostProcessors));
    if (config.kernel.empty() && (!config.initrd.empty() || !config.commandLine.empty()))
        return wrong("an initrd or a command line is given without a kernel; name the kernel");
    for (const auto &[what, file] :
         {std::pair{"kernel", config.kernel}, std::pair{"initrd", config.initrd},
          std::pair{"serial log", config.serialLog}})
        if (!file.empty())
            if (auto ok = checkFile(what, file); !ok) return ok;
    if (!config.agentSocket.empty())
        if (auto ok = checkSocket("agent", config.agentSocket); !ok) return ok;
    if (auto ok = checkDisks(config); !ok) return ok;
    if (auto ok = checkCards(config); !ok) return ok;
    return checkExtraArguments(config.extraArguments);
}

std::string rootPortName(std::size_t index)
{
    return fmt::format("pci.{}", index + 1);
}

std::string cardDevice(const CardSocket &card, const std::string &rootPort)
{
    // ordered: the text is shown to people, and compared in tests.
    const nlohmann::ordered_json device{
        {"driver", "vfio-user-pci"},
        {"id", card.name},
        {"bus", rootPort},
        {"socket", {{"type", "unix"}, {"path", card.socket.string()}}},
        {"x-msg-timeout", card.messageTimeout.count()},
    };
    return device.dump();
}

} // namespace testcard::launcher
