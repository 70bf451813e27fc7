// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "bench.hpp"

namespace testcard::vfio_user_test
{

inline constexpr std::uint64_t page = 4096;

/// A card that may master the bus, and its transfers.
struct DmaBench : Bench {
    DmaBench() { enable(); }

    bus::DmaStatus read(std::uint64_t address, Bytes &into)
    {
        return device.bus.dma.read(address, into);
    }
    bus::DmaStatus readOne(std::uint64_t address)
    {
        Bytes one(1);
        return read(address, one);
    }
    bus::DmaStatus write(std::uint64_t address, const Bytes &from)
    {
        return device.bus.dma.write(address, from);
    }
};

} // namespace testcard::vfio_user_test
