// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A test picture generator with a cable: the capture card's source of generated video.
#pragma once

#include "capture/frame_source.hpp"
#include "feed/error.hpp"
#include "feed/pattern.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace testcard::feed
{

/// What a scenario or a command line says about a generated source.
struct PatternSpec {
    std::string pattern = "smpte-bars";
    PatternKey key{};
    capture::VideoTimings timings{}; ///< of timingsByName() or custom; width and height even
    capture::Pacing pacing = capture::Pacing::onDemand;
};

/// Sends a stamped pattern. The signal is present, locked and in range until somebody changes it;
/// every change is told to the card at once.
class PatternSource final : public capture::FrameSource
{
public:
    /// Use makePatternSource(), which checks the specification.
    PatternSource(std::unique_ptr<Pattern> pattern, const PatternSpec &spec);
    ~PatternSource() override;

    capture::Signal signal() const override { return signal_; }
    capture::Pacing pacing() const override { return pacing_; }
    void draw(std::uint64_t frame, const capture::PictureFormat &picture,
              std::span<std::byte> into) override;

    /// Pulls the cable, loses the lock, changes the timings. Setting what is set already changes
    /// nothing and tells nobody.
    void setSignal(const capture::Signal &signal);
    void setPacing(capture::Pacing pacing);

private:
    /// The part of all frames that is the same, once drawn.
    struct Base {
        Shape shape;
        std::vector<std::uint8_t> bytes;
        std::uint64_t sum = 0;
    };
    const Base &baseOf(const Shape &shape);

    std::unique_ptr<Pattern> pattern_;
    std::uint8_t stream_;
    capture::Signal signal_;
    capture::Pacing pacing_;
    std::unique_ptr<Base> base_;
};

/// Errors: an unknown pattern, timings without a picture or of odd size.
tl::expected<std::unique_ptr<PatternSource>, Error> makePatternSource(const PatternSpec &spec);

/// The feed's shape of a card's picture; nothing for a format that the feed cannot draw.
std::optional<Shape> shapeOf(const capture::PictureFormat &picture);

} // namespace testcard::feed
