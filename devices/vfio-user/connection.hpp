// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Messages on a stream socket: framing, file descriptors, and how old a request may be.
#pragma once

#include "vfio-user/arrivals.hpp"
#include "vfio-user/file_descriptor.hpp"
#include "vfio-user/protocol.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

struct msghdr;

namespace testcard::vfio_user
{

/// One command as it came. The payload is a copy: the client cannot change it any more.
struct Message {
    Header header{};
    std::span<const std::byte> payload; ///< valid until the next receive()
    std::vector<FileDescriptor> fds;    ///< at most Limits::messageFds
    bool tooManyFds = false;            ///< more came than are allowed, and were closed
    Arrivals::Time earliest{};          ///< the message did not arrive before
};

/// A connection that takes one message at a time and never blocks.
class Connection
{
public:
    enum class Received {
        message,
        nothing,  ///< the socket is empty; what has come of a message is kept
        closed,   ///< the client is gone
        violation ///< no command begins here: the stream cannot be trusted any more
    };

    explicit Connection(FileDescriptor socket) : socket_{std::move(socket)} {}
    /// Hangs up so that the client sees the end of the stream and no error: a socket that is closed
    /// with unread data resets the connection, and QEMU up to 11.1 aborts on that.
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    Received receive(Message &message);

    /// Sends a message, as far as the socket takes it now; flush() sends the rest, and nothing else
    /// may be sent before. The descriptor `fd`, if not -1, goes with its first byte and must stay
    /// open until then. False: the client is gone.
    bool send(Header header, std::span<const std::byte> payload, int fd = -1);
    bool flush();
    bool sending() const { return sent_ < out_.size(); }

    /// To be called now and then: looks at what waits to be read, for Message::earliest.
    void observe();

    int fd() const { return socket_.get(); }

private:
    enum class Progress { done, nothing, closed };

    Progress fill(std::span<std::byte> whole, std::size_t &have);
    void takeFds(msghdr &received);
    bool commandBegins();
    void hand(Message &message);

    FileDescriptor socket_;

    // What has come of the next message.
    std::array<std::byte, sizeof(Header)> headerBytes_{};
    std::size_t headerHave_ = 0;
    Header header_{};
    std::vector<std::byte> payload_;
    std::size_t payloadHave_ = 0;
    std::vector<FileDescriptor> fds_;
    bool tooManyFds_ = false;

    std::uint64_t position_ = 0; ///< bytes read from the stream
    Arrivals arrivals_;
    Arrivals::Time earliest_{};

    // What is being sent.
    std::vector<std::byte> out_;
    std::size_t sent_ = 0;
    int outFd_ = -1;
};

} // namespace testcard::vfio_user
