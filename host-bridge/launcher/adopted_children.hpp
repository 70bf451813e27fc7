// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Buries the emulators that libvirt daemonizes.
#pragma once

#include "launcher/event_loop.hpp"

#include <memory>

namespace testcard::launcher
{

/// While it lives this process, and not init, is the parent of its daemonized descendants
/// (PR_SET_CHILD_SUBREAPER), and reaps them at once. libvirt takes an emulator for alive until it
/// is reaped, and the init of a container may take seconds over that, or never do it. Needs an
/// EventLoop; one per process.
class AdoptedChildren
{
public:
    AdoptedChildren();
    ~AdoptedChildren();
    AdoptedChildren(const AdoptedChildren &) = delete;
    AdoptedChildren &operator=(const AdoptedChildren &) = delete;

private:
    std::unique_ptr<ReadWatch> watch_;
};

} // namespace testcard::launcher
