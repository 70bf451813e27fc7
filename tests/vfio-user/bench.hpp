// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A card behind a real server, and everything around it, in one thread.
#pragma once

#include "bus/pci_function.hpp"
#include "raw_client.hpp"
#include "vfio-user/server.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace testcard::vfio_user_test
{

/// A card without a purpose: BAR0 is 4 KiB of registers that keep what is written, BAR2 (64 bits)
/// 64 KiB of them, BAR5 16 I/O ports; what is written to them is also recorded.
class PlainDevice final : public bus::Device
{
public:
    explicit PlainDevice(const bus::DeviceBus &wires) : bus{wires} {}

    struct Write {
        unsigned bar;
        std::uint64_t offset;
        unsigned size;
        std::uint64_t value;
        friend bool operator==(const Write &, const Write &) = default;
    };

    void reset(bus::ResetKind kind) override;
    std::uint64_t barRead(unsigned bar, std::uint64_t offset, unsigned size) override;
    void barWrite(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value) override;
    const bus::RegisterFile *registers(unsigned) const override { return nullptr; }
    std::vector<std::byte> save() override { return {}; }
    bool restore(std::span<const std::byte>) override { return true; }

    bus::DeviceBus bus;
    std::array<std::vector<std::byte>, 6> memory{};
    std::vector<Write> writes;
    std::vector<bus::ResetKind> resets;
    std::function<void()> onRead; ///< runs inside each read, if set
};

/// BAR0 memory32 4 KiB, BAR2/3 memory64 64 KiB, BAR4 for MSI-X, BAR5 16 I/O ports; INTx, 4 MSI.
bus::FunctionInfo plainFunction();

/// The same with 40 MSI-X vectors: table at 0, pending bits at 0x800 of BAR4.
bus::FunctionInfo msixFunction();

/// A file that only memory backs.
class MemoryFile
{
public:
    explicit MemoryFile(std::uint64_t size, unsigned flags = 0);
    MemoryFile(const MemoryFile &) = delete;
    MemoryFile &operator=(const MemoryFile &) = delete;
    ~MemoryFile();

    int fd() const { return fd_; }
    void resize(std::uint64_t size);
    void put(std::uint64_t offset, const Bytes &bytes);
    Bytes get(std::uint64_t offset, std::size_t size) const;

private:
    int fd_;
};

class Event
{
public:
    Event();
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;
    ~Event();

    int fd() const { return fd_; }
    std::uint64_t take(); ///< how often it was signalled since the last take
    void signal();

private:
    int fd_;
};

/// How many descriptors this process has open, by /proc/self/fd.
std::size_t openFds();

struct Bench {
    explicit Bench(const bus::FunctionInfo &info = plainFunction(),
                   vfio_user::ServerOptions options = {});

    /// A client that has connected and agreed on a version.
    RawClient &connect();

    /// A client that has connected only.
    RawClient &connectSilently();

    /// Lets the server work until it has nothing to do.
    void serve();

    /// Enables memory and I/O decode and bus mastering, as a driver does.
    void enable();

    bus::Clock clock;
    bus::PciFunction function;
    PlainDevice device;
    vfio_user::Loop loop;
    std::vector<std::string> reports;
    std::vector<bool> connections;
    vfio_user::Server server;
    std::deque<RawClient> clients;
};

inline constexpr std::uint32_t configRegion = 7;

} // namespace testcard::vfio_user_test
