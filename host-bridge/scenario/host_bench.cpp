// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/host_bench.hpp"

#include "agent/shell.hpp"
#include "scenario/card_process.hpp"
#include "scenario/config.hpp"
#include "scenario/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace testcard::scenario
{

namespace
{

namespace fs = std::filesystem;

class ConnectedAgent final : public GuestAgent
{
public:
    explicit ConnectedAgent(agent::Client client) : client_(std::move(client)) {}

    std::string kernelVersion() const override { return client_.info().kernel; }

    tl::expected<std::unique_ptr<GuestTask>, agent::Error>
    start(const agent::Command &command, agent::OutputHandler handler) override
    {
        auto running = client_.start(command, std::move(handler));
        if (!running) return tl::unexpected(running.error());
        return std::make_unique<Task>(*std::move(running));
    }

    tl::expected<std::uint64_t, agent::Error>
    get(const std::string &guestPath, const fs::path &hostPath, std::uint64_t limit_bytes) override
    {
        return client_.get(guestPath, hostPath, limit_bytes);
    }

    void mark(const std::string &text) override { (void)client_.mark(text); }

    tl::expected<agent::ExitStatus, agent::Error>
    interact(const std::vector<std::string> &argv) override
    {
        agent::ShellOptions options;
        if (!argv.empty()) options.argv = argv;
        return agent::shell(client_, options);
    }

private:
    class Task final : public GuestTask
    {
    public:
        explicit Task(agent::RunningCommand command) : command_(std::move(command)) {}

        tl::expected<std::optional<agent::ExitStatus>, agent::Error>
        waitFor(std::chrono::milliseconds limit) override
        {
            return command_.waitFor(limit);
        }
        void cancel() override { command_.cancel(); }

    private:
        agent::RunningCommand command_;
    };

    agent::Client client_;
};

class HostBench final : public Bench
{
public:
    HostBench(launcher::Session &session, Places places, BenchOptions options)
        : session_(session), places_(std::move(places)), options_(std::move(options))
    {
    }

    launcher::Interrupt &interrupt() override { return session_.interrupt(); }
    const fs::path &runtimeFolder() const override { return session_.folder(); }

    Result<GuestImage> buildImage(const Guest &guest,
                                  const std::function<void(const std::string &)> &progress) override
    {
        constexpr std::chrono::milliseconds limit{30 * 60'000}; // a first build downloads a kernel
        Program program;
        program.name = "build-guest";
        program.argv = {(places_.sourceRoot / "host-bridge/guest/build-guest").string()};
        for (std::string &argument : buildGuestArguments(guest, places_.buildRoot / "guest"))
            program.argv.push_back(std::move(argument));
        program.environment = {"TESTCARD_BUILD=" + places_.buildRoot.string()};
        program.limit = limit;
        const auto answer = runProgram(session_, program, progress);
        if (!answer) return tl::unexpected(answer.error());
        return readImage(keyValues(*answer));
    }

    Result<Emulator> emulator(const GuestImage &image) override
    {
        auto out = findEmulator(places_);
        if (!out) return out;
        launcher::GuestConfig config;
        config.qemu = out->binary;
        config.dataFolders = out->dataFolders;
        config.kernel = image.kernel;
        auto choice = session_.chooseAccelerator(options_.accelerator, config);
        if (!choice) return tl::unexpected(failureOf(choice.error()));
        out->accelerator = *std::move(choice);
        return out;
    }

    Result<std::unique_ptr<CardProcess>>
    startCard(const std::string &name, const std::string &description, const fs::path &log) override
    {
        return serveCard(session_, places_.program, name, description, log);
    }

    Result<std::unique_ptr<launcher::Machine>>
    startMachine(const launcher::GuestConfig &config) override
    {
        std::error_code ignored; // of the run before
        fs::remove(config.agentSocket, ignored);
        auto machine = session_.start(config);
        if (!machine) return tl::unexpected(failureOf(machine.error()));
        return *std::move(machine);
    }

    Result<std::unique_ptr<GuestAgent>> connect(const fs::path &socket,
                                                const agent::ConnectOptions &options) override
    {
        auto client = agent::Client::connect(socket, options);
        if (!client) return failure(Cause::guestSilent, client.error().message);
        return std::make_unique<ConnectedAgent>(*std::move(client));
    }

    std::vector<std::string> hashes(const std::vector<fs::path> &files) override
    {
        constexpr std::chrono::milliseconds limit{60'000};
        Program program;
        program.name = "sha256sum";
        program.argv = {"sha256sum", "--"};
        for (const fs::path &file : files)
            program.argv.push_back(file.string());
        program.limit = limit;
        const auto answer = runProgram(session_, program, [](const std::string &) {});
        return hashesIn(answer.value_or(""), files);
    }

    std::vector<std::pair<std::string, std::string>> versions() const override
    {
        return {{"testcard", version},
                {"libvirt", session_.libvirtVersion()},
                {"libvirt-uri", options_.connect.empty() ? "embedded" : options_.connect}};
    }

private:
    static Result<GuestImage> readImage(const std::map<std::string, std::string> &parts)
    {
        const auto part = [&](const char *key) {
            const auto found = parts.find(key);
            return found == parts.end() ? std::string{} : found->second;
        };
        GuestImage image{part("KERNEL"),         part("INITRD"),  part("SQUASHFS"),
                         part("KERNEL_VERSION"), part("CMDLINE"), part("MANIFEST")};
        if (image.kernel.empty() || image.initrd.empty())
            return failure(Cause::infrastructure, "build-guest named no kernel or no initrd");
        return image;
    }

    launcher::Session &session_;
    Places places_;
    BenchOptions options_;
};

/// The first of these that is an executable file somewhere in PATH; empty if none is.
fs::path inPath(const std::string &program)
{
    const char *path = std::getenv("PATH");
    std::istringstream folders(path ? path : "/usr/bin:/bin");
    std::string folder;
    while (std::getline(folders, folder, ':')) {
        const fs::path candidate = fs::path(folder) / program;
        std::error_code ignored;
        if (fs::is_regular_file(candidate, ignored)) return candidate;
    }
    return {};
}

} // namespace

Places Places::ofThisBuild()
{
    const char *build = std::getenv("TESTCARD_BUILD");
    std::error_code ignored;
    return {testcard::sourceRoot, build && *build ? fs::path(build) : fs::path(testcard::buildRoot),
            fs::read_symlink("/proc/self/exe", ignored)};
}

std::vector<std::string> buildGuestArguments(const Guest &guest, const fs::path &cache)
{
    std::vector<std::string> out{"--out", cache.string()};
    const auto add = [&](const char *option, std::string value) {
        out.emplace_back(option);
        out.push_back(std::move(value));
    };
    if (!guest.kernel.empty()) add("--kernel", guest.kernel);
    for (const std::string &module : guest.modules) {
        const bool isName = module.find('/') == std::string::npos && !module.ends_with(".ko");
        add("--module", isName ? module : fs::absolute(module).string());
    }
    for (const std::string &package : guest.packages)
        add("--package", package);
    for (const Guest::File &file : guest.files)
        add("--file", fmt::format("{}:{}", fs::absolute(file.host).string(), file.guest));
    return out;
}

Result<Emulator> findEmulator(const Places &places)
{
    const fs::path file = places.buildRoot / "setup" / "env";
    std::ifstream in(file);
    std::ostringstream text;
    text << in.rdbuf();
    const auto env = keyValues(text.str());
    Emulator out;
    if (const auto binary = env.find("QEMU_BINARY"); binary != env.end())
        out.binary = binary->second;
    if (const auto known = env.find("QEMU_VERSION"); known != env.end())
        out.version = known->second;
    if (const auto data = env.find("QEMU_DATA"); data != env.end()) {
        std::istringstream folders(data->second);
        for (std::string folder; folders >> folder;)
            if (folder != "-L") out.dataFolders.emplace_back(folder);
    }
    if (out.binary.empty()) out.binary = inPath("qemu-system-x86_64");
    if (out.binary.empty())
        return failure(Cause::infrastructure,
                       fmt::format("there is no QEMU: {} names none and none is in PATH; "
                                   "./scenarios/run gets one",
                                   file.string()));
    return out;
}

std::vector<std::string> hashesIn(std::string_view answer, const std::vector<fs::path> &files)
{
    constexpr std::size_t digits = 64;
    std::map<std::string, std::string> known;
    while (!answer.empty()) {
        const std::string_view line = answer.substr(0, answer.find('\n'));
        answer.remove_prefix(std::min(answer.size(), line.size() + 1));
        if (line.size() > digits + 2)
            known[std::string(line.substr(digits + 2))] = std::string(line.substr(0, digits));
    }
    std::vector<std::string> out;
    for (const fs::path &file : files)
        out.push_back(known[file.string()]);
    return out;
}

std::unique_ptr<Bench> makeHostBench(launcher::Session &session, Places places,
                                     BenchOptions options)
{
    return std::make_unique<HostBench>(session, std::move(places), std::move(options));
}

} // namespace testcard::scenario
