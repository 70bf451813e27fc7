// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/card_spec.hpp"

#include "feed/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <span>
#include <vector>

namespace testcard::cards
{

namespace
{

using Refusal = std::optional<std::string>; ///< what the value should have been; nothing: taken

struct Option {
    std::string_view name;
    std::function<Refusal(CardSpec &, std::string_view)> take;
};

template <typename Number>
bool readNumber(std::string_view text, Number &number, Number lowest, Number highest)
{
    Number read{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    if (!(read >= lowest && read <= highest)) return false;
    number = read;
    return true;
}

template <typename Number>
auto number(Number CardSpec::*member, std::type_identity_t<Number> lowest,
            std::type_identity_t<Number> highest)
{
    return [=](CardSpec &spec, std::string_view text) -> Refusal {
        if (readNumber(text, spec.*member, lowest, highest)) return std::nullopt;
        return fmt::format("a number from {} to {}", lowest, highest);
    };
}

template <typename Value>
auto word(Value CardSpec::*member, std::vector<std::pair<std::string_view, Value>> words)
{
    return [=](CardSpec &spec, std::string_view text) -> Refusal {
        std::vector<std::string_view> names;
        for (const auto &[name, value] : words) {
            if (name == text) {
                spec.*member = value;
                return std::nullopt;
            }
            names.push_back(name);
        }
        return fmt::format("one of {}", fmt::join(names, ", "));
    };
}

Refusal takeMedia(CardSpec &spec, std::string_view text)
{
    const auto names = feed::patternNames();
    if (std::ranges::find(names, text) == names.end())
        return fmt::format("one of {}", fmt::join(names, ", "));
    spec.media = text;
    return std::nullopt;
}

Refusal takeName(CardSpec &spec, std::string_view text)
{
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    };
    if (text.empty() || text.size() > 32 || !std::ranges::all_of(text, plain))
        return "1 to 32 letters, digits, \"-\" or \"_\"";
    spec.name = text;
    return std::nullopt;
}

Refusal takeId(CardSpec &spec, std::string_view text)
{
    const auto half = [](std::string_view digits, std::uint16_t &value) {
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        return digits.size() == 4 && error == std::errc{} && end == digits.data() + digits.size();
    };
    PciId id;
    if (text.size() != 9 || text[4] != ':' || !half(text.substr(0, 4), id.vendor) ||
        !half(text.substr(5), id.device))
        return "vendor and device as four hexadecimal digits each, as in 7c01:0001";
    if (id.vendor == 0xFFFF) return "an ID whose vendor is not ffff: that reads as no card at all";
    spec.id = id;
    return std::nullopt;
}

const std::vector<Option> &captureOptions()
{
    using capture::Interrupts;
    using capture::Pacing;
    static const std::vector<Option> options{
        {"name", takeName},
        {"media", takeMedia},
        {"width", number(&CardSpec::width, 16, CAPTURE_WIDTH_MAX)},
        {"height", number(&CardSpec::height, 16, CAPTURE_HEIGHT_MAX)},
        {"rate", number(&CardSpec::rate, 1, 240)},
        {"pacing", word(&CardSpec::pacing, {{"real-time", Pacing::realTime},
                                            {"as-fast-as-possible", Pacing::onDemand}})},
        {"seed", number(&CardSpec::seed, 0, ~0ull)},
        {"stream", number(&CardSpec::stream, 0, 255)},
        {"interrupts",
         word(&CardSpec::interrupts,
              {{"intx", Interrupts::intx}, {"msi", Interrupts::msi}, {"msix", Interrupts::msix}})},
        {"id", takeId},
    };
    return options;
}

tl::unexpected<Error> refused(std::string message)
{
    return tl::unexpected(Error{Error::Kind::usage, std::move(message)});
}

tl::expected<void, Error> takeOption(CardSpec &spec, std::string_view text)
{
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos)
        return refused(
            fmt::format("card \"{}\": \"{}\" is not of the form option=value", spec.type, text));
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = text.substr(equals + 1);
    const auto &options = captureOptions();
    const auto option = std::ranges::find(options, name, &Option::name);
    if (option == options.end())
        return refused(fmt::format("card \"{}\": there is no option \"{}\"; there are {}",
                                   spec.type, name, fmt::join(optionsOf(spec.type), ", ")));
    if (const Refusal refusal = option->take(spec, value))
        return refused(fmt::format("card \"{}\": {} is \"{}\"; it must be {}", spec.type, name,
                                   value, *refusal));
    return {};
}

} // namespace

std::vector<std::string> cardTypes()
{
    return {"capture"};
}

std::vector<std::string> optionsOf(std::string_view type)
{
    std::vector<std::string> names;
    if (type == "capture")
        for (const Option &option : captureOptions())
            names.emplace_back(option.name);
    return names;
}

tl::expected<CardSpec, Error> parseCard(std::string_view description)
{
    CardSpec spec;
    const std::size_t typeEnd = std::min(description.find(','), description.size());
    spec.type = description.substr(0, typeEnd);
    spec.name = spec.type;
    const std::vector<std::string> types = cardTypes();
    if (std::ranges::find(types, spec.type) == types.end())
        return refused(fmt::format("there is no card \"{}\"; there is: {}", spec.type,
                                   fmt::join(types, ", ")));
    std::string_view rest = description.substr(typeEnd);
    while (!rest.empty()) {
        rest.remove_prefix(1); // the comma
        const std::size_t end = std::min(rest.find(','), rest.size());
        if (auto taken = takeOption(spec, rest.substr(0, end)); !taken)
            return tl::unexpected(taken.error());
        rest.remove_prefix(end);
    }
    return spec;
}

} // namespace testcard::cards
