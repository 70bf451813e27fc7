// SPDX-License-Identifier: GPL-2.0-or-later
#include "video_device.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace testcard::agent
{
namespace
{

using Clock = std::chrono::steady_clock;

std::uint32_t fourccOf(feed::PixelFormat format)
{
    switch (format) {
    case feed::PixelFormat::yuyv: return V4L2_PIX_FMT_YUYV;
    case feed::PixelFormat::bgr24: return V4L2_PIX_FMT_BGR24;
    }
    return 0;
}

/// A string of a driver, which may fill its field to the last byte.
template <std::size_t size>
std::string textOf(const std::uint8_t (&field)[size])
{
    const auto *const text = reinterpret_cast<const char *>(field);
    return {text, strnlen(text, size)};
}

/// Why a query found no timings, for people.
const char *signalProblem(int error)
{
    switch (error) {
    case ENOLINK: return "no signal";
    case ENOLCK: return "no lock on the signal";
    case ERANGE: return "the signal is out of range";
    }
    return nullptr;
}

} // namespace

FileDescriptor &FileDescriptor::operator=(FileDescriptor &&other) noexcept
{
    std::swap(fd_, other.fd_);
    return *this;
}

FileDescriptor::~FileDescriptor()
{
    if (fd_ >= 0) ::close(fd_);
}

int FileDescriptor::release()
{
    return std::exchange(fd_, -1);
}

int control(int fd, unsigned long request, void *argument)
{
    int result;
    do {
        result = ::ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

VideoDevice::VideoDevice(FileDescriptor fd, const v4l2_capability &capability)
    : fd_{std::move(fd)},
      driver_{textOf(capability.driver)},
      card_{textOf(capability.card)},
      capabilities_{(capability.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? capability.device_caps
                                                                          : capability.capabilities}
{
}

Result<VideoDevice> VideoDevice::open(const std::string &path)
{
    FileDescriptor fd{::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (fd.get() < 0) return unsupported("cannot open " + path + ": " + std::strerror(errno));
    v4l2_capability capability{};
    if (const int error = control(fd.get(), VIDIOC_QUERYCAP, &capability))
        return unsupported(path + " is no V4L2 device: " + std::strerror(error));
    VideoDevice device{std::move(fd), capability};
    if ((device.capabilities_ & V4L2_CAP_VIDEO_CAPTURE) == 0)
        return unsupported(path + " (" + device.driver_ + ") does not capture video");
    for (const std::uint32_t type : {V4L2_EVENT_SOURCE_CHANGE, V4L2_EVENT_EOS}) {
        v4l2_event_subscription subscription{};
        subscription.type = type;
        // A source change belongs to an input: the events of others are not ours.
        if (type == V4L2_EVENT_SOURCE_CHANGE) subscription.id = device.input();
        control(device.fd(), VIDIOC_SUBSCRIBE_EVENT, &subscription); // not every driver has them
    }
    return device;
}

std::uint32_t VideoDevice::input() const
{
    int index = 0;
    if (control(fd(), VIDIOC_G_INPUT, &index) != 0 || index < 0) return 0;
    return static_cast<std::uint32_t>(index);
}

Result<void> VideoDevice::adoptSignal(std::chrono::milliseconds timeout)
{
    const auto deadline = Clock::now() + timeout;
    timings_ = {};
    int error;
    while ((error = control(fd(), VIDIOC_QUERY_DV_TIMINGS, &timings_)) != 0) {
        timings_ = {};
        if (error == ENOTTY || error == ENODATA || error == EINVAL) return {}; // no DV input
        const char *const problem = signalProblem(error);
        if (!problem) return failed("cannot query the signal's timings", error);
        if (Clock::now() >= deadline)
            return failed(std::string{problem} + " for " + std::to_string(timeout.count()) + " ms");
        pollfd waiting{fd(), POLLPRI, 0};
        ::poll(&waiting, 1, 50); // an event may come, or the device has none to send
        takeEvents();
    }
    v4l2_dv_timings wanted = timings_; // the driver may write its own idea of them here
    if ((error = control(fd(), VIDIOC_S_DV_TIMINGS, &wanted)) != 0)
        return failed("cannot set the signal's timings", error);
    takeEvents();
    return {};
}

Result<NegotiatedFormat> VideoDevice::setFormat(feed::PixelFormat format)
{
    v4l2_format request{};
    request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (const int error = control(fd(), VIDIOC_G_FMT, &request))
        return failed("cannot get the format", error);
    v4l2_pix_format &pix = request.fmt.pix;
    pix.pixelformat = fourccOf(format);
    pix.field = V4L2_FIELD_NONE;
    pix.bytesperline = pix.sizeimage = 0; // the driver's choice
    if (timings_.bt.width != 0) {
        pix.width = timings_.bt.width;
        pix.height = timings_.bt.height;
    }
    if (const int error = control(fd(), VIDIOC_S_FMT, &request))
        return failed("cannot set the format", error);
    const std::string name{feed::formatName(format)};
    if (pix.pixelformat != fourccOf(format)) return unsupported("the device has no format " + name);

    const feed::Shape shape{format, pix.width, pix.height};
    const std::uint32_t lineBytes = shape.plane(0).lineBytes;
    const std::uint32_t stride = pix.bytesperline != 0 ? pix.bytesperline : lineBytes;
    if (pix.width == 0 || pix.height == 0 || stride < lineBytes ||
        pix.sizeimage < std::uint64_t{stride} * (pix.height - 1) + lineBytes)
        return failed("the device offers an impossible format: " + std::to_string(pix.width) + "x" +
                      std::to_string(pix.height) + " " + name + ", " + std::to_string(stride) +
                      " bytes a line, " + std::to_string(pix.sizeimage) + " bytes a picture");
    return NegotiatedFormat{shape, stride, pix.sizeimage};
}

bool VideoDevice::takeEvents()
{
    constexpr int most = 64; // a driver that never runs out of events must not keep us here
    bool sourceChanged = false;
    v4l2_event event{};
    for (int i = 0; i < most && control(fd(), VIDIOC_DQEVENT, &event) == 0; ++i) {
        if (event.type == V4L2_EVENT_SOURCE_CHANGE) {
            ++events_.sourceChange;
            sourceChanged = true;
        } else if (event.type == V4L2_EVENT_EOS) {
            ++events_.endOfStream;
        } else {
            ++events_.other;
        }
        event = {};
    }
    return sourceChanged;
}

double VideoDevice::nominalRate() const
{
    const v4l2_bt_timings &bt = timings_.bt;
    const double pixels = static_cast<double>(V4L2_DV_BT_FRAME_WIDTH(&bt)) *
                          static_cast<double>(V4L2_DV_BT_FRAME_HEIGHT(&bt));
    return pixels == 0 || bt.width == 0 ? 0 : static_cast<double>(bt.pixelclock) / pixels;
}

} // namespace testcard::agent
