// SPDX-License-Identifier: GPL-2.0-or-later
// Marks: a program in the guest tells the host that it has come to a certain point.
#pragma once

#include "core/system.hpp"
#include "linux/file_descriptor.hpp"
#include "linux/loop.hpp"

#include <list>
#include <string>

namespace testcard::agent
{

/// The environment variable by which commands find the agent that runs them.
inline constexpr const char *markVariable = "TESTCARD_AGENT";
/// The abstract Unix socket that is used without it.
inline constexpr const char *markSocketName = "org.testcard.agent";

/// The agent's side: one connection per mark, answered by one byte when the mark is on its way.
class MarkListener
{
public:
    /// Listens at the abstract name; if that is taken, at one with this process' number behind it.
    MarkListener(Loop &loop, SystemEvents &events, std::string name);
    ~MarkListener();

    const std::string &name() const { return name_; }
    /// Called before each wait: whether the host takes marks.
    void enable(bool enabled);

private:
    using Connections = std::list<FileDescriptor>;

    bool listen();
    void accept();
    void markReady(Connections::iterator connection);

    Loop &loop_;
    SystemEvents &events_;
    std::string name_;
    FileDescriptor listener_;
    Connections connections_;
    bool enabled_ = true;
};

/// `testcard-agent mark TEXT`: returns once the mark is on its way. False with errno set.
bool setMark(const std::string &text);

} // namespace testcard::agent
