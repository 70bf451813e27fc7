// SPDX-License-Identifier: GPL-2.0-or-later
//
// The first and only program of the test's guest, linked statically. `task=` on the kernel's
// command line, which the kernel hands to it in its environment, says what it does.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

namespace
{

constexpr const char *devices = "/sys/bus/pci/devices";

void openConsole()
{
    mkdir("/dev", 0755);
    mkdir("/sys", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
    mount("sysfs", "/sys", "sysfs", 0, nullptr);
    const int console = open("/dev/console", O_RDWR);
    for (const int fd : {0, 1, 2})
        dup2(console, fd);
    setvbuf(stdout, nullptr, _IONBF, 0);
}

bool isOurs(const char *device)
{
    char path[512];
    char vendor[16] = {};
    snprintf(path, sizeof path, "%s/%s/vendor", devices, device);
    const int file = open(path, O_RDONLY);
    if (file < 0) return false;
    const bool got = read(file, vendor, sizeof vendor - 1) > 0;
    close(file);
    return got && strncmp(vendor, "0x7c01", 6) == 0;
}

int countCards()
{
    int count = 0;
    DIR *folder = opendir(devices);
    while (const dirent *entry = folder != nullptr ? readdir(folder) : nullptr)
        if (isOurs(entry->d_name)) ++count;
    if (folder != nullptr) closedir(folder);
    return count;
}

/// Tells each change, numbered from 0; hot-plug itself is the kernel's business.
[[noreturn]] void watchCards()
{
    int known = -1;
    for (int change = 0;; usleep(20'000)) {
        const int count = countCards();
        if (count != known) printf("change %d: %d cards\n", change++, count);
        known = count;
    }
}

} // namespace

int main()
{
    openConsole();
    const char *task = getenv("task");
    printf("task: %s\n", task != nullptr ? task : "none");
    if (task == nullptr || strcmp(task, "panic") == 0) return 1; // the end of init is a panic
    if (strcmp(task, "watch") == 0) watchCards();
    sync();
    reboot(strcmp(task, "reset") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
}
