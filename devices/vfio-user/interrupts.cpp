// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/interrupts.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace testcard::vfio_user
{

namespace
{

/// A client may pass any descriptor. Only an eventfd can be written without a signal (a pipe's
/// SIGPIPE) and without waiting, once it does not block.
bool becomesUsableEvent(int fd)
{
    std::array<char, 64> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    if (size < 0) return false;
    if (std::string_view{target.data(), static_cast<std::size_t>(size)} != "anon_inode:[eventfd]")
        return false;
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ((flags & O_NONBLOCK) || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

/// Adds one to the counter. It fails only if the counter is full: then it is readable anyway.
void signalEvent(const FileDescriptor &eventfd)
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(eventfd.get(), &one, sizeof one);
}

void drainEvent(const FileDescriptor &eventfd)
{
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = ::read(eventfd.get(), &count, sizeof count);
}

bool isOneBit(std::uint32_t bits)
{
    return std::popcount(bits) == 1;
}

} // namespace

Interrupts::Interrupts(bus::PciFunction &function, Loop &loop) : function_{function}, loop_{loop}
{
    const bus::FunctionInfo &info = function.info();
    vectors_[IrqIndex::intx].resize(info.intx ? 1 : 0);
    vectors_[IrqIndex::msi].resize(info.msiVectors);
    vectors_[IrqIndex::msix].resize(info.msix.vectors);
    vectors_[IrqIndex::error].resize(1);
    function_.connect(this);
}

Interrupts::~Interrupts()
{
    function_.connect(nullptr);
    setUnmaskEvent({});
}

std::optional<IrqInfo> Interrupts::info(std::uint32_t index) const
{
    if (index >= IrqIndex::count) return std::nullopt;
    const auto count = static_cast<std::uint32_t>(vectors_[index].size());
    std::uint32_t flags = 0;
    if (count != 0) flags |= IrqInfo::eventfd;
    if (count != 0 && index == IrqIndex::intx) flags |= IrqInfo::maskable | IrqInfo::automasked;
    if (count != 0 && index != IrqIndex::intx) flags |= IrqInfo::noresize;
    return IrqInfo{sizeof(IrqInfo), flags, index, count};
}

/// 0 if the request makes sense, judged by its numbers alone.
int Interrupts::checked(const IrqSet &request, std::size_t dataBytes, std::size_t fds) const
{
    const std::uint32_t data = request.flags & IrqSet::dataMask;
    const std::uint32_t action = request.flags & IrqSet::actionsMask;
    if (request.argsz < sizeof request || request.index >= IrqIndex::count) return EINVAL;
    if (request.flags != (data | action) || !isOneBit(data) || !isOneBit(action)) return EINVAL;

    const std::size_t vectors = vectors_[request.index].size();
    if (request.count > vectors || request.start > vectors - request.count) return EINVAL;
    if (dataBytes != (data == IrqSet::dataBool ? request.count : 0)) return EINVAL;
    if (fds != 0 && (data != IrqSet::dataEventfd || fds != request.count)) return EINVAL;
    if (request.count == 0) {
        // The one meaning of nothing: all off.
        const bool allOff = data == IrqSet::dataNone && action == IrqSet::actionTrigger;
        return allOff && request.start == 0 ? 0 : EINVAL;
    }
    if (action == IrqSet::actionTrigger) return 0;
    if (request.index != IrqIndex::intx) return EINVAL; // only INTx can be masked here
    const bool maskEvent = action == IrqSet::actionMask && data == IrqSet::dataEventfd;
    return maskEvent ? EINVAL : 0; // the server never masks, except after a signal
}

int Interrupts::set(const IrqSet &request, std::span<const std::byte> data,
                    std::vector<FileDescriptor> fds)
{
    if (const int error = checked(request, data.size(), fds.size())) return error;
    for (const FileDescriptor &fd : fds)
        if (!becomesUsableEvent(fd.get())) return EINVAL;
    if (request.count == 0) {
        disableAll(request.index);
        return 0;
    }
    const bool events = (request.flags & IrqSet::dataEventfd) != 0;
    for (std::uint32_t item = 0; item < request.count; ++item) {
        if (!data.empty() && data[item] == std::byte{0}) continue;
        FileDescriptor event = fds.empty() ? FileDescriptor{} : std::move(fds[item]);
        if (request.flags & IrqSet::actionMask)
            setMasked(true);
        else if (request.flags & IrqSet::actionUnmask)
            events ? setUnmaskEvent(std::move(event)) : setMasked(false);
        else if (events)
            assign(request.index, request.start + item, std::move(event));
        else
            trigger(request.index, request.start + item);
    }
    return 0;
}

void Interrupts::assign(std::uint32_t index, std::uint32_t number, FileDescriptor eventfd)
{
    Vector &vector = vectors_[index][number];
    vector.eventfd = std::move(eventfd);
    if (index == IrqIndex::intx) {
        setMasked(false);
    } else if (vector.eventfd && std::exchange(vector.pending, false)) {
        signalEvent(vector.eventfd);
    }
}

void Interrupts::disableAll(std::uint32_t index)
{
    for (Vector &vector : vectors_[index])
        vector.eventfd.reset();
    if (index != IrqIndex::intx) return;
    masked_ = false;
    setUnmaskEvent({});
}

/// The client raises an interrupt itself, to try whether it arrives.
void Interrupts::trigger(std::uint32_t index, std::uint32_t number)
{
    const Vector &vector = vectors_[index][number];
    if (vector.eventfd) signalEvent(vector.eventfd);
}

void Interrupts::setMasked(bool masked)
{
    masked_ = masked;
    signalIntx();
}

void Interrupts::setUnmaskEvent(FileDescriptor eventfd)
{
    loop_.unwatch(std::exchange(unmaskWatch_, 0));
    unmaskEvent_ = std::move(eventfd);
    if (!unmaskEvent_) return;
    unmaskWatch_ = loop_.watch(unmaskEvent_.get(), POLLIN, [this](short) {
        drainEvent(unmaskEvent_);
        setMasked(false);
    });
}

/// Signals INTx if it is asserted and nothing stands in the way, and masks it.
void Interrupts::signalIntx()
{
    if (!asserted_ || masked_ || vectors_[IrqIndex::intx].empty()) return;
    const Vector &pin = vectors_[IrqIndex::intx].front();
    if (!pin.eventfd) return;
    masked_ = true;
    signalEvent(pin.eventfd);
}

void Interrupts::intxChanged(bool asserted)
{
    asserted_ = asserted;
    signalIntx();
}

void Interrupts::messageSignalled(unsigned number)
{
    const bool msix = function_.config().interruptMode() == bus::InterruptMode::msix;
    auto &vectors = vectors_[msix ? IrqIndex::msix : IrqIndex::msi];
    if (number >= vectors.size()) return;
    if (vectors[number].eventfd)
        signalEvent(vectors[number].eventfd);
    else
        vectors[number].pending = true;
}

void Interrupts::configurationWritten()
{
    const bus::InterruptMode mode = function_.config().interruptMode();
    const auto forget = [this](std::uint32_t index) {
        for (Vector &vector : vectors_[index])
            vector.pending = false;
    };
    if (mode != bus::InterruptMode::msi) forget(IrqIndex::msi);
    if (mode != bus::InterruptMode::msix) forget(IrqIndex::msix);
}

void Interrupts::forgetPending()
{
    for (auto &vectors : vectors_)
        for (Vector &vector : vectors)
            vector.pending = false;
}

bool Interrupts::pending(unsigned vector) const
{
    const auto &vectors = vectors_[IrqIndex::msix];
    return vector < vectors.size() && vectors[vector].pending;
}

} // namespace testcard::vfio_user
