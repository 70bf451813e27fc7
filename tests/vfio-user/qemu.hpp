// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A real QEMU without a guest: the test is the processor, by QEMU's qtest protocol.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace testcard::vfio_user_test
{

/// The QEMU that set-up has found: $QEMU_BINARY, or that of the file $TESTCARD_SETUP_ENV; nothing
/// if there is none.
std::optional<std::filesystem::path> qemuBinary();

/// A process that ends with this one. Commands go to its qtest on standard input.
class Qemu
{
public:
    /// Starts a q35 machine with 64 MiB of shared memory and `arguments`.
    Qemu(const std::filesystem::path &binary, const std::vector<std::string> &arguments);
    Qemu(const Qemu &) = delete;
    Qemu &operator=(const Qemu &) = delete;
    ~Qemu();

    /// Carries out a command and returns what stands behind "OK". Fails the test if QEMU has not
    /// answered after some seconds, or in another way.
    std::string command(const std::string &line);

    std::uint32_t in32(std::uint16_t port);
    void out32(std::uint16_t port, std::uint32_t value);
    std::uint32_t read32(std::uint64_t address);
    void write32(std::uint64_t address, std::uint32_t value);

    // Configuration space, by the ports of configuration mechanism 1 (PCI 3.0, section 3.2.2.3.2).

    std::uint32_t config32(unsigned slot, unsigned offset);
    void setConfig32(unsigned slot, unsigned offset, std::uint32_t value);

    /// Tells whether an interrupt line was raised or lowered since the last call ("raise 16").
    /// Needs the command irq_intercept_in before.
    std::vector<std::string> takeInterrupts();

    /// Whether the process still runs.
    bool running();

private:
    bool readMore(int milliseconds);
    std::optional<std::string> nextLine();

    pid_t process_ = -1;
    int in_ = -1;
    int out_ = -1;
    std::string buffer_;
    std::vector<std::string> interrupts_;
};

} // namespace testcard::vfio_user_test
