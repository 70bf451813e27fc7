// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The vfio-user protocol on the wire, version 0.0: QEMU's docs/interop/vfio-user.rst. Structures
/// of VFIO itself are those of <linux/vfio.h>. Everything is in the byte order of the host.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace testcard::vfio_user
{

/// The commands that a client sends and this server answers; any other one is ENOTSUP.
enum class Command : std::uint16_t {
    version = 1,
    dmaMap = 2,
    dmaUnmap = 3,
    deviceGetInfo = 4,
    deviceGetRegionInfo = 5,
    deviceGetIrqInfo = 7,
    deviceSetIrqs = 8,
    regionRead = 9,
    regionWrite = 10,
    deviceReset = 13,
    regionWriteMulti = 15,
};

struct Header {
    static constexpr std::uint32_t typeMask = 0xF;
    static constexpr std::uint32_t typeCommand = 0;
    static constexpr std::uint32_t typeReply = 1;
    static constexpr std::uint32_t noReply = 1u << 4;
    static constexpr std::uint32_t errorFlag = 1u << 5;

    std::uint16_t id; ///< the sender's, echoed in the reply
    std::uint16_t command;
    std::uint32_t size; ///< bytes of the whole message, this header included
    std::uint32_t flags;
    std::uint32_t error; ///< errno, in a reply that has errorFlag
};
static_assert(sizeof(Header) == 16);

struct Version {
    std::uint16_t major;
    std::uint16_t minor;
    // JSON text and a terminating NUL follow.
};
static_assert(sizeof(Version) == 4);

struct DmaMap {
    static constexpr std::uint32_t readable = 1u << 0;
    static constexpr std::uint32_t writable = 1u << 1;

    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint64_t offset; ///< in the file whose descriptor comes with the message
    std::uint64_t address;
    std::uint64_t size;
};
static_assert(sizeof(DmaMap) == 32);

struct DmaUnmap {
    static constexpr std::uint32_t getDirtyBitmap = 1u << 0; ///< VFIO_DMA_UNMAP_FLAG_...
    static constexpr std::uint32_t all = 1u << 1; ///< VFIO_DMA_UNMAP_FLAG_ALL; address and size 0

    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint64_t address;
    std::uint64_t size;
};
static_assert(sizeof(DmaUnmap) == 24);

struct DeviceInfo {
    static constexpr std::uint32_t reset = 1u << 0;
    static constexpr std::uint32_t pci = 1u << 1;

    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t regions;
    std::uint32_t irqs;
};
static_assert(sizeof(DeviceInfo) == 16);

/// The fixed region indices of a PCI function; BARs are 0 to 5.
struct RegionIndex {
    static constexpr std::uint32_t rom = 6;
    static constexpr std::uint32_t config = 7;
    static constexpr std::uint32_t vga = 8;
    static constexpr std::uint32_t count = 9;
};

struct RegionInfo {
    static constexpr std::uint32_t read = 1u << 0;
    static constexpr std::uint32_t write = 1u << 1;
    static constexpr std::uint32_t mmap = 1u << 2;
    static constexpr std::uint32_t caps = 1u << 3;

    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t capOffset; ///< of the first capability, from the start of this structure
    std::uint64_t size;
    std::uint64_t offset; ///< for mmap, in the descriptor that comes with the reply
};
static_assert(sizeof(RegionInfo) == 32);

/// VFIO_REGION_INFO_CAP_SPARSE_MMAP, followed by `areas` pairs of SparseArea.
struct SparseMmap {
    static constexpr std::uint16_t capabilityId = 1;
    static constexpr std::uint16_t capabilityVersion = 1;

    std::uint16_t id;
    std::uint16_t version;
    std::uint32_t next; ///< 0: the last capability
    std::uint32_t areas;
    std::uint32_t reserved;
};
static_assert(sizeof(SparseMmap) == 16);

struct SparseArea {
    std::uint64_t offset; ///< bytes from the start of the region
    std::uint64_t size;
};
static_assert(sizeof(SparseArea) == 16);

struct IrqIndex {
    static constexpr std::uint32_t intx = 0;
    static constexpr std::uint32_t msi = 1;
    static constexpr std::uint32_t msix = 2;
    static constexpr std::uint32_t error = 3;
    static constexpr std::uint32_t request = 4;
    static constexpr std::uint32_t count = 5;
};

struct IrqInfo {
    static constexpr std::uint32_t eventfd = 1u << 0;
    static constexpr std::uint32_t maskable = 1u << 1;
    static constexpr std::uint32_t automasked = 1u << 2;
    static constexpr std::uint32_t noresize = 1u << 3;

    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t count;
};
static_assert(sizeof(IrqInfo) == 16);

struct IrqSet {
    static constexpr std::uint32_t dataNone = 1u << 0;
    static constexpr std::uint32_t dataBool = 1u << 1;
    static constexpr std::uint32_t dataEventfd = 1u << 2;
    static constexpr std::uint32_t dataMask = 0x07;
    static constexpr std::uint32_t actionMask = 1u << 3;
    static constexpr std::uint32_t actionUnmask = 1u << 4;
    static constexpr std::uint32_t actionTrigger = 1u << 5;
    static constexpr std::uint32_t actionsMask = 0x38;

    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t start;
    std::uint32_t count;
    // With dataBool, `count` bytes follow.
};
static_assert(sizeof(IrqSet) == 20);

struct RegionAccess {
    std::uint64_t offset;
    std::uint32_t region;
    std::uint32_t count; ///< bytes; in a write, and in the reply to a read, as many follow
};
static_assert(sizeof(RegionAccess) == 16);

struct WriteMulti {
    std::uint64_t count; ///< as many SingleWrite follow
};
static_assert(sizeof(WriteMulti) == 8);

struct SingleWrite {
    std::uint64_t offset;
    std::uint32_t region;
    std::uint32_t count; ///< bytes of `data` that are written: at most 8
    std::byte data[8];
};
static_assert(sizeof(SingleWrite) == 24);

/// What this server offers in version negotiation.
struct Limits {
    static constexpr std::uint32_t messageFds = 16;
    static constexpr std::uint32_t transferBytes = 1024 * 1024;
    static constexpr std::uint32_t dmaMaps = 65535;
    static constexpr std::uint64_t pageSize =
        4096; ///< unit of DMA maps; larger pages are multiples

    /// The longest message: a write of transferBytes.
    static constexpr std::uint32_t messageBytes =
        sizeof(Header) + sizeof(RegionAccess) + transferBytes;
};

/// The structure at the start of `bytes`, or nothing if they are too few.
template <typename Structure>
requires std::is_trivially_copyable_v<Structure> std::optional<Structure>
leading(std::span<const std::byte> bytes)
{
    if (bytes.size() < sizeof(Structure)) return std::nullopt;
    Structure structure;
    std::memcpy(&structure, bytes.data(), sizeof structure);
    return structure;
}

/// The structure that `bytes` are, or nothing if their number differs.
template <typename Structure>
std::optional<Structure> exactly(std::span<const std::byte> bytes)
{
    if (bytes.size() != sizeof(Structure)) return std::nullopt;
    return leading<Structure>(bytes);
}

} // namespace testcard::vfio_user
