// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The domain XML with what only the session knows.
#pragma once

#include "launcher/guest_config.hpp"

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace testcard::launcher
{

struct DomainSurroundings {
    std::vector<std::string> securityModels{}; ///< of the connection: "dac", "apparmor", "selinux"
    uid_t user = 0; ///< whom QEMU shall run as, where "dac" is among them
    gid_t group = 0;
    std::vector<std::pair<std::string, std::string>> environment{}; ///< of QEMU
};

std::string domainXml(const GuestConfig &config, const DomainSurroundings &surroundings);

} // namespace testcard::launcher
