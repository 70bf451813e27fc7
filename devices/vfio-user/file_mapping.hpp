// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A client's file in this process's address space, safe against the client shrinking it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>

#include <sys/types.h>

namespace testcard::vfio_user
{

/// A whole file, mapped shared.
///
/// Memory that a client hands over can go away while it is mapped: the file is truncated, or its
/// file system has no page left. The kernel answers the next touch by SIGBUS. A handler, installed
/// with the first mapping of the process, then puts private zeros in place of the whole mapping and
/// marks it lost; the access goes on and reads zeros. The owner looks at anyLost() after it has
/// let devices run, and drops what is lost(). Faults elsewhere reach the previous handler.
class FileMapping
{
public:
    /// What identifies a mapping: the same file, mapped alike, needs no second one.
    struct File {
        dev_t device = 0;
        ino_t inode = 0;
        bool writable = false;

        friend bool operator<(const File &left, const File &right)
        {
            return std::tie(left.device, left.inode, left.writable) <
                   std::tie(right.device, right.inode, right.writable);
        }
    };

    /// Mappings that a process may have at a time.
    static constexpr std::size_t most = 1024;

    FileMapping() = default;
    FileMapping(const FileMapping &) = delete;
    FileMapping &operator=(const FileMapping &) = delete;
    ~FileMapping();

    /// Maps a file that is `bytes` long. Returns 0 or an errno: ENOSPC if the process has too many
    /// mappings, else that of mmap.
    int open(int fd, std::uint64_t bytes, bool writable);

    std::uint64_t bytes() const { return bytes_; }

    /// The memory of a range, which must lie inside the file.
    std::span<std::byte> range(std::uint64_t offset, std::uint64_t size) const;

    bool lost() const;

    /// How many mappings of the process were lost so far.
    static std::uint64_t anyLost();

private:
    std::byte *memory_ = nullptr;
    std::size_t bytes_ = 0;
    std::size_t slot_ = most;
};

} // namespace testcard::vfio_user
