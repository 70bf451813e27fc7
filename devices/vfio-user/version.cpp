// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/version.hpp"

#include "vfio-user/protocol.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace testcard::vfio_user
{

namespace
{

using Json = nlohmann::json;

constexpr std::uint16_t majorVersion = 0;
constexpr std::uint16_t minorVersion = 0;

/// Sizes of pages that DMA maps may consist of: 4 KiB and every larger power of two.
constexpr std::uint64_t pageSizes = ~(Limits::pageSize - 1);

/// Deeper nesting than any client needs; keeps what a parser may use bounded.
constexpr std::size_t mostVersionBytes = 16384;

tl::unexpected<Error> refused(std::string message)
{
    return tl::unexpected{Error{std::move(message)}};
}

/// The client's version data; an empty object if there is none.
tl::expected<Json, Error> parseData(std::span<const std::byte> data)
{
    if (data.empty()) return Json::object();
    if (data.size() > mostVersionBytes) return refused("the version data is longer than 16 KiB");
    // The parser would stop at an earlier NUL as if it were the end.
    if (std::ranges::find(data, std::byte{0}) != data.end() - 1)
        return refused("the version data does not end with its only NUL");
    const std::string_view text{reinterpret_cast<const char *>(data.data()), data.size() - 1};
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return refused("the version data is no JSON object");
    return json;
}

tl::expected<Json, Error> capabilitiesOf(std::span<const std::byte> data)
{
    auto json = parseData(data);
    if (!json) return json;
    const auto found = json->find("capabilities");
    if (found == json->end()) return Json::object();
    if (!found->is_object()) return refused("\"capabilities\" is no JSON object");
    return std::move(*found);
}

/// The value of a number that a client may leave out.
tl::expected<std::optional<std::uint64_t>, Error> number(const Json &capabilities, const char *name)
{
    const auto found = capabilities.find(name);
    if (found == capabilities.end()) return std::nullopt;
    if (!found->is_number_unsigned())
        return refused(fmt::format("capability \"{}\" is no number from 0", name));
    return found->get<std::uint64_t>();
}

/// What the server offers for each number, given what the client does.
std::uint64_t offer(std::string_view name, std::uint64_t proposed)
{
    if (name == "max_msg_fds") return Limits::messageFds;
    if (name == "max_data_xfer_size") return Limits::transferBytes;
    if (name == "max_dma_maps") return Limits::dmaMaps;
    return proposed & pageSizes;
}

tl::expected<Json, Error> answer(const Json &proposed)
{
    Json answered = Json::object();
    for (const char *name : {"max_msg_fds", "max_data_xfer_size", "max_dma_maps", "pgsizes"}) {
        const auto value = number(proposed, name);
        if (!value) return tl::unexpected{value.error()};
        if (*value) answered[name] = offer(name, **value);
    }
    if (answered.value("pgsizes", pageSizes) == 0)
        return refused("\"pgsizes\" has no size from 4096 upwards");
    const auto writeMultiple = proposed.find("write_multiple");
    if (writeMultiple != proposed.end()) {
        if (!writeMultiple->is_boolean()) return refused("\"write_multiple\" is no boolean");
        answered["write_multiple"] = writeMultiple->get<bool>();
    }
    return answered;
}

std::vector<std::byte> encode(const Json &capabilities)
{
    const Version version{majorVersion, minorVersion};
    const std::string text = Json{{"capabilities", capabilities}}.dump();
    std::vector<std::byte> reply(sizeof version + text.size() + 1); // and the NUL
    std::memcpy(reply.data(), &version, sizeof version);
    std::memcpy(reply.data() + sizeof version, text.data(), text.size());
    return reply;
}

} // namespace

tl::expected<Agreement, Error> negotiate(std::span<const std::byte> payload)
{
    const auto version = leading<Version>(payload);
    if (!version) return refused("the version message has no version");
    if (version->major != majorVersion)
        return refused(fmt::format("the client speaks version {}.{}, this server 0.0",
                                   version->major, version->minor));
    const auto proposed = capabilitiesOf(payload.subspan(sizeof(Version)));
    if (!proposed) return tl::unexpected{proposed.error()};
    const auto answered = answer(*proposed);
    if (!answered) return tl::unexpected{answered.error()};
    const auto fds = proposed->value("max_msg_fds", std::uint64_t{1});
    return Agreement{encode(*answered), static_cast<unsigned>(std::min<std::uint64_t>(fds, 16))};
}

} // namespace testcard::vfio_user
