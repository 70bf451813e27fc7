// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/reaper.hpp"

#include "launcher/process_table.hpp"
#include "launcher/waiting.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

using namespace std::chrono_literals;

/// One message of the parent's: a byte that means nothing and a pidfd.
UniqueFd receivePidfd(int socket, bool &open)
{
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    open = size > 0 || (size < 0 && errno == EINTR);
    const cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return UniqueFd{};
    int fd = -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd{fd};
}

bool ended(int pidfd)
{
    return waitFor(pidfd, std::chrono::steady_clock::now(), nullptr) == Wake::ready;
}

/// Processes can still be between fork and exec when the parent dies, so one empty look is not
/// enough.
void cleanUp(const std::vector<UniqueFd> &registered, const std::filesystem::path &folder)
{
    for (const UniqueFd &pidfd : registered)
        syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    for (int quiet = 0; quiet < 2 && std::chrono::steady_clock::now() < deadline;) {
        quiet = killSessionProcesses(folder) == 0 ? quiet + 1 : 0;
        if (quiet < 2) std::this_thread::sleep_for(20ms);
    }
    for (const UniqueFd &pidfd : registered)
        waitFor(pidfd.get(), deadline, nullptr);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
}

/// Leaves the terminal, the caller's pipes and everything else to the parent.
void detach(int socket)
{
    setsid();
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
        ::signal(number, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_NAME, "testcard-reaper");
    const int null = open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2})
        dup2(null, fd);
    dup2(socket, 3);
    close_range(4, ~0U, 0);
    if (chdir("/") != 0) return; // the folder it was started in stays busy, nothing worse
}

[[noreturn]] void reap(int inheritedSocket, const std::filesystem::path &folder)
{
    detach(inheritedSocket);
    const int socket = 3;
    std::vector<UniqueFd> registered;
    for (bool parentLives = true; parentLives;) {
        UniqueFd pidfd = receivePidfd(socket, parentLives);
        std::erase_if(registered, [](const UniqueFd &old) { return ended(old.get()); });
        if (pidfd) registered.push_back(std::move(pidfd));
    }
    cleanUp(registered, folder);
    _exit(0);
}

} // namespace

unsigned killSessionProcesses(const std::filesystem::path &folder, bool emulatorsOnly)
{
    const std::string marker = fmt::format("{}={}", runtimeFolderVariable, folder.string());
    unsigned signalled = 0;
    for (const pid_t pid : allProcesses()) {
        if (pid == getpid()) continue;
        // The pidfd comes first: what is then read and signalled is one and the same process.
        const UniqueFd pidfd{static_cast<int>(syscall(SYS_pidfd_open, pid, 0))};
        if (!pidfd || ended(pidfd.get())) continue;
        const bool emulator = processName(pid).starts_with("qemu-");
        if (emulatorsOnly && !emulator) continue;
        if (!environmentHas(pid, marker) && !(emulator && argumentsMention(pid, folder.string())))
            continue;
        if (syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0) ++signalled;
    }
    return signalled;
}

Result<std::unique_ptr<Reaper>> Reaper::start(const std::filesystem::path &folder)
{
    std::array<int, 2> ends{};
    // SEQPACKET: a message is whole, and its reader sees the end of the last writer.
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return failure(Error::Kind::host,
                       fmt::format("cannot start the reaper: {}", strerror(errno)));
    UniqueFd parentEnd{ends[0]};
    UniqueFd reaperEnd{ends[1]};
    // A Ctrl-C before the reaper turns deaf must not take it along.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid != 0) pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0)
        return failure(Error::Kind::host,
                       fmt::format("cannot start the reaper: {}", strerror(errno)));
    if (pid == 0) {
        parentEnd.reset();
        reap(reaperEnd.get(), folder);
    }
    return std::unique_ptr<Reaper>(new Reaper(folder, pid, std::move(parentEnd)));
}

Reaper::Reaper(std::filesystem::path folder, pid_t pid, UniqueFd socket)
    : folder_(std::move(folder)), pid_(pid), socket_(std::move(socket))
{
}

Reaper::~Reaper()
{
    const UniqueFd pidfd{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))};
    socket_.reset();
    waitFor(pidfd.get(), std::chrono::steady_clock::now() + 10s, nullptr);
    waitpid(pid_, nullptr, WNOHANG);
    // Somebody may have killed the reaper: then it is on us, with what we can see.
    std::error_code ignored;
    if (std::filesystem::exists(folder_, ignored)) cleanUp({}, folder_);
}

void Reaper::watch(int pidfd) noexcept
{
    char byte = 'p';
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &pidfd, sizeof pidfd);
    // A reaper that somebody killed takes only the safety net with it.
    sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
}

} // namespace testcard::launcher
