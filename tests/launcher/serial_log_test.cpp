// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/event_loop.hpp"
#include "launcher/serial_log.hpp"
#include "launcher/text_file.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <fstream>
#include <future>

using namespace testcard::launcher;
using namespace std::chrono_literals;

namespace
{

std::string panicIn(std::initializer_list<const char *> parts)
{
    PanicScanner scanner;
    for (const char *part : parts)
        scanner.feed(part);
    return scanner.panic().value_or("");
}

void append(const std::filesystem::path &file, const std::string &text)
{
    std::ofstream(file, std::ios::app | std::ios::binary) << text;
}

} // namespace

TEST_CASE("A panic is found whatever stands before it on the line", "[launcher][serial]")
{
    const std::string panic = "Kernel panic - not syncing: Attempted to kill init!";
    CHECK(panicIn({"Kernel panic - not syncing: Attempted to kill init!\r\n"}) == panic);
    CHECK(panicIn({"boot\n[    3.14] Kernel panic - not syncing: Attempted to kill init!\n"}) ==
          panic);
    CHECK(panicIn({"[    3.14][    T1] Kernel panic - not syncing: Attempted to kill init!\n"}) ==
          panic);
}

TEST_CASE("A panic is found when it comes in pieces", "[launcher][serial]")
{
    CHECK(panicIn({"[  1.0] Kernel pa", "nic - not sync", "ing: x\n", "more\n"}) ==
          "Kernel panic - not syncing: x");
    CHECK(panicIn({"[  1.0] Kernel panic - not syncing: x"}).empty()); // the line may go on
}

TEST_CASE("Talk about panics is none", "[launcher][serial]")
{
    CHECK(panicIn({"the log says: Kernel panic - not syncing: x\n"}).empty());
    CHECK(panicIn({"end Kernel panic\n", "[ 1.0] ---[ end Kernel panic - not syncing: x ]---\n"})
              .empty());
}

TEST_CASE("The first panic counts, and control characters do not travel", "[launcher][serial]")
{
    CHECK(panicIn({"Kernel panic - not syncing: \x1b[31mone\n",
                   "Kernel panic - not syncing: two\n"}) == "Kernel panic - not syncing: [31mone");
}

TEST_CASE("A line without end does not grow the scanner", "[launcher][serial]")
{
    PanicScanner scanner;
    const std::string part(1 << 16, 'x');
    for (int i = 0; i < 64; ++i)
        scanner.feed(part);
    scanner.feed("\nKernel panic - not syncing: y" + std::string(4096, 'z') + "\n");
    REQUIRE(scanner.panic());
    CHECK(scanner.panic()->size() <= 512);
}

TEST_CASE("A serial log reports its panic once, and none of an earlier boot", "[launcher][serial]")
{
    const ScratchFolder folder;
    const auto path = folder.path() / "serial.log";
    append(path, "Kernel panic - not syncing: yesterday\n");
    EventLoop loop;
    const auto log = SerialLog::open(path);
    std::promise<void> panicked; // a second set_value would throw
    const auto watch = log->follow([&] { panicked.set_value(); });
    append(path, "Linux version 6.1\n");
    CHECK_FALSE(log->panic());
    append(path, "Kernel panic - not syncing: today\n");
    REQUIRE(panicked.get_future().wait_for(5s) == std::future_status::ready);
    append(path, "Kernel panic - not syncing: again\n");
    CHECK(log->panic() == "Kernel panic - not syncing: today");
}

TEST_CASE("The end of a log is bounded in lines, bytes and characters", "[launcher][serial]")
{
    const ScratchFolder folder;
    const auto path = folder.path() / "log";
    CHECK(tailOf(path).empty());
    append(path, "one\ntwo\r\nthree\x1b[0m\n\n");
    CHECK(tailOf(path, 2) == "two\nthree?[0m");
    CHECK(tailOf(path, 9) == "one\ntwo\nthree?[0m");
    append(path, std::string(10000, 'x'));
    CHECK(tailOf(path, 5, 100) == std::string(100, 'x'));
}
