// SPDX-License-Identifier: GPL-2.0-or-later
#include "interrupt_bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cerrno>
#include <tuple>

#include <linux/vfio.h>

namespace testcard::vfio_user_test
{

TEST_CASE("Interrupt types are told as VFIO describes them", "[vfio-user]")
{
    InterruptBench bench{msixFunction()};
    const auto expected = GENERATE(table<std::uint32_t, std::uint32_t, std::uint32_t>({
        {intx, 1, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED},
        {msi, 4, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE},
        {msix, 40, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE},
        {VFIO_PCI_ERR_IRQ_INDEX, 1, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE},
        {VFIO_PCI_REQ_IRQ_INDEX, 0, 0},
    }));
    const auto [index, count, flags] = expected;
    vfio_irq_info request{};
    request.argsz = sizeof request;
    request.index = index;
    const Reply reply = bench.client.call(irqInfoCommand, bytesOf(request));
    REQUIRE(reply.payload.size() == sizeof request);
    const auto info = reply.as<vfio_irq_info>();
    CHECK(info.argsz == sizeof request);
    CHECK(info.index == index);
    CHECK(info.count == count);
    CHECK(info.flags == flags);

    request.argsz = sizeof request - 1;
    CHECK(bench.client.errorOf(irqInfoCommand, bytesOf(request)) == EINVAL);
    request.argsz = sizeof request;
    request.index = 5;
    CHECK(bench.client.errorOf(irqInfoCommand, bytesOf(request)) == EINVAL);
}

TEST_CASE("INTx is signalled once, and again after an unmask if it is still asserted",
          "[vfio-user]")
{
    InterruptBench bench;
    Event event;
    REQUIRE(bench.client.setIrqs(assign, intx, 0, 1, {event.fd()}) == 0);
    CHECK(event.take() == 0);
    bench.level(true);
    CHECK(event.take() == 1);
    bench.level(true);
    bench.level(false);
    bench.level(true);
    CHECK(event.take() == 0); // masked by its own signal
    REQUIRE(bench.client.setIrqs(unmask, intx, 0, 1) == 0);
    CHECK(event.take() == 1);
    bench.level(false);
    REQUIRE(bench.client.setIrqs(unmask, intx, 0, 1) == 0);
    CHECK(event.take() == 0);
    bench.level(true);
    CHECK(event.take() == 1);
}

TEST_CASE("INTx can be masked by the client", "[vfio-user]")
{
    InterruptBench bench;
    Event event;
    REQUIRE(bench.client.setIrqs(assign, intx, 0, 1, {event.fd()}) == 0);
    REQUIRE(bench.client.setIrqs(mask, intx, 0, 1) == 0);
    bench.level(true);
    CHECK(event.take() == 0);
    // Booleans that are false do nothing.
    constexpr std::uint32_t unmaskSome = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_UNMASK;
    REQUIRE(bench.client.setIrqs(unmaskSome, intx, 0, 1, {}, {std::byte{0}}) == 0);
    CHECK(event.take() == 0);
    REQUIRE(bench.client.setIrqs(unmaskSome, intx, 0, 1, {}, {std::byte{1}}) == 0);
    CHECK(event.take() == 1);
}

TEST_CASE("INTx can be unmasked by an event, as KVM does", "[vfio-user]")
{
    InterruptBench bench;
    Event event;
    Event resample;
    REQUIRE(bench.client.setIrqs(assign, intx, 0, 1, {event.fd()}) == 0);
    REQUIRE(bench.client.setIrqs(unmaskEvent, intx, 0, 1, {resample.fd()}) == 0);
    bench.level(true);
    CHECK(event.take() == 1);
    resample.signal();
    bench.serve();
    CHECK(event.take() == 1);
    CHECK(resample.take() == 0); // the server has taken it
    bench.level(false);
    resample.signal();
    bench.serve();
    CHECK(event.take() == 0);

    // Without descriptors the event is taken away.
    REQUIRE(bench.client.setIrqs(unmaskEvent, intx, 0, 1) == 0);
    bench.level(true);
    CHECK(event.take() == 1);
    resample.signal();
    bench.serve();
    CHECK(event.take() == 0);
}

TEST_CASE("INTx that is asserted already is signalled when its event comes", "[vfio-user]")
{
    InterruptBench bench;
    bench.level(true);
    Event event;
    REQUIRE(bench.client.setIrqs(assign, intx, 0, 1, {event.fd()}) == 0);
    CHECK(event.take() == 1);
}

TEST_CASE("INTx goes nowhere after all are off or the event is taken away", "[vfio-user]")
{
    InterruptBench bench;
    Event event;
    const std::size_t before = openFds();
    REQUIRE(bench.client.setIrqs(assign, intx, 0, 1, {event.fd()}) == 0);
    CHECK(openFds() == before + 1);
    if (GENERATE(true, false))
        REQUIRE(bench.client.setIrqs(trigger, intx, 0, 0) == 0);
    else
        REQUIRE(bench.client.setIrqs(assign, intx, 0, 1) == 0);
    CHECK(openFds() == before);
    bench.level(true);
    CHECK(event.take() == 0);
}

TEST_CASE("A reset takes INTx back", "[vfio-user]")
{
    InterruptBench bench;
    Event event;
    REQUIRE(bench.client.setIrqs(assign, intx, 0, 1, {event.fd()}) == 0);
    bench.level(true);
    CHECK(event.take() == 1);
    REQUIRE(bench.client.call(resetCommand).error == 0);
    REQUIRE(bench.client.setIrqs(unmask, intx, 0, 1) == 0);
    CHECK(event.take() == 0);
}

TEST_CASE("MSI vectors are signalled each by its own event", "[vfio-user]")
{
    InterruptBench bench;
    Events events{4};
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 4, events.fds) == 0);
    bench.enableMsi();
    bench.device.bus.irq.signal(0);
    bench.device.bus.irq.signal(2);
    bench.device.bus.irq.signal(2);
    bench.device.bus.irq.signal(7); // source 7 of four vectors
    CHECK(events.events[0].take() == 1);
    CHECK(events.events[1].take() == 0);
    CHECK(events.events[2].take() == 2);
    CHECK(events.events[3].take() == 1);
}

TEST_CASE("A message while the client exchanges its events is latched", "[vfio-user]")
{
    InterruptBench bench;
    Events events{4};
    bench.enableMsi();
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 4, events.fds) == 0);
    REQUIRE(bench.client.setIrqs(trigger, msi, 0, 0) == 0);
    bench.device.bus.irq.signal(1);
    bench.device.bus.irq.signal(1);
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 4, events.fds) == 0);
    CHECK(events.events[1].take() == 1);
    CHECK(events.events[0].take() == 0);
    bench.device.bus.irq.signal(1);
    CHECK(events.events[1].take() == 1);
}

TEST_CASE("A latched message that the guest switches off, or a reset, never comes", "[vfio-user]")
{
    InterruptBench bench;
    Event event;
    bench.enableMsi(0);
    bench.device.bus.irq.signal(0);
    if (GENERATE(true, false)) {
        REQUIRE(bench.client.write(configRegion, bus::ConfigSpace::msiCapability + 2,
                                   bytesOf(std::uint16_t{0})) == 0);
    } else {
        REQUIRE(bench.client.call(resetCommand).error == 0);
        bench.enable();
    }
    bench.enableMsi(0);
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 1, {event.fd()}) == 0);
    CHECK(event.take() == 0);
}

TEST_CASE("MSI-X vectors come in chunks, and messages in between wait for theirs", "[vfio-user]")
{
    InterruptBench bench{msixFunction()};
    Events events{40};
    REQUIRE(bench.client.setIrqs(assign, msix, 0, 1, events.chunk(0, 1)) == 0);
    bench.enableMsix();
    bench.device.bus.irq.signal(0);
    CHECK(events.events[0].take() == 1);

    // The guest's driver enables more vectors: all off, then all on in chunks of 16.
    REQUIRE(bench.client.setIrqs(trigger, msix, 0, 0) == 0);
    bench.device.bus.irq.signal(0);
    bench.device.bus.irq.signal(20);
    bench.device.bus.irq.signal(39);
    REQUIRE(bench.client.setIrqs(assign, msix, 0, 16, events.chunk(0, 16)) == 0);
    CHECK(events.events[0].take() == 1);
    bench.device.bus.irq.signal(21);
    REQUIRE(bench.client.setIrqs(assign, msix, 16, 16, events.chunk(16, 16)) == 0);
    CHECK(events.events[20].take() == 1);
    CHECK(events.events[21].take() == 1);
    REQUIRE(bench.client.setIrqs(assign, msix, 32, 8, events.chunk(32, 8)) == 0);
    CHECK(events.events[39].take() == 1);
    for (Event &event : events.events)
        CHECK(event.take() == 0);
}

TEST_CASE("A vector without descriptors is taken away; the others stay", "[vfio-user]")
{
    InterruptBench bench{msixFunction()};
    Events events{4};
    bench.enableMsix();
    REQUIRE(bench.client.setIrqs(assign, msix, 0, 4, events.fds) == 0);
    REQUIRE(bench.client.setIrqs(assign, msix, 1, 2) == 0);
    for (unsigned source = 0; source < 4; ++source)
        bench.device.bus.irq.signal(source);
    CHECK(events.events[0].take() == 1);
    CHECK(events.events[1].take() == 0);
    CHECK(events.events[2].take() == 0);
    CHECK(events.events[3].take() == 1);
}

TEST_CASE("The pending bits show messages that wait for an event", "[vfio-user]")
{
    InterruptBench bench{msixFunction()};
    bench.enableMsix();
    CHECK(bench.client.read(4, 0x800, 8) == Bytes(8));
    bench.device.bus.irq.signal(1);
    bench.device.bus.irq.signal(33);
    CHECK(bench.client.read32(4, 0x800) == 0x2);
    CHECK(bench.client.read32(4, 0x804) == 0x2);
    CHECK(bench.client.read(4, 0x7FF, 3) == Bytes{std::byte{0}, std::byte{2}, std::byte{0}});
    Event event;
    REQUIRE(bench.client.setIrqs(assign, msix, 33, 1, {event.fd()}) == 0);
    CHECK(event.take() == 1);
    CHECK(bench.client.read32(4, 0x804) == 0);
    CHECK(bench.client.read32(4, 0x800) == 2);
    bench.enableMsix(false);
    CHECK(bench.client.read32(4, 0x800) == 0);
    CHECK(bench.client.read32(0, 0) == 0); // no pending bits in other BARs
}

TEST_CASE("A client may trigger interrupts itself", "[vfio-user]")
{
    InterruptBench bench;
    Events events{4};
    REQUIRE(bench.client.setIrqs(assign, msi, 0, 4, events.fds) == 0);
    REQUIRE(bench.client.setIrqs(trigger, msi, 1, 1) == 0);
    REQUIRE(bench.client.setIrqs(triggerSome, msi, 0, 4, {},
                                 {std::byte{1}, std::byte{0}, std::byte{0}, std::byte{255}}) == 0);
    CHECK(events.events[0].take() == 1);
    CHECK(events.events[1].take() == 1);
    CHECK(events.events[2].take() == 0);
    CHECK(events.events[3].take() == 1);
}

} // namespace testcard::vfio_user_test
