// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/marks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

namespace testcard::agent
{

namespace
{

constexpr std::size_t mostConnections = 32;

struct Address {
    sockaddr_un value{};
    socklen_t length = 0;
};

/// An abstract name: a leading NUL, no file, gone with its socket.
Address abstractAddress(const std::string &name)
{
    Address address;
    address.value.sun_family = AF_UNIX;
    const std::size_t length = std::min(name.size(), sizeof address.value.sun_path - 1);
    std::memcpy(address.value.sun_path + 1, name.data(), length);
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
    return address;
}

const sockaddr *generic(const Address &address)
{
    return reinterpret_cast<const sockaddr *>(&address.value);
}

} // namespace

MarkListener::MarkListener(Loop &loop, SystemEvents &events, std::string name)
    : loop_(loop), events_(events), name_(std::move(name))
{
    if (!listen()) {
        name_ += "." + std::to_string(getpid());
        if (!listen()) return; // the agent is of use without marks
    }
    loop_.watch(listener_.get(), watchRead, [this](std::uint32_t) { accept(); });
}

MarkListener::~MarkListener()
{
    if (listener_) loop_.forget(listener_.get());
    for (const FileDescriptor &connection : connections_)
        loop_.forget(connection.get());
}

bool MarkListener::listen()
{
    listener_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const Address address = abstractAddress(name_);
    return listener_ && bind(listener_.get(), generic(address), address.length) == 0 &&
           ::listen(listener_.get(), static_cast<int>(mostConnections)) == 0;
}

void MarkListener::enable(bool enabled)
{
    if (enabled == std::exchange(enabled_, enabled)) return;
    for (const FileDescriptor &connection : connections_)
        loop_.change(connection.get(), enabled ? watchRead : watchNothing);
}

void MarkListener::accept()
{
    FileDescriptor connection(
        accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) return;
    if (connections_.size() >= mostConnections) return; // its program sees an error and may retry
    const int fd = connection.get();
    const auto at = connections_.insert(connections_.end(), std::move(connection));
    loop_.watch(fd, enabled_ ? watchRead : watchNothing,
                [this, at](std::uint32_t) { markReady(at); });
}

void MarkListener::markReady(Connections::iterator connection)
{
    std::array<char, mostMarkBytes> text{};
    const int fd = connection->get();
    const ssize_t bytes = recv(fd, text.data(), text.size(), MSG_PEEK);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes > 0) {
        MarkReport mark;
        mark.time_ns = static_cast<std::uint64_t>(now().count());
        mark.text.assign(text.data(), static_cast<std::size_t>(bytes));
        if (!events_.marked(mark)) return; // the packet stays where it is until there is room
        send(fd, "", 1, MSG_NOSIGNAL);
    }
    loop_.forget(fd);
    connections_.erase(connection);
}

bool setMark(const std::string &text)
{
    const char *name = std::getenv(markVariable);
    const Address address = abstractAddress(name != nullptr ? name : markSocketName);
    const FileDescriptor connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!connection || connect(connection.get(), generic(address), address.length) != 0)
        return false;
    if (send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return false;
    char answer = 0;
    const ssize_t bytes = recv(connection.get(), &answer, 1, 0);
    if (bytes == 0) errno = ECONNRESET;
    return bytes == 1;
}

} // namespace testcard::agent
