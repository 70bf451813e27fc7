// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.hpp"

#include <cstdio>

namespace testcard::agent
{
namespace
{

/// An object on one line, member by member.
class JsonObject
{
public:
    void add(const char *key, std::uint64_t number) { addRaw(key, std::to_string(number)); }
    void add(const char *key, bool value) { addRaw(key, value ? "true" : "false"); }
    void add(const char *key, std::string_view text) { addRaw(key, quoted(text)); }
    void add(const char *key, double number)
    {
        char text[32];
        std::snprintf(text, sizeof text, "%.3f", number);
        addRaw(key, text);
    }
    template <typename T>
    void add(const char *key, const std::optional<T> &value)
    {
        if (value)
            add(key, std::uint64_t{*value});
        else
            addRaw(key, "null");
    }
    void addRaw(const char *key, std::string_view json)
    {
        text_ += text_.empty() ? "{" : ",";
        text_ += quoted(key);
        text_ += ":";
        text_ += json;
    }
    std::string finished() const { return text_.empty() ? "{}" : text_ + "}"; }

    /// Strings of drivers and of the command line may hold anything; JSON gets ASCII.
    static std::string quoted(std::string_view text)
    {
        std::string result = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\')
                result += {'\\', c};
            else if (c >= ' ' && c <= '~')
                result += c;
            else
                result += escaped(static_cast<unsigned char>(c));
        }
        return result + "\"";
    }

private:
    static std::string escaped(unsigned char c)
    {
        char code[8];
        std::snprintf(code, sizeof code, "\\u%04x", c);
        return code;
    }

    std::string text_;
};

std::string defects(const feed::FrameCounts &counts)
{
    std::string text;
    const auto add = [&](std::uint64_t count, const char *what) {
        if (count == 0) return;
        if (!text.empty()) text += ", ";
        text += std::to_string(count) + " " + what;
    };
    add(counts.torn, "torn");
    add(counts.repeated, "repeated");
    add(counts.outOfOrder, "out of order");
    add(counts.wrong, "wrong");
    return text;
}

std::string eventsAsJson(const EventCounts &events)
{
    JsonObject json;
    json.add("source-change", events.sourceChange);
    json.add("eos", events.endOfStream);
    json.add("other", events.other);
    return json.finished();
}

std::string listAsJson(const std::vector<std::string> &names)
{
    std::string text = "[";
    for (const std::string &name : names) {
        if (text.size() > 1) text += ",";
        text += JsonObject::quoted(name);
    }
    return text + "]";
}

} // namespace

Verdict verdictOf(const Outcome &outcome, const Judge &judge, const Options &options)
{
    if (outcome.failure) return {outcome.failure->code, outcome.failure->message};
    const feed::FrameCounts &counts = judge.checker().counts();
    const auto bad = [](std::string reason) {
        return Verdict{ExitCode::failed, std::move(reason)};
    };
    if (counts.received == 0) return bad("no frame was received");
    if (const std::string found = defects(counts); !found.empty()) return bad(found);
    if (counts.flagged > 0 && !options.allowFlagged)
        return bad("the driver marked " + std::to_string(counts.flagged) + " frames as bad");
    if (!judge.checker().dropsAgree())
        return bad("the stamps say " + std::to_string(counts.dropped) +
                   " dropped, the driver's sequence numbers " +
                   std::to_string(counts.droppedBySequence) + ", with " +
                   std::to_string(counts.sequenceErrors) + " sequence errors");
    if (options.expectedDrops && counts.dropped != *options.expectedDrops)
        return bad(std::to_string(counts.dropped) + " dropped instead of " +
                   std::to_string(*options.expectedDrops));
    return {};
}

std::string asJson(const Outcome &outcome, const Judge &judge, const Options &options,
                   const Verdict &verdict)
{
    const feed::FrameCounts &counts = judge.checker().counts();
    const feed::Shape shape = outcome.shape.value_or(feed::Shape{options.format, 0, 0});
    JsonObject json;
    json.add("passed", verdict.code == ExitCode::passed);
    if (!verdict.reason.empty()) json.add("reason", std::string_view{verdict.reason});
    json.add("driver", std::string_view{outcome.driver});
    json.add("card", std::string_view{outcome.card});
    json.add("io", options.fromStandardInput ? std::string_view{"stdin"} : ioName(options.io));
    json.add("width", std::uint64_t{shape.width});
    json.add("height", std::uint64_t{shape.height});
    json.add("format", feed::formatName(shape.format));
    json.add("nominal-fps", outcome.nominalRate);
    json.add("frames", options.frames);
    json.add("received", counts.received);
    json.add("dropped", counts.dropped);
    json.add("dropped-by-sequence", counts.droppedBySequence);
    json.add("drops-agree", judge.checker().dropsAgree());
    json.add("sequence-errors", counts.sequenceErrors);
    json.add("torn", counts.torn);
    json.add("repeated", counts.repeated);
    json.add("out-of-order", counts.outOfOrder);
    json.add("wrong", counts.wrong);
    json.add("flagged", counts.flagged);
    json.add("first-sequence", judge.firstSequence());
    json.add("first-stamp", judge.firstStamp());
    json.add("timestamps-rise", judge.timestampsRise());
    const auto toFirst = judge.timeToFirstFrame();
    if (toFirst)
        json.add("first-frame-ms", static_cast<double>(toFirst->count()) / 1000);
    else
        json.addRaw("first-frame-ms", "null");
    json.add("fps", judge.framesPerSecond());
    json.add("starts", std::uint64_t{judge.starts()});
    json.addRaw("events", eventsAsJson(outcome.events));
    json.addRaw("thumbnails", listAsJson(judge.thumbnails()));
    return json.finished();
}

std::string asText(const Outcome &outcome, const Judge &judge, const Options &options,
                   const Verdict &verdict)
{
    const feed::FrameCounts &counts = judge.checker().counts();
    const feed::Shape shape = outcome.shape.value_or(feed::Shape{options.format, 0, 0});
    char text[512];
    std::snprintf(text, sizeof text,
                  "%llu frames of %ux%u %s, %.2f frames/s\n"
                  "dropped %llu (by sequence %llu), torn %llu, repeated %llu, out of order %llu, "
                  "wrong %llu, flagged %llu\n",
                  static_cast<unsigned long long>(counts.received), shape.width, shape.height,
                  std::string{feed::formatName(shape.format)}.c_str(), judge.framesPerSecond(),
                  static_cast<unsigned long long>(counts.dropped),
                  static_cast<unsigned long long>(counts.droppedBySequence),
                  static_cast<unsigned long long>(counts.torn),
                  static_cast<unsigned long long>(counts.repeated),
                  static_cast<unsigned long long>(counts.outOfOrder),
                  static_cast<unsigned long long>(counts.wrong),
                  static_cast<unsigned long long>(counts.flagged));
    std::string result = text;
    if (!outcome.driver.empty()) result = outcome.driver + " \"" + outcome.card + "\": " + result;
    return result + (verdict.code == ExitCode::passed ? "passed" : "failed: " + verdict.reason);
}

} // namespace testcard::agent
