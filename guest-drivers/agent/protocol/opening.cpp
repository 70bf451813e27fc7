// SPDX-License-Identifier: GPL-2.0-or-later
// The frames that open a session. A later version may append fields to them: what follows the known
// ones is not looked at.
#include "protocol/messages.hpp"
#include "protocol/wire.hpp"

namespace testcard::agent
{

namespace
{

// Flags of Accept.
constexpr std::uint16_t welcomeCanPowerOff = 0x0001;

} // namespace

std::vector<std::uint8_t> encodeOpen(const OpenRequest &open)
{
    std::vector<std::uint8_t> payload;
    WireWriter writer(payload);
    writer.u16(open.lowestVersion);
    writer.u16(open.highestVersion);
    writer.u32(open.limits.window);
    writer.u32(open.limits.maxPayload);
    writer.string(open.name);
    return payload;
}

std::optional<OpenRequest> decodeOpen(std::span<const std::uint8_t> payload)
{
    WireReader reader(payload);
    OpenRequest open;
    open.lowestVersion = reader.u16();
    open.highestVersion = reader.u16();
    open.limits.window = reader.u32();
    open.limits.maxPayload = reader.u32();
    open.name = printable(reader.string());
    open.limits = boundedLimits(open.limits);
    if (!reader.ok() || open.lowestVersion > open.highestVersion) return {};
    return open;
}

std::vector<std::uint8_t> encodeWelcome(const Welcome &welcome)
{
    std::vector<std::uint8_t> payload;
    WireWriter writer(payload);
    writer.u16(welcome.version);
    writer.u16(welcome.canPowerOff ? welcomeCanPowerOff : std::uint16_t{0});
    writer.u32(welcome.limits.window);
    writer.u32(welcome.limits.maxPayload);
    writer.u64(welcome.uptime_ns);
    for (const std::string *text : {&welcome.agentVersion, &welcome.system, &welcome.kernel,
                                    &welcome.machine, &welcome.hostName})
        writer.string(std::string_view(*text).substr(0, mostTextBytes));
    return payload;
}

std::optional<Welcome> decodeWelcome(std::span<const std::uint8_t> payload)
{
    WireReader reader(payload);
    Welcome welcome;
    welcome.version = reader.u16();
    welcome.canPowerOff = (reader.u16() & welcomeCanPowerOff) != 0;
    welcome.limits.window = reader.u32();
    welcome.limits.maxPayload = reader.u32();
    welcome.uptime_ns = reader.u64();
    for (std::string *text : {&welcome.agentVersion, &welcome.system, &welcome.kernel,
                              &welcome.machine, &welcome.hostName})
        *text = printable(reader.string());
    welcome.limits = boundedLimits(welcome.limits);
    if (!reader.ok() || welcome.uptime_ns > INT64_MAX) return {};
    return welcome;
}

} // namespace testcard::agent
