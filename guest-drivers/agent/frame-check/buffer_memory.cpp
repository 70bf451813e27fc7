// SPDX-License-Identifier: GPL-2.0-or-later
#include "buffer_memory.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace testcard::agent
{
namespace
{

std::uint32_t memoryKind(Io io)
{
    switch (io) {
    case Io::userptr: return V4L2_MEMORY_USERPTR;
    case Io::dmabuf: return V4L2_MEMORY_DMABUF;
    default: return V4L2_MEMORY_MMAP;
    }
}

} // namespace

Result<BufferMemory> BufferMemory::allocate(int fd, std::uint32_t imageBytes,
                                            const Options &options)
{
    BufferMemory memory{fd, memoryKind(options.io)};
    Result<void> done;
    switch (options.io) {
    case Io::mmap: done = memory.mapOwn(options.buffers); break;
    case Io::userptr:
        done = memory.mapAnonymous(options.buffers, imageBytes, options.userptrOffset);
        break;
    case Io::dmabuf: done = memory.exportOwn(options.buffers); break;
    case Io::read: break;
    }
    if (!done) return tl::unexpected(done.error());
    for (std::uint32_t i = 0; i < memory.count(); ++i)
        if (memory.bytes(i).size() < imageBytes)
            return failed("the driver's buffers have " + std::to_string(memory.bytes(i).size()) +
                          " bytes, its pictures " + std::to_string(imageBytes));
    return memory;
}

BufferMemory::BufferMemory(BufferMemory &&other) noexcept
    : fd_{std::exchange(other.fd_, -1)},
      memory_{other.memory_},
      mapped_{std::exchange(other.mapped_, {})},
      exported_{std::exchange(other.exported_, {})}
{
}

BufferMemory::~BufferMemory()
{
    for (const Mapping &mapping : mapped_)
        ::munmap(mapping.address, mapping.length);
    if (fd_ < 0) return;
    v4l2_requestbuffers none{};
    none.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    none.memory = memory_;
    control(fd_, VIDIOC_REQBUFS, &none);
}

std::span<const std::uint8_t> BufferMemory::bytes(std::uint32_t index) const
{
    const Mapping &mapping = mapped_[index];
    const auto *const start = static_cast<const std::uint8_t *>(mapping.address);
    return {start + mapping.offset, mapping.length - mapping.offset};
}

v4l2_buffer BufferMemory::describe(std::uint32_t index) const
{
    v4l2_buffer buffer{};
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = memory_;
    buffer.index = index;
    if (index >= count()) return buffer;
    if (memory_ == V4L2_MEMORY_USERPTR) {
        buffer.m.userptr = reinterpret_cast<unsigned long>(bytes(index).data());
        buffer.length = static_cast<std::uint32_t>(bytes(index).size());
    } else if (memory_ == V4L2_MEMORY_DMABUF) {
        buffer.m.fd = exported_[index].get();
        buffer.length = static_cast<std::uint32_t>(bytes(index).size());
    }
    return buffer;
}

Result<std::uint32_t> BufferMemory::request(std::uint32_t memory, std::uint32_t count)
{
    v4l2_requestbuffers request{};
    request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    request.memory = memory;
    request.count = count;
    const int error = control(fd_, VIDIOC_REQBUFS, &request);
    if (error == EINVAL) return unsupported("the device does not take buffers of this kind");
    if (error == EBUSY && count == 0)
        return unsupported("the driver cannot free buffers that were exported as dma-bufs, so they "
                           "cannot be imported again");
    if (error != 0) return failed("cannot allocate buffers", error);
    if (count != 0 && request.count == 0) return failed("the driver allocated no buffers");
    return request.count;
}

Result<void> BufferMemory::mapOwn(std::uint32_t count)
{
    const auto granted = request(V4L2_MEMORY_MMAP, count);
    if (!granted) return tl::unexpected(granted.error());
    for (std::uint32_t i = 0; i < *granted; ++i) {
        const auto buffer = query(i);
        if (!buffer) return tl::unexpected(buffer.error());
        if (auto done = map(fd_, buffer->length, buffer->m.offset, MAP_SHARED); !done) return done;
    }
    return {};
}

Result<void> BufferMemory::mapAnonymous(std::uint32_t count, std::size_t imageBytes,
                                        std::size_t offset)
{
    const auto granted = request(V4L2_MEMORY_USERPTR, count);
    if (!granted) return tl::unexpected(granted.error());
    for (std::uint32_t i = 0; i < *granted; ++i) {
        if (auto done = map(-1, imageBytes + offset, 0, MAP_PRIVATE | MAP_ANONYMOUS); !done)
            return done;
        mapped_.back().offset = offset;
    }
    return {};
}

/// Where dma-bufs come from without another device: the driver exports its own buffers, forgets
/// them ("orphaned", they live on as dma-bufs) and imports them again.
Result<void> BufferMemory::exportOwn(std::uint32_t count)
{
    const auto granted = request(V4L2_MEMORY_MMAP, count);
    if (!granted) return tl::unexpected(granted.error());
    for (std::uint32_t i = 0; i < *granted; ++i) {
        const auto buffer = query(i);
        if (!buffer) return tl::unexpected(buffer.error());
        v4l2_exportbuffer request{};
        request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        request.index = i;
        request.flags = O_RDWR | O_CLOEXEC;
        if (const int error = control(fd_, VIDIOC_EXPBUF, &request))
            return unsupported("the driver does not export buffers: " +
                               std::string{std::strerror(error)});
        exported_.emplace_back(request.fd);
        if (auto done = map(request.fd, buffer->length, 0, MAP_SHARED); !done) return done;
    }
    if (const auto freed = request(V4L2_MEMORY_MMAP, 0); !freed)
        return tl::unexpected(freed.error());
    const auto imported = request(V4L2_MEMORY_DMABUF, *granted);
    if (!imported) return tl::unexpected(imported.error());
    if (*imported < *granted) return failed("the driver took fewer dma-bufs than it exported");
    return {};
}

Result<v4l2_buffer> BufferMemory::query(std::uint32_t index) const
{
    v4l2_buffer buffer{};
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    buffer.index = index;
    if (const int error = control(fd_, VIDIOC_QUERYBUF, &buffer))
        return failed("cannot query a buffer", error);
    return buffer;
}

Result<void> BufferMemory::map(int fd, std::size_t length, std::uint32_t driverOffset, int flags)
{
    void *const address = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, flags, fd,
                                 static_cast<off_t>(driverOffset));
    if (address == MAP_FAILED) return failed("cannot map a buffer", errno);
    mapped_.push_back({address, length, 0});
    return {};
}

void BufferMemory::synchronize(std::uint32_t index, bool begin) const
{
    if (memory_ != V4L2_MEMORY_DMABUF) return;
    dma_buf_sync sync{};
    sync.flags = DMA_BUF_SYNC_READ | (begin ? DMA_BUF_SYNC_START : DMA_BUF_SYNC_END);
    control(exported_[index].get(), DMA_BUF_IOCTL_SYNC, &sync);
}

} // namespace testcard::agent
