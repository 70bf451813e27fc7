// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/supervisor.hpp"

#include "linux/file_descriptor.hpp"
#include "linux/loop.hpp"
#include "linux/process_tree.hpp"
#include "linux/report.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace testcard::agent
{

namespace
{

constexpr const char *defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// While killing: new orphans may arrive without any SIGCHLD of their own.
constexpr int killAgainAfter_ms = 20;

/// What the command's process tells its supervisor when it cannot become the command.
struct ExecFailure {
    int number;
    enum Stage { Directory, Program } stage;
};

/// Undoes what the agent set for itself: blocked and ignored signals, protection against the
/// out-of-memory killer.
void restoreDefaults()
{
    for (int number = 1; number < NSIG; ++number)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    umask(022);
    const FileDescriptor file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (file) static_cast<void>(!write(file.get(), "0", 1));
}

void setEnvironment(const RunRequest &run)
{
    setenv("PATH", defaultPath, 0);
    setenv("HOME", "/root", 0);
    if (run.terminal) setenv("TERM", "linux", 0);
    for (const std::string &entry : run.environment) {
        const std::size_t equals = entry.find('=');
        if (equals == std::string::npos)
            unsetenv(entry.c_str());
        else
            setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
    }
}

/// In the command's process: becomes the command, or says into `failure` why not.
[[noreturn]] void become(const RunRequest &run, int failure)
{
    setsid();
    if (run.terminal) ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    restoreDefaults();
    setEnvironment(run);
    ExecFailure why{0, ExecFailure::Directory};
    if (run.directory.empty() || chdir(run.directory.c_str()) == 0) {
        std::vector<char *> arguments;
        for (const std::string &argument : run.argv)
            arguments.push_back(const_cast<char *>(argument.c_str()));
        arguments.push_back(nullptr);
        execvp(arguments[0], arguments.data());
        why.stage = ExecFailure::Program;
    }
    why.number = errno;
    static_cast<void>(!write(failure, &why, sizeof why));
    _exit(127);
}

class Supervisor
{
public:
    Supervisor(const RunRequest &run, int control) : run_(run), control_(control) {}

    [[noreturn]] void live();

private:
    void launch();
    void execResult();
    void reap();
    void firstEnded(int status);
    void orders();
    void killAll();
    [[noreturn]] void leave();

    const RunRequest &run_;
    int control_;
    FileDescriptor children_; ///< signalfd of SIGCHLD
    FileDescriptor exec_;     ///< ends when the command's process has become the command
    pid_t first_ = -1;        ///< the command's first process, until it is reaped
    Time startedAt_{};
    bool failed_ = false; ///< it never became the command
    bool killing_ = false;
};

void Supervisor::launch()
{
    std::array<int, 2> pipe{-1, -1};
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) {
        sendReport(control_, Report::Kind::Failed, errno, 0, "no pipe for a new process");
        _exit(1);
    }
    exec_.reset(pipe[0]);
    const FileDescriptor failure(pipe[1]);
    startedAt_ = now();
    first_ = fork();
    if (first_ == 0) become(run_, failure.get());
    if (first_ < 0) {
        sendReport(control_, Report::Kind::Failed, errno, 0, "no new process can be made");
        _exit(1);
    }
    // The command's streams end with the command, not with this process.
    const FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (!null || dup2(null.get(), stream) < 0) close(stream);
}

void Supervisor::live()
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "testcard-super");
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    children_.reset(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    launch();
    for (;;) {
        std::array<pollfd, 3> fds{
            {{control_, POLLIN, 0}, {children_.get(), POLLIN, 0}, {exec_.get(), POLLIN, 0}}};
        poll(fds.data(), fds.size(), killing_ ? killAgainAfter_ms : -1);
        // In this order: an exec that failed must be known before its process is reaped.
        if (fds[2].revents != 0) execResult();
        if (fds[0].revents != 0) orders();
        if (killing_) killDescendants();
        reap();
    }
}

void Supervisor::execResult()
{
    ExecFailure why{};
    const ssize_t bytes = read(exec_.get(), &why, sizeof why);
    exec_.reset();
    if (bytes != sizeof why) {
        // The end of the pipe without a word: exec closed it, or the process was killed before.
        sendReport(control_, Report::Kind::Started, first_);
        return;
    }
    failed_ = true;
    const std::string what =
        why.stage == ExecFailure::Directory ? run_.directory : run_.argv.front();
    sendReport(control_, Report::Kind::Failed, why.number, 0,
               what + ": " + std::strerror(why.number));
}

void Supervisor::orders()
{
    Order order;
    const ssize_t bytes = recv(control_, &order, sizeof order, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes == sizeof order && order.kind == Order::Kind::Signal) {
        // Not reaped yet, so the number cannot be somebody else's.
        if (first_ > 0) kill(-first_, order.number);
        return;
    }
    killing_ = true; // on order, or because the agent is gone
}

void Supervisor::reap()
{
    signalfd_siginfo ignored{};
    while (read(children_.get(), &ignored, sizeof ignored) > 0) {
    }
    for (;;) {
        int status = 0;
        const pid_t process = waitpid(-1, &status, WNOHANG);
        if (process == 0) return;
        if (process < 0) {
            if (errno == ECHILD) leave();
            return;
        }
        if (process == first_) firstEnded(status);
    }
}

void Supervisor::firstEnded(int status)
{
    if (exec_) execResult();
    first_ = -1;
    if (!failed_)
        sendReport(control_, Report::Kind::Exited, status,
                   static_cast<std::uint64_t>((now() - startedAt_).count()));
    if (run_.killLeftovers) killing_ = true;
}

void Supervisor::leave()
{
    sendReport(control_, Report::Kind::AllGone, 0);
    _exit(0);
}

} // namespace

void adoptStreams(const ChildStreams &streams)
{
    const FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
    const std::array<int, 3> given{streams.input, streams.output, streams.error};
    for (int stream = 0; stream < 3; ++stream) {
        const int fd = given[static_cast<std::size_t>(stream)];
        dup2(fd >= 0 ? fd : null.get(), stream);
    }
    closeAllBut(streams.control);
}

void supervise(const RunRequest &run, const ChildStreams &streams)
{
    setpgid(0, 0); // Ctrl-C on the agent's own terminal is not for us
    adoptStreams(streams);
    Supervisor(run, streams.control).live();
}

} // namespace testcard::agent
