// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Version negotiation, the first message of every connection.
#pragma once

#include "vfio-user/error.hpp"

#include <tl/expected.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace testcard::vfio_user
{

/// What both sides agreed on.
struct Agreement {
    std::vector<std::byte> reply; ///< the payload of the server's answer
    unsigned clientFds = 1;       ///< descriptors that the client takes in one message
};

/// Answers the payload of a VERSION command. The answer names only capabilities that the client
/// named; for the others, the defaults of the protocol hold. Fails if the client speaks another
/// major version or its capabilities make no sense; the connection is then useless.
tl::expected<Agreement, Error> negotiate(std::span<const std::byte> payload);

} // namespace testcard::vfio_user
