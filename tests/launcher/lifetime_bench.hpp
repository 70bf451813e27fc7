// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Runs session-process and looks at what is left of it.
#pragma once

#include "launcher/child_process.hpp"
#include "processes.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace testcard::launcher
{

class LifetimeBench
{
public:
    /// `prefix` runs the program (setpriv ...), `environment` is added to ours.
    explicit LifetimeBench(std::vector<std::string> arguments = {},
                           std::vector<std::string> prefix = {},
                           std::vector<std::string> environment = {});
    static std::string program();

    /// Waits until it has said "waiting", and reads what it has told.
    void begin(std::chrono::seconds limit = std::chrono::seconds{10});
    /// The same, but only until it has said a line that starts with `word`.
    void beginUntil(const std::string &word, std::chrono::seconds limit);

    ChildProcess &process() { return *process_; }
    const std::string &folder() const { return told_.at("folder"); }
    pid_t pidOf(const std::string &what) const { return std::stoi(told_.at(what)); }
    bool said(const std::string &word) const { return told_.contains(word); }

    /// Within ten seconds: no folder, no process that names it, none of those that it told of.
    void checkNothingIsLeft();

private:
    void readTold();

    ScratchFolder scratch_;
    std::unique_ptr<ChildProcess> process_;
    std::map<std::string, std::string> told_;
};

} // namespace testcard::launcher
