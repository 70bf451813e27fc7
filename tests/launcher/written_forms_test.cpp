// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/child_process.hpp"
#include "launcher/domain_xml.hpp"
#include "sample_guest.hpp"
#include "scratch_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace testcard::launcher;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace
{

/// Compares with the file in golden/; with TESTCARD_UPDATE_GOLDEN=1 in the environment it writes
/// the file instead.
void checkGolden(const std::string &text, const std::string &file)
{
    const fs::path path = fs::path(GOLDEN_FOLDER) / file;
    if (std::getenv("TESTCARD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
    std::ifstream golden(path);
    std::stringstream expected;
    expected << golden.rdbuf();
    CHECK(text == expected.str());
}

bool installed(const std::string &program)
{
    return std::system(("command -v " + program + " >/dev/null").c_str()) == 0;
}

/// Against libvirt's own schema, by whichever tool is there.
void checkSchema(const std::string &xml)
{
    const fs::path schema = "/usr/share/libvirt/schemas/domain.rng";
    if (!installed("xmllint") || !fs::exists(schema)) {
        WARN("the XML was not validated: xmllint (libxml2-utils) or libvirt's schemas are missing");
        return;
    }
    const ScratchFolder folder;
    std::ofstream(folder.path() / "domain.xml") << xml;
    auto child = ChildProcess::start({.argv = {"xmllint", "--noout", "--relaxng", schema.string(),
                                               (folder.path() / "domain.xml").string()},
                                      .log = folder.path() / "log"},
                                     nullptr);
    REQUIRE(child);
    const auto end = (*child)->wait(20s, nullptr);
    REQUIRE(end);
    INFO((*child)->logTail() << '\n' << xml);
    CHECK(end->success());
}

std::vector<std::string> argumentsAfter(const std::vector<std::string> &list,
                                        const std::string &option)
{
    std::vector<std::string> values;
    for (std::size_t i = 0; i + 1 < list.size(); ++i)
        if (list[i] == option) values.push_back(list[i + 1]);
    return values;
}

} // namespace

TEST_CASE("The domain XML is the golden one and valid by libvirt's schema", "[launcher][xml]")
{
    const std::string xml = domainXml(sampleGuest());
    checkGolden(xml, "sample.xml");
    checkSchema(xml);
}

TEST_CASE("A guest without anything has valid XML", "[launcher][xml]")
{
    GuestConfig config;
    config.qemu = "/usr/bin/qemu-system-x86_64";
    config.spareRootPorts = 0;
    REQUIRE(check(config));
    const std::string xml = domainXml(config);
    checkSchema(xml);
    CHECK_THAT(xml, !ContainsSubstring("<serial") && !ContainsSubstring("<channel") &&
                        !ContainsSubstring("pcie-root-port") && !ContainsSubstring("<kernel"));
}

TEST_CASE("A guest that boots its disks overrides libvirt's strict boot order", "[launcher][xml]")
{
    GuestConfig config = sampleGuest();
    CHECK_THAT(domainXml(config), !ContainsSubstring("strict=off"));
    config.kernel.clear();
    config.initrd.clear();
    config.commandLine.clear();
    const std::string xml = domainXml(config);
    CHECK_THAT(xml, ContainsSubstring(R"(<qemu:arg value="strict=off" />)") &&
                        ContainsSubstring(R"(<boot dev="hd" />)"));
    checkSchema(xml);
}

TEST_CASE("KVM guests get the host's processor, others what TCG can do", "[launcher][xml]")
{
    GuestConfig config = sampleGuest();
    CHECK_THAT(domainXml(config), ContainsSubstring(R"(<domain type="qemu")") &&
                                      ContainsSubstring(R"(mode="maximum")"));
    config.accelerator = Accelerator::kvm;
    CHECK_THAT(domainXml(config), ContainsSubstring(R"(<domain type="kvm")") &&
                                      ContainsSubstring(R"(mode="host-passthrough")"));
    checkSchema(domainXml(config));
    config.cpuModel = "Nehalem";
    CHECK_THAT(domainXml(config), ContainsSubstring(R"(<model fallback="forbid">Nehalem</model>)"));
    checkSchema(domainXml(config));
}

TEST_CASE("Security drivers are told to leave QEMU alone, as the caller's user", "[launcher][xml]")
{
    DomainSurroundings surroundings;
    surroundings.securityModels = {"apparmor", "dac"};
    surroundings.user = 1000;
    surroundings.group = 100;
    surroundings.environment = {{"TESTCARD_RUNTIME", "/tmp/testcard-abcdef"}};
    const std::string xml = domainXml(sampleGuest(), surroundings);
    checkSchema(xml);
    CHECK_THAT(xml, ContainsSubstring(R"(<seclabel type="none" model="apparmor" />)") &&
                        ContainsSubstring("<label>+1000:+100</label>") &&
                        ContainsSubstring(R"(<qemu:env name="TESTCARD_RUNTIME")"));
}

TEST_CASE("Many root ports share slots, and only function 0 announces the others",
          "[launcher][xml]")
{
    GuestConfig config = sampleGuest();
    config.spareRootPorts = 15; // 17 in all: slots 4, 5 and a lone one in 6
    const std::string xml = domainXml(config);
    checkSchema(xml);
    std::size_t announced = 0;
    for (std::size_t at = 0; (at = xml.find("multifunction", at)) != std::string::npos; ++at)
        ++announced;
    CHECK(announced == 2);
    CHECK_THAT(xml, ContainsSubstring(R"(slot="0x06" function="0x0" />)"));
}

TEST_CASE("QEMU's arguments are the golden ones", "[launcher][args]")
{
    checkGolden(shellCommand(qemuArguments(sampleGuest())) + "\n", "sample.args");
}

TEST_CASE("ACPI's hot-plug is the default", "[launcher][xml][args]")
{
    GuestConfig config = sampleGuest();
    config.nativeHotplug = false;
    CHECK_THAT(domainXml(config), !ContainsSubstring("acpi-pci-hotplug"));
    CHECK(argumentsAfter(qemuArguments(config), "-global").empty());
}

TEST_CASE("Commas in file names are doubled for QEMU", "[launcher][args]")
{
    const auto drives = argumentsAfter(qemuArguments(sampleGuest()), "-drive");
    REQUIRE(drives.size() == 2);
    CHECK_THAT(drives[0], ContainsSubstring("file=/srv/guest/a,,b.squashfs,"));
}

TEST_CASE("Only plugged cards are devices, in XML and arguments alike", "[launcher][xml][args]")
{
    const auto devices = argumentsAfter(qemuArguments(sampleGuest()), "-device");
    const auto cards = std::ranges::count_if(devices, [](const std::string &text) {
        return text.find("vfio-user-pci") != std::string::npos;
    });
    CHECK(cards == 1);
    CHECK_THAT(domainXml(sampleGuest()),
               ContainsSubstring("capture0.sock") && !ContainsSubstring("capture1.sock"));
}

TEST_CASE("A shell reads back the arguments that were quoted for it", "[launcher][args]")
{
    const std::vector<std::string> arguments{"printf", "%s\n", "-x",    "it's",
                                             "a b",    "",     "$HOME", "{\"k\":1}"};
    const ScratchFolder folder;
    auto child = ChildProcess::start(
        {.argv = {"sh", "-c", shellCommand(arguments)}, .log = folder.path() / "out"}, nullptr);
    REQUIRE(child);
    REQUIRE((*child)->wait(10s, nullptr));
    std::ifstream file(folder.path() / "out");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        lines.push_back(line);
    CHECK(lines == std::vector<std::string>(arguments.begin() + 2, arguments.end()));
}
