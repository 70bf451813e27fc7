// SPDX-License-Identifier: GPL-2.0-or-later
#include "protocol/crc32.hpp"

#include <array>
#include <cstddef>

namespace testcard::agent
{

namespace
{

constexpr std::size_t slices = 8;
using Table = std::array<std::array<std::uint32_t, 256>, slices>;

/// table[0] advances the remainder by one byte, table[k] by a byte followed by k zero bytes: so
/// eight bytes take eight independent look-ups ("slicing by 8") instead of a chain of eight.
constexpr Table makeTable()
{
    Table table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t remainder = byte;
        for (int bit = 0; bit < 8; ++bit)
            remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0xEDB88320U : 0U);
        table[0][byte] = remainder;
    }
    for (std::size_t slice = 1; slice < slices; ++slice)
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = table[slice - 1][byte];
            table[slice][byte] = (before >> 8) ^ table[0][before & 0xFF];
        }
    return table;
}

constexpr Table table = makeTable();

std::uint32_t load32(const std::uint8_t *bytes)
{
    return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
           std::uint32_t{bytes[3]} << 24;
}

} // namespace

std::uint32_t crc32(std::span<const std::uint8_t> bytes)
{
    std::uint32_t crc = 0xFFFFFFFF;
    const std::uint8_t *at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= slices; at += slices, left -= slices) {
        const std::uint32_t low = crc ^ load32(at);
        const std::uint32_t high = load32(at + 4);
        crc = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^
              table[4][low >> 24] ^ table[3][high & 0xFF] ^ table[2][(high >> 8) & 0xFF] ^
              table[1][(high >> 16) & 0xFF] ^ table[0][high >> 24];
    }
    for (; left > 0; ++at, --left)
        crc = (crc >> 8) ^ table[0][(crc ^ *at) & 0xFF];
    return ~crc;
}

} // namespace testcard::agent
