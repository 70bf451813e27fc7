// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cerrno>
#include <tuple>

#include <sys/resource.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

namespace
{

/// While it lives, the process cannot open anything.
class NoMoreDescriptors
{
public:
    NoMoreDescriptors()
    {
        const int lowestFree = ::dup(STDIN_FILENO);
        REQUIRE(lowestFree >= 0);
        ::close(lowestFree);
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        const rlimit limit{static_cast<rlim_t>(lowestFree), before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    NoMoreDescriptors(const NoMoreDescriptors &) = delete;
    NoMoreDescriptors &operator=(const NoMoreDescriptors &) = delete;
    ~NoMoreDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("A message may come byte by byte", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    const Bytes message = header(77, regionReadCommand, 32) + accessPayload(0, configRegion, 4);
    for (std::size_t index = 0; index < message.size(); ++index) {
        CHECK_FALSE(client.receive());
        client.put({message[index]});
    }
    const auto reply = client.receive();
    REQUIRE(reply);
    CHECK(reply->id == 77);
    CHECK(reply->as<std::uint32_t>(16) == 0xFFFE7C01);
}

TEST_CASE("Many messages may come at once and are answered in order", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    Bytes messages;
    for (std::uint16_t id = 0; id < 500; ++id)
        messages = messages + header(id, regionReadCommand, 32) + accessPayload(0, configRegion, 4);
    client.put(messages);
    for (std::uint16_t id = 0; id < 500; ++id) {
        const auto reply = client.receive();
        REQUIRE(reply);
        REQUIRE(reply->id == id);
    }
    CHECK_FALSE(client.receive());
}

TEST_CASE("A stream that holds no commands is closed", "[vfio-user]")
{
    const auto [size, flags] = GENERATE(table<std::uint32_t, std::uint32_t>({
        {0, 0},
        {15, 0},                // less than a header
        {0xFFFFFFFF, 0},        // more than memory
        {16 + 16 + 1048577, 0}, // one byte more than the longest message
        {16, 1},                // a reply to nothing
        {16, 2},                // a type that does not exist
        {16, 15},
    }));
    Bench bench;
    RawClient &client = bench.connect();
    client.put(header(1, resetCommand, size, flags));
    CHECK(client.closedByServer());
    CHECK(bench.server.statistics().violations == 1);
    CHECK(bench.device.resets.empty());
    CHECK(bench.connect().read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A client that goes in the middle of a message leaves nothing behind", "[vfio-user]")
{
    Bench bench;
    const std::size_t before = openFds();
    RawClient &client = bench.connect();
    MemoryFile file{4096};
    const std::size_t length = GENERATE(1u, 15u, 16u, 17u, 47u);
    Bytes message = header(1, dmaMapCommand, 48) + dmaMapPayload(32, 3, 0, 0, 4096);
    message.resize(length);
    client.put(message, {file.fd()});
    bench.serve();
    client.close();
    bench.serve();
    CHECK_FALSE(bench.server.connected());
    CHECK(openFds() == before + 1); // the file
}

TEST_CASE("A payload of the wrong size is refused and the next command works", "[vfio-user]")
{
    const auto [command, right] = GENERATE(table<std::uint16_t, std::uint32_t>({
        {dmaMapCommand, 32},
        {dmaUnmapCommand, 24},
        {deviceInfoCommand, 16},
        {regionInfoCommand, 32},
        {irqInfoCommand, 16},
        {setIrqsCommand, 20},
        {regionReadCommand, 16},
        {regionWriteCommand, 16},
        {resetCommand, 0},
        {writeMultiCommand, 8},
    }));
    Bench bench;
    RawClient &client = bench.connect();
    for (std::uint32_t size = 0; size < right + 9; ++size) {
        if (size == right) continue;
        Bytes payload(size, std::byte{0});
        if (size >= 4) payload[0] = std::byte{64}; // argsz, where there is one
        CAPTURE(command, size);
        CHECK(client.errorOf(command, payload) == EINVAL);
    }
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
    CHECK(bench.device.resets.empty());
}

TEST_CASE("Unknown commands are refused, those of the server's side too", "[vfio-user]")
{
    const std::uint16_t command =
        GENERATE(values<std::uint16_t>({0, 6, 11, 12, 14, 16, 17, 18, 19, 255, 65535}));
    Bench bench;
    RawClient &client = bench.connect();
    CHECK(client.errorOf(command, Bytes(24)) == ENOTSUP);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("Descriptors that a command does not take are closed and the command refused",
          "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4096};
    const std::size_t before = openFds();
    CHECK(client.errorOf(regionReadCommand, accessPayload(0, configRegion, 4), {file.fd()}) ==
          EINVAL);
    CHECK(client.errorOf(resetCommand, {}, {file.fd(), file.fd()}) == EINVAL);
    CHECK(client.errorOf(4711, {}, {file.fd()}) == EINVAL);
    CHECK(client.errorOf(dmaMapCommand, dmaMapPayload(32, 3, 0, 0, 4096), {file.fd(), file.fd()}) ==
          EINVAL);
    CHECK(openFds() == before);
    CHECK(bench.device.resets.empty());
    CHECK(client.map(0, 4096, file.fd()) == 0);
    CHECK(openFds() == before);
}

TEST_CASE("More descriptors than were agreed on are closed and the command refused", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4096};
    const std::size_t before = openFds();
    const std::vector<int> seventeen(17, file.fd());
    const std::vector<int> most(253, file.fd()); // SCM_MAX_FD
    CHECK(client.errorOf(dmaMapCommand, dmaMapPayload(32, 3, 0, 0, 4096), seventeen) == EINVAL);
    CHECK(client.errorOf(regionReadCommand, accessPayload(0, configRegion, 4), most) == EINVAL);
    CHECK(openFds() == before);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A descriptor that this process has no place for costs the command only", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4096};
    const int error = [&] {
        const NoMoreDescriptors none;
        return client.map(0, 4096, file.fd());
    }();
    CHECK(error == EINVAL);
    CHECK(bench.function.guestMemory().regions().empty());
    CHECK(client.map(0, 4096, file.fd()) == 0);
}

TEST_CASE("Descriptors spread over the bytes of a message count together", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4096};
    const std::size_t before = openFds();
    const std::vector<int> ten(10, file.fd());
    client.put(header(1, regionReadCommand, 32), ten);
    client.put(accessPayload(0, configRegion, 4), ten);
    const auto reply = client.receive();
    REQUIRE(reply);
    CHECK(reply->error == EINVAL);
    CHECK(openFds() == before);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A command that wants no reply gets none, not even for an error", "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    client.send(regionWriteCommand, accessPayload(16, 0, 4) + bytesOf(0x12345678u), {},
                noReplyFlag);
    client.send(regionWriteCommand, accessPayload(1 << 20, 0, 4) + bytesOf(1u), {}, noReplyFlag);
    client.send(regionReadCommand, accessPayload(0, 0, 4), {}, noReplyFlag);
    client.send(dmaMapCommand, {}, {}, noReplyFlag);
    client.send(resetCommand + 100, {}, {}, noReplyFlag);
    CHECK_FALSE(client.receive());
    CHECK(bench.server.statistics().errors == 3);
    CHECK(client.read32(0, 16) == 0x12345678);
}

TEST_CASE("A client that reads no replies gets no service, and costs no memory", "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    const std::uint64_t before = bench.server.statistics().requests;
    const Bytes request = header(5, regionReadCommand, 32) + accessPayload(0, 2, 65536);
    for (int count = 0; count < 100; ++count)
        client.put(request);
    bench.serve();
    const std::uint64_t served = bench.server.statistics().requests - before;
    CHECK(served < 100);

    for (int count = 0; count < 100; ++count) {
        const auto reply = client.receive();
        REQUIRE(reply);
        REQUIRE(reply->payload.size() == 16 + 65536);
    }
    CHECK_FALSE(client.receive());
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A flood of bad commands fills no log", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    for (int count = 0; count < 1000; ++count)
        client.send(4711, {}, {}, noReplyFlag);
    bench.serve();
    CHECK(bench.server.statistics().errors == 1000);
    CHECK(bench.reports.size() < 110);
}

} // namespace testcard::vfio_user_test
