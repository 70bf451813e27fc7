// SPDX-License-Identifier: GPL-2.0-or-later
// testcard-agent: the small program inside a guest that runs the steps of a scenario.
#include "core/agent.hpp"
#include "linux/line.hpp"
#include "linux/linux_system.hpp"
#include "linux/loop.hpp"
#include "linux/marks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <getopt.h>
#include <sys/signalfd.h>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// For killed commands to die before the agent ends. Their supervisors see to it afterwards, too.
constexpr Time farewell = 3s;

constexpr const char *usage =
    "usage: testcard-agent [OPTION]... [PORT]\n"
    "       testcard-agent mark TEXT...\n"
    "Runs commands for the host at the other end of PORT: a path, or the name of a virtio port\n"
    "(default org.testcard.agent.0), which is waited for.\n"
    "\n"
    "  --power direct|PROGRAM  let the host power off and restart this machine: by the kernel\n"
    "                          itself, or by PROGRAM poweroff|reboot (default: refuse)\n"
    "  --listen PATH           make a Unix socket instead and serve one host after the other\n"
    "  --fd NUMBER             use this open stream instead and end with it\n"
    "  --baud NUMBER           speed of a serial line (default 115200)\n"
    "  --kernel-log PATH       where the host's marks go (default /dev/kmsg)\n"
    "  --mark-socket NAME      abstract socket for marks of programs (default org.testcard.agent)\n"
    "  --version, --help\n"
    "\n"
    "mark: tells the host that this point is reached; returns when it is on its way.\n";

struct Options {
    LineOptions line;
    LinuxSystemOptions system;
    std::string markSocket = markSocketName;
};

struct Speed {
    int baud;
    speed_t value;
};
constexpr std::array<Speed, 8> speeds{{{9600, B9600},
                                       {19200, B19200},
                                       {38400, B38400},
                                       {57600, B57600},
                                       {115200, B115200},
                                       {230400, B230400},
                                       {460800, B460800},
                                       {921600, B921600}}};

[[noreturn]] void refuseUsage(const std::string &why)
{
    std::fprintf(stderr, "testcard-agent: %s\n\n%s", why.c_str(), usage);
    std::exit(2);
}

int number(const char *text, const char *option)
{
    char *end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 0 || value > 10'000'000)
        refuseUsage(std::string(option) + " wants a number, not '" + text + "'");
    return static_cast<int>(value);
}

speed_t speedOf(int baud)
{
    const auto *const found =
        std::find_if(speeds.begin(), speeds.end(), [baud](Speed s) { return s.baud == baud; });
    if (found == speeds.end()) refuseUsage("--baud: 9600 to 921600, in the usual steps");
    return found->value;
}

void useDescriptor(Options &options, const char *text)
{
    options.line.kind = LineOptions::Kind::Descriptor;
    options.line.descriptor = number(text, "--fd");
    if (fcntl(options.line.descriptor, F_GETFD) < 0) refuseUsage("--fd: it is not open");
}

Options parse(int argc, char **argv)
{
    enum { Power = 256, Listen, Fd, Baud, KernelLog, MarkSocket, Version, Help };
    constexpr std::array<option, 9> names{{{"power", required_argument, nullptr, Power},
                                           {"listen", required_argument, nullptr, Listen},
                                           {"fd", required_argument, nullptr, Fd},
                                           {"baud", required_argument, nullptr, Baud},
                                           {"kernel-log", required_argument, nullptr, KernelLog},
                                           {"mark-socket", required_argument, nullptr, MarkSocket},
                                           {"version", no_argument, nullptr, Version},
                                           {"help", no_argument, nullptr, Help},
                                           {nullptr, 0, nullptr, 0}}};
    Options options;
    for (;;) {
        const int found = getopt_long(argc, argv, "", names.data(), nullptr);
        if (found < 0) break;
        switch (found) {
        case Power: options.system.power = optarg; break;
        case Listen:
            options.line.kind = LineOptions::Kind::Listener;
            options.line.name = optarg;
            break;
        case Fd: useDescriptor(options, optarg); break;
        case Baud: options.line.speed = speedOf(number(optarg, "--baud")); break;
        case KernelLog: options.system.kernelLog = optarg; break;
        case MarkSocket: options.markSocket = optarg; break;
        case Version: std::printf("testcard-agent %s\n", agentVersion.data()); std::exit(0);
        case Help: std::fputs(usage, stdout); std::exit(0);
        default: refuseUsage("see above");
        }
    }
    if (optind < argc) options.line.name = argv[optind++];
    if (optind < argc) refuseUsage(std::string("what is '") + argv[optind] + "'?");
    return options;
}

int markMain(int argc, char **argv)
{
    std::string text;
    for (int i = 2; i < argc; ++i)
        text += (i > 2 ? " " : "") + std::string(argv[i]);
    if (text.empty() || text.size() > mostMarkBytes) refuseUsage("mark wants 1 to 4096 bytes");
    if (setMark(text)) return 0;
    std::fprintf(stderr, "testcard-agent: no agent takes the mark: %s\n", std::strerror(errno));
    return 1;
}

/// Descriptors 0 to 2 exist, so that no pipe takes their place; those above, which came from
/// whoever started us, stay with us.
void prepareDescriptors()
{
    int fd = 0;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2) close(fd);
    const int highest = static_cast<int>(std::min(sysconf(_SC_OPEN_MAX), 1024L));
    for (int other = 3; other < highest; ++other)
        fcntl(other, F_SETFD, FD_CLOEXEC);
}

/// The guest may run out of memory; what it was doing then is for the host to know.
void avoidOutOfMemoryKiller()
{
    const FileDescriptor file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (file) static_cast<void>(!write(file.get(), "-1000", 5));
}

/// Becomes readable when somebody wants the agent to end.
FileDescriptor watchTermination()
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    return FileDescriptor(signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
}

template <typename... Times>
std::optional<Time> earliest(Times... times)
{
    std::optional<Time> first;
    for (const std::optional<Time> &time : {times...})
        if (time && (!first || *time < *first)) first = time;
    return first;
}

int agentMain(const Options &options)
{
    prepareDescriptors();
    avoidOutOfMemoryKiller();
    Loop loop;
    LinuxSystem system(loop, options.system);
    Agent agent(system);
    system.setEvents(agent);
    MarkListener marks(loop, agent, options.markSocket);
    setenv(markVariable, marks.name().c_str(), 1);
    Line line(loop, agent, options.line);
    bool ending = false;
    const FileDescriptor termination = watchTermination();
    loop.watch(termination.get(), watchRead, [&ending](std::uint32_t) { ending = true; });
    if (const int error = line.start()) {
        std::fprintf(stderr, "testcard-agent: %s: %s\n", options.line.name.c_str(),
                     std::strerror(error));
        return 1;
    }
    const auto turn = [&](std::optional<Time> until) {
        line.flush();
        if (line.isFinished() && !until) return;
        system.enableOutput(agent.hasRoom());
        marks.enable(agent.hasRoom());
        loop.wait(earliest(until, agent.deadline(), line.deadline(), system.deadline()));
        const Time time = now();
        system.tick(time);
        agent.tick(time);
        line.tick(time);
    };
    while (!ending && !line.isFinished())
        turn({});
    agent.lineLost();
    loop.forget(termination.get());
    for (const Time until = now() + farewell; !system.idle() && now() < until;)
        turn(until);
    return 0;
}

} // namespace

} // namespace testcard::agent

int main(int argc, char **argv)
{
    using namespace testcard::agent;
    if (argc > 1 && std::string_view(argv[1]) == "mark") return markMain(argc, argv);
    return agentMain(parse(argc, argv));
}
