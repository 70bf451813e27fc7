// SPDX-License-Identifier: GPL-2.0-or-later
// Messages that a seed makes: mostly well framed, with fields that are often near the edges.
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <random>

namespace testcard::vfio_user_test
{

namespace
{

class Fuzzer
{
public:
    explicit Fuzzer(unsigned seed) : random_{seed} {}

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    std::uint64_t number()
    {
        switch (below(6)) {
        case 0: return below(10);
        case 1: return below(20) * 4096;
        case 2: return ~0ull - below(8192);
        case 3: return (1ull << below(64)) - below(2);
        case 4: return random_();
        default: return below(70000);
        }
    }

    std::uint32_t flags() { return below(4) ? 1u << below(6) | 1u << below(6) : number32(); }
    std::uint32_t number32() { return static_cast<std::uint32_t>(number()); }
    std::uint32_t region() { return below(8) ? static_cast<std::uint32_t>(below(10)) : number32(); }

    Bytes payload(std::uint16_t command)
    {
        switch (command) {
        case dmaMapCommand:
            return dmaMapPayload(32, below(8) ? 3 : number32(), number(), number(), number());
        case dmaUnmapCommand:
            return bytesOf(std::uint32_t{24}, below(4) ? 0u : number32(), number(), number());
        case regionInfoCommand:
            return bytesOf(number32(), 0u, region(), 0u, std::uint64_t{0}, std::uint64_t{0});
        case irqInfoCommand: return bytesOf(16u, 0u, region(), 0u);
        case setIrqsCommand: {
            const std::uint32_t count = static_cast<std::uint32_t>(below(20));
            return bytesOf(20u, flags(), region() % 6, below(3) ? 0u : number32(), count) +
                   Bytes(below(2) ? count : 0);
        }
        case regionReadCommand: return accessPayload(number(), region(), number32());
        case regionWriteCommand: {
            const auto count = static_cast<std::uint32_t>(below(70));
            return accessPayload(number(), region(), count) + noise(count);
        }
        case writeMultiCommand: {
            const std::uint64_t count = below(8);
            Bytes bytes = bytesOf(below(8) ? count : number());
            for (std::uint64_t item = 0; item < count; ++item)
                bytes = bytes + bytesOf(number(), region(), std::uint32_t(below(10)), number());
            return bytes;
        }
        default: return noise(below(64));
        }
    }

    Bytes noise(std::uint64_t size)
    {
        Bytes bytes(size);
        for (std::byte &byte : bytes)
            byte = std::byte(random_());
        return bytes;
    }

    Bytes message()
    {
        const auto command = static_cast<std::uint16_t>(below(18));
        Bytes body = payload(command);
        if (below(20) == 0) body.resize(below(body.size() + 20));
        const auto size = static_cast<std::uint32_t>(16 + body.size());
        return header(static_cast<std::uint16_t>(below(65536)), command,
                      below(300) ? size : number32(), below(4) ? 0 : noReplyFlag) +
               body;
    }

private:
    std::mt19937_64 random_;
};

} // namespace

TEST_CASE("Messages made by chance neither crash the card nor leak descriptors",
          "[vfio-user][fuzz]")
{
    const unsigned seed = GENERATE(range(0u, 24u));
    CAPTURE(seed);
    Fuzzer fuzzer{seed};
    Bench bench{msixFunction()};
    MemoryFile file{81920};
    Event event;
    const std::size_t before = openFds();
    RawClient *client = &bench.connect();
    for (int count = 0; count < 1500; ++count) {
        std::vector<int> fds;
        if (fuzzer.below(3) == 0) fds.assign(fuzzer.below(3), file.fd());
        if (fuzzer.below(3) == 0) fds.assign(fuzzer.below(20), event.fd());
        client->put(fuzzer.message(), fds);
        while (client->receive()) {
        }
        if (fuzzer.below(50) == 0) bench.enable();
        bench.device.bus.irq.signal(static_cast<unsigned>(fuzzer.below(50)));
        bench.device.bus.irq.setLevel(fuzzer.below(2) != 0);
        Bytes transfer(fuzzer.below(10000));
        bench.device.bus.dma.read(fuzzer.number(), transfer);
        bench.device.bus.dma.write(fuzzer.number(), transfer);
        if (!client->closedByServer()) continue;
        client->close();
        bench.clients.clear();
        client = &bench.connect();
    }
    bench.server.disconnect();
    bench.clients.clear();
    CHECK(openFds() == before);

    RawClient &last = bench.connect();
    CHECK(last.read32(configRegion, 0) == 0xFFFE7C01);
}

} // namespace testcard::vfio_user_test
