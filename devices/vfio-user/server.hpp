// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The vfio-user server: joins one PCI function to a VMM over a Unix socket. README.md lists the
/// commands that it serves and every behaviour.
#pragma once

#include "bus/pci_function.hpp"
#include "vfio-user/error.hpp"
#include "vfio-user/file_descriptor.hpp"
#include "vfio-user/loop.hpp"

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace testcard::vfio_user
{

/// A BAR that the client may map into the guest, so that accesses never reach the server.
///
/// Off by default, for a price that design D7 names: every trapped write of the device becomes
/// synchronous, and mapped reads are hidden from trace and faults.
struct SharedBar {
    /// Part of the BAR, in bytes; a multiple of the host's page size, as its offset.
    struct Area {
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
    };

    unsigned bar = 0;
    int fd = -1;                ///< the memory; stays the caller's and outlives the server
    std::uint64_t fdOffset = 0; ///< where in it the BAR begins; page-aligned
    std::vector<Area> areas;    ///< empty: the whole BAR; else accesses outside them are trapped
};

struct ServerOptions {
    /// Where listen() makes its socket. At most 103 bytes, in a folder that only the user enters.
    std::filesystem::path socket;

    /// How long the loop polls after each access before it sleeps; 0: never (design D7).
    std::chrono::microseconds pollFor{100};

    /// A reply whose request may be older than this carries no payload: a late payload would make
    /// the device unusable for good. Must be shorter than the client's x-msg-timeout (5 s unless
    /// set); the rest is the margin for the reply's own way.
    std::chrono::milliseconds replyDeadline{4000};

    std::vector<SharedBar> sharedBars;

    /// A client has come (true) or gone (false).
    std::function<void(bool connected)> connectionChanged;

    /// One line for a log: who came and went, and what was wrong with a request. A client that
    /// floods the server is reported at most 100 times per connection.
    std::function<void(std::string_view line)> report;
};

/// What has happened since the server was made.
struct ServerStatistics {
    std::uint64_t connections = 0; ///< clients that were accepted
    std::uint64_t requests = 0;    ///< whole messages received
    std::uint64_t errors = 0;      ///< requests answered by an error
    std::uint64_t violations = 0;  ///< connections closed because the stream could not be trusted
    std::uint64_t late = 0;        ///< replies that lost their payload to the deadline
    std::uint64_t lostMaps = 0;    ///< DMA maps dropped because their file shrank under them
};

/// Serves one function to one client at a time. When the client goes, its memory maps and event
/// descriptors go with it, the function keeps its state, and the next client is accepted.
class Server
{
public:
    /// `loop` and `function` must outlive the server; the function lives on the loop's clock.
    Server(Loop &loop, bus::PciFunction &function, ServerOptions options);
    ~Server();
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;

    /// Makes the socket and accepts clients from now on, while the loop runs. The socket appears
    /// under its name only when it accepts; a dead one of that name is replaced, a live one is an
    /// error. It is removed when the server ends.
    tl::expected<void, Error> listen();

    /// Serves a client that is already connected (a socketpair, an inherited socket).
    tl::expected<void, Error> adopt(FileDescriptor client);

    /// Closes the connection, as a card that is pulled from its slot.
    void disconnect();

    bool connected() const;
    const ServerStatistics &statistics() const;

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace testcard::vfio_user
