// SPDX-License-Identifier: GPL-2.0-or-later
#include "lifetime_bench.hpp"
#include "qemu_bench.hpp"

#include <catch2/generators/catch_generators.hpp>

#include <signal.h>
#include <unistd.h>

using namespace testcard::launcher;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace
{

std::vector<std::string> withGuest()
{
    return {"--cache", cacheFolder().string(), "--guest", qemuOrSkip().string(),
            kernelOrSkip().string()};
}

} // namespace

TEST_CASE("No guest survives the kill of its process", "[launcher-qemu][reaper]")
{
    LifetimeBench bench(withGuest());
    bench.begin(60s);
    CHECK(runs(bench.pidOf("emulator")));
    kill(bench.process().pid(), SIGKILL);
    bench.checkNothingIsLeft();
}

TEST_CASE("No guest survives Ctrl-C, and the process ends in order", "[launcher-qemu][reaper]")
{
    LifetimeBench bench(withGuest());
    bench.begin(60s);
    kill(bench.process().pid(), SIGINT);
    const auto end = bench.process().wait(15s, nullptr);
    REQUIRE(end);
    CHECK(end->code == 128 + SIGINT);
    CHECK_FALSE(fs::exists(bench.folder()));
    bench.checkNothingIsLeft();
}

TEST_CASE("No guest survives a kill or Ctrl-C while it starts", "[launcher-qemu][reaper]")
{
    // Into libvirt's probing, between fork and exec, QEMU's own start and the first second of the
    // guest.
    const int delay_ms = GENERATE(0, 20, 60, 150, 300, 500, 800, 1200);
    const int number = GENERATE(SIGKILL, SIGINT);
    INFO("signal " << number << " after " << delay_ms << " ms");
    ScratchFolder cache; // so that libvirt has to probe
    auto arguments = withGuest();
    arguments[1] = cache.path().string();
    LifetimeBench bench(arguments);
    bench.beginUntil("child", 20s);
    usleep(static_cast<useconds_t>(delay_ms) * 1000);
    kill(bench.process().pid(), number);
    REQUIRE(bench.process().wait(30s, nullptr));
    bench.checkNothingIsLeft();
}

TEST_CASE("An ordinary user without a home starts guests as well", "[launcher-qemu][user]")
{
    if (geteuid() != 0) SKIP("the other tests ran as an ordinary user already");
    const auto arguments = withGuest();
    const std::vector<std::string> asNobody{"setpriv", "--reuid=65534", "--regid=65534",
                                            "--clear-groups"};
    for (const std::string &file : {arguments[3], arguments[4], LifetimeBench::program()}) {
        auto test = asNobody;
        test.insert(test.end(), {"test", "-r", file});
        auto child = must(ChildProcess::start({.argv = test}, nullptr));
        if (!must(child->wait(10s, nullptr)).success()) SKIP("another user cannot read " << file);
    }
    LifetimeBench bench({"--guest", arguments[3], arguments[4]}, asNobody,
                        {"HOME=/nonexistent", "XDG_RUNTIME_DIR="});
    bench.begin(60s);
    CHECK(runs(bench.pidOf("emulator")));
    kill(bench.process().pid(), SIGINT);
    REQUIRE(bench.process().wait(15s, nullptr));
    bench.checkNothingIsLeft();
}
