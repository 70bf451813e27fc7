// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A device's state as bytes. One function walks the state for both directions:
///     template <typename Walker> void walk(Walker &walker) { walker(counter_); walker(mode_); }
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace testcard::bus
{

/// Which model wrote a state, and which version of its layout.
struct StateVersion {
    std::uint32_t model;
    std::uint32_t version;

    bool operator==(const StateVersion &) const = default;
};

template <typename Value>
concept PlainState = std::is_trivially_copyable_v<Value> &&
    std::has_unique_object_representations_v<Value>; // no padding to leak or differ

class StateWriter
{
public:
    explicit StateWriter(StateVersion version) { (*this)(version); }

    template <PlainState Value>
    void operator()(const Value &value)
    {
        (*this)(std::span{&value, 1});
    }
    template <PlainState Value>
    void operator()(std::span<const Value> values)
    {
        const auto bytes = std::as_bytes(values);
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
    template <PlainState Value>
    void operator()(std::span<Value> values)
    {
        (*this)(std::span<const Value>{values});
    }

    std::vector<std::byte> take() { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

/// Reads what a StateWriter wrote; after the first failure it changes nothing any more.
class StateReader
{
public:
    StateReader(std::span<const std::byte> bytes, StateVersion version) : rest_{bytes}
    {
        StateVersion found{};
        (*this)(found);
        good_ = good_ && found == version;
    }

    template <PlainState Value>
    void operator()(Value &value)
    {
        (*this)(std::span{&value, 1});
    }
    void operator()(bool &value) // any byte may have been written: only 0 and 1 make a bool
    {
        std::uint8_t byte = value;
        (*this)(byte);
        value = byte != 0;
    }
    template <PlainState Value>
    void operator()(std::span<Value> values)
    {
        const auto into = std::as_writable_bytes(values);
        good_ = good_ && rest_.size() >= into.size();
        if (!good_) return;
        std::ranges::copy(rest_.first(into.size()), into.begin());
        rest_ = rest_.subspan(into.size());
    }

    /// Everything fitted, and nothing is left over.
    bool complete() const { return good_ && rest_.empty(); }

private:
    std::span<const std::byte> rest_;
    bool good_ = true;
};

} // namespace testcard::bus
