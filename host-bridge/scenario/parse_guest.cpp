// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/parse_parts.hpp"
#include "scenario/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

constexpr std::uint64_t smallestMemory_bytes = 128u << 20;
constexpr std::uint64_t largestMemory_bytes = std::uint64_t{1} << 40;

/// The file that `text` names, if it is there; otherwise a problem.
fs::path existingFile(const std::string &text, const Entry &entry, const fs::path &folder,
                      Problems &problems)
{
    const fs::path path = (folder / text).lexically_normal();
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored))
        problems.add(entry.where, entry.key, fmt::format("there is no file {}", path.string()),
                     "paths start at the folder of the scenario file");
    return path;
}

std::string readKernel(TableReader &reader, const fs::path &folder)
{
    const auto kernel = reader.text("kernel");
    if (!kernel) return {};
    if (kernel->find('/') == std::string::npos) return *kernel; // a version of Debian's
    const Node *node = reader.find("kernel");
    return existingFile(*kernel, {reader.pathOf("kernel"), node->where, *node}, folder,
                        reader.problems())
        .string();
}

/// Files, folders with a Kbuild, names of modules that the kernel brings.
std::vector<std::string> readModules(TableReader &reader, const fs::path &folder)
{
    static const Matcher name = *Matcher::compile("^[A-Za-z0-9_-]+$");
    std::vector<std::string> out;
    for (const Entry &module : reader.texts("modules")) {
        const std::string &text = module.value.text;
        const fs::path path = (folder / text).lexically_normal();
        std::error_code ignored;
        const bool isPath = text.find('/') != std::string::npos;
        if (text.ends_with(".ko"))
            out.push_back(existingFile(text, module, folder, reader.problems()).string());
        else if (isPath && fs::is_regular_file(path / "Kbuild", ignored))
            out.push_back(path.string());
        else if (!isPath && fs::is_regular_file(path / "Kbuild", ignored))
            reader.problems().add(
                module.where, module.key,
                fmt::format("\"{}\" names a module of the kernel, but also a folder here", text),
                fmt::format("write \"./{}\" for the folder", text));
        else if (!isPath && name.matches(text))
            out.push_back(text);
        else
            reader.problems().add(
                module.where, module.key, fmt::format("\"{}\" is not a kernel module", text),
                "give a file that ends in .ko, a folder with a Kbuild in it, or the name of a "
                "module of the kernel");
    }
    return out;
}

std::vector<std::string> readPackages(TableReader &reader)
{
    // Debian Policy 5.6.1: at least two characters, of these.
    static const Matcher form = *Matcher::compile("^[a-z0-9][a-z0-9+.-]+$");
    std::vector<std::string> out;
    for (const Entry &package : reader.texts("packages")) {
        if (!form.matches(package.value.text))
            reader.problems().add(
                package.where, package.key,
                fmt::format("\"{}\" cannot be a Debian package", package.value.text),
                "give the name alone, as in \"alsa-utils\"");
        out.push_back(package.value.text);
    }
    return out;
}

std::vector<Guest::File> readFiles(TableReader &reader, const fs::path &folder)
{
    std::vector<Guest::File> out;
    for (const Entry &file : reader.texts("files")) {
        const std::size_t colon = file.value.text.rfind(':');
        const bool absolute = colon != std::string::npos && colon > 0 &&
                              file.value.text.substr(colon + 1).starts_with('/');
        if (!absolute) {
            reader.problems().add(file.where, file.key,
                                  fmt::format("\"{}\" is not HOST:GUEST", file.value.text),
                                  "as in \"clip.yuv:/root/clip.yuv\", absolute in the guest");
            continue;
        }
        out.push_back(
            {existingFile(file.value.text.substr(0, colon), file, folder, reader.problems()),
             file.value.text.substr(colon + 1)});
    }
    return out;
}

} // namespace

Guest readGuest(TableReader &reader, const fs::path &folder)
{
    Guest guest;
    guest.kernel = readKernel(reader, folder);
    guest.modules = readModules(reader, folder);
    guest.packages = readPackages(reader);
    guest.files = readFiles(reader, folder);
    guest.memory_bytes = reader.size("memory").value_or(guest.memory_bytes);
    if (guest.memory_bytes < smallestMemory_bytes || guest.memory_bytes > largestMemory_bytes)
        reader.refuse("memory", "expected from 128M to 1024G");
    guest.cpus = static_cast<unsigned>(reader.integer("cpus", 1, 64).value_or(guest.cpus));
    guest.append = reader.text("append").value_or("");
    guest.bootTimeout = reader.duration("boot-timeout").value_or(guest.bootTimeout);
    return guest;
}

} // namespace testcard::scenario
