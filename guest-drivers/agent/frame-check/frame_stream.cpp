// SPDX-License-Identifier: GPL-2.0-or-later
#include "frame_stream.hpp"

#include "buffer_memory.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <unistd.h>

namespace testcard::agent
{
namespace
{

/// What drivers say when the device is gone, in the words of people.
tl::unexpected<Failure> streamFailed(const char *what, int error)
{
    if (error == ENODEV) return failed("the device has gone");
    return failed(what, error);
}

/// Buffers that travel to the device and back.
class BufferStream final : public FrameStream
{
public:
    BufferStream(int fd, BufferMemory memory) : fd_{fd}, memory_{std::move(memory)} {}

    ~BufferStream() override
    {
        int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        control(fd_, VIDIOC_STREAMOFF, &type);
    }

    Result<void> start()
    {
        for (std::uint32_t i = 0; i < memory_.count(); ++i)
            if (auto queued = queue(i); !queued) return queued;
        int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        if (const int error = control(fd_, VIDIOC_STREAMON, &type))
            return streamFailed("cannot start the stream", error);
        return {};
    }

    Result<std::optional<ReceivedFrame>> take() override
    {
        v4l2_buffer buffer = memory_.describe(0);
        const int error = control(fd_, VIDIOC_DQBUF, &buffer);
        if (error == EAGAIN) return std::nullopt;
        if (error != 0) return streamFailed("cannot take a frame", error);
        if (buffer.index >= memory_.count())
            return failed("the driver returned buffer " + std::to_string(buffer.index) + " of " +
                          std::to_string(memory_.count()));
        memory_.beginRead(buffer.index);
        const auto whole = memory_.bytes(buffer.index);
        const std::uint64_t seconds = static_cast<std::uint64_t>(buffer.timestamp.tv_sec);
        return ReceivedFrame{.bytes =
                                 whole.first(std::min<std::size_t>(buffer.bytesused, whole.size())),
                             .sequence = buffer.sequence,
                             .timestamp_us = seconds * 1'000'000 +
                                             static_cast<std::uint64_t>(buffer.timestamp.tv_usec),
                             .flagged = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0,
                             .index = buffer.index};
    }

    Result<void> giveBack(const ReceivedFrame &frame) override
    {
        memory_.endRead(frame.index);
        return queue(frame.index);
    }

private:
    Result<void> queue(std::uint32_t index)
    {
        v4l2_buffer buffer = memory_.describe(index);
        if (const int error = control(fd_, VIDIOC_QBUF, &buffer))
            return streamFailed("cannot queue a buffer", error);
        return {};
    }

    int fd_;
    BufferMemory memory_;
};

/// read(): a copy of each frame, without sequence or timestamp.
class ReadStream final : public FrameStream
{
public:
    ReadStream(int fd, std::size_t imageBytes) : fd_{fd}, bytes_(imageBytes) {}

    Result<std::optional<ReceivedFrame>> take() override
    {
        const ssize_t count = ::read(fd_, bytes_.data(), bytes_.size());
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
        if (count < 0) return streamFailed("cannot read a frame", errno);
        return ReceivedFrame{.bytes = std::span{bytes_}.first(static_cast<std::size_t>(count)),
                             .sequence = std::nullopt,
                             .timestamp_us = std::nullopt};
    }

    Result<void> giveBack(const ReceivedFrame &) override { return {}; }

private:
    int fd_;
    std::vector<std::uint8_t> bytes_;
};

} // namespace

Result<std::unique_ptr<FrameStream>>
startStream(const VideoDevice &device, const NegotiatedFormat &format, const Options &options)
{
    if (options.io == Io::read) {
        if (!device.reads()) return unsupported("the device has no read()");
        return std::make_unique<ReadStream>(device.fd(), format.imageBytes);
    }
    if (!device.streams()) return unsupported("the device has no streaming I/O");
    auto memory = BufferMemory::allocate(device.fd(), format.imageBytes, options);
    if (!memory) return tl::unexpected(memory.error());
    auto stream = std::make_unique<BufferStream>(device.fd(), std::move(*memory));
    if (auto started = stream->start(); !started) return tl::unexpected(started.error());
    return stream;
}

} // namespace testcard::agent
