// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Real guests: the QEMU that the set-up found, a Debian kernel, and an initramfs of one program.
#pragma once

#include "launcher/launcher.hpp"
#include "processes.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <string>

namespace testcard::launcher
{

/// Skips the test, with what is missing, unless there is a QEMU.
std::filesystem::path qemuOrSkip();
/// Skips the test unless there is an uncompressed kernel of the guest's.
std::filesystem::path kernelOrSkip();

/// The one session of this process, as testcard itself has one.
Session &session();
/// Where libvirt's and the probe's answers stay while this process runs.
const std::filesystem::path &cacheFolder();

/// A guest whose init does `task` (guest_init.cpp).
GuestConfig guest(const std::string &task);

/// The result, or the test's failure with its message.
template <typename T>
T must(Result<T> result)
{
    if (!result) FAIL(result.error().message);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Waits for `line` in the guest's serial log.
bool serialSays(const GuestConfig &config, const std::string &line,
                std::chrono::seconds limit = std::chrono::seconds{60});

/// A plain-card process on a socket in the session's folder.
struct PlainCard {
    CardSocket socket;
    std::unique_ptr<ChildProcess> process;

    explicit PlainCard(const std::string &name);
    void serve();
};

} // namespace testcard::launcher
