// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The card's registers as a table, expanded from the contract and checked when it is compiled.
#pragma once

#include "bus/registers.hpp"
#include "capture/capture_regs.h"

#include <array>
#include <cstddef>
#include <span>

namespace testcard::capture
{

namespace detail
{

using enum bus::RegisterAccess;

#define CAPTURE_ROW(name, offset, access, writable, reset)                                         \
    {#name, offset, 4, access, writable, reset},
inline constexpr std::array cardRegisters =
    std::to_array<bus::RegisterInfo>({CAPTURE_REGISTERS(CAPTURE_ROW)});
inline constexpr std::array streamRegisters =
    std::to_array<bus::RegisterInfo>({CAPTURE_STREAM_REGISTERS(CAPTURE_ROW)});
#undef CAPTURE_ROW

constexpr auto allRegisters()
{
    std::array<bus::RegisterInfo,
               cardRegisters.size() + CAPTURE_STREAM_MAX * streamRegisters.size()>
        all{};
    std::size_t row = 0;
    for (const bus::RegisterInfo &info : cardRegisters)
        all[row++] = info;
    for (std::uint32_t stream = 0; stream < CAPTURE_STREAM_MAX; ++stream) {
        for (bus::RegisterInfo info : streamRegisters) {
            info.offset += CAPTURE_STREAM(stream);
            all[row++] = info;
        }
    }
    return all;
}

inline constexpr auto registers = allRegisters();
static_assert(bus::wellFormed(registers));
static_assert(registers.back().offset < CAPTURE_BAR_SIZE);

} // namespace detail

/// The registers of a card with so many streams.
constexpr std::span<const bus::RegisterInfo> registerTable(unsigned streams)
{
    return std::span{detail::registers}.first(detail::cardRegisters.size() +
                                              streams * detail::streamRegisters.size());
}

} // namespace testcard::capture
