// SPDX-License-Identifier: GPL-2.0-or-later
//
//   plain-card SOCKET
//
// A card without a purpose behind a real vfio-user server: identity 7C01:00FF, 4 KiB of registers
// that read zero.
#include "vfio-user/loop.hpp"
#include "vfio-user/server.hpp"

#include <cstdio>

namespace bus = testcard::bus;
namespace vfio_user = testcard::vfio_user;

namespace
{

class PlainCard final : public bus::Device
{
public:
    void reset(bus::ResetKind) override {}
    std::uint64_t barRead(unsigned, std::uint64_t, unsigned) override { return 0; }
    void barWrite(unsigned, std::uint64_t, unsigned, std::uint64_t) override {}
    const bus::RegisterFile *registers(unsigned) const override { return nullptr; }
    std::vector<std::byte> save() override { return {}; }
    bool restore(std::span<const std::byte>) override { return true; }
};

bus::FunctionInfo description()
{
    bus::FunctionInfo info;
    info.identity.device = 0x00ff;
    info.identity.classCode = 0x00ff00;
    info.bars[0] = {bus::BarInfo::Kind::memory32, 4096, false};
    return info;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    bus::Clock clock;
    vfio_user::Loop loop(clock);
    bus::PciFunction function(description(), clock);
    PlainCard card;
    function.attach(card);
    vfio_user::ServerOptions options;
    options.socket = argv[1];
    vfio_user::Server server(loop, function, std::move(options));
    if (auto ok = server.listen(); !ok) {
        std::fprintf(stderr, "%s\n", ok.error().message.c_str());
        return 1;
    }
    loop.run();
}
