// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The description of a card in one line: `capture,media=smpte-bars,width=1280,height=720,rate=60`.
#pragma once

#include "bus/config_space.hpp"
#include "capture/capture.hpp"
#include "cards/error.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::cards
{

/// Vendor and device ID, as `id=7c01:0001` gives them.
struct PciId {
    std::uint16_t vendor = 0;
    std::uint16_t device = 0;

    bool operator==(const PciId &) const = default;
};

/// A card and what is plugged into it. README.md of this folder lists the options.
struct CardSpec {
    std::string type; ///< "capture"
    std::string name; ///< of this card, for messages and default file names; defaults to the type
    std::string media = "smpte-bars";
    std::uint32_t width = 1280;
    std::uint32_t height = 720;
    double rate = 60; ///< frames per second
    capture::Pacing pacing = capture::Pacing::realTime;
    std::uint64_t seed = 1;
    std::uint8_t stream = 0;
    capture::Interrupts interrupts = capture::Interrupts::msi;
    std::optional<PciId> id; ///< instead of the card's own
};

/// The words that a description may begin with.
std::vector<std::string> cardTypes();
/// The options of a card of that type, name included; none for an unknown type.
std::vector<std::string> optionsOf(std::string_view type);

/// Reads a description. The error names the option, what it may be, and the nearest known word.
tl::expected<CardSpec, Error> parseCard(std::string_view description);

} // namespace testcard::cards
