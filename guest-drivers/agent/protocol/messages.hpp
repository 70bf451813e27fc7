// SPDX-License-Identifier: GPL-2.0-or-later
// What the two ends say to each other: README.md, "Messages", has every byte. Each structure here
// has an encoder, and a decoder that refuses what is short, long or out of bounds.
#pragma once

#include "protocol/link.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace testcard::agent
{

inline constexpr std::uint16_t protocolVersion = 1;

enum class MessageType : std::uint16_t {
    // Host to guest. All but Ping and Mark name a request by a number that the host chooses.
    Ping = 0x01,
    Run = 0x02,
    Input = 0x03,
    InputEnd = 0x04,
    Signal = 0x05,
    Resize = 0x06,
    Cancel = 0x07,
    Put = 0x08,
    Get = 0x09,
    MakeDirectory = 0x0A,
    Power = 0x0B,
    Mark = 0x0C,
    // Guest to host.
    Pong = 0x81,
    Started = 0x82,
    Output = 0x83,
    InputCredit = 0x84,
    Exited = 0x85,
    File = 0x86,
    Done = 0x87,
    Failed = 0x88,
    Marked = 0x89,
};

inline constexpr std::size_t messageHeadBytes = 8;
inline constexpr std::size_t outputHeadBytes = messageHeadBytes + 4;

inline constexpr std::size_t mostRequests = 64;    ///< under way at once in a session
inline constexpr std::size_t mostArguments = 4096; ///< also of environment variables
inline constexpr std::size_t mostPathBytes = 4095; ///< PATH_MAX without its NUL
inline constexpr std::size_t mostMarkBytes = 4096;
inline constexpr std::size_t mostTextBytes = 4096; ///< of an error message, of a name
inline constexpr std::uint32_t inputCreditBytes =
    256 * 1024; ///< of a request, unread, in the agent

struct TerminalRequest {
    std::uint16_t rows = 24;
    std::uint16_t columns = 80;
};

struct OpenRequest {
    std::uint16_t lowestVersion = protocolVersion;
    std::uint16_t highestVersion = protocolVersion;
    LinkLimits limits;
    std::string name; ///< of the host's program, for the guest's log
};

struct Welcome {
    std::uint16_t version = protocolVersion;
    bool canPowerOff = false;
    LinkLimits limits;
    std::uint64_t uptime_ns = 0;
    std::string agentVersion;
    std::string system;
    std::string kernel;
    std::string machine;
    std::string hostName;
};

struct RunRequest {
    bool input = false;           ///< there will be Input messages; otherwise it reads nothing
    bool mergeOutput = false;     ///< standard error goes where standard output goes
    bool killLeftovers = false;   ///< what its first process leaves behind is killed
    std::uint32_t timeout_ms = 0; ///< 0: none
    std::optional<TerminalRequest> terminal{};
    std::string directory{};
    std::vector<std::string> argv{};
    std::vector<std::string> environment{};
};

struct PutRequest {
    std::uint32_t mode = 0644;
    std::uint64_t size = 0; ///< exactly as many bytes of Input follow
    std::string path;
};

struct GetRequest {
    std::uint64_t limit = 0; ///< more bytes than this: Failed with EFBIG
    std::string path;
};

struct MakeDirectoryRequest {
    std::uint32_t mode = 0755;
    std::string path;
};

enum class PowerAction : std::uint8_t { Off = 0, Restart = 1 };

enum class OutputStream : std::uint8_t { Output = 1, Error = 2 };

struct ExitReport {
    bool bySignal = false; ///< `value` is the signal rather than the exit code
    bool timedOut = false;
    bool cancelled = false;
    bool stuck = false; ///< killed, but a process did not die: it is stuck in the kernel
    std::uint32_t value = 0;
    std::uint64_t duration_ns = 0;
};

struct FileReport {
    std::uint32_t mode = 0;
    std::uint64_t size = 0; ///< as the file system says; 0 for /proc and /sys
};

struct Failure {
    std::uint32_t number = 0; ///< Linux errno
    std::string text;
};

struct MarkReport {
    std::uint64_t time_ns = 0;
    std::string text;
};

/// A message with its head; the body is appended with a WireWriter.
MessageBuffer makeMessage(MessageType type, std::uint32_t request);

MessageBuffer encode(std::uint32_t request, const RunRequest &run);
MessageBuffer encode(std::uint32_t request, const PutRequest &put);
MessageBuffer encode(std::uint32_t request, const GetRequest &get);
MessageBuffer encode(std::uint32_t request, const MakeDirectoryRequest &make);
MessageBuffer encode(std::uint32_t request, const ExitReport &exit);
MessageBuffer encode(std::uint32_t request, const FileReport &file);
MessageBuffer encode(std::uint32_t request, const Failure &failure);
MessageBuffer encode(const MarkReport &mark);
/// A message whose body is one number: Signal, InputCredit, Started (u32).
MessageBuffer encodeNumber(MessageType type, std::uint32_t request, std::uint32_t value);
MessageBuffer encodeResize(std::uint32_t request, const TerminalRequest &size);
/// A message whose body is bytes to its end: Input, Mark.
MessageBuffer encodeBytes(MessageType type, std::uint32_t request,
                          std::span<const std::uint8_t> bytes);
/// Output with room for `bytes`, to be filled at outputHeadBytes behind the frame's header.
MessageBuffer makeOutput(std::uint32_t request, OutputStream stream, std::size_t bytes);

/// Payloads of the frames that open a session.
std::vector<std::uint8_t> encodeOpen(const OpenRequest &open);
std::vector<std::uint8_t> encodeWelcome(const Welcome &welcome);
std::optional<OpenRequest> decodeOpen(std::span<const std::uint8_t> payload);
std::optional<Welcome> decodeWelcome(std::span<const std::uint8_t> payload);

/// The head of a message and its body.
struct MessageView {
    MessageType type = MessageType::Ping;
    std::uint32_t request = 0;
    std::span<const std::uint8_t> body;
};
std::optional<MessageView> decodeHead(std::span<const std::uint8_t> payload);

std::optional<RunRequest> decodeRun(std::span<const std::uint8_t> body);
std::optional<PutRequest> decodePut(std::span<const std::uint8_t> body);
std::optional<GetRequest> decodeGet(std::span<const std::uint8_t> body);
std::optional<MakeDirectoryRequest> decodeMakeDirectory(std::span<const std::uint8_t> body);
std::optional<PowerAction> decodePower(std::span<const std::uint8_t> body);
std::optional<TerminalRequest> decodeResize(std::span<const std::uint8_t> body);
std::optional<ExitReport> decodeExit(std::span<const std::uint8_t> body);
std::optional<FileReport> decodeFile(std::span<const std::uint8_t> body);
std::optional<Failure> decodeFailure(std::span<const std::uint8_t> body);
std::optional<MarkReport> decodeMark(std::span<const std::uint8_t> body);
std::optional<std::uint32_t> decodeNumber(std::span<const std::uint8_t> body);
struct OutputView {
    OutputStream stream = OutputStream::Output;
    std::span<const std::uint8_t> bytes;
};
std::optional<OutputView> decodeOutput(std::span<const std::uint8_t> body);

/// Text from elsewhere, fit for a terminal or a log: control characters become '?', at most
/// `most` bytes.
std::string printable(std::string_view text, std::size_t most = mostTextBytes);

} // namespace testcard::agent
