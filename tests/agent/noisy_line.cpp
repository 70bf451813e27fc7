// SPDX-License-Identifier: GPL-2.0-or-later
#include "noisy_line.hpp"

#include <algorithm>
#include <array>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace testcard::agent::test
{

namespace
{

constexpr std::size_t chunkBytes = 8192;

} // namespace

NoisyLine::NoisyLine(Noise noise, std::uint32_t seed)
    : noise_(noise), random_(seed), stop_(eventfd(0, EFD_CLOEXEC))
{
    StreamPair host = makeStreamPair();
    StreamPair guest = makeStreamPair();
    host_ = std::move(host.host);
    hostSide_ = std::move(host.guest);
    guestSide_ = std::move(guest.host);
    guest_ = std::move(guest.guest);
    thread_ = std::thread([this] { relay(); });
}

NoisyLine::~NoisyLine()
{
    const std::uint64_t one = 1;
    static_cast<void>(!write(stop_.get(), &one, sizeof one));
    thread_.join();
}

void NoisyLine::relay()
{
    for (;;) {
        std::array<pollfd, 3> fds{{{hostSide_.get(), POLLIN, 0},
                                   {guestSide_.get(), POLLIN, 0},
                                   {stop_.get(), POLLIN, 0}}};
        poll(fds.data(), fds.size(), -1);
        if (fds[2].revents != 0) return;
        if (fds[0].revents != 0 && !pass(hostSide_.get(), guestSide_.get())) return;
        if (fds[1].revents != 0 && !pass(guestSide_.get(), hostSide_.get())) return;
    }
}

bool NoisyLine::pass(int from, int to)
{
    std::vector<std::uint8_t> bytes(chunkBytes);
    const ssize_t count = read(from, bytes.data(), bytes.size());
    if (count <= 0) return false;
    bytes.resize(static_cast<std::size_t>(count));
    bytes = disturb(std::move(bytes));
    for (std::size_t at = 0; at < bytes.size();) {
        std::array<pollfd, 2> fds{{{to, POLLOUT, 0}, {stop_.get(), POLLIN, 0}}};
        poll(fds.data(), fds.size(), -1);
        if (fds[1].revents != 0) return false;
        const ssize_t done =
            send(to, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done <= 0) return false;
        at += static_cast<std::size_t>(done);
    }
    return true;
}

std::vector<std::uint8_t> NoisyLine::disturb(std::vector<std::uint8_t> bytes)
{
    const auto happens = [this](double probability) {
        const bool does = std::bernoulli_distribution(probability)(random_);
        if (does) ++disturbances_;
        return does;
    };
    const auto upTo = [this](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random_);
    };
    if (happens(noise_.flipped)) bytes[upTo(bytes.size() - 1)] ^= 1U << upTo(7);
    if (happens(noise_.duplicated)) bytes.insert(bytes.end(), bytes.begin(), bytes.end());
    if (happens(noise_.garbage)) {
        std::vector<std::uint8_t> garbage(upTo(200) + 1);
        for (std::uint8_t &byte : garbage)
            byte = static_cast<std::uint8_t>(random_());
        // The beginning of a frame is the worst garbage there is.
        if (upTo(1) == 0) garbage.insert(garbage.end(), {0xF5, 'T', 'C', 0xFA});
        const auto at = static_cast<std::ptrdiff_t>(upTo(bytes.size()));
        bytes.insert(bytes.begin() + at, garbage.begin(), garbage.end());
    }
    if (happens(noise_.lost)) {
        const std::size_t from = upTo(bytes.size());
        const std::size_t count = std::min(upTo(50), bytes.size() - from);
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(from);
        bytes.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
    }
    return bytes;
}

} // namespace testcard::agent::test
