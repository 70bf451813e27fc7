// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The memory of V4L2 buffers: the driver's own, the program's, or shared by dma-buf.
#pragma once

#include "failure.hpp"
#include "options.hpp"
#include "video_device.hpp"

#include <cstdint>
#include <span>
#include <vector>

#include <linux/videodev2.h>

namespace testcard::agent
{

/// Buffers of one queue and where the program sees their bytes. Freed with the object, which must
/// outlive the stream.
class BufferMemory
{
public:
    /// Asks the driver for options.buffers buffers of at least `imageBytes`.
    static Result<BufferMemory> allocate(int fd, std::uint32_t imageBytes, const Options &options);

    BufferMemory(BufferMemory &&other) noexcept;
    BufferMemory &operator=(BufferMemory &&) = delete;
    ~BufferMemory();

    std::uint32_t count() const { return static_cast<std::uint32_t>(mapped_.size()); }
    std::span<const std::uint8_t> bytes(std::uint32_t index) const;

    /// What QBUF and DQBUF want to know of a buffer.
    v4l2_buffer describe(std::uint32_t index) const;

    /// Around the program's reads of a buffer: a dma-buf may need to be made coherent.
    void beginRead(std::uint32_t index) const { synchronize(index, true); }
    void endRead(std::uint32_t index) const { synchronize(index, false); }

private:
    /// A mapping, and the part of it that the buffer takes.
    struct Mapping {
        void *address = nullptr;
        std::size_t length = 0;
        std::size_t offset = 0;
    };

    BufferMemory(int fd, std::uint32_t memory) : fd_{fd}, memory_{memory} {}

    Result<std::uint32_t> request(std::uint32_t memory, std::uint32_t count);
    Result<void> mapOwn(std::uint32_t count);
    Result<void> mapAnonymous(std::uint32_t count, std::size_t imageBytes, std::size_t offset);
    Result<void> exportOwn(std::uint32_t count);
    Result<v4l2_buffer> query(std::uint32_t index) const;
    Result<void> map(int fd, std::size_t length, std::uint32_t driverOffset, int flags);
    void synchronize(std::uint32_t index, bool begin) const;

    int fd_;
    std::uint32_t memory_; ///< V4L2_MEMORY_ of the queue
    std::vector<Mapping> mapped_;
    std::vector<FileDescriptor> exported_;
};

} // namespace testcard::agent
