// SPDX-License-Identifier: GPL-2.0-or-later
// The real agent program at the end of a bad line.
#include "noisy_line.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <fmt/format.h>

#include <string>

using namespace testcard::agent;
using namespace testcard::agent::test;
using namespace std::chrono_literals;

namespace
{

std::string numbers(int count)
{
    std::string text;
    for (int i = 1; i <= count; ++i)
        text += fmt::format("{}\n", i);
    return text;
}

void exercise(Client &client, int count)
{
    const std::string text = numbers(count);
    const auto out = client.capture({.argv = {"seq", std::to_string(count)}}, 64 << 20);
    REQUIRE(out);
    CHECK(out->output == text);
    Command cat{.argv = {"cat"}};
    cat.input = text;
    const auto echoed = client.capture(cat, 64 << 20);
    REQUIRE(echoed);
    CHECK(echoed->output == text);
    Folder folder;
    const std::string path = (folder / "file").native();
    const auto put = client.putBytes(text, path);
    if (!put) FAIL(put.error().message);
    const auto got = client.getBytes(path, 64 << 20);
    if (!got) FAIL(got.error().message);
    CHECK(*got == text);
}

} // namespace

TEST_CASE("Nothing is lost on a line with foreign bytes, lost pieces and wrong bits",
          "[agent][program]")
{
    const auto seed = GENERATE(1U, 2U, 3U);
    NoisyLine line({.garbage = 0.02, .lost = 0.02, .flipped = 0.02, .duplicated = 0.01}, seed);
    const AgentProcess agent(line.guest());
    Client client = connected(line.takeHost());
    exercise(client, 100'000);
    CHECK(line.disturbances() > 0);
}

TEST_CASE("A session opens behind the messages of firmware and kernel", "[agent][program]")
{
    StreamPair streams = makeStreamPair();
    const std::string boot = "SeaBIOS (version 1.16)\r\n\x1b[2J[    0.000000] Linux version 6.1\r\n"
                             "\xF5TC\xFA that looked like a frame\r\n\xF5\xF5TC";
    REQUIRE(write(streams.guest.get(), boot.data(), boot.size()) ==
            static_cast<ssize_t>(boot.size()));
    REQUIRE(write(streams.host.get(), boot.data(), boot.size()) ==
            static_cast<ssize_t>(boot.size()));
    const AgentProcess agent(streams.guest);
    Client client = connected(std::move(streams.host));
    exercise(client, 1000);
}

TEST_CASE("A session works over a serial line's terminal", "[agent][program]")
{
    // What COM2 is in Linux: a tty, which the agent makes raw.
    FileDescriptor host(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(grantpt(host.get()) == 0);
    REQUIRE(unlockpt(host.get()) == 0);
    const std::string line = ptsname(host.get());
    const FileDescriptor keep(open(line.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    const AgentProcess agent({"--baud", "115200", line});
    Client client = connected(std::move(host));
    exercise(client, 20'000);
}
