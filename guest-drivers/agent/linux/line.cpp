// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/line.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace testcard::agent
{

namespace
{

using namespace std::chrono_literals;

/// A device appears within milliseconds of its driver, or when somebody loads that.
constexpr Time firstRetry = 5ms;
constexpr Time longestRetry = 250ms;
/// The driver wakes us when the host comes; this is for drivers that forget to.
constexpr Time hostCheck = 1s;

/// Bytes pass as they are, no modem lines are waited for, nothing is echoed.
void makeRaw(int fd, speed_t speed)
{
    termios settings{};
    if (tcgetattr(fd, &settings) != 0) return;
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    settings.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS | HUPCL);
    cfsetspeed(&settings, speed);
    tcsetattr(fd, TCSANOW, &settings);
}

std::string firstLine(const std::string &path)
{
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 256> text{};
    const ssize_t bytes = file ? read(file.get(), text.data(), text.size()) : 0;
    if (bytes <= 0) return {};
    const std::string all(text.data(), static_cast<std::size_t>(bytes));
    return all.substr(0, all.find('\n'));
}

} // namespace

std::string findVirtioPort(const std::string &name)
{
    if (const std::string path = "/dev/virtio-ports/" + name; access(path.c_str(), F_OK) == 0)
        return path;
    const std::string folder = "/sys/class/virtio-ports/";
    DIR *ports = opendir(folder.c_str());
    if (ports == nullptr) return {};
    std::string found;
    while (const dirent *port = readdir(ports))
        if (port->d_name[0] != '.' && firstLine(folder + port->d_name + "/name") == name)
            found = std::string("/dev/") + port->d_name;
    closedir(ports);
    return found;
}

Line::Line(Loop &loop, Agent &agent, LineOptions options)
    : loop_(loop), agent_(agent), options_(std::move(options)), retryAfter_(firstRetry)
{
}

Line::~Line()
{
    if (stream_) loop_.forget(stream_.get());
    if (listener_) loop_.forget(listener_.get());
}

int Line::start()
{
    switch (options_.kind) {
    case LineOptions::Kind::Device: openDevice(); return 0;
    case LineOptions::Kind::Descriptor:
        stream_.reset(options_.descriptor);
        if (isatty(stream_.get()) != 0) makeRaw(stream_.get(), options_.speed);
        connected();
        return 0;
    case LineOptions::Kind::Listener: break;
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (options_.name.size() >= sizeof address.sun_path) return ENAMETOOLONG;
    std::memcpy(address.sun_path, options_.name.data(), options_.name.size());
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener_ ||
        bind(listener_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
        listen(listener_.get(), 8) != 0)
        return errno;
    loop_.watch(listener_.get(), watchRead, [this](std::uint32_t) { acceptHost(); });
    return 0;
}

// Finding the host ----------------------------------------------------------------------------

void Line::openDevice()
{
    const bool isPath = options_.name.find('/') != std::string::npos;
    const std::string path = isPath ? options_.name : findVirtioPort(options_.name);
    // Non-blocking is more than a convenience: in blocking mode the driver spins until the host has
    // taken each buffer.
    if (!path.empty())
        stream_.reset(open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!stream_) {
        retryAt_ = now() + retryAfter_;
        retryAfter_ = std::min(2 * retryAfter_, longestRetry);
        return;
    }
    retryAfter_ = firstRetry;
    retryAt_.reset();
    if (isatty(stream_.get()) != 0) {
        makeRaw(stream_.get(), options_.speed);
        connected();
    } else {
        waitForHost();
    }
}

/// While no host is connected a virtio port reads as ended and polls as hung up, all the time. Edge
/// triggering makes epoll speak only when the port's state changes.
void Line::waitForHost()
{
    retryAt_ = now() + hostCheck;
    loop_.watch(stream_.get(), watchRead | watchWrite | EPOLLET,
                [this](std::uint32_t events) { waitedFor(events); });
}

void Line::waitedFor(std::uint32_t events)
{
    if ((events & (EPOLLHUP | EPOLLERR)) == 0) return connected();
    retryAt_ = now() + hostCheck;
}

void Line::tick(Time now)
{
    if (!retryAt_ || now < *retryAt_) return;
    if (!stream_) return openDevice();
    pollfd port{stream_.get(), POLLIN | POLLOUT, 0};
    poll(&port, 1, 0);
    waitedFor(static_cast<std::uint32_t>(port.revents)); // POLLHUP and EPOLLHUP are the same
}

void Line::acceptHost()
{
    FileDescriptor host(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!host) return;
    loop_.change(listener_.get(), watchNothing); // the next one waits until this one is gone
    stream_ = std::move(host);
    connected();
}

void Line::connected()
{
    retryAt_.reset();
    connected_ = true;
    makeNonBlocking(stream_.get());
    loop_.watch(stream_.get(), watchRead, [this](std::uint32_t) { ready(); });
    agent_.lineConnected();
}

// Moving bytes --------------------------------------------------------------------------------

void Line::ready()
{
    const auto space = agent_.space();
    const ssize_t bytes = read(stream_.get(), space.data(), space.size());
    if (bytes > 0)
        agent_.received(static_cast<std::size_t>(bytes), now());
    else if (bytes == 0)
        lost(false);
    else if (errno != EAGAIN && errno != EINTR)
        lost(true);
}

void Line::flush()
{
    while (connected_) {
        const auto output = agent_.output();
        if (output.empty()) {
            loop_.change(stream_.get(), watchRead);
            return;
        }
        const ssize_t bytes = write(stream_.get(), output.data(), output.size());
        if (bytes > 0) {
            agent_.written(static_cast<std::size_t>(bytes), now());
        } else if (bytes == 0 || errno == EAGAIN) {
            loop_.change(stream_.get(), watchRead | watchWrite);
            return;
        } else if (errno != EINTR) {
            // What the host sent before it went is of no use without our answers.
            lost(true);
        }
    }
}

void Line::lost(bool deviceGone)
{
    connected_ = false;
    loop_.forget(stream_.get());
    agent_.lineLost();
    const bool isSerial = isatty(stream_.get()) != 0;
    switch (options_.kind) {
    case LineOptions::Kind::Descriptor: finished_ = true; break;
    case LineOptions::Kind::Listener:
        stream_.reset();
        loop_.change(listener_.get(), watchRead);
        break;
    case LineOptions::Kind::Device:
        if (!deviceGone && !isSerial) return waitForHost();
        stream_.reset();
        retryAt_ = now() + longestRetry;
        break;
    }
}

} // namespace testcard::agent
