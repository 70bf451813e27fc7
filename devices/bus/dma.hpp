// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Direct memory access: what a device may do to the guest's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <type_traits>

namespace testcard::bus
{

enum class DmaStatus : std::uint8_t {
    ok,
    unmapped,      ///< no memory at some byte of the range
    readOnly,      ///< a write to memory that the guest's machine maps read-only
    masterDisabled ///< Bus Master Enable is clear, or the function is not in D0
};

/// A device's way into guest memory. Addresses are bus addresses; a range may cross pages and
/// regions. A transfer that fails may have moved the bytes before the failing one, as on a real
/// bus; it never touches anything outside the guest's memory.
class DmaPort
{
public:
    virtual ~DmaPort() = default;
    virtual DmaStatus read(std::uint64_t address, std::span<std::byte> into) = 0;
    virtual DmaStatus write(std::uint64_t address, std::span<const std::byte> from) = 0;

    /// Copies one little-endian structure out of guest memory, once.
    template <typename Structure>
    requires std::is_trivially_copyable_v<Structure> DmaStatus readStructure(std::uint64_t address,
                                                                             Structure &structure)
    {
        return read(address, std::as_writable_bytes(std::span{&structure, 1}));
    }

    template <typename Structure>
    requires std::is_trivially_copyable_v<Structure>
        DmaStatus writeStructure(std::uint64_t address, const Structure &structure)
    {
        return write(address, std::as_bytes(std::span{&structure, 1}));
    }
};

/// The guest's memory as the transport maps it: regions of bus addresses backed by host memory.
/// Holes are legal; regions never overlap.
class GuestMemory
{
public:
    struct Region {
        std::uint64_t address = 0;   ///< first bus address
        std::span<std::byte> memory; ///< the host's view of it; owned by the transport
        bool readable = true;
        bool writable = true;
    };

    /// False, and nothing changes, if the region is empty, wraps, or overlaps another one.
    bool map(const Region &region);

    /// Removes every region that lies wholly inside [address, address + size). Returns how many.
    /// Regions that are only touched in part stay: vfio-user removes whole maps only.
    std::size_t unmap(std::uint64_t address, std::uint64_t size);
    void clear();

    DmaStatus read(std::uint64_t address, std::span<std::byte> into) const;
    DmaStatus write(std::uint64_t address, std::span<const std::byte> from);

    const std::map<std::uint64_t, Region> &regions() const { return regions_; }

private:
    const Region *find(std::uint64_t address) const;

    std::map<std::uint64_t, Region> regions_; ///< by first address
    mutable const Region *last_ = nullptr;    ///< where the previous access was: usually the next
};

} // namespace testcard::bus
