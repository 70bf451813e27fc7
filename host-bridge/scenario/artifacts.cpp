// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/artifacts.hpp"

#include "feed/contact_sheet.hpp"
#include "scenario/kept_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

/// What a folder of artifacts is known by.
constexpr const char *marker = "resolved.json";
constexpr std::size_t mostCollected_files = 1000;
constexpr std::uint64_t mostCollected_bytes = std::uint64_t{1} << 30;

/// Runs a command in the guest and returns what it wrote to stdout.
Result<std::string> capture(GuestAgent &agent, std::vector<std::string> argv)
{
    constexpr std::chrono::milliseconds limit{10'000};
    agent::Command command;
    command.argv = std::move(argv);
    command.timeout = limit;
    KeptOutput output;
    KeptOutput errorOutput;
    std::mutex mutex;
    auto task = agent.start(command, [&](agent::Stream stream, std::string_view bytes) {
        const std::lock_guard lock(mutex);
        (stream == agent::Stream::Output ? output : errorOutput).append(bytes);
    });
    if (!task) return failure(Cause::guestSilent, task.error().message);
    const auto status = (*task)->waitFor(2 * limit);
    task->reset(); // no handler runs from here on
    if (!status) return failure(Cause::guestSilent, status.error().message);
    if (!*status || !(*status)->succeeded())
        return failure(Cause::expectation, printable(lastLines(errorOutput.text(), 1)));
    return output.text();
}

/// Where a path of the guest goes below `folder`; empty for one that would leave it.
fs::path insideOf(const fs::path &folder, const std::string &guestPath)
{
    const fs::path relative = fs::path(guestPath).lexically_normal().relative_path();
    const bool leaves = std::any_of(relative.begin(), relative.end(),
                                    [](const fs::path &part) { return part == ".."; });
    return leaves || relative.empty() ? fs::path{} : folder / relative;
}

} // namespace

std::string fileNameOf(std::string_view text)
{
    constexpr std::size_t longest = 60;
    std::string out;
    for (const char c : text.substr(0, longest)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (plain)
            out += c;
        else if (!out.ends_with('-'))
            out += '-';
    }
    const bool onlyDots = out.find_first_not_of('.') == std::string::npos;
    return onlyDots ? "unnamed" : out;
}

Result<Artifacts> Artifacts::create(const fs::path &folder)
{
    std::error_code error;
    // Old evidence beside new would be taken for new. What is not ours is left alone.
    if (fs::exists(folder / marker, error)) fs::remove_all(folder, error);
    if (fs::exists(folder, error) && !fs::is_empty(folder, error))
        return failure(
            Cause::infrastructure,
            fmt::format("{}: is not empty and holds no artifacts of an earlier run; name "
                        "another folder by --artifacts",
                        folder.string()));
    fs::create_directories(folder, error);
    if (error)
        return failure(Cause::infrastructure,
                       fmt::format("{}: cannot make the folder for artifacts: {}", folder.string(),
                                   error.message()));
    Artifacts out(folder);
    out.write(marker, "{}\n"); // filled in as soon as it is known
    return out;
}

void Artifacts::write(std::string_view name, std::string_view text)
{
    const fs::path target = folder_ / name;
    std::error_code ignored;
    fs::create_directories(target.parent_path(), ignored);
    std::ofstream out(target, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out) troubles_.push_back(fmt::format("{}: cannot be written", target.string()));
}

void Artifacts::writeStep(std::size_t number, const StepResult &step)
{
    const std::string base = fmt::format("steps/{:02}-{}", number, fileNameOf(step.name));
    if (!step.output.empty()) write(base + ".stdout", step.output);
    if (!step.errorOutput.empty()) write(base + ".stderr", step.errorOutput);
}

void Artifacts::copy(const fs::path &from, std::string_view name)
{
    std::error_code error;
    fs::copy_file(from, folder_ / name, fs::copy_options::overwrite_existing, error);
    if (error)
        troubles_.push_back(
            fmt::format("{}: cannot be copied: {}", from.string(), error.message()));
}

Result<std::vector<fs::path>> Artifacts::collect(GuestAgent &agent, const std::string &path)
{
    auto listing = capture(agent, {"find", path, "-type", "f"});
    if (!listing) return tl::unexpected(listing.error());
    std::vector<fs::path> out;
    std::uint64_t left_bytes = mostCollected_bytes;
    std::string_view rest = *listing;
    while (!rest.empty()) {
        const std::string line(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.empty()) continue;
        const fs::path target = insideOf(folder_ / "guest", line);
        if (target.empty())
            return failure(Cause::expectation,
                           fmt::format("the guest lists the file {}", printable(line)));
        if (out.size() == mostCollected_files)
            return failure(Cause::expectation,
                           fmt::format("{}: has more than {} files", path, mostCollected_files));
        const auto size_bytes = agent.get(line, target, left_bytes);
        if (!size_bytes)
            return failure(Cause::expectation,
                           fmt::format("{}: {}", printable(line), size_bytes.error().message));
        left_bytes -= std::min(left_bytes, *size_bytes);
        out.push_back(target);
    }
    std::sort(out.begin(), out.end());
    return out;
}

Result<fs::path> Artifacts::makeContactSheet(const std::vector<fs::path> &files,
                                             const std::string &title)
{
    std::vector<fs::path> pictures;
    std::copy_if(files.begin(), files.end(), std::back_inserter(pictures),
                 [](const fs::path &file) { return file.extension() == ".ppm"; });
    if (pictures.empty())
        return failure(Cause::expectation, "there are no thumbnails for the contact sheet");
    ++contactSheets_;
    const fs::path png =
        path(contactSheets_ == 1 ? std::string("contact-sheet.png")
                                 : fmt::format("contact-sheet-{}.png", contactSheets_));
    const auto written = feed::writeContactSheet(pictures, png, {.title = title});
    if (!written) return failure(Cause::expectation, written.error().message);
    return png;
}

} // namespace testcard::scenario
