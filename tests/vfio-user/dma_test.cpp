// SPDX-License-Identifier: GPL-2.0-or-later
#include "dma_bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cerrno>
#include <tuple>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

namespace
{

int mapWith(RawClient &client, int fd)
{
    return client.map(0x100000, page, fd);
}

} // namespace

TEST_CASE("The card reaches memory that the client has mapped, and none after", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4 * page};
    file.put(2 * page, textBytes("guest"));
    CHECK(bench.readOne(0x100000) == bus::DmaStatus::unmapped);
    REQUIRE(client.map(0x100000, page, file.fd(), 2 * page) == 0);
    Bytes bytes(5);
    CHECK(bench.read(0x100000, bytes) == bus::DmaStatus::ok);
    CHECK(bytes == textBytes("guest", false));
    CHECK(bench.write(0x100FFB, textBytes("card")) == bus::DmaStatus::ok);
    CHECK(file.get(3 * page - 5, 5) == textBytes("card"));
    CHECK(bench.readOne(0xFFFFF) == bus::DmaStatus::unmapped);
    CHECK(bench.readOne(0x101000) == bus::DmaStatus::unmapped);

    REQUIRE(client.unmap(0x100000, page) == 0);
    CHECK(bench.readOne(0x100000) == bus::DmaStatus::unmapped);
}

TEST_CASE("A transfer crosses from one map into the next, whatever file that is", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile first{page};
    MemoryFile second{2 * page};
    REQUIRE(client.map(0, page, first.fd()) == 0);
    REQUIRE(client.map(page, page, second.fd(), page) == 0);
    CHECK(bench.write(page - 2, textBytes("abc")) == bus::DmaStatus::ok);
    CHECK(first.get(page - 2, 2) == textBytes("ab", false));
    CHECK(second.get(page, 2) == textBytes("c"));
    Bytes back(4);
    CHECK(bench.read(page - 2, back) == bus::DmaStatus::ok);
    CHECK(back == textBytes("abc"));
    Bytes tooLong(page + 3);
    CHECK(bench.read(page - 2, tooLong) == bus::DmaStatus::unmapped);
}

TEST_CASE("Without bus mastering the card reaches nothing, though it is mapped", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(0, page, file.fd()) == 0);
    Bytes bytes(4);
    CHECK(bench.device.bus.dma.read(0, bytes) == bus::DmaStatus::masterDisabled);
    REQUIRE(client.write(configRegion, 4, bytesOf(std::uint16_t{6})) == 0);
    CHECK(bench.device.bus.dma.read(0, bytes) == bus::DmaStatus::ok);
}

TEST_CASE("A map for reading only is not written", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(0, page, file.fd(), 0, 1) == 0);
    CHECK(bench.readOne(0) == bus::DmaStatus::ok);
    CHECK(bench.write(0, textBytes("x")) == bus::DmaStatus::readOnly);
}

TEST_CASE("The rights of the descriptor bound those of the map", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    const std::string path = "/proc/self/fd/" + std::to_string(file.fd());
    const vfio_user::FileDescriptor readOnly{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    REQUIRE(readOnly);
    CHECK(client.map(0, page, readOnly.get()) == EACCES);
    CHECK(client.map(0, page, readOnly.get(), 0, 1) == 0);
    CHECK(bench.readOne(0) == bus::DmaStatus::ok);

    MemoryFile sealed{page, MFD_ALLOW_SEALING};
    REQUIRE(::fcntl(sealed.fd(), F_ADD_SEALS, F_SEAL_WRITE) == 0);
    CHECK(client.map(page, page, sealed.fd()) == EPERM);
}

TEST_CASE("A map without a descriptor is known but has no memory", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(0xC0000, 0x20000, -1) == 0);
    CHECK(bench.readOne(0xC0000) == bus::DmaStatus::unmapped);
    CHECK(client.map(0xC0000, page, file.fd()) == EEXIST);
    CHECK(client.unmap(0xC0000, 0x20000) == 0);
    CHECK(client.map(0xC0000, page, file.fd()) == 0);
}

TEST_CASE("A map over another one is refused and leaves that one alone", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{16 * page};
    REQUIRE(client.map(4 * page, 4 * page, file.fd()) == 0);
    CHECK(client.map(4 * page, 4 * page, file.fd()) == EEXIST);
    CHECK(client.map(3 * page, 2 * page, file.fd()) == EEXIST);
    CHECK(client.map(7 * page, 2 * page, file.fd()) == EEXIST);
    CHECK(client.map(5 * page, page, file.fd()) == EEXIST);
    CHECK(client.map(0, 16 * page, -1) == EEXIST);
    CHECK(bench.readOne(4 * page) == bus::DmaStatus::ok);
    CHECK(client.map(3 * page, page, file.fd()) == 0);
    CHECK(client.map(8 * page, page, file.fd()) == 0);
}

TEST_CASE("Maps that make no sense are refused", "[vfio-user]")
{
    struct Case {
        const char *what;
        std::uint32_t argsz, flags;
        std::uint64_t offset, address, size;
    };
    const Case bad = GENERATE(values<Case>({
        {"short argsz", 31, 3, 0, 0, page},
        {"neither readable nor writable", 32, 0, 0, 0, page},
        {"unknown flag", 32, 7, 0, 0, page},
        {"empty", 32, 3, 0, 0, 0},
        {"part of a page", 32, 3, 0, 0, page - 1},
        {"unaligned address", 32, 3, 0, 1, page},
        {"unaligned offset", 32, 3, 512, 0, page},
        {"wraps around the address space", 32, 3, 0, ~0ull - page + 1, 2 * page},
        {"the whole address space and more", 32, 3, 0, page, ~0ull - page + 1},
        {"behind the end of the file", 32, 3, 4 * page, 0, page},
        {"over the end of the file", 32, 3, page, 0, 4 * page},
        {"offset near 2^64", 32, 3, ~0ull - page + 1, 0, page},
        {"offset and size wrap", 32, 3, ~0ull - page + 1, 0, 2 * page},
        {"larger than any file", 32, 3, 0, 0, 1ull << 62},
    }));
    CAPTURE(bad.what);
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4 * page};
    const Bytes payload = dmaMapPayload(bad.argsz, bad.flags, bad.offset, bad.address, bad.size);
    CHECK(client.errorOf(dmaMapCommand, payload, {file.fd()}) == EINVAL);
    CHECK(bench.function.guestMemory().regions().empty());
    CHECK(client.map(0, 4 * page, file.fd()) == 0);
}

TEST_CASE("The last page of the address space can be mapped", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(~0ull - page + 1, page, file.fd()) == 0);
    CHECK(bench.readOne(~0ull) == bus::DmaStatus::ok);
    Bytes two(2);
    CHECK(bench.read(~0ull, two) == bus::DmaStatus::unmapped);
    CHECK(client.unmap(~0ull - page + 1, page) == 0);
}

TEST_CASE("Descriptors of what is no file are refused and closed", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    const Event event;
    const vfio_user::FileDescriptor zero{::open("/dev/zero", O_RDWR | O_CLOEXEC)};
    const vfio_user::FileDescriptor folder{::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const std::size_t before = openFds();
    CHECK(mapWith(client, pipe[0]) == ENODEV);
    CHECK(mapWith(client, event.fd()) == ENODEV);
    CHECK(mapWith(client, zero.get()) == ENODEV);
    CHECK(mapWith(client, folder.get()) == ENODEV);
    CHECK(mapWith(client, client.fd()) == ENODEV);
    CHECK(openFds() == before);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("A file too large for the address space is refused", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{1ull << 60};
    CHECK(client.map(0, page, file.fd()) == ENOMEM);
    CHECK(client.map(0, 1ull << 60, file.fd()) == ENOMEM);
    file.resize(page);
    CHECK(client.map(0, page, file.fd()) == 0);
}

TEST_CASE("Thousands of maps of single pages take one mapping and no descriptors", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    constexpr std::uint64_t pages = 20000;
    MemoryFile file{pages * page};
    const std::size_t before = openFds();
    for (std::uint64_t number = 0; number < pages; ++number) {
        const std::uint64_t offset = (pages - 1 - number) * page; // physical order is another one
        client.send(dmaMapCommand, dmaMapPayload(32, 3, offset, number * page, page), {file.fd()},
                    noReplyFlag);
    }
    bench.serve();
    CHECK(bench.server.statistics().errors == 0);
    CHECK(openFds() == before);
    CHECK(bench.function.guestMemory().regions().size() == pages);

    file.put(0, textBytes("last"));
    Bytes bytes(5);
    CHECK(bench.read((pages - 1) * page, bytes) == bus::DmaStatus::ok);
    CHECK(bytes == textBytes("last"));
    CHECK(bench.write(2 * page - 2, textBytes("over")) == bus::DmaStatus::ok);
    CHECK(file.get((pages - 1) * page - page + page - 2, 2) == textBytes("ov", false));
    CHECK(file.get((pages - 3) * page, 3) == textBytes("er"));

    // Huge ranges in which some of the maps lie, as a virtual IOMMU takes them back.
    CHECK(client.unmap(0, 1ull << 40) == 0);
    CHECK(bench.function.guestMemory().regions().empty());
}

TEST_CASE("The number of maps is bounded", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    for (std::uint64_t number = 0; number < 65535; ++number)
        client.send(dmaMapCommand, dmaMapPayload(32, 3, 0, number * page, page), {}, noReplyFlag);
    bench.serve();
    CHECK(bench.server.statistics().errors == 0);
    CHECK(client.map(65535 * page, page, -1) == ENOSPC);
    CHECK(client.unmap(0, page) == 0);
    CHECK(client.map(65535 * page, page, -1) == 0);
}

TEST_CASE("The number of files is bounded", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    int error = 0;
    std::uint64_t files = 0;
    for (; files < 1000 && error == 0; ++files) {
        MemoryFile file{page};
        error = client.map(files * page, page, file.fd());
    }
    CHECK(error == ENOSPC);
    CHECK(files == 257);
    MemoryFile file{page};
    CHECK(client.unmap(0, 10 * page) == 0);
    CHECK(client.map(0, page, file.fd()) == 0);
}

TEST_CASE("An unmap that matches nothing succeeds", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    CHECK(client.unmap(0, page) == 0);
    CHECK(client.unmap(0, ~0ull) == 0);
    CHECK(client.unmap(1ull << 63, 1ull << 63) == 0);
    MemoryFile file{page};
    REQUIRE(client.map(page, page, file.fd()) == 0);
    CHECK(client.unmap(0, page) == 0);
    CHECK(client.unmap(2 * page, page) == 0);
    CHECK(bench.readOne(page) == bus::DmaStatus::ok);
}

TEST_CASE("An unmap that would cut a map is refused and changes nothing", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{4 * page};
    REQUIRE(client.map(0, page, file.fd()) == 0);
    REQUIRE(client.map(4 * page, 4 * page, file.fd()) == 0);
    CHECK(client.unmap(4 * page, page) == EINVAL);
    CHECK(client.unmap(7 * page, page) == EINVAL);
    CHECK(client.unmap(5 * page, page) == EINVAL);
    CHECK(client.unmap(0, 5 * page) == EINVAL);
    CHECK(client.unmap(6 * page, 10 * page) == EINVAL);
    CHECK(bench.readOne(0) == bus::DmaStatus::ok);
    CHECK(bench.readOne(4 * page) == bus::DmaStatus::ok);
    CHECK(client.unmap(0, 8 * page) == 0);
    CHECK(bench.function.guestMemory().regions().empty());
}

TEST_CASE("An unmap of everything takes everything", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(0, page, file.fd()) == 0);
    REQUIRE(client.map(~0ull - page + 1, page, file.fd()) == 0);
    CHECK(client.unmap(0, page, 2) == EINVAL);
    CHECK(client.unmap(0, 0, 2) == 0);
    CHECK(bench.function.guestMemory().regions().empty());
}

TEST_CASE("Unmaps that make no sense are refused", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    CHECK(client.unmap(0, 0) == EINVAL);
    CHECK(client.unmap(page, ~0ull) == EINVAL);
    CHECK(client.unmap(0, page, 1) == EINVAL);
    CHECK(client.unmap(0, page, 4) == EINVAL);
    CHECK(client.errorOf(dmaUnmapCommand, bytesOf(std::uint32_t{23}, std::uint32_t{0},
                                                  std::uint64_t{0}, page)) == EINVAL);
}

} // namespace testcard::vfio_user_test
