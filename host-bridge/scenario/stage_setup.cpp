// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/stage_setup.hpp"

#include "scenario/guest_command.hpp"
#include "scenario/runner.hpp"

#include <fmt/format.h>

namespace testcard::scenario
{

namespace
{

/// What every guest's kernel is told: its console for the log, and not to hang after a panic.
constexpr const char *baseCommandLine = "console=ttyS0 panic=-1 no_timer_check";

} // namespace

launcher::GuestConfig guestConfig(const Scenario &scenario, const GuestImage &image,
                                  const Emulator &emulator)
{
    launcher::GuestConfig config;
    config.name = fmt::format("testcard-{}", fileNameOf(scenario.name));
    config.qemu = emulator.binary;
    config.dataFolders = emulator.dataFolders;
    config.accelerator = emulator.accelerator.accelerator;
    config.kernel = image.kernel;
    config.initrd = image.initrd;
    config.commandLine = image.commandLine.empty() ? baseCommandLine : image.commandLine;
    if (!scenario.guest.append.empty()) config.commandLine += " " + scenario.guest.append;
    config.memory_MiB = scenario.guest.memory_bytes >> 20;
    config.processors = scenario.guest.cpus;
    if (!image.squashfs.empty()) config.disks.push_back({image.squashfs, true, "packages"});
    return config;
}

Result<void> StageSetup::prepare()
{
    progress_.phase("building the guest");
    auto image = bench_.buildImage(scenario_.guest,
                                   [this](const std::string &line) { progress_.detail(line); });
    if (!image) return tl::unexpected(image.error());
    image_ = *std::move(image);
    if (!image_.manifest.empty()) artifacts_.copy(image_.manifest, "guest-packages.txt");
    progress_.phase("choosing QEMU and its accelerator");
    auto emulator = bench_.emulator(image_);
    if (!emulator) return tl::unexpected(emulator.error());
    emulator_ = *std::move(emulator);
    return {};
}

void StageSetup::startHashing()
{
    std::vector<std::filesystem::path> files;
    const auto add = [&](std::string name, const std::filesystem::path &file) {
        if (file.empty()) return;
        hashNames_.push_back(std::move(name));
        files.push_back(file);
    };
    add("qemu-sha256", emulator_.binary);
    add("kernel-sha256", image_.kernel);
    add("initrd-sha256", image_.initrd);
    add("packages-disk-sha256", image_.squashfs);
    for (const std::filesystem::path module : scenario_.guest.modules)
        if (module.extension() == ".ko")
            add(fmt::format("{}-sha256", module.filename().string()), module);
    hashes_ = std::async(std::launch::async, [this, files] { return bench_.hashes(files); });
}

Result<void> StageSetup::startCards(Watch &watch)
{
    for (const Card &card : scenario_.cards) {
        progress_.phase(fmt::format("starting card {}", card.name));
        auto process = bench_.startCard(card.name, card.description(seed_),
                                        artifacts_.path(fmt::format("card-{}.log", card.name)));
        if (!process) return tl::unexpected(process.error());
        RunningCard &running = cards_[card.name];
        running.process = process->get();
        running.socket.name = card.name;
        running.socket.socket = (*process)->socket();
        running.socket.plugged = card.plugged;
        processes_.push_back(*std::move(process));
        watch.add(card.name, *processes_.back());
    }
    return {};
}

Result<void> StageSetup::startMachine(Watch &watch)
{
    if (auto started = startCards(watch); !started) return started;
    progress_.phase("starting the machine");
    launcher::GuestConfig config = guestConfig(scenario_, image_, emulator_);
    for (const Card &card : scenario_.cards)
        config.cards.push_back(cards_.at(card.name).socket);
    agentSocket_ = bench_.runtimeFolder() / "agent";
    config.agentSocket = agentSocket_;
    config.serialLog = artifacts_.path("serial.log");
    artifacts_.write("domain.xml", launcher::domainXml(config));
    artifacts_.write("qemu.txt", launcher::shellCommand(launcher::qemuArguments(config)) + "\n");
    auto machine = bench_.startMachine(config);
    if (!machine) return tl::unexpected(machine.error());
    machine_ = *std::move(machine);
    watch.add(*machine_);
    startHashing();
    return {};
}

Result<void> StageSetup::connectAgent(Watch &watch)
{
    progress_.phase("booting");
    agent::ConnectOptions options;
    options.timeout = scenario_.guest.bootTimeout;
    options.stopFd = watch.haltFd();
    auto agent = bench_.connect(agentSocket_, options);
    if (agent) {
        agent_ = *std::move(agent);
        guestKernel_ = agent_->kernelVersion();
        return {};
    }
    if (const auto cause = watch.causeWithin(std::chrono::milliseconds(500)))
        return tl::unexpected(Failure{cause->cause, "while booting: " + cause->message});
    return failure(Cause::guestSilent,
                   fmt::format("the guest has not booted within {:.0f} s: {}; serial.log says how "
                               "far it came",
                               std::chrono::duration<double>(options.timeout).count(),
                               agent.error().message));
}

std::string StageSetup::kernelLog(Watch &watch)
{
    if (!agent_ || watch.halted()) return {};
    constexpr std::chrono::milliseconds limit{5000};
    RunCommand dmesg;
    dmesg.argv = {"dmesg"};
    auto command = GuestCommand::start(*agent_, dmesg, limit, watch);
    if (!command) return {};
    auto observed = (*command)->waitFor(2 * limit);
    return observed && *observed ? (*observed)->output : std::string{};
}

std::vector<std::pair<std::string, std::string>> StageSetup::versions()
{
    auto out = bench_.versions();
    const auto add = [&](std::string name, std::string value) {
        if (!value.empty()) out.emplace_back(std::move(name), std::move(value));
    };
    add("qemu", machine_ ? machine_->emulatorVersion() : emulator_.version);
    add("qemu-binary", emulator_.binary.string());
    add("accelerator", std::string(name(emulator_.accelerator.accelerator)));
    add("accelerator-reason", emulator_.accelerator.reason);
    add("kernel", guestKernel_.empty() ? image_.kernelVersion : guestKernel_);
    add("kernel-image", image_.kernel.string());
    add("initrd", image_.initrd.string());
    add("packages-disk", image_.squashfs.string());
    if (!hashes_.valid()) return out;
    const std::vector<std::string> hashes = hashes_.get();
    for (std::size_t i = 0; i < hashes.size(); ++i)
        add(hashNames_[i], hashes[i]);
    return out;
}

void StageSetup::tearDown()
{
    if (hashes_.valid()) hashes_.wait();
    agent_.reset();
    if (machine_) {
        machine_->destroy();
        std::error_code ignored; // a guest that runs elsewhere has its log there
        const bool logged = std::filesystem::file_size(machine_->emulatorLog(), ignored) > 0;
        if (logged && !ignored) artifacts_.copy(machine_->emulatorLog(), "qemu.log");
    }
    machine_.reset();
    cards_.clear();
    processes_.clear();
}

} // namespace testcard::scenario
