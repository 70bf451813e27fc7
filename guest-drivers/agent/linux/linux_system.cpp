// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/linux_system.hpp"

#include "linux/process_tree.hpp"
#include "linux/transfer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// Fewer switches between a program that writes much and the agent.
constexpr int pipeBytes = 256 * 1024;
/// What processes that ended commands left behind may amount to, in commands.
constexpr std::size_t mostLeftovers = 64;
/// For sync() before power off: a device under test may never finish it.
constexpr int syncTries = 200;
constexpr useconds_t syncTry_us = 10'000;
/// The kernel's log takes about 1000 bytes in one record.
constexpr std::size_t kernelLogBytes = 900;

/// Both ends of a child's streams: `ours` for the job, `theirs` until the child has been forked.
struct StreamPairs {
    JobStreams ours;
    FileDescriptor control;
    FileDescriptor input;
    FileDescriptor output;
    FileDescriptor error;

    ChildStreams child() const { return {control.get(), input.get(), output.get(), error.get()}; }
};

bool makePipe(FileDescriptor &readEnd, FileDescriptor &writeEnd)
{
    std::array<int, 2> fds{-1, -1};
    if (pipe2(fds.data(), O_CLOEXEC) != 0) return false;
    readEnd.reset(fds[0]);
    writeEnd.reset(fds[1]);
    fcntl(fds[0], F_SETPIPE_SZ, pipeBytes);
    return true;
}

bool makeTerminal(StreamPairs &pairs, const TerminalRequest &size)
{
    FileDescriptor master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 64> name{};
    if (!master || unlockpt(master.get()) != 0 ||
        ptsname_r(master.get(), name.data(), name.size()) != 0)
        return false;
    for (FileDescriptor *slave : {&pairs.input, &pairs.output, &pairs.error}) {
        slave->reset(open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        if (!*slave) return false;
    }
    pairs.ours.input.reset(fcntl(master.get(), F_DUPFD_CLOEXEC, 3));
    pairs.ours.output = std::move(master);
    pairs.ours.isTerminal = true;
    winsize window{};
    window.ws_row = size.rows;
    window.ws_col = size.columns;
    ioctl(pairs.ours.output.get(), TIOCSWINSZ, &window);
    return static_cast<bool>(pairs.ours.input);
}

FileDescriptor watchChildren()
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    return FileDescriptor(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

/// Writes back what can be written back in two seconds.
void syncFileSystems()
{
    const pid_t child = fork();
    if (child == 0) {
        sync();
        _exit(0);
    }
    for (int i = 0; child > 0 && i < syncTries && waitpid(child, nullptr, WNOHANG) == 0; ++i)
        usleep(syncTry_us);
}

} // namespace

LinuxSystem::LinuxSystem(Loop &loop, LinuxSystemOptions options)
    : loop_(loop), options_(std::move(options)), children_(watchChildren())
{
    // What a killed supervisor leaves behind comes to us rather than to process 1.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    std::signal(SIGPIPE, SIG_IGN);
    loop_.watch(children_.get(), watchRead, [this](std::uint32_t) { reapChildren(); });
}

LinuxSystem::~LinuxSystem()
{
    loop_.forget(children_.get());
}

Welcome LinuxSystem::describe()
{
    utsname names{};
    uname(&names);
    Welcome welcome;
    welcome.canPowerOff = !options_.power.empty();
    welcome.uptime_ns = static_cast<std::uint64_t>(now().count());
    welcome.system = names.sysname;
    welcome.kernel = names.release;
    welcome.machine = names.machine;
    welcome.hostName = names.nodename;
    return welcome;
}

// Jobs ----------------------------------------------------------------------------------------

Job *LinuxSystem::find(std::uint32_t request)
{
    const auto found = std::find_if(jobs_.begin(), jobs_.end(), [request](const auto &job) {
        return job->request() == request && !job->isReported();
    });
    return found == jobs_.end() ? nullptr : found->get();
}

void LinuxSystem::launch(std::uint32_t request, const Wanted &wanted,
                         const std::function<void(const ChildStreams &)> &child)
{
    StreamPairs pairs;
    std::array<int, 2> control{-1, -1};
    bool made = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control.data()) == 0;
    pairs.ours.control.reset(control[0]);
    pairs.control.reset(control[1]);
    if (wanted.terminal) {
        made = made && makeTerminal(pairs, *wanted.terminal);
    } else {
        if (wanted.input) made = made && makePipe(pairs.input, pairs.ours.input);
        if (wanted.output) made = made && makePipe(pairs.ours.output, pairs.output);
        if (wanted.error) made = made && makePipe(pairs.ours.error, pairs.error);
    }
    if (wanted.isCommand && !wanted.terminal && !wanted.error)
        pairs.error.reset(fcntl(pairs.output.get(), F_DUPFD_CLOEXEC, 3));
    const pid_t process = made ? fork() : -1;
    if (process == 0) {
        child(pairs.child());
        _exit(127);
    }
    if (process < 0) {
        const auto number = static_cast<std::uint32_t>(errno);
        const std::string what = wanted.terminal && !made
                                     ? "no terminal for it (is /dev/pts mounted?): "
                                     : "no process: ";
        return events_->failed(request, {number, what + std::strerror(errno)});
    }
    jobs_.push_back(std::make_unique<Job>(loop_, *events_, request, process, wanted.isCommand,
                                          std::move(pairs.ours)));
    jobs_.back()->enableOutput(outputEnabled_);
}

void LinuxSystem::run(std::uint32_t request, const RunRequest &run)
{
    const Wanted wanted{true, run.input, true, !run.mergeOutput, run.terminal};
    launch(request, wanted, [&run](const ChildStreams &streams) { supervise(run, streams); });
}

void LinuxSystem::put(std::uint32_t request, const PutRequest &put)
{
    launch(request, {false, true, false, false, {}},
           [&put](const ChildStreams &streams) { writeFile(put, streams); });
}

void LinuxSystem::get(std::uint32_t request, const GetRequest &get)
{
    launch(request, {false, false, true, false, {}},
           [&get](const ChildStreams &streams) { readFile(get, streams); });
}

void LinuxSystem::makeDirectory(std::uint32_t request, const MakeDirectoryRequest &make)
{
    launch(request, {}, [&make](const ChildStreams &streams) { makeDirectories(make, streams); });
}

void LinuxSystem::input(std::uint32_t request, std::span<const std::uint8_t> bytes)
{
    if (Job *job = find(request)) job->input(bytes);
}

void LinuxSystem::inputEnd(std::uint32_t request)
{
    if (Job *job = find(request)) job->inputEnd();
}

void LinuxSystem::signal(std::uint32_t request, std::uint32_t number)
{
    if (Job *job = find(request)) job->signal(number);
}

void LinuxSystem::resize(std::uint32_t request, const TerminalRequest &terminal)
{
    if (Job *job = find(request)) job->resize(terminal);
}

void LinuxSystem::kill(std::uint32_t request)
{
    if (Job *job = find(request)) job->kill();
}

void LinuxSystem::abandon(std::uint32_t request)
{
    if (Job *job = find(request)) job->abandon();
}

void LinuxSystem::abandonAll()
{
    for (const auto &job : jobs_)
        job->abandon();
}

void LinuxSystem::enableOutput(bool enabled)
{
    if (enabled == std::exchange(outputEnabled_, enabled)) return;
    for (const auto &job : jobs_)
        job->enableOutput(enabled);
}

std::optional<Time> LinuxSystem::deadline() const
{
    std::optional<Time> next;
    for (const auto &job : jobs_)
        if (const auto at = job->deadline(); at && (!next || *at < *next)) next = at;
    return next;
}

void LinuxSystem::tick(Time now)
{
    for (const auto &job : jobs_)
        job->tick(now);
    bool strays = false;
    std::size_t leftovers = 0;
    for (auto at = jobs_.begin(); at != jobs_.end();) {
        Job &job = **at;
        if (job.isGone() && job.isReported()) {
            strays = strays || job.leftStrays();
            at = jobs_.erase(at);
            continue;
        }
        if (job.isReported() && ++leftovers > mostLeftovers) job.kill();
        ++at;
    }
    if (strays) killStrays();
}

void LinuxSystem::reapChildren()
{
    signalfd_siginfo ignored{};
    while (read(children_.get(), &ignored, sizeof ignored) > 0) {
    }
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
}

/// Kills what descends from us but from none of the children that we know.
void LinuxSystem::killStrays()
{
    std::set<pid_t> known;
    for (const auto &job : jobs_)
        known.insert(job->child());
    killDescendants(known);
}

// The machine ---------------------------------------------------------------------------------

bool LinuxSystem::writeKernelLog(std::string_view text)
{
    const FileDescriptor log(
        open(options_.kernelLog.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC));
    if (!log) return false;
    // Level 5, notice.
    const std::string line = "<5>" + std::string(text.substr(0, kernelLogBytes)) + "\n";
    return write(log.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

bool LinuxSystem::power(PowerAction action)
{
    abandonAll();
    const bool off = action == PowerAction::Off;
    if (options_.power == "direct") {
        syncFileSystems();
        reboot(off ? RB_POWER_OFF : RB_AUTOBOOT);
        return false;
    }
    const pid_t child = fork();
    if (child == 0) {
        adoptStreams({});
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        execlp(options_.power.c_str(), options_.power.c_str(), off ? "poweroff" : "reboot",
               static_cast<char *>(nullptr));
        _exit(127);
    }
    return child > 0;
}

} // namespace testcard::agent
