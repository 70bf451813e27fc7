// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace testcard::vfio_user_test
{

namespace
{

constexpr std::chrono::seconds patience{30};

std::optional<std::filesystem::path> fromSetup(const char *file)
{
    constexpr std::string_view key = "QEMU_BINARY=";
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(key)) return line.substr(key.size());
    return std::nullopt;
}

/// In the child: becomes QEMU.
[[noreturn]] void becomeQemu(const std::filesystem::path &binary,
                             std::vector<std::string> arguments, int input, int output,
                             pid_t parent)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    std::vector<char *> pointers;
    pointers.reserve(arguments.size() + 1);
    for (std::string &argument : arguments)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execv(binary.c_str(), pointers.data());
    ::_exit(127);
}

} // namespace

std::optional<std::filesystem::path> qemuBinary()
{
    if (const char *binary = std::getenv("QEMU_BINARY")) return binary;
    const char *const setup = std::getenv("TESTCARD_SETUP_ENV");
    return setup ? fromSetup(setup) : std::nullopt;
}

Qemu::Qemu(const std::filesystem::path &binary, const std::vector<std::string> &arguments)
{
    std::vector<std::string> all{binary.string(),
                                 "-nodefaults",
                                 "-no-user-config",
                                 "-display",
                                 "none",
                                 "-machine",
                                 "q35,memory-backend=memory",
                                 "-accel",
                                 "qtest",
                                 "-qtest",
                                 "stdio",
                                 "-qtest-log",
                                 "none",
                                 "-object",
                                 "memory-backend-memfd,id=memory,size=64M,share=on",
                                 "-m",
                                 "64M"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    int input[2];
    int output[2];
    REQUIRE(::pipe2(input, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(output, O_CLOEXEC) == 0);
    const pid_t self = ::getpid();
    process_ = ::fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) becomeQemu(binary, std::move(all), input[0], output[1], self);
    ::close(input[0]);
    ::close(output[1]);
    in_ = input[1];
    out_ = output[0];
}

Qemu::~Qemu()
{
    ::close(in_);
    ::close(out_);
    if (running()) ::kill(process_, SIGKILL);
    if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

bool Qemu::running()
{
    if (process_ <= 0) return false;
    if (::waitpid(process_, nullptr, WNOHANG) != process_) return true;
    process_ = -1;
    return false;
}

/// Reads what has come, after waiting for it. False if nothing came.
bool Qemu::readMore(int milliseconds)
{
    pollfd ready{out_, POLLIN, 0};
    if (::poll(&ready, 1, milliseconds) != 1) return false;
    char bytes[4096];
    const ssize_t size = ::read(out_, bytes, sizeof bytes);
    if (size <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(size));
    return true;
}

/// The next whole line that is an answer; interrupts are put aside.
std::optional<std::string> Qemu::nextLine()
{
    for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        if (!line.starts_with("IRQ ")) return line;
        interrupts_.push_back(line.substr(4));
    }
    return std::nullopt;
}

std::string Qemu::command(const std::string &line)
{
    const std::string bytes = line + "\n";
    REQUIRE(::write(in_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
        if (const auto answer = nextLine()) {
            INFO(line << " -> " << *answer);
            REQUIRE(answer->starts_with("OK"));
            return answer->size() > 3 ? answer->substr(3) : std::string{};
        }
        if (!readMore(100)) REQUIRE(running());
    }
    FAIL("QEMU has not answered " << line);
    return {};
}

std::uint32_t Qemu::in32(std::uint16_t port)
{
    return static_cast<std::uint32_t>(
        std::stoul(command(fmt::format("inl {:#x}", port)), nullptr, 0));
}

void Qemu::out32(std::uint16_t port, std::uint32_t value)
{
    command(fmt::format("outl {:#x} {:#x}", port, value));
}

std::uint32_t Qemu::read32(std::uint64_t address)
{
    const std::string value = command(fmt::format("readl {:#x}", address));
    return static_cast<std::uint32_t>(std::stoull(value, nullptr, 0));
}

void Qemu::write32(std::uint64_t address, std::uint32_t value)
{
    command(fmt::format("writel {:#x} {:#x}", address, value));
}

std::uint32_t Qemu::config32(unsigned slot, unsigned offset)
{
    out32(0xCF8, 0x80000000 | slot << 11 | offset);
    return in32(0xCFC);
}

void Qemu::setConfig32(unsigned slot, unsigned offset, std::uint32_t value)
{
    out32(0xCF8, 0x80000000 | slot << 11 | offset);
    out32(0xCFC, value);
}

std::vector<std::string> Qemu::takeInterrupts()
{
    while (readMore(0)) {
    }
    // Lines that are not interrupts would be answers to a command, and there is none.
    REQUIRE_FALSE(nextLine());
    return std::exchange(interrupts_, {});
}

} // namespace testcard::vfio_user_test
