// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a card reports about itself while it runs. The bus reports accesses, DMA, interrupts and
/// resets of every card alike; a model adds only meaning (frame completed, sense raised).
#pragma once

#include "bus/dma.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace testcard::bus
{

enum class Direction : std::uint8_t { read, write }; ///< read: towards the reader of the data

enum class ResetKind : std::uint8_t {
    powerOn, ///< power-on, and the reset that a VMM asks for (fundamental reset)
    flr,     ///< Function Level Reset (PCIe 5.0, section 6.6.2)
    d3ToD0   ///< the internal reset of D3hot to D0 with No_Soft_Reset = 0 (PM 1.2, section 5.4.1)
};

/// One access of the guest to a function.
struct BusAccess {
    static constexpr unsigned configSpace = 7; ///< the "BAR" number of configuration space

    unsigned bar = 0;         ///< 0 to 5, or configSpace
    std::uint64_t offset = 0; ///< bytes from the start of the BAR
    unsigned size = 0;        ///< bytes: 1, 2, 4 or 8
    Direction direction = Direction::read;
};

enum class InterruptKind : std::uint8_t { intx, message };

class Trace
{
public:
    /// One named number of an event.
    struct Argument {
        std::string_view name;
        std::uint64_t value;
    };

    virtual ~Trace() = default;

    virtual void access(const BusAccess &, std::uint64_t /*value*/) {}
    virtual void dma(Direction, std::uint64_t /*address*/, std::span<const std::byte>, DmaStatus) {}
    virtual void interrupt(InterruptKind, unsigned /*number*/, bool /*asserted*/) {}
    virtual void reset(ResetKind) {}

    /// Something a model has to say. `name` is lower case with dashes and has static lifetime.
    virtual void event(std::string_view /*name*/, std::initializer_list<Argument>) {}
};

} // namespace testcard::bus
