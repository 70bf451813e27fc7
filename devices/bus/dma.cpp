// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/dma.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace testcard::bus
{

namespace
{

bool wraps(std::uint64_t address, std::size_t size)
{
    return size != 0 && size - 1 > std::numeric_limits<std::uint64_t>::max() - address;
}

} // namespace

bool GuestMemory::map(const Region &region)
{
    const std::uint64_t size = region.memory.size();
    if (size == 0 || wraps(region.address, size)) return false;
    const std::uint64_t last = region.address + (size - 1);
    const auto after = regions_.lower_bound(region.address);
    if (after != regions_.end() && after->first <= last) return false;
    if (after != regions_.begin()) {
        const Region &before = std::prev(after)->second;
        if (before.address + (before.memory.size() - 1) >= region.address) return false;
    }
    regions_.emplace(region.address, region);
    last_ = nullptr;
    return true;
}

std::size_t GuestMemory::unmap(std::uint64_t address, std::uint64_t size)
{
    if (size == 0) return 0;
    const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - address;
    const std::uint64_t last = address + std::min(size - 1, room);
    std::size_t removed = 0;
    auto region = regions_.lower_bound(address);
    while (region != regions_.end() && region->first <= last) {
        if (region->first + (region->second.memory.size() - 1) > last) break;
        region = regions_.erase(region);
        ++removed;
    }
    last_ = nullptr;
    return removed;
}

void GuestMemory::clear()
{
    regions_.clear();
    last_ = nullptr;
}

const GuestMemory::Region *GuestMemory::find(std::uint64_t address) const
{
    const auto holds = [address](const Region &region) {
        return address >= region.address && address - region.address < region.memory.size();
    };
    if (last_ && holds(*last_)) return last_;
    auto after = regions_.upper_bound(address);
    if (after == regions_.begin()) return nullptr;
    const Region &region = std::prev(after)->second;
    if (!holds(region)) return nullptr;
    last_ = &region;
    return last_;
}

DmaStatus GuestMemory::read(std::uint64_t address, std::span<std::byte> into) const
{
    if (wraps(address, into.size())) return DmaStatus::unmapped;
    while (!into.empty()) {
        const Region *region = find(address);
        if (!region || !region->readable) return DmaStatus::unmapped;
        const std::size_t start = address - region->address;
        const std::size_t size = std::min(into.size(), region->memory.size() - start);
        std::memcpy(into.data(), region->memory.data() + start, size);
        into = into.subspan(size);
        address += size;
    }
    return DmaStatus::ok;
}

DmaStatus GuestMemory::write(std::uint64_t address, std::span<const std::byte> from)
{
    if (wraps(address, from.size())) return DmaStatus::unmapped;
    while (!from.empty()) {
        const Region *region = find(address);
        if (!region) return DmaStatus::unmapped;
        if (!region->writable) return DmaStatus::readOnly;
        const std::size_t start = address - region->address;
        const std::size_t size = std::min(from.size(), region->memory.size() - start);
        std::memcpy(region->memory.data() + start, from.data(), size);
        from = from.subspan(size);
        address += size;
    }
    return DmaStatus::ok;
}

} // namespace testcard::bus
