// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/text_file.hpp"

#include <algorithm>
#include <fstream>

namespace testcard::launcher
{

std::string tailOf(const std::filesystem::path &file, std::size_t lines, std::size_t bytes)
{
    std::ifstream stream(file, std::ios::binary | std::ios::ate);
    if (!stream) return {};
    const auto size = static_cast<std::size_t>(std::max<std::streamoff>(stream.tellg(), 0));
    const std::size_t wanted = std::min(size, bytes);
    stream.seekg(static_cast<std::streamoff>(size - wanted));
    std::string text(wanted, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(wanted));
    text.resize(static_cast<std::size_t>(stream.gcount()));

    std::erase(text, '\r');
    while (text.ends_with('\n'))
        text.pop_back();
    std::size_t start = text.size();
    for (std::size_t i = 0; i < lines && start != std::string::npos && start > 0; ++i)
        start = text.rfind('\n', start - 1);
    if (start != std::string::npos && start > 0) text.erase(0, start + 1);
    std::ranges::replace_if(
        text, [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f; },
        '?');
    return text;
}

} // namespace testcard::launcher
