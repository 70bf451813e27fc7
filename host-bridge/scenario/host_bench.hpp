// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The real bench: QEMU by libvirt, cards as child processes, images by host-bridge/guest.
#pragma once

#include "launcher/launcher.hpp"
#include "scenario/bench.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::scenario
{

/// Where the bench finds its things.
struct Places {
    std::filesystem::path sourceRoot;
    std::filesystem::path buildRoot;
    std::filesystem::path program; ///< this testcard, for `serve`

    /// Of this build. TESTCARD_BUILD names another build tree, whose QEMU and guests are used.
    static Places ofThisBuild();
};

struct BenchOptions {
    std::optional<launcher::Accelerator> accelerator; ///< nothing: auto
    std::string connect;                              ///< libvirt URI; empty: embedded
};

/// `session` must outlive the bench.
std::unique_ptr<Bench> makeHostBench(launcher::Session &session, Places places,
                                     BenchOptions options);

/// The arguments of host-bridge/guest/build-guest for a guest whose image goes below `cache`.
std::vector<std::string> buildGuestArguments(const Guest &guest,
                                             const std::filesystem::path &cache);

/// The hashes that `sha256sum` gave for files, in their order; empty ones for those it left out.
std::vector<std::string> hashesIn(std::string_view answer,
                                  const std::vector<std::filesystem::path> &files);

/// QEMU as the set-up left it in BUILD/setup/env, or that of the system.
Result<Emulator> findEmulator(const Places &places);

} // namespace testcard::scenario
