// SPDX-License-Identifier: GPL-2.0-or-later
#include "raw_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <linux/vfio.h>
#include <sys/socket.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

Bytes operator+(Bytes left, const Bytes &right)
{
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

Bytes textBytes(std::string_view text, bool nul)
{
    const auto bytes = std::as_bytes(std::span{text});
    Bytes result{bytes.begin(), bytes.end()};
    if (nul) result.push_back(std::byte{0});
    return result;
}

Bytes header(std::uint16_t id, std::uint16_t command, std::uint32_t size, std::uint32_t flags)
{
    return bytesOf(id, command, size, flags, std::uint32_t{0});
}

Bytes dmaMapPayload(std::uint32_t argsz, std::uint32_t flags, std::uint64_t offset,
                    std::uint64_t address, std::uint64_t size)
{
    return bytesOf(argsz, flags, offset, address, size);
}

Bytes accessPayload(std::uint64_t offset, std::uint32_t region, std::uint32_t count)
{
    return bytesOf(offset, region, count);
}

void RawClient::put(const Bytes &bytes, const std::vector<int> &fds)
{
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        Bytes control(CMSG_SPACE(fds.size() * sizeof(int)));
        iovec part{const_cast<std::byte *>(bytes.data()) + sent, bytes.size() - sent};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!fds.empty() && sent == 0) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr *const rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
            std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
        }
        const ssize_t size = ::sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN) {
            serve_();
            drain(); // the server serves no client that does not listen
            continue;
        }
        if (size < 0) return; // the server has closed; the test looks at that
        sent += static_cast<std::size_t>(size);
    }
}

std::uint16_t RawClient::send(std::uint16_t command, const Bytes &payload,
                              const std::vector<int> &fds, std::uint32_t flags)
{
    const std::uint16_t id = nextId_++;
    const auto size = static_cast<std::uint32_t>(16 + payload.size());
    put(header(id, command, size, flags) + payload, fds);
    return id;
}

/// Takes what the socket holds.
void RawClient::drain()
{
    while (!closed_) {
        std::array<std::byte, 65536> buffer;
        alignas(cmsghdr) std::array<char, CMSG_SPACE(64 * sizeof(int))> control;
        iovec part{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0 && errno == EAGAIN) return;
        if (size <= 0) {
            closed_ = true;
            return;
        }
        received_.insert(received_.end(), buffer.begin(), buffer.begin() + size);
        for (cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
            const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t index = 0; index < count; ++index) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(item) + index * sizeof fd, sizeof fd);
                receivedFds_.push_back(fd);
            }
        }
    }
}

std::optional<Reply> RawClient::receive()
{
    // Long messages need several rounds, as the socket's buffer fills.
    std::uint32_t size = 16;
    for (int round = 0; round < 1000; ++round) {
        serve_();
        drain();
        if (received_.size() >= 16) std::memcpy(&size, received_.data() + 4, sizeof size);
        if (received_.size() >= size || closed_ || received_.empty()) break;
    }
    if (received_.size() < size) return std::nullopt;
    REQUIRE(size >= 16);
    Reply reply;
    std::uint32_t error = 0;
    std::memcpy(&reply.id, received_.data(), 2);
    std::memcpy(&reply.command, received_.data() + 2, 2);
    std::memcpy(&reply.flags, received_.data() + 8, 4);
    std::memcpy(&error, received_.data() + 12, 4);
    if (reply.flags & 0x20) reply.error = static_cast<int>(error);
    const auto end = received_.begin() + static_cast<std::ptrdiff_t>(size);
    reply.payload.assign(received_.begin() + 16, end);
    received_.erase(received_.begin(), end);
    reply.fds = std::exchange(receivedFds_, {});
    return reply;
}

Reply RawClient::call(std::uint16_t command, const Bytes &payload, const std::vector<int> &fds)
{
    const std::uint16_t id = send(command, payload, fds);
    std::optional<Reply> reply = receive();
    REQUIRE(reply);
    CHECK(reply->id == id);
    CHECK(reply->command == command);
    CHECK((reply->flags & 0xF) == 1);
    if (reply->flags & 0x20) {
        CHECK(reply->error != 0);
        CHECK(reply->payload.empty()); // "If an error occurs, [...] only include the reply header"
        CHECK(reply->fds.empty());
    }
    return std::move(*reply);
}

bool RawClient::closedByServer()
{
    serve_();
    drain();
    return closed_;
}

void RawClient::close()
{
    for (const int fd : receivedFds_)
        ::close(fd);
    receivedFds_.clear();
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

Reply RawClient::negotiate(std::string_view json)
{
    return call(versionCommand, bytesOf(std::uint16_t{0}, std::uint16_t{0}) + textBytes(json));
}

int RawClient::map(std::uint64_t address, std::uint64_t size, int fd, std::uint64_t offset,
                   std::uint32_t flags)
{
    const std::vector<int> fds = fd >= 0 ? std::vector{fd} : std::vector<int>{};
    return errorOf(dmaMapCommand, dmaMapPayload(32, flags, offset, address, size), fds);
}

int RawClient::unmap(std::uint64_t address, std::uint64_t size, std::uint32_t flags)
{
    const Bytes payload = bytesOf(std::uint32_t{24}, flags, address, size);
    const Reply reply = call(dmaUnmapCommand, payload);
    if (reply.error == 0) CHECK(reply.payload == payload);
    return reply.error;
}

Bytes RawClient::read(std::uint32_t region, std::uint64_t offset, std::uint32_t count)
{
    const Bytes request = accessPayload(offset, region, count);
    Reply reply = call(regionReadCommand, request);
    REQUIRE(reply.error == 0);
    REQUIRE(reply.payload.size() == 16 + count);
    CHECK(std::equal(request.begin(), request.end(), reply.payload.begin()));
    reply.payload.erase(reply.payload.begin(), reply.payload.begin() + 16);
    return std::move(reply.payload);
}

std::uint32_t RawClient::read32(std::uint32_t region, std::uint64_t offset)
{
    std::uint32_t value = 0;
    const Bytes bytes = read(region, offset, 4);
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

int RawClient::write(std::uint32_t region, std::uint64_t offset, const Bytes &data)
{
    const Bytes request = accessPayload(offset, region, static_cast<std::uint32_t>(data.size()));
    const Reply reply = call(regionWriteCommand, request + data);
    if (reply.error == 0) CHECK(reply.payload == request);
    return reply.error;
}

int RawClient::write32(std::uint32_t region, std::uint64_t offset, std::uint32_t value)
{
    return write(region, offset, bytesOf(value));
}

int RawClient::setIrqs(std::uint32_t flags, std::uint32_t index, std::uint32_t start,
                       std::uint32_t count, const std::vector<int> &fds, const Bytes &data)
{
    vfio_irq_set request{};
    request.argsz = static_cast<std::uint32_t>(sizeof request + data.size());
    request.flags = flags;
    request.index = index;
    request.start = start;
    request.count = count;
    Bytes payload =
        bytesOf(request.argsz, request.flags, request.index, request.start, request.count);
    return errorOf(setIrqsCommand, payload + data, fds);
}

} // namespace testcard::vfio_user_test
