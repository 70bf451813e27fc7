// SPDX-License-Identifier: GPL-2.0-or-later
#include "processes.hpp"

#include "launcher/process_table.hpp"

#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace testcard::launcher
{
namespace
{

std::string textOf(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace

char stateOf(pid_t pid)
{
    const std::string text = textOf("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name = text.rfind(')');
    return name == std::string::npos || name + 2 >= text.size() ? '\0' : text[name + 2];
}

bool runs(pid_t pid)
{
    const char state = stateOf(pid);
    return state != '\0' && state != 'Z' && state != 'X';
}

bool becomesTrue(const std::function<bool()> &condition, std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

std::string environmentOf(pid_t pid)
{
    return textOf("/proc/" + std::to_string(pid) + "/environ");
}

std::vector<pid_t> processesThatMention(const std::string &text)
{
    std::vector<pid_t> found;
    for (const pid_t pid : allProcesses())
        if (pid != getpid() && runs(pid) &&
            (argumentsMention(pid, text) || environmentOf(pid).find(text) != std::string::npos))
            found.push_back(pid);
    return found;
}

} // namespace testcard::launcher
