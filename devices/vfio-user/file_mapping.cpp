// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/file_mapping.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>

#include <sys/mman.h>

namespace testcard::vfio_user
{

namespace
{

/// One mapping as the signal handler sees it. A slot is free while `begin` is 0; `begin` is written
/// last and cleared first. The thread that faults is the one that owns the mapping, so the handler
/// never meets a slot of its own that is being changed.
struct Slot {
    std::atomic<std::uintptr_t> begin{0};
    std::atomic<std::size_t> bytes{0};
    std::atomic<bool> writable{false};
    std::atomic<bool> lost{false};
    std::atomic<bool> taken{false};
};

static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

std::array<Slot, FileMapping::most> slots;
std::atomic<std::uint64_t> lostMappings{0};
struct sigaction previousAction;

/// Replaces a mapping by private zeros. Only system calls: this runs in a signal handler. The whole
/// of it, since a part of a hugetlbfs mapping cannot be replaced.
bool replaceByZeros(Slot &slot, std::uintptr_t begin)
{
    const int protection = slot.writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *const address = reinterpret_cast<void *>(begin);
    void *const memory = ::mmap(address, slot.bytes, protection,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return false;
    slot.lost = true;
    ++lostMappings;
    return true;
}

bool recover(std::uintptr_t fault)
{
    for (Slot &slot : slots) {
        const std::uintptr_t begin = slot.begin;
        if (begin == 0 || fault < begin || fault - begin >= slot.bytes) continue;
        return !slot.lost && replaceByZeros(slot, begin);
    }
    return false;
}

void busError(int signal, siginfo_t *info, void *context)
{
    const int savedErrno = errno;
    const bool recovered = recover(reinterpret_cast<std::uintptr_t>(info->si_addr));
    errno = savedErrno;
    if (recovered) return;
    if (previousAction.sa_flags & SA_SIGINFO) {
        previousAction.sa_sigaction(signal, info, context);
    } else if (previousAction.sa_handler != SIG_DFL && previousAction.sa_handler != SIG_IGN) {
        previousAction.sa_handler(signal);
    } else {
        // Nobody else knows: the access is repeated and ends the process.
        struct sigaction standard = {};
        standard.sa_handler = SIG_DFL;
        ::sigaction(signal, &standard, nullptr);
    }
}

void installHandler()
{
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action = {};
        action.sa_sigaction = busError;
        action.sa_flags = SA_SIGINFO;
        ::sigemptyset(&action.sa_mask);
        ::sigaction(SIGBUS, &action, &previousAction);
    });
}

std::size_t takeSlot()
{
    for (std::size_t index = 0; index < slots.size(); ++index)
        if (!slots[index].taken.exchange(true)) return index;
    return slots.size();
}

} // namespace

int FileMapping::open(int fd, std::uint64_t bytes, bool writable)
{
    installHandler();
    slot_ = takeSlot();
    if (slot_ == most) return ENOSPC;

    bytes_ = bytes;
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *const memory = ::mmap(nullptr, bytes_, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return errno;
    memory_ = static_cast<std::byte *>(memory);

    // A child process (a decoder) needs no guest memory, nor does a core file. Only hints.
    ::madvise(memory, bytes_, MADV_DONTFORK);
    ::madvise(memory, bytes_, MADV_DONTDUMP);

    Slot &slot = slots[slot_];
    slot.lost = false;
    slot.writable = writable;
    slot.bytes = bytes_;
    slot.begin = reinterpret_cast<std::uintptr_t>(memory);
    return 0;
}

FileMapping::~FileMapping()
{
    if (slot_ == most) return;
    slots[slot_].begin = 0;
    if (memory_) ::munmap(memory_, bytes_);
    slots[slot_].taken = false;
}

std::span<std::byte> FileMapping::range(std::uint64_t offset, std::uint64_t size) const
{
    return {memory_ + offset, static_cast<std::size_t>(size)};
}

bool FileMapping::lost() const
{
    return slot_ != most && slots[slot_].lost;
}

std::uint64_t FileMapping::anyLost()
{
    return lostMappings;
}

} // namespace testcard::vfio_user
