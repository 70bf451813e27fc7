// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/serial_log.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

constexpr std::string_view panicText = "Kernel panic - not syncing";
constexpr std::size_t longestLine = 512;

/// "[    3.141592] text" or, with the caller's id, "[    3.141592][    T1] text".
std::string_view withoutTimeStamp(std::string_view line)
{
    while (line.starts_with('[')) {
        const std::size_t end = line.find(']');
        if (end == std::string_view::npos) break;
        line.remove_prefix(end + 1);
        if (line.starts_with(' ')) line.remove_prefix(1);
    }
    return line;
}

} // namespace

void PanicScanner::feed(std::string_view text)
{
    for (const char c : text) {
        if (panic_) return;
        if (c == '\n')
            lineEnded();
        else if (line_.size() < longestLine)
            line_ += c;
    }
}

void PanicScanner::lineEnded()
{
    std::erase_if(line_, [](unsigned char c) { return !std::isprint(c); });
    const std::string_view text = withoutTimeStamp(line_);
    if (text.starts_with(panicText)) panic_ = std::string(text);
    line_.clear();
}

std::shared_ptr<SerialLog> SerialLog::open(const std::filesystem::path &path)
{
    return std::shared_ptr<SerialLog>(new SerialLog(path));
}

SerialLog::SerialLog(std::filesystem::path path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600)),
      notify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK))
{
    lseek(file_.get(), 0, SEEK_END);
    inotify_add_watch(notify_.get(), path_.c_str(), IN_MODIFY);
}

std::unique_ptr<ReadWatch> SerialLog::follow(std::function<void()> panicked)
{
    // The action owns the log, and so the descriptor that the loop polls.
    return std::make_unique<ReadWatch>(
        notify_.get(), [self = shared_from_this(), panicked = std::move(panicked)] {
            alignas(inotify_event) std::array<char, 4096> events{};
            while (read(self->notify_.get(), events.data(), events.size()) > 0) {
            }
            bool news = false;
            {
                const std::scoped_lock lock(self->mutex_);
                self->readOn();
                news = self->scanner_.panic().has_value() && !std::exchange(self->reported_, true);
            }
            if (news) panicked();
        });
}

std::optional<std::string> SerialLog::panic()
{
    const std::scoped_lock lock(mutex_);
    readOn();
    return scanner_.panic();
}

void SerialLog::readOn()
{
    std::array<char, 16384> part{};
    for (ssize_t size = 0; (size = read(file_.get(), part.data(), part.size())) > 0;)
        scanner_.feed({part.data(), static_cast<std::size_t>(size)});
}

} // namespace testcard::launcher
