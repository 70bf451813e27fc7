// SPDX-License-Identifier: GPL-2.0-or-later
#include "protocol/frame.hpp"

#include "protocol/crc32.hpp"
#include "protocol/wire.hpp"

#include <cstring>
#include <utility>

namespace testcard::agent
{

namespace
{

// Offsets of the header's fields; README.md, "Frames", has the same table.
constexpr std::size_t kindAt = 4;
constexpr std::size_t flagsAt = 5;
constexpr std::size_t reservedAt = 6;
constexpr std::size_t sessionAt = 8;
constexpr std::size_t sequenceAt = 12;
constexpr std::size_t acknowledgedAt = 16;
constexpr std::size_t lengthAt = 20;
constexpr std::size_t headerSumAt = 24;

/// Large enough that moving the unread rest to the front is rare.
constexpr std::size_t bufferBytes = 4 * maxFrameBytes;

std::uint32_t headerSum(const std::uint8_t *header)
{
    return crc32({header + kindAt, headerSumAt - kindAt});
}

std::uint32_t load32(const std::uint8_t *at)
{
    return static_cast<std::uint32_t>(loadLittle(at, 4));
}

/// The header at `at`, if there is one: sync, check sum and length are right.
std::optional<FrameHeader> parseHeader(const std::uint8_t *at)
{
    if (std::memcmp(at, frameSync.data(), frameSync.size()) != 0) return {};
    if (load32(at + headerSumAt) != headerSum(at)) return {};
    FrameHeader header;
    header.kind = static_cast<FrameKind>(at[kindAt]);
    header.flags = at[flagsAt];
    header.session = load32(at + sessionAt);
    header.sequence = load32(at + sequenceAt);
    header.acknowledged = load32(at + acknowledgedAt);
    header.length = load32(at + lengthAt);
    if (header.length > maxPayloadBytes) return {};
    return header;
}

std::size_t trailerBytes(std::size_t length)
{
    return length == 0 ? 0 : frameTrailerBytes;
}

} // namespace

void sealFrame(FrameHeader header, std::vector<std::uint8_t> &frame)
{
    header.length = static_cast<std::uint32_t>(frame.size() - frameHeaderBytes);
    std::uint8_t *at = frame.data();
    std::memcpy(at, frameSync.data(), frameSync.size());
    at[kindAt] = static_cast<std::uint8_t>(header.kind);
    at[flagsAt] = header.flags;
    storeLittle(at + reservedAt, 0, 2);
    storeLittle(at + sessionAt, header.session, 4);
    storeLittle(at + sequenceAt, header.sequence, 4);
    storeLittle(at + acknowledgedAt, header.acknowledged, 4);
    storeLittle(at + lengthAt, header.length, 4);
    storeLittle(at + headerSumAt, headerSum(at), 4);
    if (header.length > 0)
        WireWriter(frame).u32(crc32({frame.data() + frameHeaderBytes, header.length}));
}

FrameDecoder::FrameDecoder() : buffer_(bufferBytes) {}

std::span<std::uint8_t> FrameDecoder::space()
{
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - end_ < maxFrameBytes) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    return std::span(buffer_).subspan(end_);
}

void FrameDecoder::received(std::size_t bytes)
{
    end_ += bytes;
}

void FrameDecoder::clear()
{
    begin_ = end_ = 0;
}

std::optional<FrameHeader> FrameDecoder::takeDamaged()
{
    return std::exchange(damaged_, std::nullopt);
}

void FrameDecoder::skip(std::size_t bytes)
{
    begin_ += bytes;
    skipped_ += bytes;
}

bool FrameDecoder::findSync()
{
    const std::uint8_t *from = buffer_.data() + begin_;
    const void *found = std::memchr(from, frameSync[0], end_ - begin_);
    if (found == nullptr) {
        skip(end_ - begin_);
        return false;
    }
    skip(static_cast<std::size_t>(static_cast<const std::uint8_t *>(found) - from));
    return end_ - begin_ >= frameHeaderBytes;
}

std::optional<Frame> FrameDecoder::next()
{
    while (findSync()) {
        const std::uint8_t *at = buffer_.data() + begin_;
        const auto header = parseHeader(at);
        if (!header) {
            skip(1);
            continue;
        }
        const std::size_t total = frameHeaderBytes + header->length + trailerBytes(header->length);
        if (end_ - begin_ < total) return {};
        const std::span payload(at + frameHeaderBytes, header->length);
        if (!payload.empty() && load32(payload.data() + payload.size()) != crc32(payload)) {
            // Bytes may be missing from it, then the next frame begins within this one's length:
            // search on right behind the sync.
            damaged_ = header;
            ++damagedInARow_;
            skip(1);
            continue;
        }
        begin_ += total;
        damagedInARow_ = 0;
        ++frames_;
        return Frame{*header, payload};
    }
    return {};
}

} // namespace testcard::agent
