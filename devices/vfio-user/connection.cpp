// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/ioctl.h>
#include <sys/socket.h>

namespace testcard::vfio_user
{

namespace
{

/// Room for the descriptors of one message.
struct alignas(cmsghdr) ControlBuffer {
    char bytes[CMSG_SPACE(Limits::messageFds * sizeof(int))];
};

void attachFd(msghdr &message, ControlBuffer &control, int fd)
{
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof fd);
    cmsghdr *const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
}

} // namespace

Connection::~Connection()
{
    if (!socket_) return;
    ::shutdown(socket_.get(), SHUT_RDWR); // from here on nothing more arrives
    std::array<std::byte, 4096> unread;
    while (::recv(socket_.get(), unread.data(), unread.size(), MSG_DONTWAIT) > 0)
        ; // descriptors among it are closed by the kernel
}

Connection::Received Connection::receive(Message &message)
{
    const auto whyNot = [](Progress progress) {
        return progress == Progress::closed ? Received::closed : Received::nothing;
    };
    if (headerHave_ < headerBytes_.size()) {
        const std::uint64_t start = position_ - headerHave_;
        const Progress progress = fill(headerBytes_, headerHave_);
        if (headerHave_ != 0) earliest_ = arrivals_.earliest(start);
        if (progress != Progress::done) return whyNot(progress);
        if (!commandBegins()) return Received::violation;
    }
    const Progress progress = fill(payload_, payloadHave_);
    if (progress != Progress::done) return whyNot(progress);
    hand(message);
    return Received::message;
}

/// Interprets a complete header and makes room for the rest of its message.
bool Connection::commandBegins()
{
    std::memcpy(&header_, headerBytes_.data(), sizeof header_);
    if (header_.size < sizeof(Header) || header_.size > Limits::messageBytes) return false;
    // Replies would answer commands of this server, and it never sends any.
    if ((header_.flags & Header::typeMask) != Header::typeCommand) return false;
    payload_.resize(header_.size - sizeof(Header));
    payloadHave_ = 0;
    return true;
}

void Connection::hand(Message &message)
{
    message.header = header_;
    message.payload = payload_;
    message.fds = std::exchange(fds_, {});
    message.tooManyFds = std::exchange(tooManyFds_, false);
    message.earliest = earliest_;
    headerHave_ = 0;
}

Connection::Progress Connection::fill(std::span<std::byte> whole, std::size_t &have)
{
    while (have < whole.size()) {
        const auto before = std::chrono::steady_clock::now();
        ControlBuffer control;
        iovec part{whole.data() + have, whole.size() - have};
        msghdr received{};
        received.msg_iov = &part;
        received.msg_iovlen = 1;
        received.msg_control = control.bytes;
        received.msg_controllen = sizeof control.bytes;
        const ssize_t size = ::recvmsg(socket_.get(), &received, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            arrivals_.observed(before, position_);
            return Progress::nothing;
        }
        if (size <= 0) return Progress::closed;
        takeFds(received);
        have += static_cast<std::size_t>(size);
        position_ += static_cast<std::uint64_t>(size);
    }
    return Progress::done;
}

/// Takes every descriptor into its care, so that none can leak; more than are allowed are closed.
void Connection::takeFds(msghdr &received)
{
    // The kernel drops what does not fit in the control buffer, or in this process's table.
    if (received.msg_flags & MSG_CTRUNC) tooManyFds_ = true;
    for (cmsghdr *header = CMSG_FIRSTHDR(&received); header;
         header = CMSG_NXTHDR(&received, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t index = 0; index < count; ++index) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + index * sizeof fd, sizeof fd);
            FileDescriptor owned{fd};
            if (fds_.size() < Limits::messageFds)
                fds_.push_back(std::move(owned));
            else
                tooManyFds_ = true;
        }
    }
}

bool Connection::send(Header header, std::span<const std::byte> payload, int fd)
{
    header.size = static_cast<std::uint32_t>(sizeof header + payload.size());
    out_.resize(header.size);
    std::memcpy(out_.data(), &header, sizeof header);
    std::copy(payload.begin(), payload.end(), out_.begin() + sizeof header);
    sent_ = 0;
    outFd_ = fd;
    return flush();
}

bool Connection::flush()
{
    while (sending()) {
        ControlBuffer control;
        iovec part{out_.data() + sent_, out_.size() - sent_};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (outFd_ >= 0) attachFd(message, control, outFd_);
        const ssize_t size = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        sent_ += static_cast<std::size_t>(size);
        outFd_ = -1;
    }
    return true;
}

void Connection::observe()
{
    const auto before = std::chrono::steady_clock::now();
    int waiting = 0;
    if (::ioctl(socket_.get(), FIONREAD, &waiting) != 0 || waiting < 0) return;
    arrivals_.observed(before, position_ + static_cast<unsigned>(waiting));
}

} // namespace testcard::vfio_user
