// SPDX-License-Identifier: GPL-2.0-or-later
// The way to the host: a virtio port, a serial line, a socket. Finds it, waits for the host at its
// other end, and moves bytes between it and the Agent.
#pragma once

#include "core/agent.hpp"
#include "linux/file_descriptor.hpp"
#include "linux/loop.hpp"

#include <optional>
#include <string>

#include <termios.h>

namespace testcard::agent
{

struct LineOptions {
    enum class Kind {
        Device,     ///< `name` is a path, or the name of a virtio port; it may not exist yet
        Descriptor, ///< `descriptor` is an open stream; the agent ends with it
        Listener,   ///< `name` is the path of a Unix socket to make; one host after the other
    };
    Kind kind = Kind::Device;
    std::string name = "org.testcard.agent.0";
    int descriptor = -1;
    speed_t speed = B115200; ///< if the device is a serial line
};

class Line
{
public:
    Line(Loop &loop, Agent &agent, LineOptions options);
    ~Line();

    /// errno of what makes the agent useless (the socket cannot be made), 0 if all is well.
    int start();
    /// Writes what the agent has to say, as far as the line takes it.
    void flush();
    std::optional<Time> deadline() const { return retryAt_; }
    void tick(Time now);
    /// A Descriptor ended: nobody will ever come again.
    bool isFinished() const { return finished_; }

private:
    void openDevice();
    void waitForHost();
    void waitedFor(std::uint32_t events);
    void connected();
    void ready();
    void lost(bool deviceGone);
    void acceptHost();

    Loop &loop_;
    Agent &agent_;
    LineOptions options_;
    FileDescriptor listener_;
    FileDescriptor stream_;
    bool connected_ = false;
    bool finished_ = false;
    std::optional<Time> retryAt_; ///< for a device that is not there, or a host that is not
    Time retryAfter_;
};

/// The device of a virtio port by its name ("/dev/vport0p1"); empty if there is none yet. Works
/// without udev: the name stands in sysfs.
std::string findVirtioPort(const std::string &name);

} // namespace testcard::agent
