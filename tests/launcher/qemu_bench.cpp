// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu_bench.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace testcard::launcher
{
namespace
{

namespace fs = std::filesystem;

std::string variable(const char *name)
{
    const char *value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::string contents(const fs::path &path)
{
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// One member of a cpio archive in the "newc" format, which is what the kernel unpacks.
std::string cpioMember(const std::string &name, unsigned mode, const std::string &data)
{
    std::string member = "070701";
    const unsigned long fields[] = {1, mode, 0, 0, 1, 0, data.size(), 0, 0, 0, 0, name.size() + 1,
                                    0};
    for (const unsigned long field : fields)
        member += fmt::format("{:08x}", field);
    member += name + '\0';
    member.resize((member.size() + 3) / 4 * 4, '\0');
    member += data;
    member.resize((member.size() + 3) / 4 * 4, '\0');
    return member;
}

fs::path initramfs()
{
    fs::path path = session().folder() / "initramfs.img";
    if (!fs::exists(path))
        std::ofstream(path, std::ios::binary)
            << cpioMember("init", 0100755, contents(GUEST_INIT)) << cpioMember("TRAILER!!!", 0, "");
    return path;
}

} // namespace

fs::path qemuOrSkip()
{
    const std::string settings = variable("TESTCARD_SETUP_ENV");
    std::string qemu = variable("QEMU_BINARY");
    std::istringstream lines(contents(settings));
    for (std::string line; qemu.empty() && std::getline(lines, line);)
        if (line.starts_with("QEMU_BINARY=")) qemu = line.substr(line.find('=') + 1);
    if (qemu.empty() || !fs::exists(qemu))
        SKIP("no QEMU is known: run the set-up, which writes "
             << (settings.empty() ? "build/setup/env" : settings) << ", or set QEMU_BINARY");
    return qemu;
}

fs::path kernelOrSkip()
{
    if (const std::string named = variable("GUEST_KERNEL"); !named.empty()) return named;
    const fs::path folder = variable("TESTCARD_KERNELS");
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(folder, error))
        if (fs::exists(entry.path() / "vmlinux")) return entry.path() / "vmlinux";
    SKIP("no guest kernel is there: build a guest, which unpacks one into "
         << folder.string() << "/VERSION/vmlinux, or set GUEST_KERNEL");
    return {};
}

const fs::path &cacheFolder()
{
    static const ScratchFolder folder;
    return folder.path();
}

Session &session()
{
    static const std::unique_ptr<Session> one = must(Session::open({.cacheFolder = cacheFolder()}));
    return *one;
}

GuestConfig guest(const std::string &task)
{
    static int number = 0;
    GuestConfig config;
    config.qemu = qemuOrSkip();
    config.kernel = kernelOrSkip();
    config.initrd = initramfs();
    config.commandLine = "console=ttyS0 panic=-1 cryptomgr.notests task=" + task;
    config.memory_MiB = 256;
    config.serialLog = session().folder() / fmt::format("serial-{}.log", ++number);
    config.agentSocket = session().folder() / fmt::format("agent-{}.sock", number);
    return config;
}

bool serialSays(const GuestConfig &config, const std::string &line, std::chrono::seconds limit)
{
    return becomesTrue([&] { return contents(config.serialLog).find(line) != std::string::npos; },
                       limit);
}

PlainCard::PlainCard(const std::string &name)
    : socket{.name = name, .socket = session().folder() / (name + ".sock")}
{
    serve();
}

void PlainCard::serve()
{
    process = must(session().spawn({.name = socket.name,
                                    .argv = {PLAIN_CARD, socket.socket.string()},
                                    .log = session().folder() / (socket.name + ".log"),
                                    .readySockets = {socket.socket}}));
    must(process->waitReady(std::chrono::seconds{20}, nullptr));
}

} // namespace testcard::launcher
