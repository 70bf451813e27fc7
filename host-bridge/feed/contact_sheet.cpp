// SPDX-License-Identifier: GPL-2.0-or-later
#include "feed/contact_sheet.hpp"

#include "feed/lettering.hpp"
#include "feed/ppm.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <system_error>
#include <vector>

namespace testcard::feed
{
namespace
{

/// What a guest can make us hold at most: a sheet of 8192x8192 pixels would be 200 MB.
constexpr std::uint64_t sheetPixelsMax = 32u << 20;

constexpr std::uint8_t ground = 40; ///< grey behind the thumbnails
constexpr std::uint32_t margin = 8;
constexpr std::uint32_t titleScale = 2;

/// The sizes that follow from the thumbnails.
struct Grid {
    std::uint32_t columns = 1, rows = 0;
    std::uint32_t cellWidth = 0, cellHeight = 0; ///< of the largest thumbnail
    std::uint32_t labelScale = 1;
    std::uint32_t titleHeight = 0;

    std::uint32_t labelHeight() const { return letterHeight * labelScale + margin; }
    std::uint32_t width() const { return margin + columns * (cellWidth + margin); }
    std::uint32_t height() const
    {
        return titleHeight + margin + rows * (cellHeight + labelHeight() + margin);
    }
};

tl::unexpected<Error> bad(std::string message)
{
    return tl::unexpected(Error{std::move(message)});
}

tl::expected<std::vector<Thumbnail>, Error> readAll(std::span<const std::filesystem::path> paths)
{
    std::vector<Thumbnail> all;
    std::uint64_t pixels = 0;
    for (const auto &path : paths) {
        auto thumbnail = readPpm(path);
        if (!thumbnail) return tl::unexpected(thumbnail.error());
        pixels += std::uint64_t{thumbnail->image.width} * thumbnail->image.height;
        if (pixels > sheetPixelsMax)
            return bad(fmt::format("{}: the thumbnails up to this one are too large for a contact "
                                   "sheet: take fewer or smaller ones",
                                   path.string()));
        all.push_back(std::move(*thumbnail));
    }
    return all;
}

Grid gridOf(const std::vector<Thumbnail> &thumbnails, const ContactSheetOptions &options)
{
    Grid grid;
    const auto count = static_cast<std::uint32_t>(thumbnails.size());
    grid.columns = std::clamp(options.columns, 1u, count);
    grid.rows = (count + grid.columns - 1) / grid.columns;
    for (const Thumbnail &thumbnail : thumbnails) {
        grid.cellWidth = std::max(grid.cellWidth, thumbnail.image.width);
        grid.cellHeight = std::max(grid.cellHeight, thumbnail.image.height);
    }
    grid.labelScale = grid.cellWidth >= 240 ? 2 : 1;
    grid.titleHeight = options.title.empty() ? 0 : letterHeight * titleScale + margin;
    return grid;
}

std::string labelOf(const ThumbnailNote &note)
{
    const std::string time =
        fmt::format("{}.{:03} s", note.time_us / 1'000'000, note.time_us / 1000 % 1000);
    return note.frame ? fmt::format("frame {}  {}", *note.frame, time)
                      : fmt::format("no stamp  {}", time);
}

void copyInto(RgbImage &sheet, const RgbImage &image, std::uint32_t x, std::uint32_t y)
{
    for (std::uint32_t line = 0; line < image.height; ++line)
        std::copy_n(image.rgb.begin() + std::ptrdiff_t{3} * line * image.width, 3 * image.width,
                    sheet.rgb.begin() + 3 * (std::ptrdiff_t{y + line} * sheet.width + x));
}

RgbImage drawSheet(const std::vector<Thumbnail> &thumbnails, const Grid &grid,
                   const std::string &title)
{
    RgbImage sheet{grid.width(), grid.height(), {}};
    sheet.rgb.assign(std::size_t{3} * sheet.width * sheet.height, ground);
    drawText(sheet, margin, margin, title, titleScale);
    for (std::uint32_t i = 0; i < thumbnails.size(); ++i) {
        const std::uint32_t x = margin + i % grid.columns * (grid.cellWidth + margin);
        const std::uint32_t y = grid.titleHeight + margin +
                                i / grid.columns * (grid.cellHeight + grid.labelHeight() + margin);
        copyInto(sheet, thumbnails[i].image, x, y);
        drawText(sheet, x, y + thumbnails[i].image.height + margin / 2, labelOf(thumbnails[i].note),
                 grid.labelScale);
    }
    return sheet;
}

/// Beside the final place first, so that nobody sees half a picture.
tl::expected<void, Error> writePng(const RgbImage &image, const std::filesystem::path &path)
{
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = image.width;
    png.height = image.height;
    png.format = PNG_FORMAT_RGB;
    const std::filesystem::path part = path.string() + ".part";
    std::error_code error;
    if (png_image_write_to_file(&png, part.c_str(), 0, image.rgb.data(), 0, nullptr) == 0) {
        std::filesystem::remove(part, error);
        return bad(
            fmt::format("{}: cannot write the contact sheet: {}", path.string(), png.message));
    }
    std::filesystem::rename(part, path, error);
    if (error) return bad(fmt::format("{}: {}", path.string(), error.message()));
    return {};
}

} // namespace

tl::expected<void, Error> writeContactSheet(std::span<const std::filesystem::path> thumbnails,
                                            const std::filesystem::path &png,
                                            const ContactSheetOptions &options)
{
    if (thumbnails.empty()) return bad("there are no thumbnails for a contact sheet");
    const auto all = readAll(thumbnails);
    if (!all) return tl::unexpected(all.error());
    const Grid grid = gridOf(*all, options);
    if (std::uint64_t{grid.width()} * grid.height() > sheetPixelsMax)
        return bad(fmt::format("a contact sheet of {}x{} pixels is too large: take fewer or "
                               "smaller thumbnails, or of one size",
                               grid.width(), grid.height()));
    return writePng(drawSheet(*all, grid, options.title), png);
}

} // namespace testcard::feed
