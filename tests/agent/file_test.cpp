// SPDX-License-Identifier: GPL-2.0-or-later
// Files to and from the guest, by the real agent program.
#include "agent_process.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>

using namespace testcard::agent;
using namespace testcard::agent::test;
using namespace std::chrono_literals;

namespace
{

std::string contents(std::size_t bytes)
{
    std::string text(bytes, '\0');
    std::uint32_t state = 12345;
    for (char &byte : text) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 24);
    }
    return text;
}

std::string readHost(const std::filesystem::path &path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void writeHost(const std::filesystem::path &path, const std::string &text)
{
    std::ofstream(path, std::ios::binary) << text;
}

unsigned modeOf(const std::filesystem::path &path)
{
    struct stat info {
    };
    REQUIRE(stat(path.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

std::size_t entries(const std::filesystem::path &folder)
{
    const std::filesystem::directory_iterator all(folder);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

template <typename Result>
void checkRefused(const Result &result, int number)
{
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == ErrorKind::Refused);
    CHECK(result.error().guestErrno == number);
}

} // namespace

TEST_CASE("Files of any size go into the guest and come back", "[agent][program]")
{
    const std::size_t bytes = GENERATE(0U, 1U, 65535U, 65536U, 65537U, 3'000'000U);
    AgentAndClient agent;
    Folder folder;
    const std::string text = contents(bytes);
    writeHost(folder / "here", text);
    REQUIRE(agent->put(folder / "here", (folder / "there").native()));
    CHECK(readHost(folder / "there") == text);
    const auto got = agent->get((folder / "there").native(), folder / "back");
    REQUIRE(got);
    CHECK(*got == bytes);
    CHECK(readHost(folder / "back") == text);
    CHECK(entries(folder.path()) == 3); // nothing temporary is left
}

TEST_CASE("A file that is put gets its mode and its folders", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    writeHost(folder / "here", "text");
    chmod((folder / "here").c_str(), 0750);
    SECTION("that of the host's file")
    {
        REQUIRE(agent->put(folder / "here", (folder / "a/b/c/there").native()));
        CHECK(modeOf(folder / "a/b/c/there") == 0750);
        CHECK(modeOf(folder / "a/b") == 0755);
    }
    SECTION("another one")
    {
        REQUIRE(agent->put(folder / "here", (folder / "there").native(), 0604));
        CHECK(modeOf(folder / "there") == 0604);
    }
    SECTION("bytes have one, too")
    {
        REQUIRE(agent->putBytes("x", (folder / "there").native(), 0711));
        CHECK(modeOf(folder / "there") == 0711);
    }
}

TEST_CASE("A put replaces a file, or what a link points to", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    writeHost(folder / "old", "old text");
    std::filesystem::create_symlink("old", folder / "link");
    REQUIRE(agent->putBytes("new", (folder / "link").native()));
    CHECK(readHost(folder / "old") == "new");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(entries(folder.path()) == 2);
}

TEST_CASE("A put into a device writes to the device", "[agent][program]")
{
    AgentAndClient agent;
    REQUIRE(agent->putBytes("gone", "/dev/null"));
    CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("A put into a control file of the kernel writes to it", "[agent][program]")
{
    AgentAndClient agent;
    // No file can be made beside it. It belongs to the process that opens it.
    CHECK(agent->putBytes("renamed", "/proc/self/comm"));
}

TEST_CASE("A put that fails says why and leaves nothing", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    writeHost(folder / "file", "x");
    const std::string large = contents(1'000'000);
    checkRefused(agent->putBytes(large, folder.path().native()), EISDIR);
    checkRefused(agent->putBytes(large, (folder / "file/inside").native()), ENOTDIR);
    checkRefused(agent->putBytes(large, "/proc/no-such-file"), ENOENT);
    checkRefused(agent->putBytes(large, "/dev/full"), ENOSPC);
    CHECK(entries(folder.path()) == 1);
    CHECK(agent->ping());
}

TEST_CASE("Errors of the host's own files are the host's", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    const auto put = agent->put(folder / "none", "/tmp/none");
    REQUIRE_FALSE(put);
    CHECK(put.error().kind == ErrorKind::Local);
    const auto folderPut = agent->put(folder.path(), "/tmp/none");
    REQUIRE_FALSE(folderPut);
    CHECK(folderPut.error().kind == ErrorKind::Local);
    writeHost(folder / "file", "x");
    const auto get = agent->get("/etc/passwd", folder / "file/inside");
    REQUIRE_FALSE(get);
    CHECK(get.error().kind == ErrorKind::Local);
    const auto noPath = agent->getBytes("");
    REQUIRE_FALSE(noPath);
    CHECK(noPath.error().kind == ErrorKind::Local);
}

TEST_CASE("A get makes folders on the host", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    REQUIRE(agent->putBytes("text", (folder / "there").native()));
    REQUIRE(agent->get((folder / "there").native(), folder / "x/y/back"));
    CHECK(readHost(folder / "x/y/back") == "text");
}

TEST_CASE("A get that fails says why and leaves nothing", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    checkRefused(agent->get("/no/such/file", folder / "back"), ENOENT);
    checkRefused(agent->get("/usr", folder / "back"), EISDIR);
    writeHost(folder / "there", contents(1000));
    const auto large = agent->get((folder / "there").native(), folder / "back", 999);
    REQUIRE_FALSE(large);
    CHECK(large.error().kind == ErrorKind::TooLarge);
    CHECK(agent->get((folder / "there").native(), folder / "back", 1000));
    const auto endless = agent->get("/dev/zero", folder / "zero", 10'000'000);
    REQUIRE_FALSE(endless);
    CHECK(endless.error().kind == ErrorKind::TooLarge);
    CHECK(entries(folder.path()) == 2);
}

TEST_CASE("Files without a size can be got", "[agent][program]")
{
    AgentAndClient agent;
    const auto text = agent->getBytes("/proc/self/status");
    REQUIRE(text);
    CHECK(text->find("testcard-file") != std::string::npos);
}

TEST_CASE("A file that hangs is given up, and the agent goes on", "[agent][program]")
{
    AgentAndClient agent({}, {.answer = 300ms});
    Folder folder;
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    SECTION("while it is written")
    {
        const auto put = agent->putBytes(contents(1'000'000), (folder / "pipe").native());
        REQUIRE_FALSE(put);
        CHECK(put.error().kind == ErrorKind::Timeout);
    }
    SECTION("while it is read")
    {
        const auto get = agent->getBytes((folder / "pipe").native());
        REQUIRE_FALSE(get);
        CHECK(get.error().kind == ErrorKind::Timeout);
    }
    CHECK(agent->ping());
    CHECK(agent->run({.argv = {"true"}})->succeeded());
}

TEST_CASE("Half a file does not appear in the guest", "[agent][program]")
{
    // A file that says 4096 bytes and has a few.
    const std::filesystem::path shorter = "/sys/kernel/uevent_seqnum";
    if (!std::filesystem::is_regular_file(shorter)) SKIP("there is no sysfs here");
    Folder folder;
    {
        AgentAndClient agent;
        const auto put = agent->put(shorter, (folder / "there").native());
        REQUIRE_FALSE(put);
        CHECK(put.error().kind == ErrorKind::Local);
        CHECK(put.error().message.find("became shorter") != std::string::npos);
    }
    CHECK(entries(folder.path()) == 0); // the agent has ended, and cleaned up before
}

TEST_CASE("Folders are made with their parents", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    REQUIRE(agent->makeDirectory((folder / "a/b/c/").native(), 0700));
    CHECK(modeOf(folder / "a/b/c") == 0700);
    CHECK(modeOf(folder / "a") == 0755);
    CHECK(agent->makeDirectory((folder / "a/b").native()));
    writeHost(folder / "file", "x");
    checkRefused(agent->makeDirectory((folder / "file").native()), ENOTDIR);
    checkRefused(agent->makeDirectory((folder / "file/inside").native()), ENOTDIR);
}

TEST_CASE("Several transfers run at once", "[agent][program]")
{
    AgentAndClient agent;
    Folder folder;
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i)
        threads.emplace_back([&agent, &folder, i] {
            const std::string name = "file" + std::to_string(i);
            const std::string text = contents(500'000 + static_cast<std::size_t>(i));
            const bool put = agent->putBytes(text, (folder / name).native()).has_value();
            const auto back = agent->getBytes((folder / name).native());
            if (!put || !back || *back != text) std::filesystem::remove(folder / name);
        });
    for (std::thread &thread : threads)
        thread.join();
    CHECK(entries(folder.path()) == 6);
}
