// SPDX-License-Identifier: GPL-2.0-or-later
// Random bytes, all 256 values: no two lines, frames or streams are alike and nothing compresses.
// Shows any byte that went astray.
#include "feed/patterns/patterns.hpp"

#include <cstring>
#include <vector>

namespace testcard::feed::patterns
{
namespace
{

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t mixed(std::uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

constexpr std::uint64_t increment = 0x9E3779B97F4A7C15u;

class Noise final : public Pattern
{
public:
    explicit Noise(const PatternKey &key) : key_{mixed(mixed(key.seed) + key.stream)} {}

    void drawBase(Canvas &) const override {}

    void drawFrame(Canvas &canvas, std::uint64_t frame) const override
    {
        const std::uint64_t frameKey = mixed(key_ + frame);
        std::vector<std::uint64_t> words;
        for (unsigned plane = 0; plane < canvas.shape().planes(); ++plane) {
            const auto [lineBytes, lines] = canvas.shape().plane(plane);
            words.resize((lineBytes + 7) / 8);
            for (std::uint32_t line = 0; line < lines; ++line) {
                std::uint64_t counter = frameKey + lineKey(plane, line) * increment;
                for (std::uint64_t &word : words)
                    word = mixed(counter += increment);
                canvas.put(plane, line, 0, bytesOf(words, lineBytes));
            }
        }
    }

private:
    static std::uint64_t lineKey(unsigned plane, std::uint32_t line)
    {
        return std::uint64_t{plane} << 56 | std::uint64_t{line} << 24;
    }

    static std::span<const std::uint8_t> bytesOf(const std::vector<std::uint64_t> &words,
                                                 std::uint32_t count)
    {
        return {reinterpret_cast<const std::uint8_t *>(words.data()), count};
    }

    std::uint64_t key_;
};

} // namespace

std::unique_ptr<Pattern> noise(const PatternKey &key)
{
    return std::make_unique<Noise>(key);
}

} // namespace testcard::feed::patterns
