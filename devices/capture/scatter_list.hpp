// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A frame buffer that lies in pieces in guest memory.
#pragma once

#include "bus/dma.hpp"
#include "capture/capture_regs.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace testcard::capture
{

/// The scatter-gather list of one frame: read from guest memory once, checked, then used.
class ScatterList
{
public:
    /// CAPTURE_FRAME_OK, or CAPTURE_FRAME_BAD_LIST: the count is 0 or too large, an entry is empty
    /// or wraps around the address space, or the list cannot be read.
    std::uint32_t load(bus::DmaPort &dma, std::uint64_t address, std::uint32_t count);

    /// All of the buffer, in bytes.
    std::uint64_t size() const { return size_; }

    struct Written {
        std::uint64_t bytes = 0; ///< that arrived
        std::uint32_t status = CAPTURE_FRAME_OK;
    };

    /// Writes `data` at the byte `offset` of the buffer: CAPTURE_FRAME_SHORT if the buffer ends
    /// before the data does (what fits is written), CAPTURE_FRAME_DMA_ERROR if memory is missing.
    Written write(bus::DmaPort &dma, std::uint64_t offset, std::span<const std::byte> data);

private:
    std::size_t pieceAt(std::uint64_t offset) const;

    std::vector<capture_sg> pieces_;
    std::vector<std::uint64_t> starts_; ///< offset of each piece in the buffer
    std::uint64_t size_ = 0;
};

} // namespace testcard::capture
