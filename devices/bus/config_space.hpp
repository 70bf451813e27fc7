// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The 4096-byte configuration space of a PCI Express function.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace testcard::bus
{

struct Identity {
    std::uint16_t vendor = 0x7C01; ///< nobody owns it (design D14)
    std::uint16_t device = 0;
    std::uint16_t subsystemVendor = 0x7C01;
    std::uint16_t subsystem = 0;
    std::uint8_t revision = 1;
    std::uint32_t classCode = 0; ///< 24 bits: class, subclass, programming interface
};

struct BarInfo {
    enum class Kind : std::uint8_t { none, memory32, memory64, io };

    Kind kind = Kind::none;
    std::uint32_t size = 0; ///< bytes, a power of two: memory >= 16, I/O 4 to 256
    bool prefetchable = false;
};

struct MsixInfo {
    unsigned vectors = 0; ///< 0: no MSI-X capability; at most 2048
    unsigned bar = 0;     ///< table and pending bits lie in one BAR of their own
    std::uint32_t tableOffset = 0;
    std::uint32_t pendingOffset = 0;
};

/// What a function is. Capabilities come in a fixed order: PM, MSI, PCI Express, MSI-X.
struct FunctionInfo {
    Identity identity;
    std::array<BarInfo, 6> bars{}; ///< a 64-bit BAR takes two entries, the second one `none`
    bool intx = true;              ///< pin INTA#
    unsigned msiVectors = 1;       ///< 0: no MSI capability; else 1, 2, 4, 8, 16 or 32
    MsixInfo msix{};
    bool multifunction = false;
};

enum class PowerState : std::uint8_t { D0 = 0, D3hot = 3 };

/// Which kind of interrupt leaves the function, as the guest configured it.
enum class InterruptMode : std::uint8_t { intx, msi, msix };

class ConfigSpace
{
public:
    static constexpr std::size_t size = 4096;

    // Capability offsets, the same in every card; absent ones leave a hole.
    static constexpr std::uint16_t pmCapability = 0x40;
    static constexpr std::uint16_t msiCapability = 0x50;
    static constexpr std::uint16_t expressCapability = 0x70;
    static constexpr std::uint16_t msixCapability = 0xB0;

    /// What a write asks the function to do besides keeping the bits.
    struct WriteEffect {
        bool flr = false;    ///< Initiate Function Level Reset was written
        bool d3ToD0 = false; ///< the power state went from D3hot to D0
    };

    /// Throws std::invalid_argument if the description is impossible: sizes that are no powers of
    /// two, a 64-bit BAR in the last place or over another, an MSI-X table outside its BAR.
    explicit ConfigSpace(const FunctionInfo &info);

    /// Power-on values, or after FLR and D3hot to D0 (the same: nothing here is sticky).
    void reset();

    void read(std::size_t offset, std::span<std::byte> into) const;
    WriteEffect write(std::size_t offset, std::span<const std::byte> from);

    bool memoryEnabled() const;
    bool ioEnabled() const;
    bool busMasterEnabled() const;
    bool interruptDisabled() const;
    PowerState powerState() const;
    InterruptMode interruptMode() const;
    unsigned allocatedVectors() const; ///< of the mode: 1 (INTx), MSI's enabled ones, MSI-X's table

    /// Interrupt Status in the status register follows the device's level.
    void setInterruptStatus(bool pending);

    std::uint64_t barAddress(unsigned bar) const;

    const FunctionInfo &info() const { return info_; }
    std::span<const std::byte, size> bytes() const { return bytes_; }

    /// Restores what bytes() gave; false if read-only bits differ: another card.
    bool setBytes(std::span<const std::byte> bytes);

private:
    void put8(std::size_t offset, std::uint8_t value, std::uint8_t writable = 0);
    void put16(std::size_t offset, std::uint16_t value, std::uint16_t writable = 0);
    void put32(std::size_t offset, std::uint32_t value, std::uint32_t writable = 0);
    std::uint16_t get16(std::size_t offset) const;
    std::uint32_t get32(std::size_t offset) const;
    void buildHeader();
    void buildBars();
    void buildCapabilities();

    FunctionInfo info_;
    std::array<std::byte, size> bytes_{};
    std::array<std::byte, size> initial_{};
    std::array<std::byte, size> writable_{};
};

} // namespace testcard::bus
