// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/process_table.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>

namespace testcard::launcher
{
namespace
{

/// Arguments and environment are up to the program they belong to.
constexpr std::size_t longestFile = 1 << 20;

std::string contents(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::string text;
    std::array<char, 4096> part{};
    while (text.size() < longestFile && file.read(part.data(), part.size()).gcount() > 0)
        text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    return text;
}

} // namespace

std::vector<pid_t> allProcesses()
{
    std::vector<pid_t> pids;
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        pid_t pid = 0;
        const auto [last, fault] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (fault == std::errc{} && last == name.data() + name.size()) pids.push_back(pid);
    }
    return pids;
}

std::optional<ProcessState> processState(pid_t pid)
{
    // pid (name) state ppid pgrp session ...; the name may hold spaces and parentheses.
    const std::string text = contents(fmt::format("/proc/{}/stat", pid));
    const std::size_t name = text.rfind(')');
    if (name == std::string::npos) return std::nullopt;
    std::istringstream fields(text.substr(name + 1));
    char state = 0;
    ProcessState result{.pid = pid};
    fields >> state >> result.parent >> result.group >> result.session;
    if (!fields) return std::nullopt;
    result.zombie = state == 'Z';
    return result;
}

std::string processName(pid_t pid)
{
    std::string name = contents(fmt::format("/proc/{}/comm", pid));
    if (name.ends_with('\n')) name.pop_back();
    return name;
}

bool environmentHas(pid_t pid, std::string_view entry)
{
    std::istringstream environment(contents(fmt::format("/proc/{}/environ", pid)));
    for (std::string line; std::getline(environment, line, '\0');)
        if (line == entry) return true;
    return false;
}

bool argumentsMention(pid_t pid, std::string_view text)
{
    return contents(fmt::format("/proc/{}/cmdline", pid)).find(text) != std::string::npos;
}

bool socketListens(const std::filesystem::path &path)
{
    // Num RefCount Protocol Flags Type St Inode Path; Flags bit 16 is the kernel's __SO_ACCEPTCON.
    std::ifstream table("/proc/net/unix");
    // Our own servers bind beside the path and move the socket there once it listens, so that it is
    // never there too soon (devices/vfio-user/listener.cpp); the table keeps the first name.
    const std::string beside = path.string() + ".new";
    std::error_code ignored;
    const bool moved = std::filesystem::is_socket(path, ignored);
    std::string line;
    while (std::getline(table, line)) {
        std::istringstream fields(line);
        std::string number, references, protocol, flags, type, state, inode, name;
        fields >> number >> references >> protocol >> flags >> type >> state >> inode >> std::ws;
        std::getline(fields, name);
        const bool same = name == path.string() || (moved && name == beside);
        if (same && flags == "00010000") return true;
    }
    return false;
}

} // namespace testcard::launcher
