// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The folder of evidence that a run of a scenario leaves.
#pragma once

#include "scenario/bench.hpp"
#include "scenario/results.hpp"
#include "scenario/scenario.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// One scenario's folder:
///     scenario.toml, resolved.json   as written, and with every default and seed filled in
///     result.json, junit.xml         the verdict, alone
///     serial.log, kernel.log         the guest's console, its kernel log at the end
///     card-NAME.log                  a card's process
///     domain.xml, qemu.txt           the guest as libvirt and as QEMU got it
///     guest-packages.txt             the Debian packages in the guest, with versions
///     qemu.log                       what QEMU wrote, if anything
///     steps/NN-NAME.stdout|.stderr   what a step's command wrote
///     guest/...                      what steps collected, by its path in the guest
///     contact-sheet.png              frames as the guest's application saw them
class Artifacts
{
public:
    /// Makes the folder; artifacts of an earlier run that it holds are removed.
    static Result<Artifacts> create(const std::filesystem::path &folder);

    const std::filesystem::path &folder() const { return folder_; }
    std::filesystem::path path(std::string_view name) const { return folder_ / name; }

    /// A failure to write evidence is noted, not fatal: the verdict stands without it.
    void write(std::string_view name, std::string_view text);
    void writeStep(std::size_t number, const StepResult &step);
    void copy(const std::filesystem::path &from, std::string_view name);

    /// Copies files of the guest, folders with all that is in them; returns where they are, sorted.
    /// Paths that the guest lists are not trusted to stay inside the folder.
    Result<std::vector<std::filesystem::path>> collect(GuestAgent &agent, const std::string &path);

    /// Makes contact-sheet.png (or -2, -3, ...) of the thumbnails among `files`.
    Result<std::filesystem::path> makeContactSheet(const std::vector<std::filesystem::path> &files,
                                                   const std::string &title);

    /// What could not be written.
    const std::vector<std::string> &troubles() const { return troubles_; }

private:
    explicit Artifacts(std::filesystem::path folder) : folder_(std::move(folder)) {}

    std::filesystem::path folder_;
    std::vector<std::string> troubles_;
    unsigned contactSheets_ = 0;
};

/// Letters, digits, '-', '_' and '.'; anything else becomes '-'. Never empty, never "." or "..".
std::string fileNameOf(std::string_view text);

} // namespace testcard::scenario
