// SPDX-License-Identifier: GPL-2.0-or-later
// CRC-32 as Ethernet, zip and zlib have it: polynomial 0x04C11DB7 reflected, start and final
// complement. crc32("123456789") is 0xCBF43926.
#pragma once

#include <cstdint>
#include <span>

namespace testcard::agent
{

std::uint32_t crc32(std::span<const std::uint8_t> bytes);

} // namespace testcard::agent
