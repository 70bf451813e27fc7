// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/regions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include <unistd.h>

namespace testcard::vfio_user
{

namespace
{

template <typename Structure>
void append(std::vector<std::byte> &bytes, const Structure &structure)
{
    const auto added = std::as_bytes(std::span{&structure, 1});
    bytes.insert(bytes.end(), added.begin(), added.end());
}

std::string whyNot(const bus::FunctionInfo &info, const SharedBar &shared)
{
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (shared.bar >= info.bars.size()) return "a function has BARs 0 to 5";
    const bus::BarInfo &bar = info.bars[shared.bar];
    if (bar.kind != bus::BarInfo::Kind::memory32 && bar.kind != bus::BarInfo::Kind::memory64)
        return "only memory BARs can be mapped";
    if (shared.fd < 0) return "there is no descriptor of the memory";
    if (bar.size % page != 0) return fmt::format("its size is no multiple of a page ({})", page);
    if (shared.fdOffset % page != 0) return "its place in the file is not page-aligned";
    std::uint64_t end = 0;
    for (const SharedBar::Area &area : shared.areas) {
        if (area.offset % page != 0 || area.size % page != 0 || area.size == 0)
            return "an area does not consist of whole pages";
        if (area.offset < end) return "areas overlap or do not ascend";
        if (area.offset > bar.size || area.size > bar.size - area.offset)
            return "an area lies outside the BAR";
        end = area.offset + area.size;
    }
    return {};
}

} // namespace

tl::expected<void, Error> checkSharedBars(const bus::FunctionInfo &info,
                                          std::span<const SharedBar> shared)
{
    for (std::size_t index = 0; index < shared.size(); ++index) {
        std::string reason = whyNot(info, shared[index]);
        for (std::size_t other = 0; other < index; ++other)
            if (shared[other].bar == shared[index].bar) reason = "it is shared twice";
        if (!reason.empty())
            return tl::unexpected{
                Error{fmt::format("BAR {} cannot be shared: {}", shared[index].bar, reason)}};
    }
    return {};
}

std::optional<Regions::Info> Regions::info(std::uint32_t index, std::uint32_t room,
                                           bool clientTakesFds) const
{
    if (index >= RegionIndex::count || room < sizeof(RegionInfo)) return std::nullopt;
    RegionInfo region{sizeof(RegionInfo), 0, index, 0, size(index), 0};
    if (region.size != 0) region.flags = RegionInfo::read | RegionInfo::write;

    Info reply;
    const SharedBar *const bar = clientTakesFds ? shared(index) : nullptr;
    const auto areas = bar ? static_cast<std::uint32_t>(bar->areas.size()) : 0;
    if (areas != 0) region.argsz += sizeof(SparseMmap) + areas * sizeof(SparseArea);
    const bool fits = room >= region.argsz;
    // Without its areas, mmap would promise the whole BAR; the client asks again with more room.
    if (bar && fits) {
        region.flags |= RegionInfo::mmap;
        region.offset = bar->fdOffset;
        reply.fd = bar->fd;
    }
    if (areas != 0 && fits) {
        region.flags |= RegionInfo::caps;
        region.capOffset = sizeof(RegionInfo);
    }
    append(reply.payload, region);
    if ((region.flags & RegionInfo::caps) == 0) return reply;
    append(reply.payload,
           SparseMmap{SparseMmap::capabilityId, SparseMmap::capabilityVersion, 0, areas, 0});
    for (const SharedBar::Area &area : bar->areas)
        append(reply.payload, SparseArea{area.offset, area.size});
    return reply;
}

std::uint64_t Regions::size(std::uint32_t region) const
{
    if (region == RegionIndex::config) return bus::ConfigSpace::size;
    const auto &bars = function_.info().bars;
    if (region >= bars.size() || bars[region].kind == bus::BarInfo::Kind::none) return 0;
    return bars[region].size;
}

bool Regions::inside(std::uint32_t region, std::uint64_t offset, std::uint64_t bytes) const
{
    const std::uint64_t whole = size(region);
    return bytes != 0 && offset < whole && bytes <= whole - offset;
}

const SharedBar *Regions::shared(std::uint32_t region) const
{
    const auto found = std::find_if(shared_.begin(), shared_.end(),
                                    [region](const SharedBar &bar) { return bar.bar == region; });
    return found == shared_.end() ? nullptr : &*found;
}

int Regions::read(std::uint32_t region, std::uint64_t offset, std::span<std::byte> into) const
{
    if (!inside(region, offset, into.size())) return EINVAL;
    if (region == RegionIndex::config) {
        function_.configRead(offset, into);
        return 0;
    }
    function_.barRead(region, offset, into);
    if (function_.config().memoryEnabled() &&
        function_.config().powerState() == bus::PowerState::D0)
        overlayPendingBits(region, offset, into);
    return 0;
}

/// The Pending Bit Array (PCI 3.0, section 6.8.2.10) is the server's: one bit per vector, in
/// quadwords. The table belongs to the client, which never asks for it.
void Regions::overlayPendingBits(std::uint32_t region, std::uint64_t offset,
                                 std::span<std::byte> into) const
{
    const bus::MsixInfo &msix = function_.info().msix;
    if (msix.vectors == 0 || region != msix.bar) return;
    const std::uint64_t begin = msix.pendingOffset;
    const std::uint64_t end = begin + (std::uint64_t{msix.vectors} + 63) / 64 * 8;
    for (std::size_t index = 0; index < into.size(); ++index) {
        const std::uint64_t at = offset + index;
        if (at < begin || at >= end) continue;
        unsigned bits = 0;
        for (unsigned bit = 0; bit < 8; ++bit)
            if (interrupts_.pending(static_cast<unsigned>(at - begin) * 8 + bit)) bits |= 1u << bit;
        into[index] = std::byte(bits);
    }
}

int Regions::write(std::uint32_t region, std::uint64_t offset, std::span<const std::byte> from)
{
    if (!inside(region, offset, from.size())) return EINVAL;
    if (region != RegionIndex::config) {
        function_.barWrite(region, offset, from);
        return 0;
    }
    function_.configWrite(offset, from);
    interrupts_.configurationWritten();
    return 0;
}

} // namespace testcard::vfio_user
