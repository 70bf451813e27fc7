// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/spawn.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

constexpr int readyFd = 3;
constexpr int failureFd = 4;

/// All that the child needs, made before the fork: after it, in a program with threads, nothing may
/// allocate.
struct Prepared {
    std::string program;
    std::vector<std::string> environment;
    std::vector<char *> argv;
    std::vector<char *> envp;
    UniqueFd input, output, readyEnd, failureEnd;
    pid_t parent = getpid();
    bool dieWithParent = getpid() == static_cast<pid_t>(syscall(SYS_gettid));
};

std::optional<std::string> findProgram(const std::string &name)
{
    if (name.find('/') != std::string::npos) return name;
    const char *path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t colon = rest.find(':');
        const std::filesystem::path candidate = std::filesystem::path(rest.substr(0, colon)) / name;
        if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
        rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    }
    return std::nullopt;
}

std::vector<std::string> mergedEnvironment(const SpawnRequest &request)
{
    std::vector<std::string> added = request.environment;
    if (request.readyDescriptor) added.push_back(fmt::format("TESTCARD_READY_FD={}", readyFd));
    const auto key = [](std::string_view entry) { return entry.substr(0, entry.find('=')); };
    std::vector<std::string> merged;
    for (char **entry = environ; *entry != nullptr; ++entry) {
        bool replaced = false;
        for (const std::string &other : added)
            replaced = replaced || key(other) == key(*entry);
        if (!replaced) merged.emplace_back(*entry);
    }
    merged.insert(merged.end(), added.begin(), added.end());
    return merged;
}

std::vector<char *> pointers(const std::vector<std::string> &strings)
{
    std::vector<char *> result;
    for (const std::string &text : strings)
        result.push_back(const_cast<char *>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

/// Out of the way of the numbers that the child gives out.
UniqueFd above(int fd, int floor = 10)
{
    UniqueFd owned{fd};
    return fd < 0 ? UniqueFd{} : UniqueFd{fcntl(fd, F_DUPFD_CLOEXEC, floor)};
}

[[noreturn]] void becomeProgram(const Prepared &prepared)
{
    setpgid(0, 0);
    if (prepared.dieWithParent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != prepared.parent) _exit(127); // it died before that line
    }
    for (int number = 1; number < NSIG; ++number)
        ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);

    dup2(prepared.input.get(), 0);
    dup2(prepared.output.get(), 1);
    dup2(prepared.output.get(), 2);
    if (prepared.readyEnd)
        dup2(prepared.readyEnd.get(), readyFd);
    else
        close(readyFd);
    dup2(prepared.failureEnd.get(), failureFd);
    fcntl(failureFd, F_SETFD, FD_CLOEXEC);
    close_range(failureFd + 1, ~0U, 0);
    execve(prepared.program.c_str(), prepared.argv.data(), prepared.envp.data());
    const int why = errno;
    [[maybe_unused]] const ssize_t told = write(failureFd, &why, sizeof why);
    _exit(127);
}

Result<Prepared> prepare(const SpawnRequest &request)
{
    if (request.argv.empty()) return failure(Error::Kind::usage, "no program is given");
    Prepared prepared;
    const auto program = findProgram(request.argv.front());
    if (!program)
        return failure(Error::Kind::host, fmt::format("the program {} is not in PATH; install it",
                                                      request.argv.front()));
    prepared.program = *program;
    prepared.environment = mergedEnvironment(request);
    prepared.argv = pointers(request.argv);
    prepared.envp = pointers(prepared.environment);
    prepared.input = above(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const char *log = request.log.empty() ? "/dev/null" : request.log.c_str();
    prepared.output = above(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!prepared.output)
        return failure(Error::Kind::host,
                       fmt::format("cannot write its log {}: {}", log, strerror(errno)));
    return prepared;
}

/// Zero when exec worked: the pipe's only other end was closed by it.
int execFailure(int fd)
{
    int why = 0;
    ssize_t size = 0;
    do
        size = read(fd, &why, sizeof why);
    while (size < 0 && errno == EINTR);
    return size == sizeof why ? why : 0;
}

} // namespace

Result<Spawned> spawn(const SpawnRequest &request)
{
    auto prepared = prepare(request);
    if (!prepared) return tl::unexpected(prepared.error());
    std::array<int, 2> failurePipe{-1, -1}, readyPipe{-1, -1};
    if (pipe2(failurePipe.data(), O_CLOEXEC) != 0 ||
        (request.readyDescriptor && pipe2(readyPipe.data(), O_CLOEXEC) != 0))
        return failure(Error::Kind::host, fmt::format("no more pipes: {}", strerror(errno)));
    const UniqueFd failureEnd{failurePipe[0]};
    prepared->failureEnd = above(failurePipe[1]);
    Spawned spawned;
    spawned.readyPipe = UniqueFd{readyPipe[0]};
    prepared->readyEnd = above(readyPipe[1]);

    spawned.pid = fork();
    if (spawned.pid == 0) becomeProgram(*prepared);
    if (spawned.pid < 0)
        return failure(Error::Kind::host, fmt::format("no more processes: {}", strerror(errno)));
    setpgid(spawned.pid, spawned.pid); // here too: whoever comes first
    prepared->failureEnd.reset();
    prepared->readyEnd.reset();
    spawned.pidfd = UniqueFd{static_cast<int>(syscall(SYS_pidfd_open, spawned.pid, 0))};
    if (const int why = execFailure(failureEnd.get()); why != 0) {
        waitpid(spawned.pid, nullptr, 0);
        return failure(Error::Kind::host, fmt::format("{}: {}", prepared->program, strerror(why)));
    }
    return spawned;
}

} // namespace testcard::launcher
