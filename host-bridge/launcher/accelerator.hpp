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

class Reaper;

enum class Accelerator { tcg, kvm };

std::string_view name(Accelerator accelerator);

/// `--accel`: "auto" gives nullopt.
Result<std::optional<Accelerator>> parseAccelerator(std::string_view text);

struct AcceleratorChoice {
    Accelerator accelerator = Accelerator::tcg;
    std::string
        reason{}; ///< for the user, after "TCG: " or "KVM: ", e.g. "/dev/kvm does not exist"
};

/// What the probe needs; Session::chooseAccelerator fills it in.
struct AcceleratorProbe {
    std::filesystem::path qemu{};
    std::vector<std::filesystem::path> dataFolders{}; ///< QEMU's -L
    /// Booted without an initrd under KVM; empty: nothing to probe with, so TCG.
    std::filesystem::path kernel{};
    std::filesystem::path workFolder{};  ///< for the probe's log
    std::filesystem::path cacheFolder{}; ///< where the answer is kept; empty: nowhere
    std::chrono::milliseconds limit{20'000};
    std::filesystem::path device = "/dev/kvm";
    Reaper *reaper = nullptr;
};

/// The answer for `--accel auto`. Takes up to `limit` the first time on a host, kernel and QEMU,
/// then reads the cached answer. Fails only by interruption: whatever goes wrong with KVM is a
/// reason for TCG.
Result<AcceleratorChoice> probeAccelerator(const AcceleratorProbe &probe,
                                           const Interrupt *interrupt);

} // namespace testcard::launcher
