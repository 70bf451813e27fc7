// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <linux/vfio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

namespace
{

using namespace std::chrono_literals;

/// A private folder for sockets that goes with its test.
struct Folder {
    Folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "vfio-user-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

int connectTo(const std::filesystem::path &path)
{
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0) return fd;
    ::close(fd);
    return -1;
}

vfio_user::ServerOptions at(const std::filesystem::path &socket)
{
    vfio_user::ServerOptions options;
    options.socket = socket;
    return options;
}

} // namespace

TEST_CASE("When a client goes, all that it brought goes, and the card stays as it is",
          "[vfio-user]")
{
    Bench bench;
    const std::size_t before = openFds();
    {
        RawClient &client = bench.connect();
        bench.enable();
        MemoryFile file{8192};
        Event trigger;
        Event unmask;
        REQUIRE(client.map(0, 8192, file.fd()) == 0);
        REQUIRE(client.setIrqs(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, 1,
                               {trigger.fd()}) == 0);
        REQUIRE(client.setIrqs(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, 0, 0, 1,
                               {unmask.fd()}) == 0);
        REQUIRE(client.write32(0, 0, 0xCAFE) == 0);
        client.close();
        bench.serve();
    }
    CHECK(openFds() == before);
    CHECK_FALSE(bench.server.connected());
    CHECK(bench.function.guestMemory().regions().empty());
    CHECK(bench.connections == std::vector{true, false});
    CHECK(bench.device.resets.empty());
    bench.device.bus.irq.setLevel(true); // reaches nobody

    RawClient &next = bench.connect();
    CHECK(next.read32(0, 0) == 0xCAFE);
    CHECK(bench.connections == std::vector{true, false, true});
    Event event;
    REQUIRE(next.setIrqs(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, 1,
                         {event.fd()}) == 0);
    CHECK(event.take() == 1); // the level is the card's, and is still there
}

TEST_CASE("A client comes by the socket's name, goes, and the next one comes", "[vfio-user]")
{
    const Folder folder;
    Bench bench{plainFunction(), at(folder.path / "card")};
    REQUIRE(bench.server.listen());
    for (int count = 0; count < 5; ++count) {
        RawClient client{connectTo(folder.path / "card"), [&bench] { bench.serve(); }};
        REQUIRE(client.negotiate().error == 0);
        CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
    }
    bench.serve();
    CHECK(bench.server.statistics().connections == 5);
    CHECK_FALSE(bench.server.connected());
}

TEST_CASE("A second client is turned away while the first is served", "[vfio-user]")
{
    const Folder folder;
    Bench bench{plainFunction(), at(folder.path / "card")};
    REQUIRE(bench.server.listen());
    RawClient first{connectTo(folder.path / "card"), [&bench] { bench.serve(); }};
    REQUIRE(first.negotiate().error == 0);
    RawClient second{connectTo(folder.path / "card"), [&bench] { bench.serve(); }};
    CHECK(second.closedByServer());
    CHECK(first.read32(configRegion, 0) == 0xFFFE7C01);

    SECTION("and can come when the first has just gone")
    {
        first.close();
        RawClient third{connectTo(folder.path / "card"), [&bench] { bench.serve(); }};
        CHECK(third.negotiate().error == 0);
    }
}

TEST_CASE("A client that says nothing makes way for one that does", "[vfio-user]")
{
    const Folder folder;
    Bench bench{plainFunction(), at(folder.path / "card")};
    REQUIRE(bench.server.listen());
    RawClient silent{connectTo(folder.path / "card"), [&bench] { bench.serve(); }};
    bench.serve();
    CHECK(bench.server.connected());
    RawClient client{connectTo(folder.path / "card"), [&bench] { bench.serve(); }};
    CHECK(client.negotiate().error == 0);
    CHECK(silent.closedByServer());
}

TEST_CASE("The card can be pulled, even inside an access", "[vfio-user]")
{
    Bench bench;
    bench.enable();
    RawClient &client = bench.connect();
    if (GENERATE(true, false)) {
        bench.device.onRead = [&bench] { bench.server.disconnect(); };
        client.send(regionReadCommand, accessPayload(0, 0, 4));
    } else {
        bench.server.disconnect();
    }
    CHECK(client.closedByServer());
    CHECK_FALSE(bench.server.connected());
    bench.device.onRead = {};
    CHECK(bench.connect().read32(0, 0) == 0);
}

TEST_CASE("The socket is the user's alone and goes with the server", "[vfio-user]")
{
    const Folder folder;
    const auto path = folder.path / "card";
    {
        Bench bench{plainFunction(), at(path)};
        REQUIRE(bench.server.listen());
        struct stat status = {};
        REQUIRE(::lstat(path.c_str(), &status) == 0);
        CHECK(S_ISSOCK(status.st_mode));
        CHECK((status.st_mode & 0777) == 0600);
    }
    CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE("A dead socket is replaced, a live one and a file are not", "[vfio-user]")
{
    const Folder folder;
    const auto path = folder.path / "card";
    {
        // A server that was killed leaves its name behind.
        const vfio_user::FileDescriptor dead{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.string().copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) ==
                0);
    }
    Bench first{plainFunction(), at(path)};
    REQUIRE(first.server.listen());
    Bench second{plainFunction(), at(path)};
    const auto taken = second.server.listen();
    REQUIRE_FALSE(taken);
    CHECK(taken.error().message.find("another process serves it") != std::string::npos);

    std::ofstream{folder.path / "file"} << "precious";
    Bench third{plainFunction(), at(folder.path / "file")};
    CHECK_FALSE(third.server.listen());
    CHECK(std::filesystem::file_size(folder.path / "file") == 8);
}

TEST_CASE("A path that cannot be a socket is an error that says why", "[vfio-user]")
{
    const auto [path, why] = GENERATE(table<std::string, std::string>({
        {"", "1 to 103 bytes"},
        {"/" + std::string(103, 'x'), "shorter folder"},
        {"/nowhere/at/all", "No such file"},
    }));
    Bench bench{plainFunction(), at(path)};
    const auto listening = bench.server.listen();
    REQUIRE_FALSE(listening);
    CHECK(listening.error().message.find(why) != std::string::npos);
}

TEST_CASE("A second client cannot be adopted", "[vfio-user]")
{
    Bench bench;
    bench.connect();
    int sockets[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    CHECK_FALSE(bench.server.adopt(vfio_user::FileDescriptor{sockets[0]}));
    ::close(sockets[1]);
    bench.server.disconnect();
    CHECK_FALSE(bench.server.adopt({}));
}

TEST_CASE("A reply after the deadline has no payload", "[vfio-user]")
{
    vfio_user::ServerOptions options;
    options.replyDeadline = 40ms;
    Bench bench{plainFunction(), options};
    bench.enable();
    RawClient &client = bench.connect();
    bench.device.onRead = [] { std::this_thread::sleep_for(60ms); };
    CHECK(client.errorOf(regionReadCommand, accessPayload(0, 0, 4)) == ETIMEDOUT);
    CHECK(bench.server.statistics().late == 1);

    SECTION("nor has one that waited behind it")
    {
        client.send(regionReadCommand, accessPayload(0, 0, 4));
        client.send(regionReadCommand, accessPayload(0, configRegion, 4));
        client.send(resetCommand);
        CHECK(client.receive()->error == ETIMEDOUT);
        CHECK(client.receive()->error == ETIMEDOUT);
        CHECK(client.receive()->error == 0); // its reply never has one
    }
    SECTION("and the next one in time does")
    {
        bench.device.onRead = {};
        CHECK(client.read32(0, 0) == 0);
    }
}

TEST_CASE("A request that waited while the process was stopped is answered without payload",
          "[vfio-user]")
{
    vfio_user::ServerOptions options;
    options.replyDeadline = 40ms;
    Bench bench{plainFunction(), options};
    RawClient &client = bench.connect();
    client.send(regionReadCommand, accessPayload(0, configRegion, 4));
    std::this_thread::sleep_for(60ms); // nobody runs the loop
    CHECK(client.receive()->error == ETIMEDOUT);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
}

TEST_CASE("A request after a long silence is not taken for an old one", "[vfio-user]")
{
    vfio_user::ServerOptions options;
    options.replyDeadline = 80ms;
    Bench bench{plainFunction(), options};
    RawClient &client = bench.connect();
    const auto end = std::chrono::steady_clock::now() + 200ms;
    while (std::chrono::steady_clock::now() < end)
        bench.loop.turn(20ms);
    CHECK(client.read32(configRegion, 0) == 0xFFFE7C01);
    CHECK(bench.server.statistics().late == 0);
}

TEST_CASE("Two functions share one loop and one clock", "[vfio-user]")
{
    bus::Clock clock;
    vfio_user::Loop loop{clock};
    bus::PciFunction functions[2]{{plainFunction(), clock}, {msixFunction(), clock}};
    PlainDevice devices[2]{PlainDevice{functions[0].bus()}, PlainDevice{functions[1].bus()}};
    std::deque<vfio_user::Server> servers;
    std::deque<RawClient> clients;
    for (int index = 0; index < 2; ++index) {
        functions[index].attach(devices[index]);
        int sockets[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
        auto &server = servers.emplace_back(loop, functions[index], vfio_user::ServerOptions{});
        REQUIRE(server.adopt(vfio_user::FileDescriptor{sockets[0]}));
        clients.emplace_back(sockets[1], [&loop] { loop.turn(0ns); });
        REQUIRE(clients.back().negotiate().error == 0);
    }
    MemoryFile file{4096};
    REQUIRE(clients[0].map(0, 4096, file.fd()) == 0);
    CHECK(functions[0].guestMemory().regions().size() == 1);
    CHECK(functions[1].guestMemory().regions().empty());
    clients[0].close();
    CHECK(clients[1].read32(configRegion, 0) == 0xFFFE7C01);
    CHECK_FALSE(servers[0].connected());
    CHECK(servers[1].connected());
}

TEST_CASE("Many servers start at once, each with a client that does not wait", "[vfio-user]")
{
    constexpr int count = 24;
    const Folder folder;
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (int number = 0; number < count; ++number) {
        threads.emplace_back([&, number] {
            const auto path = folder.path / std::to_string(number);
            bus::Clock clock;
            bus::PciFunction function{plainFunction(), clock};
            PlainDevice device{function.bus()};
            function.attach(device);
            vfio_user::Loop loop{clock};
            vfio_user::Server server{loop, function, at(path)};
            if (!server.listen()) return;
            std::thread client{[&] {
                const int fd = connectTo(path);
                const Bytes hello = header(1, versionCommand, 20) + bytesOf(0u);
                std::byte answer[16];
                if (::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) == 20 &&
                    ::recv(fd, answer, sizeof answer, MSG_WAITALL) == 16)
                    ++good;
                ::close(fd);
                loop.stop();
            }};
            loop.run();
            client.join();
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    CHECK(good == count);
}

} // namespace testcard::vfio_user_test
