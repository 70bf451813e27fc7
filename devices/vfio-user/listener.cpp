// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/listener.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace testcard::vfio_user
{

namespace
{

constexpr int backlog = 16;

/// Under this name the socket waits until it listens.
constexpr const char *newSuffix = ".new";

constexpr std::size_t longestPath = sizeof sockaddr_un{}.sun_path - 1 - 4; // less newSuffix

tl::unexpected<Error> failed(const std::filesystem::path &path, const char *what, int error)
{
    return tl::unexpected{
        Error{fmt::format("socket {}: {}: {}", path.string(), what, std::strerror(error))}};
}

sockaddr_un addressOf(const std::string &path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

FileDescriptor makeSocket()
{
    return FileDescriptor{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

/// True if a server answers at the path. A full backlog (EAGAIN) is a server, too.
bool isServed(const std::string &path)
{
    const FileDescriptor probe = makeSocket();
    const sockaddr_un address = addressOf(path);
    return ::connect(probe.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) ==
               0 ||
           errno == EAGAIN;
}

/// Why the name cannot be taken; empty if it is free or a dead socket holds it.
std::string whyTaken(const std::filesystem::path &path)
{
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode)) return "something that is no socket has this name";
    if (isServed(path.string())) return "another process serves it; choose another name or end it";
    return {};
}

} // namespace

tl::expected<Listener, Error> Listener::open(const std::filesystem::path &path)
{
    const std::string name = path.string();
    if (name.empty() || name.size() > longestPath)
        return tl::unexpected{Error{
            fmt::format("socket path \"{}\": it must have 1 to {} bytes; use a shorter folder",
                        name, longestPath)}};
    if (const std::string reason = whyTaken(path); !reason.empty())
        return tl::unexpected{Error{fmt::format("socket {}: {}", name, reason)}};

    FileDescriptor socket = makeSocket();
    if (!socket) return failed(path, "cannot be made", errno);
    const std::string newName = name + newSuffix;
    ::unlink(newName.c_str());
    const sockaddr_un address = addressOf(newName);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        return failed(path, "cannot be bound", errno);
    // Before anybody can connect, whatever the umask was.
    if (::chmod(newName.c_str(), 0600) != 0 || ::listen(socket.get(), backlog) != 0 ||
        ::rename(newName.c_str(), name.c_str()) != 0) {
        const int error = errno;
        ::unlink(newName.c_str());
        return failed(path, "cannot listen", error);
    }
    return Listener{std::move(socket), path};
}

Listener::Listener(FileDescriptor socket, std::filesystem::path path)
    : socket_{std::move(socket)}, path_{std::move(path)}
{
    struct stat status = {};
    if (::lstat(path_.c_str(), &status) != 0) return;
    device_ = status.st_dev;
    inode_ = status.st_ino;
}

Listener::~Listener()
{
    if (!socket_) return;
    struct stat status = {};
    if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
        ::unlink(path_.c_str());
}

FileDescriptor Listener::accept()
{
    return FileDescriptor{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
}

} // namespace testcard::vfio_user
