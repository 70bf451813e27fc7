// SPDX-License-Identifier: GPL-2.0-or-later
// Little-endian values in byte buffers. A WireReader never reads past its end: the first value that
// does not fit makes it fail, and from then on it returns zeros; check ok() or finished() once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::agent
{

inline void storeLittle(std::uint8_t *at, std::uint64_t value, std::size_t bytes)
{
    for (std::size_t i = 0; i < bytes; ++i)
        at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

inline std::uint64_t loadLittle(const std::uint8_t *at, std::size_t bytes)
{
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value |= std::uint64_t{at[i]} << (8 * i);
    return value;
}

/// Appends values to a buffer.
class WireWriter
{
public:
    explicit WireWriter(std::vector<std::uint8_t> &bytes) : bytes_(bytes) {}

    void u8(std::uint8_t value) { append(value, 1); }
    void u16(std::uint16_t value) { append(value, 2); }
    void u32(std::uint32_t value) { append(value, 4); }
    void u64(std::uint64_t value) { append(value, 8); }
    void raw(std::span<const std::uint8_t> value)
    {
        bytes_.insert(bytes_.end(), value.begin(), value.end());
    }
    /// u16 length, then the bytes. What passes 65535 bytes is cut: callers check their limits
    /// first.
    void string(std::string_view value)
    {
        value = value.substr(0, 0xFFFF);
        u16(static_cast<std::uint16_t>(value.size()));
        bytes_.insert(bytes_.end(), value.begin(), value.end());
    }

private:
    void append(std::uint64_t value, std::size_t count)
    {
        bytes_.resize(bytes_.size() + count);
        storeLittle(bytes_.data() + bytes_.size() - count, value, count);
    }

    std::vector<std::uint8_t> &bytes_;
};

/// Takes values from the front of a buffer that nobody has checked.
class WireReader
{
public:
    explicit WireReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::uint8_t u8() { return static_cast<std::uint8_t>(take(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(take(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(take(4)); }
    std::uint64_t u64() { return take(8); }

    std::string string()
    {
        const std::size_t length = u16();
        if (length > bytes_.size()) return fail();
        std::string value(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(length));
        bytes_ = bytes_.subspan(length);
        return value;
    }

    std::span<const std::uint8_t> rest()
    {
        const auto all = bytes_;
        bytes_ = {};
        return all;
    }

    bool ok() const { return !failed_; }
    bool finished() const { return !failed_ && bytes_.empty(); }

private:
    std::uint64_t take(std::size_t count)
    {
        if (bytes_.size() < count) {
            fail();
            return 0;
        }
        const std::uint64_t value = loadLittle(bytes_.data(), count);
        bytes_ = bytes_.subspan(count);
        return value;
    }

    std::string fail()
    {
        failed_ = true;
        bytes_ = {};
        return {};
    }

    std::span<const std::uint8_t> bytes_;
    bool failed_ = false;
};

} // namespace testcard::agent
