// SPDX-License-Identifier: GPL-2.0-or-later
//
// A program like testcard, for tests to kill: opens a session, starts what a run starts, says what
// there is, and waits.
//
//   session-process [--deaf-child] [--cache FOLDER] [--guest QEMU KERNEL]
//
// Lines on stdout: "folder PATH", "child PID", "reaper PID", "emulator PID", "waiting"; then, when
// SIGINT or SIGTERM interrupts it, "interrupted" and an orderly end with exit code 130.
#include "launcher/launcher.hpp"
#include "launcher/process_table.hpp"

#include <cstdio>
#include <fstream>
#include <string_view>

#include <unistd.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;

namespace
{

[[noreturn]] void giveUp(const Error &error)
{
    std::fprintf(stderr, "%s\n", error.message.c_str());
    std::exit(3);
}

template <typename T>
T orGiveUp(Result<T> result)
{
    if (!result) giveUp(result.error());
    return std::move(*result);
}

/// Which may still be on its way to its name.
pid_t findReaper()
{
    for (;;)
        for (const pid_t pid : allProcesses()) {
            const auto state = processState(pid);
            if (state && state->parent == getpid() && processName(pid) == "testcard-reaper")
                return pid;
        }
}

/// A card that forks a helper of its own, as one with ffmpeg would; deaf ones ignore SIGTERM.
std::unique_ptr<ChildProcess> startCard(Session &session, bool deaf)
{
    std::string script = deaf ? "trap '' TERM INT HUP; " : "";
    script += "sleep 1000 & echo > \"$TESTCARD_RUNTIME/card.file\"; echo >&$TESTCARD_READY_FD; "
              "wait; wait";
    auto card = orGiveUp(
        session.spawn({.name = "card", .argv = {"sh", "-c", script}, .readyByDescriptor = true}));
    if (auto ready = card->waitReady(10s, &session.interrupt()); !ready) giveUp(ready.error());
    return card;
}

std::unique_ptr<Machine> startGuest(Session &session, const char *qemu, const char *kernel)
{
    GuestConfig config;
    config.qemu = qemu;
    config.kernel = kernel;
    config.commandLine = "console=ttyS0 panic=0"; // panics without a root, and then hangs
    config.memory_MiB = 256;
    config.serialLog = session.folder() / "serial.log";
    config.agentSocket = session.folder() / "agent.sock";
    return orGiveUp(session.start(config));
}

} // namespace

int main(int argc, char **argv)
{
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    bool deaf = false;
    const char *qemu = nullptr;
    const char *kernel = nullptr;
    std::string cache;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--deaf-child") deaf = true;
        if (argument == "--cache" && i + 1 < argc) cache = argv[++i];
        if (argument == "--guest" && i + 2 < argc) {
            qemu = argv[++i];
            kernel = argv[++i];
        }
    }

    auto session = orGiveUp(Session::open({.cacheFolder = cache}));
    const SignalGuard guard(session->interrupt());
    std::printf("folder %s\n", session->folder().c_str());
    std::printf("reaper %d\n", findReaper());
    const auto card = startCard(*session, deaf);
    std::printf("child %d\n", card->pid());
    std::unique_ptr<Machine> machine;
    if (qemu != nullptr) {
        machine = startGuest(*session, qemu, kernel);
        std::printf("emulator %d\n", machine->emulatorPid());
    }
    std::printf("waiting\n");
    const auto end = card->wait(std::chrono::hours{1}, &session->interrupt());
    if (end || end.error().kind != Error::Kind::interrupted) return 1;
    std::printf("interrupted\n");
    return 128 + session->interrupt().signal();
}
