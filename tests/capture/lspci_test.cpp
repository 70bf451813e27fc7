// SPDX-License-Identifier: GPL-2.0-or-later
// The card's configuration space as other people's decoder, the real lspci, reads it.
#include "capture_bench.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <unistd.h>

using namespace testcard;

namespace
{

/// What `lspci -xxxx` would print for it: the form that `lspci -F` reads.
std::string hexDump(bus::PciFunction &function)
{
    std::string text = "01:00.0 0480: capture\n";
    for (std::size_t line = 0; line < bus::ConfigSpace::size; line += 16) {
        std::array<std::byte, 16> bytes{};
        function.configRead(line, bytes);
        text += fmt::format("{:02x}:", line);
        for (const std::byte byte : bytes)
            text += fmt::format(" {:02x}", std::to_integer<unsigned>(byte));
        text += "\n";
    }
    return text;
}

std::string lspci(const std::string &dump)
{
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / fmt::format("testcard-lspci-{}", ::getpid());
    std::ofstream{file} << dump;
    const std::string command = fmt::format("lspci -F {} -n -vvv 2>/dev/null", file.string());
    std::unique_ptr<FILE, int (*)(FILE *)> pipe{::popen(command.c_str(), "r"), ::pclose};
    REQUIRE(pipe != nullptr);
    std::string output;
    std::array<char, 4096> buffer{};
    while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
        output.append(buffer.data(), size);
    std::filesystem::remove(file);
    return output;
}

/// Compares with a golden file; TESTCARD_UPDATE_GOLDEN=1 writes it anew, to be read and committed.
void checkGolden(const std::string &name, const std::string &text)
{
    const std::filesystem::path path = std::filesystem::path{TESTCARD_GOLDEN} / name;
    if (std::getenv("TESTCARD_UPDATE_GOLDEN")) std::ofstream{path} << text;
    std::ostringstream golden;
    golden << std::ifstream{path}.rdbuf();
    CHECK(text == golden.str());
}

} // namespace

TEST_CASE("lspci decodes the card with MSI as the golden file says", "[capture][golden]")
{
    test::CaptureBench bench;
    checkGolden("capture-msi.lspci", lspci(hexDump(bench.machine.function)));
}

TEST_CASE("lspci decodes the card with MSI-X as the golden file says", "[capture][golden]")
{
    test::CaptureBench bench{capture::Interrupts::msix};
    checkGolden("capture-msix.lspci", lspci(hexDump(bench.machine.function)));
}

TEST_CASE("lspci decodes the card with INTx only as the golden file says", "[capture][golden]")
{
    test::CaptureBench bench{capture::Interrupts::intx};
    checkGolden("capture-intx.lspci", lspci(hexDump(bench.machine.function)));
}
