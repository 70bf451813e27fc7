// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/card.hpp"
#include "feed/pattern_source.hpp"
#include "feed/timings.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace testcard::cards
{

namespace
{

using nlohmann::json;

class CaptureCard final : public Card
{
public:
    CaptureCard(const bus::FunctionInfo &info, bus::Clock &clock,
                std::unique_ptr<feed::PatternSource> source)
        : source_{std::move(source)}, function_{info, clock}, model_{function_.bus(), *source_}
    {
        function_.attach(model_);
    }

    bus::PciFunction &function() override { return function_; }
    json status() const override;
    tl::expected<json, Error> execute(std::string_view command, const json &arguments) override;

private:
    json signalStatus() const;
    tl::expected<json, Error> setSignal(const json &arguments);

    std::unique_ptr<feed::PatternSource> source_;
    bus::PciFunction function_;
    capture::Capture model_;
};

tl::unexpected<Error> refused(std::string message)
{
    return tl::unexpected(Error{Error::Kind::usage, std::move(message)});
}

json CaptureCard::signalStatus() const
{
    const capture::Signal signal = source_->signal();
    return {{"present", signal.present},     {"locked", signal.locked},
            {"in-range", signal.inRange},    {"timings", feed::timingsName(signal.timings)},
            {"width", signal.timings.width}, {"height", signal.timings.height}};
}

json CaptureCard::status() const
{
    const capture::Capture::Counters counters = model_.counters();
    json streams = json::array();
    for (const capture::StreamCounters &stream : counters.streams)
        streams.push_back({{"frames-delivered", stream.delivered},
                           {"frames-dropped", stream.dropped},
                           {"frames-broken", stream.broken},
                           {"running", stream.running}});
    return {{"signal", signalStatus()},
            {"frames-sent", counters.frames},
            {"resets", counters.resets},
            {"streams", streams}};
}

tl::expected<json, Error> CaptureCard::setSignal(const json &arguments)
{
    capture::Signal signal = source_->signal();
    for (const auto &[key, value] : arguments.items()) {
        bool *flag = key == "present"    ? &signal.present
                     : key == "locked"   ? &signal.locked
                     : key == "in-range" ? &signal.inRange
                                         : nullptr;
        if (flag) {
            if (!value.is_boolean())
                return refused(fmt::format("\"{}\" must be true or false", key));
            *flag = value.get<bool>();
        } else if (key == "timings") {
            if (!value.is_string()) return refused("\"timings\" must be a name as \"1280x720p60\"");
            const auto timings = feed::timingsByName(value.get<std::string>());
            if (!timings) return refused(timings.error().message);
            signal.timings = *timings;
        } else {
            return refused(fmt::format("set-signal has no argument \"{}\"; it has present, locked, "
                                       "in-range, timings",
                                       key));
        }
    }
    source_->setSignal(signal);
    return signalStatus();
}

tl::expected<json, Error> CaptureCard::execute(std::string_view command, const json &arguments)
{
    if (command == "set-signal") return setSignal(arguments);
    return refused(fmt::format("a capture card has no command \"{}\"; it has status, set-signal, "
                               "stop, crash",
                               command));
}

} // namespace

tl::expected<std::unique_ptr<Card>, Error> makeCard(const CardSpec &spec, bus::Clock &clock)
{
    const auto timings = feed::timingsBySize(spec.width, spec.height, spec.rate);
    if (!timings)
        return refused(fmt::format("card \"{}\": {}", spec.name, timings.error().message));
    feed::PatternSpec pattern;
    pattern.pattern = spec.media;
    pattern.key = {spec.seed, spec.stream};
    pattern.timings = *timings;
    pattern.pacing = spec.pacing;
    auto source = feed::makePatternSource(pattern);
    if (!source) return refused(fmt::format("card \"{}\": {}", spec.name, source.error().message));

    bus::FunctionInfo info = capture::functionInfo(spec.interrupts);
    if (spec.id) {
        info.identity.vendor = spec.id->vendor;
        info.identity.device = spec.id->device;
    }
    return std::make_unique<CaptureCard>(info, clock, std::move(*source));
}

} // namespace testcard::cards
