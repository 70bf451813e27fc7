// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/registers.hpp"

#include <algorithm>
#include <cassert>

namespace testcard::bus
{

namespace
{

std::uint32_t maskOfBytes(unsigned bytes)
{
    return bytes >= 4 ? 0xFFFFFFFFu : (1u << (8 * bytes)) - 1;
}

/// The part of a register that an access covers: which of its bits, and where they lie in the data.
struct Overlap {
    std::uint32_t mask;     ///< bits of the register
    unsigned registerShift; ///< first bit of them
    unsigned dataShift;     ///< where that bit lies in the access' data
};

Overlap overlapOf(const RegisterInfo &info, std::uint64_t offset, unsigned size)
{
    const std::uint64_t first = std::max<std::uint64_t>(info.offset, offset);
    const std::uint64_t end = std::min<std::uint64_t>(info.offset + info.size, offset + size);
    const unsigned registerShift = static_cast<unsigned>(8 * (first - info.offset));
    return {maskOfBytes(static_cast<unsigned>(end - first)) << registerShift, registerShift,
            static_cast<unsigned>(8 * (first - offset))};
}

std::uint32_t applied(const RegisterInfo &info, std::uint32_t before, std::uint32_t written,
                      std::uint32_t mask)
{
    switch (info.access) {
    case RegisterAccess::RO: return before;
    case RegisterAccess::RW: return (before & ~mask) | written;
    case RegisterAccess::W1C: return before & ~written;
    case RegisterAccess::WO: return written;
    }
    return before;
}

} // namespace

RegisterFile::RegisterFile(std::span<const RegisterInfo> registers, Rules rules)
    : registers_{registers}, rules_{rules}
{
    assert(wellFormed(registers));
    reset();
}

void RegisterFile::reset()
{
    values_.resize(registers_.size());
    std::ranges::transform(registers_, values_.begin(), &RegisterInfo::reset);
}

bool RegisterFile::legal(std::uint64_t offset, unsigned size) const
{
    return size >= rules_.smallest && size <= rules_.largest && offset % size == 0;
}

const RegisterInfo *RegisterFile::find(std::uint64_t offset) const
{
    const auto after = std::ranges::upper_bound(registers_, offset, {}, &RegisterInfo::offset);
    if (after == registers_.begin()) return nullptr;
    const RegisterInfo &info = *std::prev(after);
    return offset < std::uint64_t{info.offset} + info.size ? &info : nullptr;
}

std::uint64_t RegisterFile::read(std::uint64_t offset, unsigned size, bool *known) const
{
    std::uint64_t value = 0;
    bool any = false;
    if (legal(offset, size)) {
        for (std::size_t i = 0; i < registers_.size(); ++i) {
            const RegisterInfo &info = registers_[i];
            if (info.offset >= offset + size) break;
            if (info.offset + std::uint64_t{info.size} <= offset) continue;
            any = true;
            if (info.access == RegisterAccess::WO) continue;
            const Overlap part = overlapOf(info, offset, size);
            const std::uint64_t bits = (values_[i] & part.mask) >> part.registerShift;
            value |= bits << part.dataShift;
        }
    }
    if (known) *known = any;
    return value;
}

bool RegisterFile::write(std::uint64_t offset, unsigned size, std::uint64_t value,
                         const Effect &effect)
{
    if (!legal(offset, size)) return false;
    bool any = false;
    for (std::size_t i = 0; i < registers_.size(); ++i) {
        const RegisterInfo &info = registers_[i];
        if (info.offset >= offset + size) break;
        if (info.offset + std::uint64_t{info.size} <= offset) continue;
        any = true;
        if (info.access == RegisterAccess::RO) continue;
        const Overlap part = overlapOf(info, offset, size);
        const std::uint32_t mask = part.mask & info.writable;
        const std::uint32_t written =
            (static_cast<std::uint32_t>(value >> part.dataShift) << part.registerShift) & mask;
        const std::uint32_t before = values_[i];
        const std::uint32_t now = applied(info, before, written, mask);
        if (info.access != RegisterAccess::WO) values_[i] = now;
        effect(info, RegisterChange{before, written, now});
    }
    return any;
}

std::size_t RegisterFile::indexAt(std::uint32_t offset) const
{
    const auto found = std::ranges::lower_bound(registers_, offset, {}, &RegisterInfo::offset);
    assert(found != registers_.end() && found->offset == offset);
    return static_cast<std::size_t>(found - registers_.begin());
}

std::uint32_t &RegisterFile::operator[](std::uint32_t offset)
{
    return values_[indexAt(offset)];
}

std::uint32_t RegisterFile::operator[](std::uint32_t offset) const
{
    return values_[indexAt(offset)];
}

bool RegisterFile::setValues(std::span<const std::uint32_t> values)
{
    if (values.size() != values_.size()) return false;
    std::ranges::copy(values, values_.begin());
    return true;
}

} // namespace testcard::bus
