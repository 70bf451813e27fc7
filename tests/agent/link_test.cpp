// SPDX-License-Identifier: GPL-2.0-or-later
// Delivery between two Links, in virtual time.
#include "protocol/link.hpp"
#include "protocol/messages.hpp"
#include "protocol/wire.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <algorithm>
#include <functional>
#include <random>
#include <string>

using namespace testcard::agent;
using namespace std::chrono_literals;

namespace
{

constexpr LinkLimits limits{.window = 64 * 1024, .maxPayload = 8192};

MessageBuffer numbered(std::uint32_t number, std::size_t bytes)
{
    MessageBuffer message(frameHeaderBytes);
    WireWriter(message).u32(number);
    message.resize(frameHeaderBytes + std::max<std::size_t>(bytes, 4), 'x');
    return message;
}

std::uint32_t numberOf(std::span<const std::uint8_t> payload)
{
    return WireReader(payload).u32();
}

/// One end, with what it received.
struct End {
    End() : link(limits) { link.open(42, limits); }

    std::vector<std::uint8_t> takeOutput(Time now)
    {
        std::vector<std::uint8_t> bytes;
        for (auto part = link.output(); !part.empty(); part = link.output()) {
            bytes.insert(bytes.end(), part.begin(), part.end());
            link.written(part.size(), now);
        }
        return bytes;
    }
    void receive(std::span<const std::uint8_t> bytes, Time now)
    {
        while (!bytes.empty()) {
            const auto space = link.space();
            const std::size_t count = std::min(space.size(), bytes.size());
            std::copy_n(bytes.begin(), count, space.begin());
            link.received(count);
            bytes = bytes.subspan(count);
            for (;;) {
                const auto event = link.next(now);
                if (event.kind == Link::EventKind::Nothing) break;
                if (event.kind == Link::EventKind::Violation) {
                    violation = event.what;
                    break;
                }
                if (event.kind == Link::EventKind::Message)
                    numbers.push_back(numberOf(event.frame.payload));
            }
        }
    }

    Link link;
    std::vector<std::uint32_t> numbers;
    std::string violation;
};

using Disturb = std::function<std::vector<std::uint8_t>(std::vector<std::uint8_t>)>;

/// Lets both ends talk until nothing is under way; time passes only when nothing else can happen.
void settle(End &a, End &b, Time &now, const Disturb &disturb = {})
{
    for (int i = 0; i < 100'000; ++i) {
        auto fromA = a.takeOutput(now);
        auto fromB = b.takeOutput(now);
        if (fromA.empty() && fromB.empty()) {
            if (a.link.queuedMessages() == 0 && b.link.queuedMessages() == 0) return;
            now += 50ms;
            a.link.tick(now);
            b.link.tick(now);
            continue;
        }
        if (disturb) fromA = disturb(std::move(fromA));
        if (disturb) fromB = disturb(std::move(fromB));
        b.receive(fromA, now);
        a.receive(fromB, now);
    }
    FAIL("it never ends");
}

std::vector<std::uint32_t> upTo(std::uint32_t count)
{
    std::vector<std::uint32_t> numbers(count);
    for (std::uint32_t i = 0; i < count; ++i)
        numbers[i] = i;
    return numbers;
}

} // namespace

TEST_CASE("Messages arrive in order, and are forgotten when acknowledged", "[agent][link]")
{
    End a;
    End b;
    Time now{};
    for (std::uint32_t i = 0; i < 100; ++i)
        a.link.send(numbered(i, 1000));
    settle(a, b, now);
    CHECK(b.numbers == upTo(100));
    CHECK(a.link.queuedMessages() == 0);
    CHECK(a.link.framesSentAgain() == 0);
    CHECK(now == Time{});
    CHECK_FALSE(a.link.deadline());
}

TEST_CASE("No more than the window is under way", "[agent][link]")
{
    End a;
    for (std::uint32_t i = 0; i < 100; ++i)
        a.link.send(numbered(i, 8000));
    CHECK(a.link.room() == 0);
    const auto bytes = a.takeOutput(Time{});
    CHECK(bytes.size() <= limits.window + 8 * 32);
    CHECK(bytes.size() > limits.window - 8192);
}

TEST_CASE("Everything arrives over a line that loses, changes and adds bytes", "[agent][link]")
{
    const auto seed = GENERATE(range(1U, 21U));
    std::mt19937 random(seed);
    const Disturb disturb = [&random](std::vector<std::uint8_t> bytes) {
        for (std::size_t at = 0; at < bytes.size(); at += 3000) {
            const std::size_t where = std::min(at + random() % 3000, bytes.size() - 1);
            switch (random() % 12) {
            case 0: bytes[where] ^= 1; break;
            case 1: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(where)); break;
            case 2:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(where), 40, 0xF5);
                break;
            case 3: bytes.resize(where); break;
            default: break;
            }
            if (bytes.empty()) break;
        }
        return bytes;
    };
    End a;
    End b;
    Time now{};
    for (std::uint32_t i = 0; i < 300; ++i) {
        a.link.send(numbered(i, 10 + random() % 8000));
        b.link.send(numbered(i, 10 + random() % 100));
    }
    settle(a, b, now, disturb);
    CHECK(b.numbers == upTo(300));
    CHECK(a.numbers == upTo(300));
    CHECK(a.violation.empty());
    CHECK(b.violation.empty());
    CHECK(a.link.framesSentAgain() > 0);
}

TEST_CASE("A last frame that is lost comes again by the clock", "[agent][link]")
{
    End a;
    End b;
    Time now{};
    a.link.send(numbered(0, 100));
    a.takeOutput(now); // lost
    REQUIRE(a.link.deadline() == Time(250ms));
    a.link.tick(249ms);
    CHECK(a.takeOutput(now).empty());
    a.link.tick(250ms);
    now = 250ms;
    settle(a, b, now);
    CHECK(b.numbers == upTo(1));
    CHECK(a.link.framesSentAgain() == 1);
}

TEST_CASE("Repetitions become rarer while nobody answers", "[agent][link]")
{
    End a;
    a.link.send(numbered(0, 100));
    a.takeOutput(Time{});
    Time now{};
    std::size_t repetitions = 0;
    while (now < 60s) {
        now = *a.link.deadline();
        a.link.tick(now);
        repetitions += a.takeOutput(now).empty() ? 0 : 1;
    }
    CHECK(repetitions >= 15);
    CHECK(repetitions <= 20);
}

TEST_CASE("A peer that breaks the rules is found out", "[agent][link]")
{
    End a;
    const auto sends = [&a](FrameHeader header, std::size_t payload = 0) {
        header.session = 42;
        MessageBuffer frame(frameHeaderBytes + payload);
        sealFrame(header, frame);
        a.receive(frame, Time{});
    };
    SECTION("an acknowledgement of what was not sent")
    {
        a.link.send(numbered(0, 10));
        sends({.kind = FrameKind::Acknowledge, .acknowledged = 1});
        CHECK(a.violation == "an acknowledgement of what was never sent");
    }
    SECTION("an unknown kind")
    {
        sends({.kind = static_cast<FrameKind>(8)});
        CHECK(a.violation == "a frame of unknown kind");
    }
    SECTION("too much in one frame")
    {
        sends({.kind = FrameKind::Data}, limits.maxPayload + 1);
        CHECK(a.violation == "a frame beyond the agreed size");
    }
    SECTION("only damaged frames")
    {
        MessageBuffer frame(frameHeaderBytes + 8);
        sealFrame({.kind = FrameKind::Data, .session = 42}, frame);
        frame[30] ^= 1;
        for (int i = 0; i < 1100; ++i)
            a.receive(frame, Time{});
        CHECK(a.violation == "nothing but damaged frames");
    }
}

TEST_CASE("Frames of another session are left alone", "[agent][link]")
{
    End a;
    End b;
    b.link.open(43, limits);
    b.link.send(numbered(0, 10));
    a.receive(b.takeOutput(Time{}), Time{});
    CHECK(a.numbers.empty());
    CHECK(a.violation.empty());
}

TEST_CASE("A closed link keeps and sends nothing of its session", "[agent][link]")
{
    End a;
    for (std::uint32_t i = 0; i < 10; ++i)
        a.link.send(numbered(i, 1000));
    a.link.close();
    CHECK(a.link.room() == 0);
    CHECK(a.link.queuedMessages() == 0);
    CHECK(a.takeOutput(Time{}).empty());
    a.link.send(numbered(0, 10));
    CHECK(a.link.queuedMessages() == 0);
}
