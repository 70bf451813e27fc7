// SPDX-License-Identifier: GPL-2.0-or-later
// Check sum, frames and messages: byte by byte as the README has them.
#include "protocol/crc32.hpp"
#include "protocol/frame.hpp"
#include "protocol/messages.hpp"
#include "protocol/wire.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace testcard::agent;

namespace
{

using Bytes = std::vector<std::uint8_t>;

std::span<const std::uint8_t> bytesOf(std::string_view text)
{
    return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
}

Bytes frameOf(FrameHeader header, std::string_view payload)
{
    const auto bytes = bytesOf(payload);
    Bytes frame(frameHeaderBytes + bytes.size());
    std::copy(bytes.begin(), bytes.end(), frame.begin() + frameHeaderBytes);
    sealFrame(header, frame);
    return frame;
}

void feed(FrameDecoder &decoder, std::span<const std::uint8_t> bytes)
{
    const auto space = decoder.space();
    REQUIRE(space.size() >= bytes.size());
    std::copy(bytes.begin(), bytes.end(), space.begin());
    decoder.received(bytes.size());
}

std::string textOf(const Frame &frame)
{
    return {frame.payload.begin(), frame.payload.end()};
}

/// The payload of a message without the frame's header.
std::span<const std::uint8_t> bodyOf(const MessageBuffer &message)
{
    return std::span(message).subspan(frameHeaderBytes + messageHeadBytes);
}

/// A decoder must refuse every message that ends too early, and one that goes on too long.
template <typename Decode>
void refusesOtherLengths(const MessageBuffer &message, Decode decode)
{
    const auto body = bodyOf(message);
    REQUIRE(decode(body));
    for (std::size_t length = 0; length < body.size(); ++length)
        CHECK_FALSE(decode(body.first(length)));
    Bytes longer(body.begin(), body.end());
    longer.push_back(0);
    CHECK_FALSE(decode(longer));
}

} // namespace

TEST_CASE("The check sum is that of Ethernet and zip", "[agent][protocol]")
{
    CHECK(crc32({}) == 0);
    CHECK(crc32(bytesOf("123456789")) == 0xCBF43926);
    CHECK(crc32(bytesOf("The quick brown fox jumps over the lazy dog")) == 0x414FA339);
    CHECK(crc32(Bytes(32, 0)) == 0x190A55AD);
}

TEST_CASE("A frame has the bytes of the README", "[agent][protocol]")
{
    const FrameHeader header{.kind = FrameKind::Data,
                             .flags = 0,
                             .session = 0x11223344,
                             .sequence = 5,
                             .acknowledged = 7,
                             .length = 0};
    const Bytes frame = frameOf(header, "123456789");
    const Bytes expected{0xF5, 0x54, 0x43, 0xFA, 0, 0, 0, 0, 0x44, 0x33, 0x22, 0x11,
                         5,    0,    0,    0,    7, 0, 0, 0, 9,    0,    0,    0};
    REQUIRE(frame.size() == 28 + 9 + 4);
    CHECK(std::equal(expected.begin(), expected.end(), frame.begin()));
    CHECK(loadLittle(frame.data() + 24, 4) == crc32(std::span(frame).subspan(4, 20)));
    CHECK(loadLittle(frame.data() + 37, 4) == 0xCBF43926);
    CHECK(frameOf({.kind = FrameKind::Close}, "").size() == 28);
}

TEST_CASE("Frames are found among other bytes, however they arrive", "[agent][protocol]")
{
    const Bytes first = frameOf({.sequence = 1}, "first");
    const Bytes second = frameOf({.sequence = 2}, "");
    const Bytes third = frameOf({.sequence = 3}, "third");
    Bytes stream;
    for (const std::string_view part :
         {std::string_view("[    0.0] Linux\r\n\xF5\xF5TC"),
          std::string_view(reinterpret_cast<const char *>(first.data()), first.size()),
          std::string_view("\xF5TC\xFA------------------------"),
          std::string_view(reinterpret_cast<const char *>(second.data()), second.size()),
          std::string_view(reinterpret_cast<const char *>(third.data()), third.size())})
        stream.insert(stream.end(), part.begin(), part.end());
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
        FrameDecoder decoder;
        std::vector<std::uint32_t> found;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            feed(decoder, std::span(stream).subspan(at, std::min(step, stream.size() - at)));
            while (const auto frame = decoder.next()) {
                found.push_back(frame->header.sequence);
                if (frame->header.sequence == 3) CHECK(textOf(*frame) == "third");
            }
        }
        CHECK(found == std::vector<std::uint32_t>{1, 2, 3});
    }
}

TEST_CASE("A frame with any byte changed is not given out, and the next one is",
          "[agent][protocol]")
{
    const Bytes good = frameOf({.sequence = 9}, "payload");
    for (std::size_t at = 0; at < good.size(); ++at) {
        Bytes stream = good;
        stream[at] ^= 0x10;
        stream.insert(stream.end(), good.begin(), good.end());
        FrameDecoder decoder;
        feed(decoder, stream);
        const auto frame = decoder.next();
        REQUIRE(frame);
        CHECK(textOf(*frame) == "payload");
        CHECK_FALSE(decoder.next());
        CHECK(decoder.skippedBytes() == good.size());
    }
}

TEST_CASE("A frame that lost bytes does not swallow the next one", "[agent][protocol]")
{
    const Bytes good = frameOf({.sequence = 9}, std::string(100, 'x'));
    for (std::size_t lost = 1; lost < 60; ++lost) {
        Bytes stream(good.begin(), good.end() - static_cast<std::ptrdiff_t>(lost));
        stream.insert(stream.end(), good.begin(), good.end());
        FrameDecoder decoder;
        feed(decoder, stream);
        const auto frame = decoder.next();
        REQUIRE(frame);
        CHECK(frame->payload.size() == 100);
    }
}

TEST_CASE("A damaged frame tells its number once", "[agent][protocol]")
{
    Bytes bad = frameOf({.sequence = 9}, "payload");
    bad[30] ^= 1;
    FrameDecoder decoder;
    feed(decoder, bad);
    CHECK_FALSE(decoder.next());
    CHECK(decoder.takeDamaged()->sequence == 9);
    CHECK_FALSE(decoder.takeDamaged());
    CHECK(decoder.damagedInARow() == 1);
}

TEST_CASE("A length beyond the limit is no frame", "[agent][protocol]")
{
    Bytes frame(frameHeaderBytes + maxPayloadBytes + 1);
    sealFrame({}, frame);
    FrameDecoder decoder;
    feed(decoder, std::span(frame).first(40));
    CHECK_FALSE(decoder.next());
    CHECK(decoder.skippedBytes() == 40); // nothing waits for the rest of it
}

TEST_CASE("The decoder always has room, whatever comes", "[agent][protocol]")
{
    std::mt19937 random(1);
    FrameDecoder decoder;
    const Bytes header = frameOf({}, std::string(65536, 'y'));
    for (int i = 0; i < 2000; ++i) {
        const auto space = decoder.space();
        REQUIRE(space.size() >= maxFrameBytes);
        const std::size_t bytes = random() % 5000 + 1;
        for (std::size_t at = 0; at < bytes; ++at)
            space[at] = static_cast<std::uint8_t>(random());
        if (i % 3 == 0)
            std::copy_n(header.begin(), std::min<std::size_t>(bytes, 28), space.begin());
        decoder.received(bytes);
        while (decoder.next()) {
        }
    }
}

TEST_CASE("Messages mean the same at the other end", "[agent][protocol]")
{
    RunRequest run;
    run.input = run.killLeftovers = true;
    run.timeout_ms = 1500;
    run.terminal = TerminalRequest{30, 100};
    run.directory = "/tmp";
    run.argv = {"program", "", "last argument"};
    run.environment = {"A=1"};
    const MessageBuffer message = encode(7, run);
    const auto head = decodeHead(std::span(message).subspan(frameHeaderBytes));
    REQUIRE(head);
    CHECK(head->type == MessageType::Run);
    CHECK(head->request == 7);
    const auto back = decodeRun(head->body);
    REQUIRE(back);
    CHECK(back->input);
    CHECK(back->killLeftovers);
    CHECK_FALSE(back->mergeOutput);
    CHECK(back->timeout_ms == 1500);
    CHECK(back->terminal->columns == 100);
    CHECK(back->directory == "/tmp");
    CHECK(back->argv == run.argv);
    CHECK(back->environment == run.environment);

    ExitReport exit;
    exit.bySignal = exit.stuck = true;
    exit.value = 9;
    exit.duration_ns = 123456789;
    const auto exitBack = decodeExit(bodyOf(encode(1, exit)));
    REQUIRE(exitBack);
    CHECK(exitBack->bySignal);
    CHECK(exitBack->stuck);
    CHECK_FALSE(exitBack->timedOut);
    CHECK(exitBack->value == 9);
    CHECK(exitBack->duration_ns == 123456789);
}

TEST_CASE("Messages that are too short or too long are refused", "[agent][protocol]")
{
    refusesOtherLengths(encode(1, RunRequest{.argv = {"a"}, .environment = {"B=2"}}), decodeRun);
    refusesOtherLengths(encode(1, PutRequest{0644, 5, "/x"}), decodePut);
    refusesOtherLengths(encode(1, GetRequest{5, "/x"}), decodeGet);
    refusesOtherLengths(encode(1, MakeDirectoryRequest{0755, "/x"}), decodeMakeDirectory);
    refusesOtherLengths(encode(1, ExitReport{}), decodeExit);
    refusesOtherLengths(encode(1, FileReport{}), decodeFile);
    refusesOtherLengths(encodeResize(1, {1, 2}), decodeResize);
    refusesOtherLengths(encodeNumber(MessageType::Signal, 1, 9), decodeNumber);
    refusesOtherLengths(encodeNumber(MessageType::Power, 1, 1), decodePower);
    CHECK_FALSE(decodeHead(Bytes(7)));
}

TEST_CASE("Messages with impossible values are refused", "[agent][protocol]")
{
    CHECK_FALSE(decodeRun(bodyOf(encode(1, RunRequest{}))));             // no program
    CHECK_FALSE(decodeRun(bodyOf(encode(1, RunRequest{.argv = {""}})))); // an empty one
    CHECK_FALSE(decodeRun(bodyOf(encode(1, RunRequest{.argv = {std::string("a\0b", 3)}}))));
    CHECK_FALSE(decodePut(bodyOf(encode(1, PutRequest{0644, 5, ""}))));
    CHECK_FALSE(decodePut(bodyOf(encode(1, PutRequest{010000, 5, "/x"}))));
    CHECK_FALSE(decodeGet(bodyOf(encode(1, GetRequest{5, std::string(4096, 'x')}))));
    CHECK_FALSE(decodePower(bodyOf(encodeNumber(MessageType::Power, 1, 2))));
    ExitReport exit;
    exit.value = 0x80000000;
    CHECK_FALSE(decodeExit(bodyOf(encode(1, exit))));
    CHECK_FALSE(decodeOutput(Bytes{3, 0, 0, 0, 'x'}));
    CHECK_FALSE(decodeFailure(Bytes{0, 0x10, 0, 0}));
}

TEST_CASE("The frames that open a session are bounded", "[agent][protocol]")
{
    OpenRequest open;
    open.limits = {0xFFFFFFFF, 0xFFFFFFFF};
    open.name = "te\nst";
    const auto back = decodeOpen(encodeOpen(open));
    REQUIRE(back);
    CHECK(back->limits.window == 1 << 20);
    CHECK(back->limits.maxPayload == 65536);
    CHECK(back->name == "te?st");
    open.limits = {0, 0};
    CHECK(decodeOpen(encodeOpen(open))->limits.window == 4096);
    open.lowestVersion = 3;
    CHECK_FALSE(decodeOpen(encodeOpen(open)));

    Welcome welcome;
    welcome.kernel = "6.1\x1b[31m";
    auto payload = encodeWelcome(welcome);
    CHECK(decodeWelcome(payload)->kernel == "6.1?[31m");
    payload.push_back(1); // of a later version
    CHECK(decodeWelcome(payload));
    for (std::size_t length = 0; length + 1 < payload.size(); ++length)
        CHECK_FALSE(decodeWelcome(std::span(payload).first(length)));
}

TEST_CASE("Decoders survive any bytes", "[agent][protocol]")
{
    std::mt19937 random(2);
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes(random() % 64);
        for (std::uint8_t &byte : bytes)
            byte = static_cast<std::uint8_t>(random() % 5 == 0 ? random() : random() % 4);
        decodeRun(bytes);
        decodePut(bytes);
        decodeGet(bytes);
        decodeExit(bytes);
        decodeOutput(bytes);
        decodeFailure(bytes);
        decodeMark(bytes);
        decodeOpen(bytes);
        decodeWelcome(bytes);
    }
    SUCCEED();
}

TEST_CASE("Text of the guest cannot steer a terminal", "[agent][protocol]")
{
    CHECK(printable("plain, \xC3\xA9") == "plain, \xC3\xA9");
    CHECK(printable("a\x1b[2Jb\r\n\x7f") == "a?[2Jb???");
    CHECK(printable("a\xC2\x9B"
                    "b") == "a\xC2?b"); // C1 CSI
    CHECK(printable(std::string(5000, 'x')).size() == 4096);
}
