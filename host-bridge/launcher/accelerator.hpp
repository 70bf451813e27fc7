// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// TCG or KVM (design D3).
#pragma once

#include "launcher/error.hpp"
#include "launcher/interrupt.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::launcher
{

enum class Accelerator { tcg, kvm };

std::string_view name(Accelerator accelerator);

/// `--accel`: "auto" gives nullopt.
Result<std::optional<Accelerator>> parseAccelerator(std::string_view text);

struct AcceleratorChoice {
    Accelerator accelerator = Accelerator::tcg;
    std::string reason; ///< one sentence for the user, e.g. "/dev/kvm does not exist"
};

struct AcceleratorProbe {
    std::filesystem::path qemu;
    std::string qemuVersion;                        ///< part of the cache's key
    std::vector<std::filesystem::path> dataFolders; ///< QEMU's -L
    std::filesystem::path
        kernel; ///< booted without initrd under KVM; empty: nothing to probe with, TCG
    std::filesystem::path cacheFolder; ///< where the answer is kept
    std::chrono::seconds limit{20};    ///< design D3
    std::filesystem::path device = "/dev/kvm";
};

/// The answer for `--accel auto`. Takes up to `limit` the first time on a host, kernel and QEMU,
/// then reads the cached answer. Fails only by interruption.
Result<AcceleratorChoice> probeAccelerator(const AcceleratorProbe &probe,
                                           const Interrupt *interrupt);

} // namespace testcard::launcher
