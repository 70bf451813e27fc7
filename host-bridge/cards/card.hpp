// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A card put together: its source, its model, its PCI function.
#pragma once

#include "bus/clock.hpp"
#include "bus/pci_function.hpp"
#include "cards/card_spec.hpp"
#include "cards/error.hpp"

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <memory>
#include <string_view>

namespace testcard::cards
{

class Card
{
public:
    virtual ~Card() = default;

    virtual bus::PciFunction &function() = 0;

    /// What the card has done and what it sees, for the control socket.
    virtual nlohmann::json status() const = 0;

    /// Does what a control request asks. Errors change nothing.
    virtual tl::expected<nlohmann::json, Error> execute(std::string_view command,
                                                        const nlohmann::json &arguments) = 0;
};

/// Builds a card on `clock`, which must outlive it.
tl::expected<std::unique_ptr<Card>, Error> makeCard(const CardSpec &spec, bus::Clock &clock);

} // namespace testcard::cards
