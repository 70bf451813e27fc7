// SPDX-License-Identifier: GPL-2.0-or-later
#include "bus/saved_state.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>

using namespace testcard::bus;

namespace
{

constexpr StateVersion version{0x54534554, 3};

struct Model {
    std::uint32_t number = 0;
    bool flag = false;
    std::array<std::uint16_t, 3> values{};

    template <typename Walker>
    void walk(Walker &walker)
    {
        walker(number);
        walker(flag);
        walker(values);
    }
    bool operator==(const Model &) const = default;
};

std::vector<std::byte> saved(Model model)
{
    StateWriter writer{version};
    model.walk(writer);
    return writer.take();
}

} // namespace

TEST_CASE("What was saved is restored", "[bus][state]")
{
    const Model model{42, true, {1, 2, 3}};
    Model other;
    const auto bytes = saved(model);
    StateReader reader{bytes, version};
    other.walk(reader);
    CHECK(reader.complete());
    CHECK(other == model);
}

TEST_CASE("A state of another version, a shorter and a longer one are refused", "[bus][state]")
{
    auto bytes = saved({42, true, {1, 2, 3}});
    const auto complete = [](std::span<const std::byte> state, StateVersion expected) {
        Model model;
        StateReader reader{state, expected};
        model.walk(reader);
        return reader.complete();
    };
    CHECK_FALSE(complete(bytes, {version.model, version.version + 1}));
    CHECK_FALSE(complete(bytes, {version.model + 1, version.version}));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK_FALSE(complete(std::span{bytes}.first(size), version));
    bytes.push_back(std::byte{0});
    CHECK_FALSE(complete(bytes, version));
}

TEST_CASE("Any byte makes a proper bool", "[bus][state]")
{
    auto bytes = saved({0, true, {}});
    bytes[sizeof(StateVersion) + 4] = std::byte{0xEE};
    Model model;
    StateReader reader{bytes, version};
    model.walk(reader);
    CHECK(model.flag);
}
