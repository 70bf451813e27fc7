// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/dma_maps.hpp"

#include <cerrno>
#include <iterator>
#include <limits>

#include <fcntl.h>
#include <sys/stat.h>

namespace testcard::vfio_user
{

namespace
{

constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();

bool pageAligned(std::uint64_t value)
{
    return value % Limits::pageSize == 0;
}

int checked(const DmaMap &request)
{
    if (request.argsz < sizeof request) return EINVAL;
    if (request.flags & ~(DmaMap::readable | DmaMap::writable)) return EINVAL;
    if ((request.flags & (DmaMap::readable | DmaMap::writable)) == 0) return EINVAL;
    if (request.size == 0 || request.size - 1 > highest - request.address) return EINVAL;
    if (request.size > highest - request.offset) return EINVAL;
    if (!pageAligned(request.address) || !pageAligned(request.size)) return EINVAL;
    return pageAligned(request.offset) ? 0 : EINVAL;
}

} // namespace

int DmaMaps::map(const DmaMap &request, FileDescriptor fd)
{
    if (const int error = checked(request)) return error;
    if (overlaps(request.address, request.address + (request.size - 1))) return EEXIST;
    if (maps_.size() >= Limits::dmaMaps) return ENOSPC;

    std::shared_ptr<FileMapping> file;
    if (fd) {
        if (const int error = openFile(request, fd.get(), file)) return error;
        const bus::GuestMemory::Region region{
            .address = request.address,
            .memory = file->range(request.offset, request.size),
            .readable = (request.flags & DmaMap::readable) != 0,
            .writable = (request.flags & DmaMap::writable) != 0,
        };
        if (!memory_.map(region)) return EEXIST;
    }
    maps_.emplace(request.address, Map{request.size, std::move(file)});
    return 0;
}

bool DmaMaps::overlaps(std::uint64_t address, std::uint64_t last) const
{
    auto next = maps_.upper_bound(last);
    if (next == maps_.begin()) return false;
    const auto &[begin, map] = *std::prev(next);
    return begin + (map.size - 1) >= address;
}

/// Finds or makes the mapping of a file. The descriptor is not needed afterwards: thousands of maps
/// of one file (a virtual IOMMU makes one per page) take one mapping and no descriptor.
int DmaMaps::openFile(const DmaMap &request, int fd, std::shared_ptr<FileMapping> &file)
{
    struct stat status = {};
    if (::fstat(fd, &status) != 0) return errno;
    // Pipes, sockets, eventfds and devices have no size that could be checked.
    if (!S_ISREG(status.st_mode)) return ENODEV;
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (request.offset > bytes || request.size > bytes - request.offset) return EINVAL;

    const FileMapping::File key{status.st_dev, status.st_ino,
                                (request.flags & DmaMap::writable) != 0};
    std::erase_if(files_, [](const auto &entry) { return entry.second.expired(); });
    const auto [first, end] = files_.equal_range(key);
    for (auto candidate = first; candidate != end; ++candidate) {
        file = candidate->second.lock();
        if (file && !file->lost() && file->bytes() >= request.offset + request.size) return 0;
    }
    if (files_.size() >= mostFiles) return ENOSPC;
    file = std::make_shared<FileMapping>();
    if (const int error = file->open(fd, bytes, key.writable)) return error;
    files_.emplace(key, file);
    return 0;
}

int DmaMaps::unmap(const DmaUnmap &request)
{
    if (request.argsz < sizeof request) return EINVAL;
    if (request.flags == DmaUnmap::all) {
        if (request.address != 0 || request.size != 0) return EINVAL;
        clear();
        return 0;
    }
    if (request.flags != 0) return EINVAL;
    if (request.size == 0 || request.size - 1 > highest - request.address) return EINVAL;

    const std::uint64_t last = request.address + (request.size - 1);
    const auto first = maps_.lower_bound(request.address);
    if (first != maps_.begin()) {
        const auto &[begin, map] = *std::prev(first);
        if (begin + (map.size - 1) >= request.address) return EINVAL;
    }
    const auto end = maps_.upper_bound(last);
    if (end != first) {
        const auto &[begin, map] = *std::prev(end);
        if (begin + (map.size - 1) > last) return EINVAL;
    }
    memory_.unmap(request.address, request.size);
    maps_.erase(first, end);
    return 0;
}

void DmaMaps::clear()
{
    memory_.clear();
    maps_.clear();
    files_.clear();
}

std::size_t DmaMaps::dropLost()
{
    const std::uint64_t lost = FileMapping::anyLost();
    if (lost == lostSeen_) return 0;
    lostSeen_ = lost;
    return std::erase_if(maps_, [this](const auto &entry) {
        const auto &[address, map] = entry;
        if (!map.file || !map.file->lost()) return false;
        memory_.unmap(address, map.size);
        return true;
    });
}

} // namespace testcard::vfio_user
