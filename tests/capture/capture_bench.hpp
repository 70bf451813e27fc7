// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A capture card in a TestMachine, with a source whose pictures are easy to tell and a driver in a
/// few lines.
#pragma once

#include "capture/capture.hpp"
#include "support/test_machine.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace testcard::test
{

/// 64x48 at 100 frames/s with equal blanking in all directions; each frame takes 10 ms.
inline capture::VideoTimings smallTimings()
{
    capture::VideoTimings timings;
    timings.width = 64;
    timings.horizontalFront = 8;
    timings.horizontalSync = 8;
    timings.horizontalBack = 20; // 100 pixels a line
    timings.height = 48;
    timings.verticalFront = 2;
    timings.verticalSync = 2;
    timings.verticalBack = 8; // 60 lines a frame, 48 of them active: 8 ms
    timings.pixelClock_hz = 600'000;
    return timings;
}

/// Every byte of frame n is n modulo 251.
class PlainSource final : public capture::FrameSource
{
public:
    capture::Signal signal() const override { return signal_; }
    capture::Pacing pacing() const override { return pacing_; }
    void draw(std::uint64_t frame, const capture::PictureFormat &,
              std::span<std::byte> into) override
    {
        ++drawn;
        std::ranges::fill(into, byteOf(frame));
    }

    static std::byte byteOf(std::uint64_t frame) { return static_cast<std::byte>(frame % 251); }

    void setSignal(const capture::Signal &signal)
    {
        signal_ = signal;
        changed();
    }
    void setPacing(capture::Pacing pacing)
    {
        pacing_ = pacing;
        changed();
    }

    unsigned drawn = 0;

private:
    capture::Signal signal_{true, true, true, smallTimings()};
    capture::Pacing pacing_ = capture::Pacing::realTime;
};

/// Fires one fault point, always or once.
class OneFault final : public bus::FaultPoints
{
public:
    std::optional<capture::Fault> armed;

protected:
    std::optional<bus::FaultFiring> pointReached(unsigned point) override
    {
        if (!armed || static_cast<unsigned>(*armed) != point) return std::nullopt;
        return bus::FaultFiring{};
    }
};

constexpr bus::Nanoseconds framePeriod_ns = 10'000'000;
constexpr bus::Nanoseconds activeTime_ns = 8'000'000;

/// A machine with the card in it.
class CaptureBench
{
public:
    static constexpr std::uint64_t ringAddress = TestMachine::ramAddress;
    static constexpr std::uint64_t completionAddress = TestMachine::ramAddress + 0x10000;
    static constexpr std::uint64_t indexAddress = TestMachine::ramAddress + 0x20000;
    static constexpr std::uint64_t listAddress = TestMachine::ramAddress + 0x30000;
    static constexpr std::uint64_t bufferAddress = TestMachine::ramAddress + 0x100000;
    static constexpr std::uint32_t pictureSize = 64 * 48 * 2;
    static constexpr std::uint64_t bufferStride = 0x10000;
    static constexpr std::uint32_t ringShift = 3;

    explicit CaptureBench(capture::Interrupts interrupts = capture::Interrupts::msi,
                          capture::Pacing pacing = capture::Pacing::realTime)
        : machine{capture::functionInfo(interrupts), &faults},
          card{(source.setPacing(pacing), machine.function.bus()), source}
    {
        machine.start(card);
    }

    std::uint32_t stream(std::uint32_t offset) { return machine.read(CAPTURE_STREAM(0) + offset); }
    void setStream(std::uint32_t offset, std::uint32_t value)
    {
        machine.write(CAPTURE_STREAM(0) + offset, value);
    }

    /// Writes the configuration of a YUYV stream that matches the signal, without COMMIT.
    void configure()
    {
        setStream(STREAM_FORMAT, CAPTURE_FORMAT_YUYV);
        setStream(STREAM_WIDTH, 64);
        setStream(STREAM_HEIGHT, 48);
        setStream(STREAM_STRIDE, 128);
        setStream(STREAM_OFFSET, 0);
        setStream(STREAM_RING_LOW, ringAddress);
        setStream(STREAM_COMPLETION_LOW, completionAddress);
        setStream(STREAM_INDEX_LOW, indexAddress);
        setStream(STREAM_RING_SHIFT, ringShift);
        machine.write(CAPTURE_IRQ_MASK, 0x00F1FFFF);
    }
    void commit()
    {
        configure();
        setStream(STREAM_COMMAND, STREAM_COMMAND_COMMIT);
        posted = 0;
    }
    void run() { setStream(STREAM_CONTROL, STREAM_CONTROL_RUN); }

    /// The buffer that the n-th post() gives: its one scatter-gather entry and its descriptor.
    capture_sg &piece(std::uint32_t n) { return machine.at<capture_sg>(listAddress + n * 16); }
    capture_descriptor &descriptor(std::uint32_t n)
    {
        return machine.at<capture_descriptor>(ringAddress + n % (1u << ringShift) * 32);
    }
    std::span<std::byte> buffer(std::uint32_t n)
    {
        return machine.bytes(bufferAddress + n * bufferStride, pictureSize);
    }

    /// Gives buffers of one piece each to the card, with cookies 100, 101, ...
    void post(std::uint32_t count = 1)
    {
        for (; count > 0; --count, ++posted) {
            piece(posted) = {bufferAddress + posted * bufferStride, pictureSize, 0};
            descriptor(posted) = {listAddress + posted * 16, 1, 0, 100 + posted, 0};
        }
        setStream(STREAM_DOORBELL, posted);
    }

    capture_completion completion(std::uint32_t n)
    {
        return machine.at<capture_completion>(completionAddress + n % (1u << ringShift) * 64);
    }
    capture_index index() { return machine.at<capture_index>(indexAddress); }

    void advance(bus::Nanoseconds duration)
    {
        machine.clock.advanceTo(machine.clock.now() + duration);
    }

    OneFault faults;
    PlainSource source;
    TestMachine machine;
    capture::Capture card;
    std::uint32_t posted = 0;
};

inline bool allBytesAre(std::span<const std::byte> bytes, std::byte value)
{
    return std::ranges::all_of(bytes, [value](std::byte byte) { return byte == value; });
}

} // namespace testcard::test
