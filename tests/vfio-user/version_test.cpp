// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <string>

namespace testcard::vfio_user_test
{

namespace
{

nlohmann::json jsonOf(const Reply &reply)
{
    REQUIRE(reply.payload.size() > 5);
    REQUIRE(reply.payload.back() == std::byte{0});
    const auto *text = reinterpret_cast<const char *>(reply.payload.data()) + 4;
    return nlohmann::json::parse(text, text + reply.payload.size() - 5);
}

} // namespace

TEST_CASE("The server answers QEMU's proposal with its own limits", "[vfio-user]")
{
    Bench bench;
    const Reply reply = bench.connectSilently().negotiate(
        R"({"capabilities":{"migration":{"max_bitmap_size":268435456,"pgsize":4096},)"
        R"("pgsizes":4096,"max_msg_fds":16,"max_dma_maps":65535,)"
        R"("max_data_xfer_size":1048576,"write_multiple":true}})");
    REQUIRE(reply.error == 0);
    CHECK(reply.as<std::uint16_t>(0) == 0);
    CHECK(reply.as<std::uint16_t>(2) == 0);
    CHECK(jsonOf(reply) ==
          nlohmann::json::parse(R"({"capabilities":{"max_data_xfer_size":1048576,)"
                                R"("max_dma_maps":65535,"max_msg_fds":16,"pgsizes":4096,)"
                                R"("write_multiple":true}})"));
}

TEST_CASE("The server names only capabilities that the client named", "[vfio-user]")
{
    Bench bench;
    const Reply reply = bench.connectSilently().negotiate(R"({"capabilities":{"max_msg_fds":1}})");
    REQUIRE(reply.error == 0);
    CHECK(jsonOf(reply) == nlohmann::json::parse(R"({"capabilities":{"max_msg_fds":16}})"));
}

TEST_CASE("A version without data, without capabilities, or of a newer minor is agreed on",
          "[vfio-user]")
{
    const auto [minor, data] = GENERATE(table<std::uint16_t, Bytes>({
        {0, {}},
        {0, textBytes("{}")},
        {7, textBytes(R"({"capabilities":{"unknown":[1,2,{"deep":null}]}})")},
        {0, textBytes(R"({"capabilities":{"twin_socket":{"supported":true}}})")},
    }));
    Bench bench;
    RawClient &client = bench.connectSilently();
    const Reply reply = client.call(versionCommand, bytesOf(std::uint16_t{0}, minor) + data);
    REQUIRE(reply.error == 0);
    CHECK(reply.as<std::uint16_t>(2) == 0);
    CHECK(jsonOf(reply) == nlohmann::json::parse(R"({"capabilities":{}})"));
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("Page sizes are those of both sides", "[vfio-user]")
{
    Bench bench;
    const Reply reply = bench.connectSilently().negotiate(
        R"({"capabilities":{"pgsizes":2101760}})"); // 2 MiB, 4 KiB, 512
    REQUIRE(reply.error == 0);
    CHECK(jsonOf(reply)["capabilities"]["pgsizes"] == 2101248);
}

TEST_CASE("A version that makes no sense is refused and the connection closed", "[vfio-user]")
{
    const auto zero = bytesOf(std::uint16_t{0}, std::uint16_t{0});
    const Bytes payload = GENERATE_COPY(values<Bytes>({
        {},
        bytesOf(std::uint16_t{0}),
        bytesOf(std::uint16_t{1}, std::uint16_t{0}),
        zero + textBytes("{}", false),
        zero + textBytes(""),
        zero + textBytes("nonsense"),
        zero + textBytes("{\"capabilities\":"),
        zero + textBytes("[]"),
        zero + textBytes("null"),
        zero + textBytes("{}") + textBytes("{}"),
        zero + textBytes("{\"capabilities\":\"\xff\xfe\"}"),
        zero + textBytes(R"({"capabilities":7})"),
        zero + textBytes(R"({"capabilities":{"max_msg_fds":-1}})"),
        zero + textBytes(R"({"capabilities":{"max_msg_fds":"16"}})"),
        zero + textBytes(R"({"capabilities":{"max_data_xfer_size":1e400}})"),
        zero + textBytes(R"({"capabilities":{"max_dma_maps":1.5}})"),
        zero + textBytes(R"({"capabilities":{"pgsizes":512}})"),
        zero + textBytes(R"({"capabilities":{"pgsizes":0}})"),
        zero + textBytes(R"({"capabilities":{"write_multiple":1}})"),
        zero + textBytes(std::string(16000, '[')),
        zero + textBytes("{\"capabilities\":{\"x\":\"" + std::string(20000, 'x') + "\"}}"),
    }));
    Bench bench;
    RawClient &client = bench.connectSilently();
    CHECK(client.errorOf(versionCommand, payload) == EINVAL);
    CHECK(client.closedByServer());
    CHECK(bench.server.statistics().violations == 1);

    // The card is free for the next client.
    CHECK(bench.connect().read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("No command is served before the version", "[vfio-user]")
{
    const std::uint16_t command = GENERATE(dmaMapCommand, deviceInfoCommand, regionReadCommand,
                                           resetCommand, std::uint16_t{0}, std::uint16_t{999});
    Bench bench;
    RawClient &client = bench.connectSilently();
    CHECK(client.errorOf(command) == EINVAL);
    CHECK(client.closedByServer());
    CHECK(bench.device.resets.empty());
}

TEST_CASE("A second version is refused and changes nothing", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connect();
    CHECK(client.negotiate().error == EINVAL);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A version that wants no reply gets none", "[vfio-user]")
{
    Bench bench;
    RawClient &client = bench.connectSilently();
    client.send(versionCommand, bytesOf(std::uint32_t{0}), {}, noReplyFlag);
    CHECK_FALSE(client.receive());
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

} // namespace testcard::vfio_user_test
