// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/adopted_children.hpp"

#include "launcher/process_table.hpp"
#include "launcher/unique_fd.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

std::atomic<int> notifyFd{-1};
struct sigaction previousAction;

extern "C" void childEnded(int)
{
    const int saved = errno;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(notifyFd.load(), &one, sizeof one);
    errno = saved;
}

/// Who was started from here is waited for by who started it: libvirt's children, which are of our
/// group or lead a session, and ChildProcess, which leads a group. A daemon has forked once more
/// after it made its session, and what a card leaves behind is of the card's group.
bool isAdopted(const ProcessState &state)
{
    const bool daemon = state.session != getsid(0) && state.session != state.pid;
    const bool leftBehind =
        state.session == getsid(0) && state.group != getpgrp() && state.group != state.pid;
    return daemon || leftBehind;
}

void reapAdopted()
{
    for (const pid_t pid : allProcesses()) {
        const auto state = processState(pid);
        if (state && state->parent == getpid() && state->zombie && isAdopted(*state))
            waitpid(pid, nullptr, WNOHANG);
    }
}

} // namespace

AdoptedChildren::AdoptedChildren()
{
    // The action owns the descriptor, which the loop may poll for a moment longer than this object
    // lives.
    const auto fd = std::make_shared<UniqueFd>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    watch_ = std::make_unique<ReadWatch>(fd->get(), [fd] {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t size = read(fd->get(), &count, sizeof count);
        reapAdopted();
    });
    notifyFd = fd->get();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct sigaction action {
    };
    action.sa_handler = childEnded;
    action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
    sigaction(SIGCHLD, &action, &previousAction);
}

AdoptedChildren::~AdoptedChildren()
{
    sigaction(SIGCHLD, &previousAction, nullptr);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    notifyFd = -1;
    reapAdopted();
}

} // namespace testcard::launcher
