// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/program.hpp"

#include "scenario/kept_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace testcard::scenario
{

namespace
{

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

std::string readFile(const fs::path &file)
{
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

/// Reads a file that grows and hands out its whole lines.
class LineFollower
{
public:
    LineFollower(const fs::path &file, const std::function<void(const std::string &)> &take)
        : file_(file), take_(take)
    {
    }

    void follow()
    {
        if (!in_.is_open()) in_.open(file_, std::ios::binary);
        in_.clear();
        std::ostringstream fresh;
        if (in_.peek() != std::ifstream::traits_type::eof()) fresh << in_.rdbuf();
        pending_ += fresh.str();
        std::size_t end = 0;
        while ((end = pending_.find('\n')) != std::string::npos) {
            if (end > 0) take_(pending_.substr(0, end));
            pending_.erase(0, end + 1);
        }
    }

private:
    fs::path file_;
    const std::function<void(const std::string &)> &take_;
    std::ifstream in_;
    std::string pending_;
};

} // namespace

Result<std::string> runProgram(launcher::Session &session, const Program &program,
                               const std::function<void(const std::string &)> &progress)
{
    const fs::path answer = session.folder() / (program.name + ".out");
    launcher::ChildOptions options;
    options.name = program.name;
    // A child's log takes both streams; the shell takes one of them out before it becomes the
    // program.
    options.argv = {"/bin/sh", "-c", "exec \"$@\" >\"$0\"", answer.string()};
    options.argv.insert(options.argv.end(), program.argv.begin(), program.argv.end());
    options.environment = program.environment;
    options.log = session.folder() / (program.name + ".log");
    std::error_code ignored;
    fs::remove(options.log, ignored);

    auto child = session.spawn(options);
    if (!child) return tl::unexpected(failureOf(child.error()));
    LineFollower follower(options.log, progress);
    const auto deadline = Clock::now() + program.limit;
    constexpr std::chrono::milliseconds slice{100};
    while (true) {
        const auto end = (*child)->wait(slice, &session.interrupt());
        follower.follow();
        if (end && end->success()) return readFile(answer);
        if (end) // by the convention of our scripts, 2 means that what they were given is wrong
            return failure(
                end->code == 2 ? Cause::guestImage : Cause::infrastructure,
                fmt::format("{} {}:\n{}", program.name, end->describe(), (*child)->logTail()));
        if (end.error().kind != launcher::Error::Kind::timedOut)
            return tl::unexpected(failureOf(end.error()));
        if (Clock::now() >= deadline)
            return failure(Cause::infrastructure,
                           fmt::format("{} has not ended within {} s", program.name,
                                       program.limit.count() / 1000));
    }
}

std::map<std::string, std::string> keyValues(std::string_view text)
{
    std::map<std::string, std::string> out;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        out[std::string(line.substr(0, equals))] = std::string(line.substr(equals + 1));
    }
    return out;
}

} // namespace testcard::scenario
