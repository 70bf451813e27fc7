// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

void PlainDevice::reset(bus::ResetKind kind)
{
    resets.push_back(kind);
    memory[0].assign(4096, std::byte{0});
    memory[2].assign(65536, std::byte{0});
    memory[4].assign(4096, std::byte{0});
    memory[5].assign(16, std::byte{0});
    bus.irq.setLevel(false);
}

std::uint64_t PlainDevice::barRead(unsigned bar, std::uint64_t offset, unsigned size)
{
    if (onRead) onRead();
    std::uint64_t value = 0;
    std::memcpy(&value, memory[bar].data() + offset, size);
    return value;
}

void PlainDevice::barWrite(unsigned bar, std::uint64_t offset, unsigned size, std::uint64_t value)
{
    writes.push_back({bar, offset, size, value});
    std::memcpy(memory[bar].data() + offset, &value, size);
}

bus::FunctionInfo plainFunction()
{
    using Kind = bus::BarInfo::Kind;
    bus::FunctionInfo info;
    info.identity.device = 0xFFFE;
    info.identity.classCode = 0xFF0000;
    info.bars[0] = {Kind::memory32, 4096, false};
    info.bars[2] = {Kind::memory64, 65536, true};
    info.bars[4] = {Kind::memory32, 4096, false};
    info.bars[5] = {Kind::io, 16, false};
    info.msiVectors = 4;
    return info;
}

bus::FunctionInfo msixFunction()
{
    bus::FunctionInfo info = plainFunction();
    info.msix = {40, 4, 0, 0x800};
    return info;
}

MemoryFile::MemoryFile(std::uint64_t size, unsigned flags)
    : fd_{::memfd_create("vfio-user-test", MFD_CLOEXEC | flags)}
{
    REQUIRE(fd_ >= 0);
    resize(size);
}

MemoryFile::~MemoryFile()
{
    ::close(fd_);
}

void MemoryFile::resize(std::uint64_t size)
{
    REQUIRE(::ftruncate(fd_, static_cast<off_t>(size)) == 0);
}

void MemoryFile::put(std::uint64_t offset, const Bytes &bytes)
{
    REQUIRE(::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
            static_cast<ssize_t>(bytes.size()));
}

Bytes MemoryFile::get(std::uint64_t offset, std::size_t size) const
{
    Bytes bytes(size);
    REQUIRE(::pread(fd_, bytes.data(), size, static_cast<off_t>(offset)) ==
            static_cast<ssize_t>(size));
    return bytes;
}

Event::Event() : fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)}
{
    REQUIRE(fd_ >= 0);
}

Event::~Event()
{
    ::close(fd_);
}

std::uint64_t Event::take()
{
    std::uint64_t count = 0;
    return ::read(fd_, &count, sizeof count) == sizeof count ? count : 0;
}

void Event::signal()
{
    const std::uint64_t one = 1;
    REQUIRE(::write(fd_, &one, sizeof one) == sizeof one);
}

std::size_t openFds()
{
    const std::filesystem::directory_iterator listing{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(listing), end(listing)));
}

namespace
{

vfio_user::ServerOptions completed(vfio_user::ServerOptions options, Bench &bench)
{
    options.pollFor = std::chrono::microseconds{0};
    options.report = [&bench](std::string_view line) { bench.reports.emplace_back(line); };
    options.connectionChanged = [&bench](bool connected) {
        bench.connections.push_back(connected);
    };
    return options;
}

} // namespace

Bench::Bench(const bus::FunctionInfo &info, vfio_user::ServerOptions options)
    : function{info, clock},
      device{function.bus()},
      loop{clock},
      server{loop, function, completed(std::move(options), *this)}
{
    function.attach(device);
    device.resets.clear();
}

RawClient &Bench::connectSilently()
{
    std::array<int, 2> sockets{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0);
    REQUIRE(server.adopt(vfio_user::FileDescriptor{sockets[0]}));
    return clients.emplace_back(sockets[1], [this] { serve(); });
}

RawClient &Bench::connect()
{
    RawClient &client = connectSilently();
    REQUIRE(client.negotiate().error == 0);
    return client;
}

void Bench::serve()
{
    for (std::uint64_t before = ~0ull; before != server.statistics().requests;) {
        before = server.statistics().requests;
        loop.turn(std::chrono::nanoseconds{0});
    }
    loop.turn(
        std::chrono::nanoseconds{0}); // a client that was just accepted has not been looked at
}

void Bench::enable()
{
    const std::array<std::byte, 2> command{std::byte{0x07}, std::byte{0}};
    function.configWrite(0x04, command);
}

} // namespace testcard::vfio_user_test
