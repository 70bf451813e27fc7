// SPDX-License-Identifier: GPL-2.0-or-later
// A line between host and guest that does to the bytes what bad lines do.
#pragma once

#include "agent_process.hpp"

#include <atomic>
#include <cstdint>
#include <random>
#include <thread>

namespace testcard::agent::test
{

struct Noise {
    double garbage = 0;    ///< probability, per chunk, of foreign bytes inserted somewhere
    double lost = 0;       ///< of a piece that vanishes
    double flipped = 0;    ///< of a bit that changes
    double duplicated = 0; ///< of a chunk that comes twice
};

class NoisyLine
{
public:
    NoisyLine(Noise noise, std::uint32_t seed);
    NoisyLine(const NoisyLine &) = delete;
    NoisyLine &operator=(const NoisyLine &) = delete;
    ~NoisyLine();

    FileDescriptor takeHost() { return std::move(host_); }
    const FileDescriptor &guest() const { return guest_; }
    /// How often something was done to the bytes.
    int disturbances() const { return disturbances_; }

private:
    void relay();
    bool pass(int from, int to);
    std::vector<std::uint8_t> disturb(std::vector<std::uint8_t> bytes);

    Noise noise_;
    std::mt19937 random_;
    FileDescriptor host_;
    FileDescriptor guest_;
    FileDescriptor hostSide_;
    FileDescriptor guestSide_;
    FileDescriptor stop_;
    std::atomic<int> disturbances_{0};
    std::thread thread_;
};

} // namespace testcard::agent::test
