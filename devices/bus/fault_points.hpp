// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The places where a fault can be put into a card. A fault engine overrides what it wants to
/// break; without one, nothing here does anything.
#pragma once

#include "bus/dma.hpp"
#include "bus/trace.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace testcard::bus
{

/// A fault point that a model declares beside its code.
struct FaultPointInfo {
    const char *name;        ///< lower case with dashes: "drop-frame"
    const char *description; ///< one line for a user
};

/// That a fault point fired, with the number that the fault's author gave (0 if none).
struct FaultFiring {
    std::uint64_t argument = 0;
};

class FaultPoints
{
public:
    /// What becomes of one interrupt.
    struct InterruptVerdict {
        unsigned copies = 1;       ///< 0: lost; 2: duplicated
        std::uint64_t delayNs = 0; ///< 0: at once
    };

    /// What becomes of one DMA transfer. A denied transfer ends as `deny` says and moves nothing.
    struct DmaVerdict {
        std::optional<DmaStatus> deny;
        std::uint64_t address = 0;     ///< where it really goes; still only the guest's memory
        std::uint64_t limit = ~0ull;   ///< bytes moved at the most; the device believes all were
        std::uint8_t xorFirstByte = 0; ///< flips bits of the first byte; 0: leaves it
    };

    virtual ~FaultPoints() = default;

    /// Asked by a model at the fault point `point`, an enumerator of its own Fault type that
    /// indexes its FaultPointInfo table:
    ///     if (bus_.faults.fires(Fault::dropFrame)) return skipFrame();
    template <typename Point>
    requires std::is_enum_v<Point> std::optional<FaultFiring> fires(Point point)
    {
        return pointReached(static_cast<unsigned>(point));
    }

    // Asked by the bus, for every card alike.

    /// The value that a read returns, given what the card said.
    virtual std::uint64_t readValue(const BusAccess &, std::uint64_t value) { return value; }

    /// The value that reaches the card, or nothing if the write is lost.
    virtual std::optional<std::uint64_t> writtenValue(const BusAccess &, std::uint64_t value)
    {
        return value;
    }

    virtual InterruptVerdict interrupt(InterruptKind, unsigned /*number*/) { return {}; }

    virtual DmaVerdict dma(Direction, std::uint64_t address, std::uint64_t /*size*/)
    {
        DmaVerdict verdict;
        verdict.address = address;
        return verdict;
    }

protected:
    virtual std::optional<FaultFiring> pointReached(unsigned /*point*/) { return std::nullopt; }
};

} // namespace testcard::bus
