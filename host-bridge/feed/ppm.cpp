// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/ppm.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

namespace testcard::feed
{
namespace
{

/// Nobody needs longer comments, nor more of them.
constexpr std::size_t headerBytesMax = 1024;
constexpr std::uintmax_t fileBytesMax =
    headerBytesMax + std::uintmax_t{3} * ppmSideMax * ppmSideMax;

template <typename T>
std::optional<T> number(std::string_view text)
{
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Takes over what `frame=12 source=YUYV:1280x720 ...` says; what it does not know is left out.
void readNote(std::string_view comment, ThumbnailNote &note)
{
    while (!comment.empty()) {
        const std::size_t space = std::min(comment.find(' '), comment.size());
        const std::string_view word = comment.substr(0, space);
        comment.remove_prefix(std::min(space + 1, comment.size()));
        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string_view key = word.substr(0, equals);
        const std::string_view value = word.substr(std::min(equals + 1, word.size()));
        if (key == "frame") note.frame = number<std::uint32_t>(value);
        if (key == "sequence") note.sequence = number<std::uint32_t>(value);
        if (key == "time_us") note.time_us = number<std::uint64_t>(value).value_or(0);
        if (key != "source") continue;
        const std::size_t colon = std::min(value.find(':'), value.size());
        const std::size_t times = std::min(value.find('x', colon), value.size());
        const auto format = formatByName(value.substr(0, colon));
        const auto width =
            number<std::uint32_t>(value.substr(0, times).substr(std::min(colon + 1, times)));
        const auto height = number<std::uint32_t>(value.substr(std::min(times + 1, value.size())));
        if (format && width && height) note.source = {*format, *width, *height};
    }
}

/// Goes through a PPM header token by token.
class Header
{
public:
    explicit Header(std::string_view file) : rest_{file.substr(0, headerBytesMax)} {}

    /// The next word; comments before it go to `note`. Empty at the end of the header.
    std::string_view word(ThumbnailNote &note)
    {
        constexpr std::string_view blanks = " \t\r\n", mark = "# testcard ";
        for (;;) {
            skip(rest_.find_first_not_of(blanks));
            if (!rest_.starts_with('#')) break;
            const std::string_view line = rest_.substr(0, rest_.find('\n'));
            if (line.starts_with(mark)) readNote(line.substr(mark.size()), note);
            skip(line.size());
        }
        const std::string_view result = rest_.substr(0, rest_.find_first_of(blanks));
        skip(result.size());
        return result;
    }

    std::size_t taken() const { return taken_; }

private:
    void skip(std::size_t count)
    {
        count = std::min(count, rest_.size());
        rest_.remove_prefix(count);
        taken_ += count;
    }

    std::string_view rest_;
    std::size_t taken_ = 0;
};

tl::unexpected<Error> bad(std::string message)
{
    return tl::unexpected(Error{std::move(message)});
}

} // namespace

tl::expected<Thumbnail, Error> parsePpm(std::string_view file)
{
    Thumbnail thumbnail;
    Header header{file};
    if (header.word(thumbnail.note) != "P6") return bad("is no binary PPM: it starts otherwise");
    const auto width = number<std::uint32_t>(header.word(thumbnail.note));
    const auto height = number<std::uint32_t>(header.word(thumbnail.note));
    const auto most = number<std::uint32_t>(header.word(thumbnail.note));
    if (!width || !height || !most) return bad("has a malformed PPM header");
    if (*width == 0 || *height == 0 || *width > ppmSideMax || *height > ppmSideMax)
        return bad(fmt::format("is {}x{}: each side may have 1 to {} pixels", *width, *height,
                               ppmSideMax));
    if (*most != 255) return bad(fmt::format("has components up to {} instead of 255", *most));

    // One blank ends the header.
    const std::size_t start = header.taken() + 1;
    const std::size_t wanted = std::size_t{3} * *width * *height;
    if (file.size() < start || file.size() - start != wanted)
        return bad(fmt::format("has {} bytes of pixels instead of {}",
                               file.size() - std::min(start, file.size()), wanted));
    thumbnail.image = {
        *width, *height, {file.begin() + static_cast<std::ptrdiff_t>(start), file.end()}};
    return thumbnail;
}

tl::expected<Thumbnail, Error> readPpm(const std::filesystem::path &path)
{
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) return bad(fmt::format("{}: {}", path.string(), error.message()));
    if (size > fileBytesMax)
        return bad(fmt::format("{}: has {} bytes, more than any thumbnail", path.string(), size));
    std::string content(static_cast<std::size_t>(size), '\0');
    std::ifstream file{path, std::ios::binary};
    if (!file.read(content.data(), static_cast<std::streamsize>(size)))
        return bad(fmt::format("{}: cannot be read", path.string()));
    return parsePpm(content).map_error([&](const Error &what) {
        return Error{fmt::format("{}: {}", path.string(), what.message)};
    });
}

} // namespace testcard::feed
