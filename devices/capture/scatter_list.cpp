// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/scatter_list.hpp"

#include <algorithm>

namespace testcard::capture
{

std::uint32_t ScatterList::load(bus::DmaPort &dma, std::uint64_t address, std::uint32_t count)
{
    size_ = 0;
    if (count == 0 || count > CAPTURE_SG_MAX) return CAPTURE_FRAME_BAD_LIST;
    pieces_.resize(count);
    starts_.resize(count);
    if (dma.read(address, std::as_writable_bytes(std::span{pieces_})) != bus::DmaStatus::ok)
        return CAPTURE_FRAME_BAD_LIST;
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        const capture_sg &piece = pieces_[i];
        if (piece.length == 0 || piece.address + (piece.length - 1) < piece.address)
            return CAPTURE_FRAME_BAD_LIST;
        starts_[i] = size;
        size += piece.length;
    }
    size_ = size;
    return CAPTURE_FRAME_OK;
}

std::size_t ScatterList::pieceAt(std::uint64_t offset) const
{
    return static_cast<std::size_t>(std::ranges::upper_bound(starts_, offset) - starts_.begin()) -
           1;
}

ScatterList::Written ScatterList::write(bus::DmaPort &dma, std::uint64_t offset,
                                        std::span<const std::byte> data)
{
    Written written;
    if (offset >= size_ || data.size() > size_ - offset) {
        written.status = CAPTURE_FRAME_SHORT;
        data = data.first(offset >= size_ ? 0 : size_ - offset);
    }
    if (data.empty()) return written;
    for (std::size_t piece = pieceAt(offset); !data.empty(); ++piece) {
        const std::uint64_t skip = offset - starts_[piece];
        const std::size_t size = std::min<std::uint64_t>(data.size(), pieces_[piece].length - skip);
        if (dma.write(pieces_[piece].address + skip, data.first(size)) != bus::DmaStatus::ok) {
            written.status = CAPTURE_FRAME_DMA_ERROR;
            return written;
        }
        written.bytes += size;
        data = data.subspan(size);
        offset += size;
    }
    return written;
}

} // namespace testcard::capture
