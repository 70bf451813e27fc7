// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/report.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <vector>

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

namespace testcard::agent
{

void sendReport(int control, Report::Kind kind, int number, std::uint64_t value,
                std::string_view text)
{
    Report report;
    report.kind = kind;
    report.number = number;
    report.value = value;
    const std::size_t length = std::min(text.size(), report.text.size() - 1);
    std::copy_n(text.begin(), length, report.text.begin());
    send(control, &report, offsetof(Report, text) + length + 1, MSG_NOSIGNAL);
}

void closeAllBut(int keep)
{
    // Read to the end first: closing while reading would skip entries. (close_range is not in the
    // older kernels that people bring.)
    std::vector<int> open;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == nullptr) return;
    while (const dirent *entry = readdir(folder))
        open.push_back(static_cast<int>(std::strtol(entry->d_name, nullptr, 10)));
    const int own = dirfd(folder);
    for (const int fd : open)
        if (fd > 2 && fd != keep && fd != own) close(fd);
    closedir(folder);
}

} // namespace testcard::agent
