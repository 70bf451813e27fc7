// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What is kept of a guest command's output: its beginning and its end, however long it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace testcard::scenario
{

class KeptOutput
{
public:
    explicit KeptOutput(std::size_t keepEach_bytes = 512 * 1024) : keep_bytes_(keepEach_bytes) {}

    void append(std::string_view bytes);
    /// The beginning and the end, with a line between them that says how much is missing.
    std::string text() const;
    std::uint64_t total_bytes() const { return total_bytes_; }

private:
    std::size_t keep_bytes_;
    std::string head_;
    std::string tail_; ///< up to twice what is kept of it, so that it is cut rarely
    std::uint64_t total_bytes_ = 0;
};

/// The last `lines` lines of a text, for messages.
std::string_view lastLines(std::string_view text, unsigned lines);

/// A guest's text for a terminal or a report: control characters other than tab and newline become
/// '?', and what is not UTF-8 becomes U+FFFD.
std::string printable(std::string_view text);

} // namespace testcard::scenario
