// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One connected client, from VERSION to the end of its connection.
#pragma once

#include "bus/pci_function.hpp"
#include "vfio-user/connection.hpp"
#include "vfio-user/dma_maps.hpp"
#include "vfio-user/interrupts.hpp"
#include "vfio-user/loop.hpp"
#include "vfio-user/regions.hpp"
#include "vfio-user/server.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace testcard::vfio_user
{

/// Answers a client's commands one after another. All that the client brought (maps, descriptors,
/// latched interrupts) goes with the session; the function stays as it is.
class Session
{
public:
    /// All references must outlive the session.
    Session(Loop &loop, bus::PciFunction &function, const ServerOptions &options,
            ServerStatistics &statistics, FileDescriptor socket);
    Session(const Session &) = delete;
    Session &operator=(const Session &) = delete;

    /// Serves what the socket holds, at most a number of messages, so that others get their turn.
    /// False when the connection has ended; the session is to be destroyed then.
    bool ready();

    /// What the socket is to be watched for.
    short events() const;

    /// Before the loop sleeps: sees what became of the client's memory and how old its bytes are.
    void turn();

    /// Lets ready() end after the message that it is serving.
    void end() { ended_ = true; }

    bool negotiated() const { return negotiated_; }
    int fd() const { return connection_.fd(); }

private:
    bool serve(Message &message);
    int dispatch(Message &message);
    int negotiateVersion(const Message &message);
    int dmaMap(Message &message);
    int dmaUnmap(const Message &message);
    int deviceInfo(const Message &message);
    int regionInfo(const Message &message);
    int irqInfo(const Message &message);
    int setIrqs(Message &message);
    int regionRead(const Message &message);
    int regionWrite(const Message &message);
    int writeMulti(const Message &message);
    int reset(const Message &message);

    bool answer(const Message &message, int error);
    void report(std::string_view line);

    Loop &loop_;
    bus::PciFunction &function_;
    const ServerOptions &options_;
    ServerStatistics &statistics_;
    Connection connection_;
    DmaMaps maps_;
    Interrupts interrupts_;
    Regions regions_;

    bool negotiated_ = false;
    bool ended_ = false;
    unsigned clientFds_ = 1;
    unsigned reports_ = 0;
    Arrivals::Time observed_{}; ///< when the connection was looked at last

    // The reply that is being built.
    std::vector<std::byte> reply_;
    int replyFd_ = -1;
};

} // namespace testcard::vfio_user
