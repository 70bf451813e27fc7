// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/commands.hpp"
#include "scenario/config.hpp"
#include "scenario/exit_codes.hpp"
#include "scenario/kept_output.hpp"
#include "scenario/suggestion.hpp"
#include "scenario/table_reader.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

namespace testcard::scenario
{

namespace
{

constexpr const char *about =
    "Testcard gives a guest PCI cards that behave like hardware down to the register, feeds them\n"
    "known media, and says what its driver made of them.";

constexpr const char *exitCodes =
    "Exit codes: 0 passed, 1 failed, 2 wrong usage or scenario, 3 no verdict because the host was "
    "in\n"
    "the way, 4 nothing selected, 128 and a signal's number when interrupted by it.";

constexpr const char *runExamples =
    "Examples:\n"
    "  testcard run first-light                    one scenario of scenarios/\n"
    "  testcard run ./mine.toml --repeat 10        a file of one's own, ten times\n"
    "  testcard run --tag guest --junit out.xml    all that have the tag, with a report for CI\n"
    "  testcard run --tag smoke --dry-run          what that would do\n\n";

constexpr const char *serveExamples =
    "A CARD is a type and its options:\n"
    "  capture,media=smpte-bars,width=1280,height=720,rate=60,pacing=real-time,seed=1,stream=0,\n"
    "          interrupts=msi,id=7c01:0001,name=capture0\n\n"
    "Examples:\n"
    "  testcard serve capture\n"
    "  testcard serve capture,media=noise,seed=7 --socket /run/user/1000/card\n\n"
    "It prints what to give to QEMU or libvirt. Cards of one process share one clock.";

constexpr const char *shellExamples = "Examples:\n"
                                      "  testcard shell first-light\n"
                                      "  testcard shell first-light -- v4l2-ctl --list-devices    "
                                      "its exit code is that of testcard\n";

class CommandLine
{
public:
    CommandLine() : app_(about, "testcard")
    {
        app_.footer(
            std::string(exitCodes) +
            "\n`testcard COMMAND --help` tells more; scenarios/README.md defines the language "
            "of scenarios.");
        app_.set_version_flag("--version", std::string("testcard ") + version);
        app_.require_subcommand(1);
        app_.get_formatter()->column_width(34);
        addRun();
        addShell();
        addList();
        addValidate();
        addServe();
        addPrint("xml", "Print the libvirt domain XML of a scenario's guest",
                 [this] { return xmlCommand(print_); });
        addPrint("args", "Print the QEMU command of a scenario's guest",
                 [this] { return argsCommand(print_); });
    }

    int run(int argc, char **argv)
    {
        if (argc > 1 && *argv[1] != '-' && !isCommand(argv[1])) return unknownCommand(argv[1]);
        // CLI11 reports by exceptions; none leaves this function.
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError &error) {
            return app_.exit(error) == 0 ? exitPassed : exitUsage;
        }
        return command_();
    }

private:
    std::vector<std::string> commands()
    {
        std::vector<std::string> out;
        for (const CLI::App *command : app_.get_subcommands([](CLI::App *) { return true; }))
            out.push_back(command->get_name());
        return out;
    }

    bool isCommand(const std::string &word)
    {
        const auto known = commands();
        return std::find(known.begin(), known.end(), word) != known.end();
    }

    /// CLI11 would only say that a subcommand is required.
    int unknownCommand(const std::string &word)
    {
        fmt::print(stderr, "testcard: there is no command \"{}\"; {}\n", printable(word),
                   didYouMean(word, commands()));
        return exitUsage;
    }

    void whenCalled(CLI::App *command, std::function<int()> action)
    {
        command->callback([this, action = std::move(action)] { command_ = action; });
    }

    static void addSelection(CLI::App *command, Selection &selection)
    {
        command->add_option("SCENARIO", selection.names,
                            "Names in scenarios/, files, or folders of files");
        command->add_option("--filter", selection.filter, "Only names like this ('signal-*')")
            ->type_name("PATTERN");
        command
            ->add_option("--tag", selection.tags,
                         "Only those with this tag, or, as '!TAG', without; may be repeated")
            ->type_name("TAG")
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }

    static void addGuest(CLI::App *command, GuestArguments &guest)
    {
        command
            ->add_option_function<std::string>(
                "--accel",
                [&guest](const std::string &text) {
                    const auto parsed = launcher::parseAccelerator(text);
                    if (!parsed) throw CLI::ValidationError("--accel", parsed.error().message);
                    guest.accelerator = *parsed;
                },
                "auto, tcg or kvm; auto tries whether KVM works here, once")
            ->type_name("HOW");
        command
            ->add_option(
                "--connect", guest.connect,
                "libvirt to start the guest with; else one within testcard, without a daemon")
            ->type_name("URI");
    }

    void addRun()
    {
        CLI::App *command =
            app_.add_subcommand("run", "Boot, drive, judge: run scenarios and give a verdict");
        command->footer(std::string(runExamples) + exitCodes);
        addSelection(command, run_.selection);
        addGuest(command, run_.guest);
        constexpr std::uint64_t highestSeed = std::uint64_t{1} << 53;
        command
            ->add_option("--seed", run_.seed, "Instead of the scenarios' own: other random choices")
            ->type_name("N")
            ->check(CLI::Range(std::uint64_t{0}, highestSeed));
        command->add_option("--repeat", run_.repeat, "Run all of it N times")
            ->type_name("N")
            ->check(CLI::Range(1u, 1'000'000u));
        command
            ->add_option_function<unsigned>(
                "--jobs",
                [](unsigned jobs) {
                    if (jobs != 1)
                        throw CLI::ValidationError(
                            "--jobs", "this testcard runs one scenario at a time: --jobs 1");
                },
                "How many scenarios at once: 1")
            ->type_name("N");
        command
            ->add_option_function<std::string>(
                "--timeout",
                [this](const std::string &text) {
                    run_.timeout = parseDuration(text);
                    if (!run_.timeout || run_.timeout->count() == 0)
                        throw CLI::ValidationError(
                            "--timeout", fmt::format("\"{}\" is not a duration such as 90s", text));
                },
                "Instead of each scenario's own, as 90s or 5min")
            ->type_name("TIME");
        command->add_option("--junit", run_.junit, "Also write the results as JUnit XML")
            ->type_name("FILE");
        command->add_option("--json", run_.json, "Also write the results as JSON")
            ->type_name("FILE");
        command
            ->add_option("--artifacts", run_.artifacts,
                         "Folder for logs, pictures and results; else a new one in the build tree")
            ->type_name("DIR");
        command->add_flag("--dry-run", run_.dryRun, "Say what would be done, and start nothing");
        whenCalled(command, [this] {
            const Selection &what = run_.selection;
            if (!what.names.empty() || !what.tags.empty() || !what.filter.empty())
                return runCommand(run_);
            fmt::print(stderr,
                       "testcard run: name a scenario, or select some by --tag or --filter; "
                       "`testcard list` shows what there is\n");
            return exitUsage;
        });
    }

    void addShell()
    {
        CLI::App *command = app_.add_subcommand(
            "shell", "Boot a scenario's guest with its cards and give a shell in it");
        command->footer(shellExamples);
        command->add_option("SCENARIO", shell_.scenario, "A name in scenarios/ or a file")
            ->required();
        command->add_option("COMMAND", shell_.command, "Run this instead, after --");
        addGuest(command, shell_.guest);
        whenCalled(command, [this] { return scenario::shellCommand(shell_); });
    }

    void addList()
    {
        CLI::App *command = app_.add_subcommand("list", "List scenarios: name, title, tags");
        addSelection(command, list_);
        whenCalled(command, [this] { return listCommand(list_); });
    }

    void addValidate()
    {
        CLI::App *command = app_.add_subcommand(
            "validate", "Tell everything that is wrong with scenario files; start nothing");
        command->add_option("SCENARIO", list_.names,
                            "Names, files or folders; all if none is given");
        whenCalled(command, [this] { return validateCommand(list_.names); });
    }

    void addServe()
    {
        CLI::App *command =
            app_.add_subcommand("serve", "Serve cards for a QEMU or libvirt of one's own");
        command->footer(serveExamples);
        command->add_option("CARD", serve_.cards, "TYPE,OPTION=VALUE,...")->required();
        command
            ->add_option("--socket", serve_.sockets,
                         "vfio-user socket, one for each card in their order; else in a new folder")
            ->type_name("PATH")
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        command->add_option("--control", serve_.controls, "Control socket, likewise")
            ->type_name("PATH")
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        constexpr unsigned longestPoll_us = 10'000;
        command
            ->add_option_function<unsigned>(
                "--poll",
                [this](unsigned microseconds) {
                    serve_.pollFor = std::chrono::microseconds(microseconds);
                },
                "Microseconds to look for the next access before sleeping (100)")
            ->type_name("N")
            ->check(CLI::Range(0u, longestPoll_us));
        command->add_flag("--quiet", serve_.quiet, "Do not say how to attach the cards");
        whenCalled(command, [this] { return serveCommand(serve_); });
    }

    void addPrint(const char *name, const char *description, std::function<int()> action)
    {
        CLI::App *command = app_.add_subcommand(name, description);
        command->footer("The cards' own commands are printed to standard error.");
        command->add_option("SCENARIO", print_.scenario, "A name in scenarios/ or a file")
            ->required();
        addGuest(command, print_.guest);
        command->add_option("--sockets", print_.sockets, "Folder that the cards' sockets are in")
            ->type_name("DIR");
        whenCalled(command, std::move(action));
    }

    CLI::App app_;
    std::function<int()> command_;
    RunArguments run_;
    ShellArguments shell_;
    Selection list_;
    ServeArguments serve_;
    PrintArguments print_;
};

} // namespace

int commandLine(int argc, char **argv)
{
    return CommandLine().run(argc, argv);
}

} // namespace testcard::scenario
