// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// BARs and configuration space as VFIO regions.
#pragma once

#include "bus/pci_function.hpp"
#include "vfio-user/error.hpp"
#include "vfio-user/interrupts.hpp"
#include "vfio-user/protocol.hpp"
#include "vfio-user/server.hpp"

#include <tl/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace testcard::vfio_user
{

/// What the owner shares must lie inside memory BARs, page by page, without overlap.
tl::expected<void, Error> checkSharedBars(const bus::FunctionInfo &info,
                                          std::span<const SharedBar> shared);

class Regions
{
public:
    Regions(bus::PciFunction &function, Interrupts &interrupts, std::span<const SharedBar> shared)
        : function_{function}, interrupts_{interrupts}, shared_{shared}
    {
    }

    struct Info {
        std::vector<std::byte> payload;
        int fd = -1; ///< goes with the reply; the owner's
    };

    /// DEVICE_GET_REGION_INFO: the region `index`, for a client that takes `room` bytes. Nothing if
    /// there is no such region or no room for the fixed part. If only the capabilities have no
    /// room, they stay away with all that depends on them, and argsz tells how much it takes.
    std::optional<Info> info(std::uint32_t index, std::uint32_t room, bool clientTakesFds) const;

    /// REGION_READ and REGION_WRITE. Return 0, or EINVAL if the access is not inside a region;
    /// nothing has happened then.
    int read(std::uint32_t region, std::uint64_t offset, std::span<std::byte> into) const;
    int write(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> from);

private:
    std::uint64_t size(std::uint32_t region) const;
    bool inside(std::uint32_t region, std::uint64_t offset, std::uint64_t bytes) const;
    const SharedBar *shared(std::uint32_t region) const;
    void overlayPendingBits(std::uint32_t region, std::uint64_t offset,
                            std::span<std::byte> into) const;

    bus::PciFunction &function_;
    Interrupts &interrupts_;
    std::span<const SharedBar> shared_;
};

} // namespace testcard::vfio_user
