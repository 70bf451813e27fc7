// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdint>
#include <deque>
#include <vector>

#include <linux/vfio.h>

namespace testcard::vfio_user_test
{

inline constexpr std::uint32_t intx = VFIO_PCI_INTX_IRQ_INDEX;
inline constexpr std::uint32_t msi = VFIO_PCI_MSI_IRQ_INDEX;
inline constexpr std::uint32_t msix = VFIO_PCI_MSIX_IRQ_INDEX;
inline constexpr std::uint32_t assign = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
inline constexpr std::uint32_t trigger = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
inline constexpr std::uint32_t mask = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK;
inline constexpr std::uint32_t unmask = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK;
inline constexpr std::uint32_t unmaskEvent = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK;
inline constexpr std::uint32_t triggerSome = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER;

/// A card that may master the bus, its client, and its interrupts.
struct InterruptBench : Bench {
    explicit InterruptBench(const bus::FunctionInfo &info = plainFunction())
        : Bench{info}, client{connect()}
    {
        enable();
    }

    void level(bool asserted) { device.bus.irq.setLevel(asserted); }

    /// MSI Enable and Multiple Message Enable, as the guest writes them.
    void enableMsi(unsigned log2Vectors = 2)
    {
        const auto control = static_cast<std::uint16_t>(1u | log2Vectors << 4);
        REQUIRE(client.write(configRegion, bus::ConfigSpace::msiCapability + 2, bytesOf(control)) ==
                0);
    }
    void enableMsix(bool enabled = true)
    {
        const auto control = static_cast<std::uint16_t>(enabled ? 0x8000 : 0);
        REQUIRE(client.write(configRegion, bus::ConfigSpace::msixCapability + 2,
                             bytesOf(control)) == 0);
    }

    RawClient &client;
};

/// As many events as a client assigns, and their descriptors.
struct Events {
    explicit Events(std::size_t count) : events(count)
    {
        for (const Event &event : events)
            fds.push_back(event.fd());
    }
    std::vector<int> chunk(std::size_t first, std::size_t count) const
    {
        const auto begin = fds.begin() + static_cast<std::ptrdiff_t>(first);
        return {begin, begin + static_cast<std::ptrdiff_t>(count)};
    }
    std::deque<Event> events;
    std::vector<int> fds;
};

} // namespace testcard::vfio_user_test
