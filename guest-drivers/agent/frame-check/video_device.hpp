// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A V4L2 capture device: everything but its buffers.
#pragma once

#include "failure.hpp"
#include "feed/picture.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include <linux/videodev2.h>

namespace testcard::agent
{

/// A file descriptor with an owner.
class FileDescriptor
{
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_{fd} {}
    FileDescriptor(FileDescriptor &&other) noexcept : fd_{other.release()} {}
    FileDescriptor &operator=(FileDescriptor &&other) noexcept;
    ~FileDescriptor();

    int get() const { return fd_; }
    int release();

private:
    int fd_ = -1;
};

/// ioctl() that is repeated after a signal; 0, or errno.
int control(int fd, unsigned long request, void *argument);

/// What V4L2 events told so far.
struct EventCounts {
    std::uint64_t sourceChange = 0;
    std::uint64_t endOfStream = 0;
    std::uint64_t other = 0;
};

/// The shape and layout that device and program agreed on.
struct NegotiatedFormat {
    feed::Shape shape;
    std::uint32_t stride = 0;
    std::uint32_t imageBytes = 0; ///< size of a buffer that holds a picture
};

class VideoDevice
{
public:
    /// Opens the device and subscribes to its events.
    static Result<VideoDevice> open(const std::string &path);

    int fd() const { return fd_.get(); }
    const std::string &driver() const { return driver_; }
    const std::string &card() const { return card_; }
    bool streams() const { return (capabilities_ & V4L2_CAP_STREAMING) != 0; }
    bool reads() const { return (capabilities_ & V4L2_CAP_READWRITE) != 0; }

    /// Waits for a usable signal and takes over its timings; a device without DV timings has
    /// nothing to wait for.
    Result<void> adoptSignal(std::chrono::milliseconds timeout);

    /// Asks for the format at the signal's size; the device has to agree on the format.
    Result<NegotiatedFormat> setFormat(feed::PixelFormat format);

    /// Takes all waiting events; whether the source changed is among them.
    bool takeEvents();
    const EventCounts &events() const { return events_; }

    /// Frames per second by the DV timings; 0 without.
    double nominalRate() const;

private:
    std::uint32_t input() const;

    VideoDevice(FileDescriptor fd, const v4l2_capability &capability);

    FileDescriptor fd_;
    std::string driver_;
    std::string card_;
    std::uint32_t capabilities_ = 0;
    v4l2_dv_timings timings_{}; ///< of width 0 if the device has none
    EventCounts events_;
};

} // namespace testcard::agent
