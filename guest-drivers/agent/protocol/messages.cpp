// SPDX-License-Identifier: GPL-2.0-or-later
#include "protocol/messages.hpp"

#include "protocol/wire.hpp"

namespace testcard::agent
{

namespace
{

// Flags of Run.
constexpr std::uint16_t runInput = 0x0001;
constexpr std::uint16_t runMergeOutput = 0x0002;
constexpr std::uint16_t runKillLeftovers = 0x0004;
constexpr std::uint16_t runTerminal = 0x0008;
constexpr std::uint16_t runFlags = 0x000F;

// Flags of Exited.
constexpr std::uint16_t exitBySignal = 0x0001;
constexpr std::uint16_t exitTimedOut = 0x0002;
constexpr std::uint16_t exitCancelled = 0x0004;
constexpr std::uint16_t exitStuck = 0x0008;
constexpr std::uint16_t exitFlags = 0x000F;

std::uint16_t flag(bool set, std::uint16_t bit)
{
    return set ? bit : std::uint16_t{0};
}

void writeStrings(WireWriter &writer, const std::vector<std::string> &strings)
{
    writer.u16(static_cast<std::uint16_t>(strings.size()));
    for (const std::string &string : strings)
        writer.string(string);
}

/// No string with a NUL inside: it would end early where C takes over.
bool readStrings(WireReader &reader, std::vector<std::string> &strings)
{
    const std::size_t count = reader.u16();
    if (!reader.ok() || count > mostArguments) return false;
    strings.reserve(count);
    for (std::size_t i = 0; i < count && reader.ok(); ++i) {
        strings.push_back(reader.string());
        if (strings.back().find('\0') != std::string::npos) return false;
    }
    return reader.ok();
}

bool isPath(const std::string &path)
{
    return !path.empty() && path.size() <= mostPathBytes && path.find('\0') == std::string::npos;
}

std::span<const std::uint8_t> asBytes(std::string_view text)
{
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

std::string restAsText(WireReader &reader)
{
    const auto rest = reader.rest();
    return {rest.begin(), rest.end()};
}

} // namespace

MessageBuffer makeMessage(MessageType type, std::uint32_t request)
{
    MessageBuffer message;
    message.reserve(frameHeaderBytes + 64);
    message.resize(frameHeaderBytes);
    WireWriter writer(message);
    writer.u16(static_cast<std::uint16_t>(type));
    writer.u16(0);
    writer.u32(request);
    return message;
}

MessageBuffer encode(std::uint32_t request, const RunRequest &run)
{
    MessageBuffer message = makeMessage(MessageType::Run, request);
    WireWriter writer(message);
    std::uint16_t flags = flag(run.input, runInput) | flag(run.mergeOutput, runMergeOutput);
    flags |= flag(run.killLeftovers, runKillLeftovers);
    flags |= flag(run.terminal.has_value(), runTerminal);
    const TerminalRequest terminal = run.terminal.value_or(TerminalRequest{0, 0});
    writer.u16(flags);
    writer.u16(0);
    writer.u32(run.timeout_ms);
    writer.u16(terminal.rows);
    writer.u16(terminal.columns);
    writer.string(run.directory);
    writeStrings(writer, run.argv);
    writeStrings(writer, run.environment);
    return message;
}

std::optional<RunRequest> decodeRun(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    RunRequest run;
    const std::uint16_t flags = reader.u16();
    reader.u16();
    run.timeout_ms = reader.u32();
    TerminalRequest terminal;
    terminal.rows = reader.u16();
    terminal.columns = reader.u16();
    run.directory = reader.string();
    if ((flags & ~runFlags) != 0) return {};
    if (!readStrings(reader, run.argv) || !readStrings(reader, run.environment)) return {};
    if (!reader.finished() || run.argv.empty() || run.argv.front().empty()) return {};
    if (!run.directory.empty() && !isPath(run.directory)) return {};
    run.input = (flags & runInput) != 0;
    run.mergeOutput = (flags & runMergeOutput) != 0;
    run.killLeftovers = (flags & runKillLeftovers) != 0;
    if ((flags & runTerminal) != 0) run.terminal = terminal;
    return run;
}

MessageBuffer encode(std::uint32_t request, const PutRequest &put)
{
    MessageBuffer message = makeMessage(MessageType::Put, request);
    WireWriter writer(message);
    writer.u32(put.mode);
    writer.u64(put.size);
    writer.string(put.path);
    return message;
}

std::optional<PutRequest> decodePut(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    PutRequest put;
    put.mode = reader.u32();
    put.size = reader.u64();
    put.path = reader.string();
    if (!reader.finished() || !isPath(put.path) || put.mode > 07777) return {};
    return put;
}

MessageBuffer encode(std::uint32_t request, const GetRequest &get)
{
    MessageBuffer message = makeMessage(MessageType::Get, request);
    WireWriter writer(message);
    writer.u64(get.limit);
    writer.string(get.path);
    return message;
}

std::optional<GetRequest> decodeGet(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    GetRequest get;
    get.limit = reader.u64();
    get.path = reader.string();
    if (!reader.finished() || !isPath(get.path)) return {};
    return get;
}

MessageBuffer encode(std::uint32_t request, const MakeDirectoryRequest &make)
{
    MessageBuffer message = makeMessage(MessageType::MakeDirectory, request);
    WireWriter writer(message);
    writer.u32(make.mode);
    writer.string(make.path);
    return message;
}

std::optional<MakeDirectoryRequest> decodeMakeDirectory(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    MakeDirectoryRequest make;
    make.mode = reader.u32();
    make.path = reader.string();
    if (!reader.finished() || !isPath(make.path) || make.mode > 07777) return {};
    return make;
}

std::optional<PowerAction> decodePower(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    const std::uint32_t action = reader.u32();
    if (!reader.finished() || action > static_cast<std::uint32_t>(PowerAction::Restart)) return {};
    return static_cast<PowerAction>(action);
}

MessageBuffer encodeResize(std::uint32_t request, const TerminalRequest &size)
{
    MessageBuffer message = makeMessage(MessageType::Resize, request);
    WireWriter writer(message);
    writer.u16(size.rows);
    writer.u16(size.columns);
    return message;
}

std::optional<TerminalRequest> decodeResize(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    TerminalRequest terminal;
    terminal.rows = reader.u16();
    terminal.columns = reader.u16();
    if (!reader.finished()) return {};
    return terminal;
}

MessageBuffer encode(std::uint32_t request, const ExitReport &exit)
{
    MessageBuffer message = makeMessage(MessageType::Exited, request);
    WireWriter writer(message);
    std::uint16_t flags = flag(exit.bySignal, exitBySignal) | flag(exit.timedOut, exitTimedOut);
    flags |= flag(exit.cancelled, exitCancelled) | flag(exit.stuck, exitStuck);
    writer.u16(flags);
    writer.u16(0);
    writer.u32(exit.value);
    writer.u64(exit.duration_ns);
    return message;
}

std::optional<ExitReport> decodeExit(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    ExitReport exit;
    const std::uint16_t flags = reader.u16();
    reader.u16();
    exit.value = reader.u32();
    exit.duration_ns = reader.u64();
    // Codes and signals are small numbers; a host that stores them in an int must not be surprised.
    if (!reader.finished() || (flags & ~exitFlags) != 0) return {};
    if (exit.value > INT32_MAX || exit.duration_ns > INT64_MAX) return {};
    exit.bySignal = (flags & exitBySignal) != 0;
    exit.timedOut = (flags & exitTimedOut) != 0;
    exit.cancelled = (flags & exitCancelled) != 0;
    exit.stuck = (flags & exitStuck) != 0;
    return exit;
}

MessageBuffer encode(std::uint32_t request, const FileReport &file)
{
    MessageBuffer message = makeMessage(MessageType::File, request);
    WireWriter writer(message);
    writer.u32(file.mode);
    writer.u64(file.size);
    return message;
}

std::optional<FileReport> decodeFile(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    FileReport file;
    file.mode = reader.u32();
    file.size = reader.u64();
    if (!reader.finished()) return {};
    file.mode &= 07777;
    return file;
}

MessageBuffer encode(std::uint32_t request, const Failure &failure)
{
    MessageBuffer message = makeMessage(MessageType::Failed, request);
    WireWriter writer(message);
    writer.u32(failure.number);
    writer.raw(asBytes(std::string_view(failure.text).substr(0, mostTextBytes)));
    return message;
}

std::optional<Failure> decodeFailure(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    Failure failure;
    failure.number = reader.u32();
    failure.text = printable(restAsText(reader));
    if (!reader.ok() || failure.number > 4095) return {}; // MAX_ERRNO of Linux
    return failure;
}

MessageBuffer encode(const MarkReport &mark)
{
    MessageBuffer message = makeMessage(MessageType::Marked, 0);
    WireWriter writer(message);
    writer.u64(mark.time_ns);
    writer.raw(asBytes(std::string_view(mark.text).substr(0, mostMarkBytes)));
    return message;
}

std::optional<MarkReport> decodeMark(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    MarkReport mark;
    mark.time_ns = reader.u64();
    mark.text = printable(restAsText(reader), mostMarkBytes);
    if (!reader.ok() || mark.time_ns > INT64_MAX) return {};
    return mark;
}

MessageBuffer encodeNumber(MessageType type, std::uint32_t request, std::uint32_t value)
{
    MessageBuffer message = makeMessage(type, request);
    WireWriter(message).u32(value);
    return message;
}

std::optional<std::uint32_t> decodeNumber(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    const std::uint32_t value = reader.u32();
    if (!reader.finished()) return {};
    return value;
}

MessageBuffer encodeBytes(MessageType type, std::uint32_t request,
                          std::span<const std::uint8_t> bytes)
{
    MessageBuffer message = makeMessage(type, request);
    message.reserve(message.size() + bytes.size() + frameTrailerBytes);
    WireWriter(message).raw(bytes);
    return message;
}

MessageBuffer makeOutput(std::uint32_t request, OutputStream stream, std::size_t bytes)
{
    MessageBuffer message;
    message.reserve(frameHeaderBytes + outputHeadBytes + bytes + frameTrailerBytes);
    message.resize(frameHeaderBytes);
    WireWriter writer(message);
    writer.u16(static_cast<std::uint16_t>(MessageType::Output));
    writer.u16(0);
    writer.u32(request);
    writer.u32(static_cast<std::uint32_t>(stream));
    message.resize(message.size() + bytes);
    return message;
}

std::optional<OutputView> decodeOutput(std::span<const std::uint8_t> body)
{
    WireReader reader(body);
    const std::uint32_t stream = reader.u32();
    if (!reader.ok() || (stream != static_cast<std::uint32_t>(OutputStream::Output) &&
                         stream != static_cast<std::uint32_t>(OutputStream::Error)))
        return {};
    return OutputView{static_cast<OutputStream>(stream), reader.rest()};
}

std::optional<MessageView> decodeHead(std::span<const std::uint8_t> payload)
{
    WireReader reader(payload);
    MessageView message;
    message.type = static_cast<MessageType>(reader.u16());
    reader.u16();
    message.request = reader.u32();
    message.body = reader.rest();
    if (!reader.ok()) return {};
    return message;
}

std::string printable(std::string_view text, std::size_t most)
{
    std::string result(text.substr(0, most));
    unsigned char before = 0;
    for (char &character : result) {
        const auto byte = static_cast<unsigned char>(character);
        // C0, DEL, and C1 as UTF-8 spells it (C2 80 to C2 9F). Other high bytes stay.
        const bool c1 = before == 0xC2 && byte >= 0x80 && byte < 0xA0;
        if (byte < 0x20 || byte == 0x7F || c1) character = '?';
        before = byte;
    }
    return result;
}

} // namespace testcard::agent
