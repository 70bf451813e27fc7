// SPDX-License-Identifier: GPL-2.0-or-later
// The server's wire structures against those of Linux, which the protocol reuses.
#include "vfio-user/protocol.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstddef>

#include <linux/vfio.h>

namespace testcard::vfio_user
{

static_assert(sizeof(DeviceInfo) == offsetof(vfio_device_info, cap_offset));
static_assert(DeviceInfo::reset == VFIO_DEVICE_FLAGS_RESET);
static_assert(DeviceInfo::pci == VFIO_DEVICE_FLAGS_PCI);

static_assert(sizeof(RegionInfo) == sizeof(vfio_region_info));
static_assert(offsetof(RegionInfo, capOffset) == offsetof(vfio_region_info, cap_offset));
static_assert(offsetof(RegionInfo, size) == offsetof(vfio_region_info, size));
static_assert(offsetof(RegionInfo, offset) == offsetof(vfio_region_info, offset));
static_assert(RegionInfo::read == VFIO_REGION_INFO_FLAG_READ);
static_assert(RegionInfo::write == VFIO_REGION_INFO_FLAG_WRITE);
static_assert(RegionInfo::mmap == VFIO_REGION_INFO_FLAG_MMAP);
static_assert(RegionInfo::caps == VFIO_REGION_INFO_FLAG_CAPS);

static_assert(sizeof(SparseMmap) == offsetof(vfio_region_info_cap_sparse_mmap, areas));
static_assert(sizeof(SparseArea) == sizeof(vfio_region_sparse_mmap_area));
static_assert(SparseMmap::capabilityId == VFIO_REGION_INFO_CAP_SPARSE_MMAP);

static_assert(RegionIndex::rom == VFIO_PCI_ROM_REGION_INDEX);
static_assert(RegionIndex::config == VFIO_PCI_CONFIG_REGION_INDEX);
static_assert(RegionIndex::vga == VFIO_PCI_VGA_REGION_INDEX);
static_assert(RegionIndex::count == VFIO_PCI_NUM_REGIONS);

static_assert(sizeof(IrqInfo) == sizeof(vfio_irq_info));
static_assert(IrqInfo::eventfd == VFIO_IRQ_INFO_EVENTFD);
static_assert(IrqInfo::maskable == VFIO_IRQ_INFO_MASKABLE);
static_assert(IrqInfo::automasked == VFIO_IRQ_INFO_AUTOMASKED);
static_assert(IrqInfo::noresize == VFIO_IRQ_INFO_NORESIZE);
static_assert(IrqIndex::intx == VFIO_PCI_INTX_IRQ_INDEX);
static_assert(IrqIndex::msi == VFIO_PCI_MSI_IRQ_INDEX);
static_assert(IrqIndex::msix == VFIO_PCI_MSIX_IRQ_INDEX);
static_assert(IrqIndex::error == VFIO_PCI_ERR_IRQ_INDEX);
static_assert(IrqIndex::request == VFIO_PCI_REQ_IRQ_INDEX);
static_assert(IrqIndex::count == VFIO_PCI_NUM_IRQS);

static_assert(sizeof(IrqSet) == offsetof(vfio_irq_set, data));
static_assert(IrqSet::dataNone == VFIO_IRQ_SET_DATA_NONE);
static_assert(IrqSet::dataBool == VFIO_IRQ_SET_DATA_BOOL);
static_assert(IrqSet::dataEventfd == VFIO_IRQ_SET_DATA_EVENTFD);
static_assert(IrqSet::dataMask == VFIO_IRQ_SET_DATA_TYPE_MASK);
static_assert(IrqSet::actionMask == VFIO_IRQ_SET_ACTION_MASK);
static_assert(IrqSet::actionUnmask == VFIO_IRQ_SET_ACTION_UNMASK);
static_assert(IrqSet::actionTrigger == VFIO_IRQ_SET_ACTION_TRIGGER);
static_assert(IrqSet::actionsMask == VFIO_IRQ_SET_ACTION_TYPE_MASK);

static_assert(DmaMap::readable == VFIO_DMA_MAP_FLAG_READ);
static_assert(DmaMap::writable == VFIO_DMA_MAP_FLAG_WRITE);
static_assert(DmaUnmap::getDirtyBitmap == VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP);
static_assert(DmaUnmap::all == VFIO_DMA_UNMAP_FLAG_ALL);
static_assert(sizeof(DmaUnmap) == offsetof(vfio_iommu_type1_dma_unmap, data));

TEST_CASE("A structure is read only from exactly its bytes", "[vfio-user]")
{
    const std::byte bytes[17]{};
    const std::span<const std::byte> all{bytes};
    CHECK(exactly<IrqInfo>(all.first(16)));
    CHECK_FALSE(exactly<IrqInfo>(all.first(15)));
    CHECK_FALSE(exactly<IrqInfo>(all));
    CHECK(leading<IrqInfo>(all));
    CHECK_FALSE(leading<IrqInfo>(all.first(15)));
}

} // namespace testcard::vfio_user
