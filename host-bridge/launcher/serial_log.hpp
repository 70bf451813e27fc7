// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A kernel's panic, read off its serial log: for guests without a pvpanic driver.
#pragma once

#include "launcher/event_loop.hpp"
#include "launcher/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace testcard::launcher
{

/// Finds the first line that starts, after Linux' time stamp, with "Kernel panic - not syncing". A
/// line that only quotes one does not count. Remembers at most 512 bytes of a line, whatever the
/// guest writes.
class PanicScanner
{
public:
    void feed(std::string_view text);
    /// Without the time stamp and unprintable characters.
    const std::optional<std::string> &panic() const { return panic_; }

private:
    void lineEnded();

    std::string line_;
    std::optional<std::string> panic_;
};

/// Follows a serial log that QEMU appends to. Thread-safe.
class SerialLog : public std::enable_shared_from_this<SerialLog>
{
public:
    /// Makes the file if there is none; what it holds already belongs to an earlier guest.
    static std::shared_ptr<SerialLog> open(const std::filesystem::path &path);

    /// Calls `panicked` once, on the event loop's thread, when the log shows a panic.
    std::unique_ptr<ReadWatch> follow(std::function<void()> panicked);

    /// The panic's line, if the log shows one by now.
    std::optional<std::string> panic();
    const std::filesystem::path &path() const { return path_; }

private:
    explicit SerialLog(std::filesystem::path path);
    void readOn();

    std::filesystem::path path_;
    UniqueFd file_;
    UniqueFd notify_;
    std::mutex mutex_;
    PanicScanner scanner_;
    bool reported_ = false;
};

} // namespace testcard::launcher
