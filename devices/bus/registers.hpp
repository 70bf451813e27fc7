// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Register semantics as data: a constexpr table says what the guest may read and write, a register
/// file holds the values. Models add side effects only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace testcard::bus
{

enum class RegisterAccess : std::uint8_t {
    RO,  ///< read only; the device writes it
    RW,  ///< read and write, in the writable bits
    W1C, ///< a one clears the bit, in the writable bits
    WO   ///< write only: reads zero; every write is a command to the device
};

/// One register. Offsets and sizes are in bytes.
struct RegisterInfo {
    const char *name;
    std::uint32_t offset;
    std::uint8_t size; ///< 1, 2 or 4
    RegisterAccess access;
    std::uint32_t writable; ///< bits that a write can change (RW), clear (W1C) or convey (WO)
    std::uint32_t reset;    ///< value after any reset, until the device changes it
};

/// True if the registers ascend, are naturally aligned and do not overlap, and no writable or
/// reset bit lies outside a register. Use it in a static_assert beside the table.
constexpr bool wellFormed(std::span<const RegisterInfo> registers)
{
    std::uint64_t end = 0;
    for (const RegisterInfo &info : registers) {
        if (info.size != 1 && info.size != 2 && info.size != 4) return false;
        if (info.offset % info.size != 0 || info.offset < end) return false;
        const std::uint64_t mask = (1ull << (8 * info.size)) - 1;
        if ((info.writable & ~mask) != 0 || (info.reset & ~mask) != 0) return false;
        if (info.access == RegisterAccess::RO && info.writable != 0) return false;
        end = std::uint64_t{info.offset} + info.size;
    }
    return true;
}

/// What a write did to one register.
struct RegisterChange {
    std::uint32_t before;  ///< the register's value before the write
    std::uint32_t written; ///< the bits that the guest wrote, cut to the writable ones
    std::uint32_t now;     ///< the register's value after it (WO: the same as written)
};

/// The registers of one address space and their values.
class RegisterFile
{
public:
    /// Which accesses a card takes; others read zero and are ignored.
    struct Rules {
        unsigned smallest = 4; ///< bytes
        unsigned largest = 4;  ///< bytes; accesses are naturally aligned
    };

    /// The table must outlive the file and be well formed.
    RegisterFile(std::span<const RegisterInfo> registers, Rules rules);

    /// Every register back to its reset value.
    void reset();

    /// The value that the guest sees. `known` (if given) tells whether any register was there and
    /// the access had a legal size and alignment.
    std::uint64_t read(std::uint64_t offset, unsigned size, bool *known = nullptr) const;

    using Effect = std::function<void(const RegisterInfo &, RegisterChange)>;

    /// Applies a write by the table and calls `effect` for each register that it touched, in
    /// ascending order. Read-only registers are left alone and have no effect. Returns what `known`
    /// of read() tells.
    bool write(std::uint64_t offset, unsigned size, std::uint64_t value, const Effect &effect);

    /// The device's own view of a register; it must exist.
    std::uint32_t &operator[](std::uint32_t offset);
    std::uint32_t operator[](std::uint32_t offset) const;

    const RegisterInfo *find(std::uint64_t offset) const; ///< the register that holds the byte
    std::span<const RegisterInfo> table() const { return registers_; }
    std::span<const std::uint32_t> values() const { return values_; }

    /// Takes values as values() gave them; false if their number differs.
    bool setValues(std::span<const std::uint32_t> values);

private:
    bool legal(std::uint64_t offset, unsigned size) const;
    std::size_t indexAt(std::uint32_t offset) const;

    std::span<const RegisterInfo> registers_;
    Rules rules_;
    std::vector<std::uint32_t> values_;
};

} // namespace testcard::bus
