// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The client's DMA maps: bus addresses, and the files behind them.
#pragma once

#include "bus/dma.hpp"
#include "vfio-user/file_descriptor.hpp"
#include "vfio-user/file_mapping.hpp"
#include "vfio-user/protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

namespace testcard::vfio_user
{

/// Keeps GuestMemory as the client's DMA_MAP and DMA_UNMAP commands want it. All functions return 0
/// or the errno for the reply; after an error, nothing has changed.
class DmaMaps
{
public:
    /// Files that one client may have mapped at a time; guests have a handful.
    static constexpr std::size_t mostFiles = 256;

    explicit DmaMaps(bus::GuestMemory &memory) : memory_{memory} {}
    DmaMaps(const DmaMaps &) = delete;
    DmaMaps &operator=(const DmaMaps &) = delete;
    ~DmaMaps() { clear(); }

    /// Without a descriptor the range is known but has no memory: transfers there fail as unmapped.
    int map(const DmaMap &request, FileDescriptor file);

    /// Removes every map that lies wholly in the range; that may be none. EINVAL if it would cut
    /// one.
    int unmap(const DmaUnmap &request);

    void clear();

    /// Drops maps whose file shrank under them (see FileMapping). Returns how many.
    std::size_t dropLost();

    std::size_t count() const { return maps_.size(); }
    std::size_t files() const { return files_.size(); }

private:
    struct Map {
        std::uint64_t size;
        std::shared_ptr<FileMapping> file; ///< null: without memory
    };

    bool overlaps(std::uint64_t address, std::uint64_t last) const;
    int openFile(const DmaMap &request, int fd, std::shared_ptr<FileMapping> &file);

    bus::GuestMemory &memory_;
    std::map<std::uint64_t, Map> maps_; ///< by first address; they never overlap
    std::multimap<FileMapping::File, std::weak_ptr<FileMapping>> files_;
    std::uint64_t lostSeen_ = FileMapping::anyLost();
};

} // namespace testcard::vfio_user
