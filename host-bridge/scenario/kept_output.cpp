// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/kept_output.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace testcard::scenario
{

void KeptOutput::append(std::string_view bytes)
{
    total_bytes_ += bytes.size();
    const std::size_t toHead = std::min(bytes.size(), keep_bytes_ - head_.size());
    head_.append(bytes.substr(0, toHead));
    bytes.remove_prefix(toHead);
    if (bytes.size() > keep_bytes_) bytes.remove_prefix(bytes.size() - keep_bytes_);
    tail_.append(bytes);
    if (tail_.size() > 2 * keep_bytes_) tail_.erase(0, tail_.size() - keep_bytes_);
}

std::string KeptOutput::text() const
{
    std::string_view tail = tail_;
    if (tail.size() > keep_bytes_) tail.remove_prefix(tail.size() - keep_bytes_);
    const std::uint64_t missing_bytes = total_bytes_ - head_.size() - tail.size();
    if (missing_bytes == 0) return fmt::format("{}{}", head_, tail);
    return fmt::format("{}\n[{} bytes left out]\n{}", head_, missing_bytes, tail);
}

std::string_view lastLines(std::string_view text, unsigned lines)
{
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    std::size_t start = text.size();
    while (lines > 0 && start > 0) {
        const std::size_t newline = text.rfind('\n', start - 1);
        start = newline == std::string_view::npos ? 0 : newline;
        --lines;
    }
    if (start < text.size() && text[start] == '\n') ++start;
    return text.substr(start);
}

namespace
{

/// Bytes of the UTF-8 character at the start of `text`, or 0 if it is none (RFC 3629 section 4).
std::size_t utf8Length(std::string_view text)
{
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && byte(1) < 0xa0;
        const bool surrogate = first == 0xed && byte(1) > 0x9f;
        return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool overlong = first == 0xf0 && byte(1) < 0x90;
        const bool tooLarge = first == 0xf4 && byte(1) > 0x8f;
        return continues(1) && continues(2) && continues(3) && !overlong && !tooLarge ? 4 : 0;
    }
    return 0;
}

} // namespace

std::string printable(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = utf8Length(text);
        const auto first = static_cast<unsigned char>(text.front());
        const bool control = (first < 0x20 && first != '\t' && first != '\n') || first == 0x7f;
        // U+0080 to U+009F are control characters too, and some terminals obey them.
        const bool c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        const bool noncharacter =
            text.starts_with("\xef\xbf\xbe") || text.starts_with("\xef\xbf\xbf");
        if (first == '\r' && text.substr(1).starts_with('\n'))
            ; // the end of a serial line
        else if (control || c1)
            out += '?';
        else if (length == 0 || noncharacter)
            out += "\xef\xbf\xbd";
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

} // namespace testcard::scenario
