// SPDX-License-Identifier: GPL-2.0-or-later
// Files that change their size while they are mapped.
#include "dma_bench.hpp"
#include "vfio-user/file_mapping.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cerrno>
#include <cstdlib>
#include <deque>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

TEST_CASE("A file that shrinks under its map costs the map, not the card", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile victim{4 * page};
    MemoryFile other{page};
    victim.put(0, textBytes("data"));
    REQUIRE(client.map(0, 2 * page, victim.fd()) == 0);
    REQUIRE(client.map(2 * page, 2 * page, victim.fd(), 2 * page) == 0);
    REQUIRE(client.map(4 * page, page, other.fd()) == 0);
    Bytes bytes(4);
    REQUIRE(bench.read(0, bytes) == bus::DmaStatus::ok);

    victim.resize(0);
    // The transfer under way reads zeros or goes nowhere ...
    CHECK(bench.read(0, bytes) == bus::DmaStatus::ok);
    CHECK(bytes == Bytes(4));
    CHECK(bench.write(3 * page, textBytes("lost")) == bus::DmaStatus::ok);
    bench.serve();
    // ... later ones fail, and what the client has left stays.
    CHECK(bench.server.statistics().lostMaps == 2);
    CHECK(bench.readOne(0) == bus::DmaStatus::unmapped);
    CHECK(bench.readOne(3 * page) == bus::DmaStatus::unmapped);
    CHECK(bench.readOne(4 * page) == bus::DmaStatus::ok);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);

    victim.resize(page);
    CHECK(client.map(0, page, victim.fd()) == 0);
    CHECK(bench.write(0, textBytes("new")) == bus::DmaStatus::ok);
    CHECK(victim.get(0, 4) == textBytes("new"));
}

TEST_CASE("A read-only map of a file that shrinks is no different", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(0, page, file.fd(), 0, 1) == 0);
    file.resize(0);
    CHECK(bench.readOne(0) == bus::DmaStatus::ok);
    bench.serve();
    CHECK(bench.server.statistics().lostMaps == 1);
    CHECK(bench.readOne(0) == bus::DmaStatus::unmapped);
}

TEST_CASE("A file that grows can be mapped further", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile file{page};
    REQUIRE(client.map(0, page, file.fd()) == 0);
    CHECK(client.map(page, page, file.fd(), page) == EINVAL);
    file.resize(2 * page);
    CHECK(client.map(page, page, file.fd(), page) == 0);
    CHECK(bench.write(2 * page - 2, textBytes("x")) == bus::DmaStatus::ok);
    CHECK(file.get(2 * page - 2, 2) == textBytes("x"));
}

TEST_CASE("The mappings of a process are bounded", "[vfio-user]")
{
    using vfio_user::FileMapping;
    const MemoryFile file{page};
    std::deque<FileMapping> mappings;
    int error = 0;
    while (error == 0 && mappings.size() < 2 * FileMapping::most)
        error = mappings.emplace_back().open(file.fd(), page, true);
    CHECK(error == ENOSPC);
    CHECK(mappings.size() == FileMapping::most + 1);
    mappings.pop_front();
    CHECK(mappings.emplace_back().open(file.fd(), page, true) == 0);
}

TEST_CASE("A bus error that is nobody's map ends the process as ever", "[vfio-user]")
{
    DmaBench bench;
    RawClient &client = bench.connect();
    MemoryFile mapped{page};
    REQUIRE(client.map(0, page, mapped.fd()) == 0); // the handler is there
    MemoryFile file{page};
    void *const memory = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, file.fd(), 0);
    REQUIRE(memory != MAP_FAILED);
    file.resize(0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit noCore{0, 0};
        ::setrlimit(RLIMIT_CORE, &noCore);
        ::close(STDERR_FILENO); // a sanitizer would tell about it at length
        const volatile char *const touched = static_cast<const volatile char *>(memory);
        [[maybe_unused]] const char value = *touched;
        ::_exit(EXIT_SUCCESS);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK_FALSE((WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS));
    ::munmap(memory, page);
}

} // namespace testcard::vfio_user_test
