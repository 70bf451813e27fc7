// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A client that speaks the protocol byte by byte and may break every rule of it. It shares no
/// structure with the server: VFIO's come from <linux/vfio.h>, the others are laid out here, from
/// QEMU's docs/interop/vfio-user.rst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace testcard::vfio_user_test
{

using Bytes = std::vector<std::byte>;

inline constexpr std::uint16_t versionCommand = 1;
inline constexpr std::uint16_t dmaMapCommand = 2;
inline constexpr std::uint16_t dmaUnmapCommand = 3;
inline constexpr std::uint16_t deviceInfoCommand = 4;
inline constexpr std::uint16_t regionInfoCommand = 5;
inline constexpr std::uint16_t irqInfoCommand = 7;
inline constexpr std::uint16_t setIrqsCommand = 8;
inline constexpr std::uint16_t regionReadCommand = 9;
inline constexpr std::uint16_t regionWriteCommand = 10;
inline constexpr std::uint16_t resetCommand = 13;
inline constexpr std::uint16_t writeMultiCommand = 15;

inline constexpr std::uint32_t noReplyFlag = 0x10;

/// The bytes of trivially copyable values, one after another.
template <typename... Values>
requires(std::is_trivially_copyable_v<Values> &&...) Bytes bytesOf(const Values &...values)
{
    Bytes bytes((sizeof values + ...));
    std::size_t offset = 0;
    ((std::memcpy(bytes.data() + offset, &values, sizeof values), offset += sizeof values), ...);
    return bytes;
}

Bytes operator+(Bytes left, const Bytes &right);
Bytes textBytes(std::string_view text, bool nul = true);

/// The header of a message whose whole size is `size`.
Bytes header(std::uint16_t id, std::uint16_t command, std::uint32_t size, std::uint32_t flags = 0);

struct Reply {
    std::uint16_t id = 0;
    std::uint16_t command = 0;
    std::uint32_t flags = 0;
    int error = 0; ///< 0 unless the error flag is set
    Bytes payload;
    std::vector<int> fds; ///< the receiver closes them

    template <typename Structure>
    Structure as(std::size_t offset = 0) const
    {
        Structure structure{};
        if (payload.size() >= offset + sizeof structure)
            std::memcpy(&structure, payload.data() + offset, sizeof structure);
        return structure;
    }
};

class RawClient
{
public:
    /// `serve` lets the server work until it has nothing to do.
    RawClient(int socket, std::function<void()> serve) : socket_{socket}, serve_{std::move(serve)}
    {
    }
    RawClient(const RawClient &) = delete;
    RawClient &operator=(const RawClient &) = delete;
    ~RawClient() { close(); }

    /// Puts bytes on the wire, as they are, with descriptors at the first of them.
    void put(const Bytes &bytes, const std::vector<int> &fds = {});

    /// A well-framed command; returns its id.
    std::uint16_t send(std::uint16_t command, const Bytes &payload = {},
                       const std::vector<int> &fds = {}, std::uint32_t flags = 0);

    /// The next reply, or nothing if the server has none.
    std::optional<Reply> receive();

    /// send() and receive(); the reply must belong to the command.
    Reply call(std::uint16_t command, const Bytes &payload = {}, const std::vector<int> &fds = {});

    /// The errno that a command is refused with; 0 if it is carried out.
    int errorOf(std::uint16_t command, const Bytes &payload = {}, const std::vector<int> &fds = {})
    {
        return call(command, payload, fds).error;
    }

    /// True if the server has closed the connection; replies before that are thrown away.
    bool closedByServer();
    void close();
    int fd() const { return socket_; }
    void serve() { serve_(); }

    // The commands as a good client sends them.

    Reply negotiate(std::string_view json = R"({"capabilities":{"max_msg_fds":16,)"
                                            R"("max_data_xfer_size":1048576,"max_dma_maps":65535,)"
                                            R"("pgsizes":4096,"write_multiple":true}})");
    int map(std::uint64_t address, std::uint64_t size, int fd, std::uint64_t offset = 0,
            std::uint32_t flags = 3);
    int unmap(std::uint64_t address, std::uint64_t size, std::uint32_t flags = 0);
    Bytes read(std::uint32_t region, std::uint64_t offset, std::uint32_t count);
    std::uint32_t read32(std::uint32_t region, std::uint64_t offset);
    int write(std::uint32_t region, std::uint64_t offset, const Bytes &data);
    int write32(std::uint32_t region, std::uint64_t offset, std::uint32_t value);
    int setIrqs(std::uint32_t flags, std::uint32_t index, std::uint32_t start, std::uint32_t count,
                const std::vector<int> &fds = {}, const Bytes &data = {});

private:
    int socket_;
    std::function<void()> serve_;
    std::uint16_t nextId_ = 1;
    Bytes received_;
    std::vector<int> receivedFds_;
    bool closed_ = false;

    void drain();
};

Bytes dmaMapPayload(std::uint32_t argsz, std::uint32_t flags, std::uint64_t offset,
                    std::uint64_t address, std::uint64_t size);
Bytes accessPayload(std::uint64_t offset, std::uint32_t region, std::uint32_t count);

} // namespace testcard::vfio_user_test
