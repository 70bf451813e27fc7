// SPDX-License-Identifier: GPL-2.0-or-later
// The testcard command as a user calls it: what it prints and how it ends. No guest is started.
#include "scenario/attach_help.hpp"
#include "scenario/config.hpp"
#include "scenario/exit_codes.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <sys/wait.h>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

struct Called {
    int code = -1;
    std::string output;
    std::string errors;
};

/// Meson says where the command is; without it these tests have nothing to test.
std::string command()
{
    const char *path = std::getenv("TESTCARD_COMMAND");
    return path ? path : "";
}

std::string read(const fs::path &file)
{
    std::ifstream in(file);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

Called call(const std::string &arguments)
{
    const TemporaryFolder folder;
    const fs::path output = folder.path() / "out";
    const fs::path errors = folder.path() / "err";
    const std::string line = "'" + command() + "' " + arguments + " >" + output.string() + " 2>" +
                             errors.string() + " </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(output), read(errors)};
}

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("testcard without a command says which there are", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    const Called called = call("");
    CHECK(called.code == exitUsage);
    CHECK(has(called.errors, "A subcommand is required"));
    const Called help = call("--help");
    CHECK(help.code == exitPassed);
    for (const char *word : {"run", "serve", "list", "validate", "shell", "xml", "args"})
        CHECK(has(help.output, word));
    CHECK(has(call("--version").output, version));
}

TEST_CASE("Wrong options are usage errors", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    for (const char *wrong :
         {"rnu", "run", "run --no-such first-light", "run first-light --jobs 2",
          "run first-light --accel fast", "run first-light --timeout 5",
          "run first-light --seed -1", "run first-light --repeat 0", "run no-such-scenario",
          "serve", "serve disk", "serve capture,colour=red", "serve capture --socket a --socket b",
          "shell no-such", "xml no-such", "validate no-such"})
        CHECK(call(wrong).code == exitUsage);
    CHECK(has(call("run first-light --jobs 2").errors, "one scenario at a time"));
    CHECK(has(call("run frist-light").errors, "did you mean \"first-light\"?"));
}

TEST_CASE("A word that is no command is named, with the one that was meant", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    CHECK(call("vaildate").code == exitUsage);
    CHECK(call("vaildate").errors ==
          "testcard: there is no command \"vaildate\"; did you mean \"validate\"?\n");
    CHECK(has(call("bogus first-light").errors, "no command \"bogus\"; known are \"run\", "));
}

TEST_CASE("Control characters of a scenario do not reach the terminal", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    const TemporaryFolder folder;
    const fs::path file = folder.path() / "red.toml";
    const std::string head = "schema = 1\ntitle = \"x\\u001b[31m\"\n";
    std::ofstream(file) << head << "[[step]]\nrun = \"true\"\n";
    CHECK(call("list " + file.string()).output == "red  x?[31m\n");
    std::ofstream(file) << head << "tags = [\"\\u001b[31m\"]\n[[step]]\nrun = \"true\"\n";
    for (const char *verb : {"list ", "validate ", "run ", "shell "}) {
        const Called called = call(verb + file.string());
        CHECK(called.code == exitUsage);
        CHECK(has(called.errors, "\"?[31m\" is not a tag"));
        CHECK_FALSE(has(called.errors, "\x1b"));
    }
}

TEST_CASE("serve refuses two cards of one name and paths that no socket can have",
          "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    for (const char *twins :
         {"serve capture,name=a capture,name=a", "serve capture,name=a capture,seed=1,name=a"}) {
        const Called called = call(twins);
        CHECK(called.code == exitUsage);
        CHECK(has(called.errors, "two cards are named a;"));
    }
    CHECK(has(call("serve capture capture,name=capture0").errors, "two cards are named capture0;"));
    const std::string path = "/tmp/" + std::string(99, 'x');
    for (const char *option : {" --socket ", " --control "}) {
        const Called called = call("serve capture" + std::string(option) + path);
        CHECK(called.code == exitUsage);
        CHECK(has(called.errors, path + "\" has 104 bytes; it may have 103"));
    }
}

TEST_CASE("What serve prints can be pasted, whatever its sockets are called", "[scenario][command]")
{
    cards::ServedCard card{*cards::parseCard("capture"), "/run/it's/card", "/run/it's/control"};
    const std::string help = attachHelp({card});
    CHECK(has(help, "    -device '{\"driver\":\"vfio-user-pci\""));
    CHECK(has(help, "/run/it'\\''s/card"));
    CHECK(has(help, "socat - 'UNIX-CONNECT:/run/it'\\''s/control'\n"));
    CHECK(has(help, "/run/it&apos;s/card"));
    CHECK(has(help, "<type arch='x86_64' machine='q35'>hvm</type>"));
    CHECK(has(help, "<features>\n      <acpi/>\n    </features>\n"));
}

TEST_CASE("Nothing selected has an exit code of its own", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    CHECK(call("run --tag no-such-tag").code == exitNothingSelected);
    CHECK(call("list --filter 'no-such-*'").code == exitNothingSelected);
}

TEST_CASE("list and validate tell of every scenario", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    const Called list = call("list --tag smoke");
    CHECK(list.code == exitPassed);
    CHECK(has(list.output, "first-light"));
    const Called valid = call("validate");
    CHECK(valid.code == exitPassed);
    CHECK(has(valid.output, "without a problem"));
}

TEST_CASE("A broken scenario is refused with file, line and key, by every command",
          "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    const TemporaryFolder folder;
    const fs::path file = folder.path() / "broken.toml";
    std::ofstream(file) << "schema = 1\ntitle = \"T\"\n[[step]]\nrnu = \"x\"\n";
    for (const char *verb : {"validate ", "run --dry-run ", "run ", "shell ", "args "}) {
        const Called called = call(verb + file.string());
        CHECK(called.code == exitUsage);
        CHECK(has(called.errors, file.string() + ":4:1: step[0].rnu: unknown key; did you mean "
                                                 "\"run\"?"));
    }
}

TEST_CASE("A dry run says what would be done and starts nothing", "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    const Called called = call("run first-light --seed 7 --dry-run");
    CHECK(called.code == exitPassed);
    CHECK(has(called.output, "seed     7"));
    CHECK(has(called.output, "card     capture,media=smpte-bars"));
    CHECK(has(called.output, "step 1   run      frame-check"));
}

TEST_CASE("serve says how to attach its cards, and cleans up when it is told to end",
          "[scenario][command]")
{
    if (command().empty()) SKIP("TESTCARD_COMMAND is not set");
    const TemporaryFolder folder;
    const std::string socket = (folder.path() / "card").string();
    const std::string control = (folder.path() / "control").string();
    const std::string log = (folder.path() / "log").string();
    const std::string script = "'" + command() + "' serve capture,name=capture --socket " + socket +
                               " --control " + control + " >" + log +
                               " 2>&1 & child=$!; for i in $(seq 100); do [ -S " + control +
                               " ] && grep -q "
                               "Ctrl-C " +
                               log + " && break; sleep 0.05; done; kill -INT $child; wait $child";
    CHECK(std::system(("bash -c '" + script + "'").c_str()) == 0);
    const std::string text = read(log);
    CHECK(has(text, "# card capture (capture) is served at " + socket));
    CHECK(has(text, "memory-backend-memfd,id=ram,size=512M,share=on"));
    CHECK(has(text, "\"driver\":\"vfio-user-pci\",\"id\":\"capture\""));
    CHECK(has(text, "<qemu:arg value='-device'/>"));
    CHECK_FALSE(fs::exists(socket));
    CHECK_FALSE(fs::exists(control));
}

} // namespace testcard::scenario
