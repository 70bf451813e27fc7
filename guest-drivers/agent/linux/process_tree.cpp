// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/process_tree.hpp"

#include "linux/file_descriptor.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include <dirent.h>

namespace testcard::agent
{

namespace
{

constexpr int mostPasses = 64;

/// The parent of a process that lives; 0 if there is none (any more) or it is a zombie.
pid_t parentOf(const std::string &process)
{
    const FileDescriptor file(open(("/proc/" + process + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return 0;
    std::array<char, 512> text{};
    const ssize_t bytes = read(file.get(), text.data(), text.size() - 1);
    if (bytes <= 0) return 0;
    // "PID (NAME) STATE PARENT ...": the name may contain anything, so search from behind it.
    const char *state = std::strrchr(text.data(), ')');
    if (state == nullptr || std::strlen(state) < 4 || state[2] == 'Z' || state[2] == 'X') return 0;
    return static_cast<pid_t>(std::strtol(state + 4, nullptr, 10));
}

/// Children by parent, of all processes.
std::multimap<pid_t, pid_t> children()
{
    std::multimap<pid_t, pid_t> result;
    DIR *folder = opendir("/proc");
    if (folder == nullptr) return result;
    while (const dirent *entry = readdir(folder)) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (const pid_t parent = parentOf(entry->d_name))
            result.emplace(parent, static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)));
    }
    closedir(folder);
    return result;
}

} // namespace

std::vector<pid_t> descendants(pid_t root, const std::set<pid_t> &except)
{
    const auto all = children();
    std::vector<pid_t> found{root};
    for (std::size_t i = 0; i < found.size(); ++i) {
        const auto [first, last] = all.equal_range(found[i]);
        for (auto child = first; child != last; ++child)
            if (!except.contains(child->second)) found.push_back(child->second);
    }
    found.erase(found.begin());
    return found;
}

std::size_t killDescendants(const std::set<pid_t> &except)
{
    std::set<pid_t> stopped;
    for (int pass = 0; pass < mostPasses; ++pass) {
        const std::size_t before = stopped.size();
        for (const pid_t process : descendants(getpid(), except))
            if (stopped.insert(process).second) kill(process, SIGSTOP);
        if (stopped.size() == before) break;
    }
    for (const pid_t process : stopped)
        kill(process, SIGKILL);
    return stopped.size();
}

} // namespace testcard::agent
