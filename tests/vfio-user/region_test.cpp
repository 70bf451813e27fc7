// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cerrno>
#include <tuple>

#include <linux/vfio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

namespace
{

Bytes deviceInfoRequest(std::uint32_t argsz)
{
    return bytesOf(argsz, std::uint32_t{0}, std::uint32_t{0}, std::uint32_t{0});
}

Bytes regionInfoRequest(std::uint32_t index, std::uint32_t argsz = 32)
{
    vfio_region_info request{};
    request.argsz = argsz;
    request.index = index;
    return bytesOf(request);
}

Bytes singleWrite(std::uint32_t region, std::uint64_t offset, std::uint32_t count,
                  std::uint64_t value)
{
    return bytesOf(offset, region, count, value);
}

void closeAll(const Reply &reply)
{
    for (const int fd : reply.fds)
        ::close(fd);
}

bool sameFile(int left, int right)
{
    struct stat one = {};
    struct stat two = {};
    return ::fstat(left, &one) == 0 && ::fstat(right, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

} // namespace

TEST_CASE("The device is a PCI function that can be reset", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    const Reply reply = client.call(deviceInfoCommand, deviceInfoRequest(16));
    REQUIRE(reply.payload.size() == 16);
    CHECK(reply.as<std::uint32_t>(0) == 16);
    CHECK(reply.as<std::uint32_t>(4) == (VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI));
    CHECK(reply.as<std::uint32_t>(8) == VFIO_PCI_NUM_REGIONS);
    CHECK(reply.as<std::uint32_t>(12) == VFIO_PCI_NUM_IRQS);
    CHECK(client.errorOf(deviceInfoCommand, deviceInfoRequest(15)) == EINVAL);
}

TEST_CASE("Regions are the BARs and configuration space, none to be mapped", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    const std::uint64_t sizes[] = {4096, 0, 65536, 0, 4096, 16, 0, 4096, 0};
    for (std::uint32_t index = 0; index < 9; ++index) {
        const Reply reply = client.call(regionInfoCommand, regionInfoRequest(index));
        REQUIRE(reply.payload.size() == 32);
        CHECK(reply.fds.empty());
        const auto info = reply.as<vfio_region_info>();
        CHECK(info.argsz == 32);
        CHECK(info.index == index);
        CHECK(info.size == sizes[index]);
        CHECK(info.flags == (sizes[index] ? 3u : 0u));
        CHECK(info.cap_offset == 0);
    }
    CHECK(client.errorOf(regionInfoCommand, regionInfoRequest(9)) == EINVAL);
    CHECK(client.errorOf(regionInfoCommand, regionInfoRequest(0xFFFFFFFF)) == EINVAL);
    CHECK(client.errorOf(regionInfoCommand, regionInfoRequest(0, 31)) == EINVAL);
}

TEST_CASE("Configuration space is read and written in any piece", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
    CHECK(client.read(configRegion, 1, 2) == Bytes{std::byte{0x7C}, std::byte{0xFE}});
    const Bytes whole = client.read(configRegion, 0, 4096);
    CHECK(std::equal(whole.begin(), whole.end(), bench.function.config().bytes().begin()));

    CHECK(client.write(configRegion, 4, bytesOf(std::uint16_t{0x0406})) == 0);
    CHECK(bench.function.config().memoryEnabled());
    CHECK(bench.function.config().busMasterEnabled());
    CHECK(bench.function.config().interruptDisabled());
    // Sizing a BAR, and writes that a guest makes to what is read-only or not there.
    CHECK(client.write32(configRegion, 0x10, 0xFFFFFFFF) == 0);
    CHECK(client.read32(configRegion, 0x10) == 0xFFFFF000);
    CHECK(client.write32(configRegion, 0, 0xFFFFFFFF) == 0);
    CHECK(client.write(configRegion, 0x100, Bytes(0xF00, std::byte{0xFF})) == 0);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("BARs are read and written in any piece", "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    CHECK(client.write32(0, 8, 0xA1B2C3D4) == 0);
    CHECK(client.read(0, 8, 1) == Bytes{std::byte{0xD4}});
    CHECK(client.write(5, 3, {std::byte{7}}) == 0);
    CHECK(client.write(2, 65528, bytesOf(std::uint64_t{0x1122334455667788})) == 0);
    const std::vector<PlainDevice::Write> expected{
        {0, 8, 4, 0xA1B2C3D4}, {5, 3, 1, 7}, {2, 65528, 8, 0x1122334455667788}};
    CHECK(bench.device.writes == expected);

    const Bytes all = client.read(2, 0, 65536);
    CHECK(all[65528] == std::byte{0x88});
    CHECK(client.write(2, 0, Bytes(65536, std::byte{0x5A})) == 0);
    CHECK(client.read(2, 1234, 1) == Bytes{std::byte{0x5A}});
}

TEST_CASE("A BAR that is not enabled reads all ones and drops writes", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    CHECK(client.read32(0, 0) == 0xFFFFFFFF);
    CHECK(client.write32(0, 0, 1) == 0);
    CHECK(bench.device.writes.empty());
}

TEST_CASE("Accesses outside a region are refused and reach no device", "[vfio-user]")
{
    const auto [region, offset, count] =
        GENERATE(table<std::uint32_t, std::uint64_t, std::uint32_t>({
            {0, 4096, 4},
            {0, 4093, 4},
            {0, 0, 4097},
            {0, ~0ull, 1},
            {0, ~0ull - 3, 4},
            {0, ~0ull - 3, 8},
            {0, 1ull << 32, 4},
            {0, 0, 0},
            {1, 0, 4},
            {3, 0, 4},
            {5, 14, 4},
            {6, 0, 4},
            {7, 4094, 4},
            {7, 4096, 1},
            {8, 0, 4},
            {9, 0, 4},
            {0xFFFFFFFF, 0, 4},
        }));
    CAPTURE(region, offset, count);
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    CHECK(client.errorOf(regionReadCommand, accessPayload(offset, region, count)) == EINVAL);
    CHECK(client.errorOf(regionWriteCommand, accessPayload(offset, region, count) + Bytes(count)) ==
          EINVAL);
    CHECK(bench.device.writes.empty());
}

TEST_CASE("A count that is not the data's, or above the largest transfer, is refused",
          "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    CHECK(client.errorOf(regionReadCommand, accessPayload(0, 2, 1048577)) == EINVAL);
    CHECK(client.errorOf(regionReadCommand, accessPayload(0, 2, 0xFFFFFFFF)) == EINVAL);
    CHECK(client.errorOf(regionWriteCommand, accessPayload(0, 0, 8) + Bytes(4)) == EINVAL);
    CHECK(client.errorOf(regionWriteCommand, accessPayload(0, 0, 4) + Bytes(8)) == EINVAL);
    CHECK(client.errorOf(regionWriteCommand, accessPayload(0, 0, 0xFFFFFFFF) + Bytes(4)) == EINVAL);
    CHECK(bench.device.writes.empty());
}

TEST_CASE("The largest transfer works, both ways", "[vfio-user]")
{
    bus::FunctionInfo info = plainFunction();
    info.bars[2].size = 1048576;
    Bench bench{info};
    bench.device.memory[2].assign(1048576, std::byte{0});
    bench.enable();
    RawClient &client = bench.connect();
    Bytes data(1048576);
    for (std::size_t index = 0; index < data.size(); ++index)
        data[index] = std::byte(index * 7 >> 3);
    CHECK(client.write(2, 0, data) == 0);
    CHECK(client.read(2, 0, 1048576) == data);
}

TEST_CASE("Several writes in one message are carried out in order", "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    Bytes payload = bytesOf(std::uint64_t{200});
    std::vector<PlainDevice::Write> expected;
    for (std::uint64_t number = 0; number < 200; ++number) {
        const std::uint32_t size = 1u << (number % 4);
        payload = payload + singleWrite(0, number * 8, size, number);
        expected.push_back({0, number * 8, size, number});
    }
    const Reply reply = client.call(writeMultiCommand, payload);
    REQUIRE(reply.payload.size() == 8);
    CHECK(reply.as<std::uint64_t>() == 200);
    CHECK(bench.device.writes == expected);

    client.send(writeMultiCommand, bytesOf(std::uint64_t{1}) + singleWrite(0, 0, 4, 5), {},
                noReplyFlag);
    CHECK_FALSE(client.receive());
    CHECK(bench.device.writes.size() == 201);
    CHECK(client.call(writeMultiCommand, bytesOf(std::uint64_t{0})).as<std::uint64_t>() == 0);
}

TEST_CASE("Several writes whose number is not that of the data are refused", "[vfio-user]")
{
    const std::uint64_t count = GENERATE(0ull, 2ull, 1ull << 32, ~0ull, ~0ull / 24 + 2);
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    CHECK(client.errorOf(writeMultiCommand, bytesOf(count) + singleWrite(0, 0, 4, 5)) == EINVAL);
    CHECK(bench.device.writes.empty());
}

TEST_CASE("Several writes end at the first that is no good", "[vfio-user]")
{
    const Bytes bad = GENERATE(
        values<Bytes>({singleWrite(0, 0, 9, 1), singleWrite(0, 0, 0, 1), singleWrite(0, 4096, 4, 1),
                       singleWrite(9, 0, 4, 1), singleWrite(0, ~0ull, 8, 1)}));
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    const Bytes payload =
        bytesOf(std::uint64_t{3}) + singleWrite(0, 0, 4, 1) + bad + singleWrite(0, 0, 4, 2);
    CHECK(client.errorOf(writeMultiCommand, payload) == EINVAL);
    CHECK(bench.device.writes == std::vector<PlainDevice::Write>{{0, 0, 4, 1}});
}

TEST_CASE("A reset resets the function, as often as it is asked for", "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    REQUIRE(client.write32(0, 0, 5) == 0);
    for (int count = 0; count < 3; ++count) {
        const Reply reply = client.call(resetCommand);
        CHECK(reply.error == 0);
        CHECK(reply.payload.empty());
    }
    CHECK(bench.device.resets == std::vector(3, bus::ResetKind::powerOn));
    CHECK_FALSE(bench.function.config().memoryEnabled());
    bench.enable();
    CHECK(client.read32(0, 0) == 0);
}

TEST_CASE("A function level reset is a write to configuration space and keeps the connection",
          "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4096};
    REQUIRE(client.map(0, 4096, file.fd()) == 0);
    const std::uint64_t deviceControl = bus::ConfigSpace::expressCapability + 8;
    CHECK(client.write(configRegion, deviceControl, bytesOf(std::uint16_t{0x8000})) == 0);
    CHECK(bench.device.resets == std::vector{bus::ResetKind::flr});
    CHECK(bench.function.guestMemory().regions().size() == 1);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A whole BAR that is shared comes with its descriptor", "[vfio-user]")
{
    MemoryFile memory{131072};
    vfio_user::ServerOptions options;
    options.sharedBars = {{.bar = 2, .fd = memory.fd(), .fdOffset = 65536, .areas = {}}};
    Bench bench{plainFunction(), options};
    RawClient &client = bench.connect();
    const Reply reply = client.call(regionInfoCommand, regionInfoRequest(2));
    const auto info = reply.as<vfio_region_info>();
    CHECK(info.argsz == 32);
    CHECK(info.flags ==
          (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP));
    CHECK(info.offset == 65536);
    REQUIRE(reply.fds.size() == 1);
    CHECK(sameFile(reply.fds[0], memory.fd()));
    closeAll(reply);
    CHECK(client.call(regionInfoCommand, regionInfoRequest(0)).fds.empty());
}

TEST_CASE("Shared areas are told only to a client that has room for them", "[vfio-user]")
{
    MemoryFile memory{65536};
    vfio_user::ServerOptions options;
    options.sharedBars = {
        {.bar = 2, .fd = memory.fd(), .fdOffset = 0, .areas = {{4096, 8192}, {32768, 4096}}}};
    Bench bench{plainFunction(), options};
    RawClient &client = bench.connect();
    constexpr std::uint32_t full = 32 + 16 + 2 * 16;

    for (const std::uint32_t room : {32u, 33u, full - 1}) {
        const Reply shortReply = client.call(regionInfoCommand, regionInfoRequest(2, room));
        REQUIRE(shortReply.payload.size() == 32);
        const auto info = shortReply.as<vfio_region_info>();
        CHECK(info.argsz == full);
        CHECK(info.flags == (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE));
        CHECK(info.cap_offset == 0);
        CHECK(shortReply.fds.empty());
    }
    const Reply reply = client.call(regionInfoCommand, regionInfoRequest(2, full + 100));
    REQUIRE(reply.payload.size() == full);
    const auto info = reply.as<vfio_region_info>();
    CHECK(info.argsz == full);
    CHECK(info.flags == 0xF);
    CHECK(info.cap_offset == 32);
    const auto capability = reply.as<vfio_info_cap_header>(32);
    CHECK(capability.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP);
    CHECK(capability.version == 1);
    CHECK(capability.next == 0);
    CHECK(reply.as<std::uint32_t>(40) == 2);
    const auto first = reply.as<vfio_region_sparse_mmap_area>(48);
    const auto second = reply.as<vfio_region_sparse_mmap_area>(64);
    CHECK(std::tuple{first.offset, first.size} == std::tuple{4096, 8192});
    CHECK(std::tuple{second.offset, second.size} == std::tuple{32768, 4096});
    REQUIRE(reply.fds.size() == 1);
    closeAll(reply);
}

TEST_CASE("A client that takes no descriptors is offered no memory", "[vfio-user]")
{
    MemoryFile memory{65536};
    vfio_user::ServerOptions options;
    options.sharedBars = {{.bar = 2, .fd = memory.fd(), .fdOffset = 0, .areas = {{0, 4096}}}};
    Bench bench{plainFunction(), options};
    RawClient &client = bench.connectSilently();
    REQUIRE(client.negotiate(R"({"capabilities":{"max_msg_fds":0}})").error == 0);
    const Reply reply = client.call(regionInfoCommand, regionInfoRequest(2, 1000));
    CHECK(reply.as<vfio_region_info>().flags == 3);
    CHECK(reply.payload.size() == 32);
    CHECK(reply.fds.empty());
}

TEST_CASE("BARs that cannot be shared are an error that says why", "[vfio-user]")
{
    const auto [shared, why] = GENERATE(table<std::vector<vfio_user::SharedBar>, std::string>({
        {{{.bar = 6, .fd = 0, .fdOffset = 0, .areas = {}}}, "BARs 0 to 5"},
        {{{.bar = 5, .fd = 0, .fdOffset = 0, .areas = {}}}, "only memory BARs"},
        {{{.bar = 1, .fd = 0, .fdOffset = 0, .areas = {}}}, "only memory BARs"},
        {{{.bar = 0, .fd = -1, .fdOffset = 0, .areas = {}}}, "no descriptor"},
        {{{.bar = 0, .fd = 0, .fdOffset = 1, .areas = {}}}, "page-aligned"},
        {{{.bar = 2, .fd = 0, .fdOffset = 0, .areas = {{0, 100}}}}, "whole pages"},
        {{{.bar = 2, .fd = 0, .fdOffset = 0, .areas = {{0, 0}}}}, "whole pages"},
        {{{.bar = 2, .fd = 0, .fdOffset = 0, .areas = {{0, 8192}, {4096, 4096}}}}, "overlap"},
        {{{.bar = 2, .fd = 0, .fdOffset = 0, .areas = {{61440, 8192}}}}, "outside the BAR"},
        {{{.bar = 2, .fd = 0, .fdOffset = 0, .areas = {}},
          {.bar = 2, .fd = 0, .fdOffset = 0, .areas = {}}},
         "twice"},
    }));
    vfio_user::ServerOptions options;
    options.sharedBars = shared;
    options.socket = "/nowhere/at/all";
    Bench bench{plainFunction(), options};
    const auto listening = bench.server.listen();
    REQUIRE_FALSE(listening);
    CHECK(listening.error().message.find(why) != std::string::npos);
}

} // namespace testcard::vfio_user_test
