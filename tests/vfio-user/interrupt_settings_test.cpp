// SPDX-License-Identifier: GPL-2.0-or-later
// What a client may not ask of interrupts.
#include "interrupt_bench.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cerrno>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

TEST_CASE("Interrupt settings that make no sense are refused and change nothing", "[vfio-user]")
{
    InterruptBench bench;
    Events events{17};
    Event kept;
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 1, {kept.fd()}) == 0);
    const std::size_t before = openFds();
    const auto refused = [&](std::uint32_t flags, std::uint32_t index, std::uint32_t start,
                             std::uint32_t count, const std::vector<int> &fds = {},
                             const Bytes &data = {}) {
        return bench.client.setIrqs(flags, index, start, count, fds, data) == EINVAL;
    };
    CHECK(refused(trigger, 5, 0, 0));
    CHECK(refused(trigger, 0xFFFFFFFF, 0, 0));
    CHECK(refused(0, msi, 0, 0));
    CHECK(refused(VFIO_IRQ_SET_ACTION_TRIGGER, msi, 0, 1));
    CHECK(refused(VFIO_IRQ_SET_DATA_NONE, msi, 0, 1));
    CHECK(refused(trigger | VFIO_IRQ_SET_DATA_BOOL, msi, 0, 1, {}, Bytes(1)));
    CHECK(refused(trigger | VFIO_IRQ_SET_ACTION_MASK, msi, 0, 1));
    CHECK(refused(trigger | 0x40, msi, 0, 1));
    CHECK(refused(trigger, msi, 1, 0));
    CHECK(refused(mask, intx, 0, 0));
    CHECK(refused(assign, msi, 0, 0));
    CHECK(refused(trigger, msi, 0, 5));
    CHECK(refused(trigger, msi, 4, 1));
    CHECK(refused(trigger, msi, 0xFFFFFFFF, 2));
    CHECK(refused(trigger, msi, 2, 0xFFFFFFFF));
    CHECK(refused(assign, msi, 0, 4, events.chunk(0, 3)));
    CHECK(refused(assign, msi, 0, 2, events.chunk(0, 3)));
    CHECK(refused(assign, msi, 0, 4, events.chunk(0, 17)));
    CHECK(refused(trigger, msi, 0, 1, events.chunk(0, 1)));
    CHECK(refused(triggerSome, msi, 0, 2, {}, Bytes(1)));
    CHECK(refused(triggerSome, msi, 0, 1, {}, Bytes(2)));
    CHECK(refused(trigger, msi, 0, 1, {}, Bytes(4)));
    CHECK(refused(mask, msi, 0, 1));
    CHECK(refused(unmask, msi, 0, 1));
    CHECK(refused(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, intx, 0, 1,
                  events.chunk(0, 1)));
    CHECK(refused(trigger, VFIO_PCI_REQ_IRQ_INDEX, 0, 1));
    CHECK(refused(assign, msix, 0, 1, events.chunk(0, 1))); // this card has none
    CHECK(openFds() == before);

    bench.enableMsi(0);
    bench.device.bus.irq.signal(0);
    CHECK(kept.take() == 1);
}

TEST_CASE("Only eventfds are taken as events, and all of them or none", "[vfio-user]")
{
    InterruptBench bench;
    Event good;
    int pipe[2];
    REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
    ::close(pipe[0]); // a write to it would be a SIGPIPE
    MemoryFile file{4096};
    const std::size_t before = openFds();
    CHECK(bench.client.setIrqs(assign, msi, 0, 1, {pipe[1]}) == EINVAL);
    CHECK(bench.client.setIrqs(assign, msi, 0, 1, {file.fd()}) == EINVAL);
    CHECK(bench.client.setIrqs(assign, msi, 0, 1, {bench.client.fd()}) == EINVAL);
    CHECK(bench.client.setIrqs(assign, msi, 0, 2, {good.fd(), pipe[1]}) == EINVAL);
    CHECK(bench.client.setIrqs(unmaskEvent, intx, 0, 1, {pipe[1]}) == EINVAL);
    CHECK(openFds() == before);
    bench.enableMsi(0);
    bench.device.bus.irq.signal(0);
    CHECK(good.take() == 0);
    ::close(pipe[1]);
}

TEST_CASE("An event that blocks and is full does not hold the card up", "[vfio-user]")
{
    InterruptBench bench;
    const vfio_user::FileDescriptor full{::eventfd(0, EFD_CLOEXEC)};
    const std::uint64_t most = 0xFFFFFFFFFFFFFFFE;
    REQUIRE(::write(full.get(), &most, sizeof most) == sizeof most);
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 1, {full.get()}) == 0);
    bench.enableMsi(0);
    bench.device.bus.irq.signal(0);
    CHECK(bench.client.read32(configRegion, 0) == 0xFFFE7C01);
}

} // namespace testcard::vfio_user_test
