// SPDX-License-Identifier: GPL-2.0-or-later
// Each error text of the language, as a person reads it.
#include "parsing.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fstream>

namespace testcard::scenario
{

namespace
{

struct Case {
    std::string text; ///< after `header`, whose last line is 5
    std::string problem;
};

using Texts = std::vector<std::string>;

const std::string card = "[[card]]\ntype = \"capture\"\n"; // lines 6 and 7

} // namespace

TEST_CASE("Every problem of a file is told at once, in the order of the file", "[scenario]")
{
    CHECK(problemsOf("schema = 1\ntags = [1]\n[guest]\ncpu = 1\n[[step]]\nrnu = \"x\"\n") ==
          Texts{
              "test.toml:1:1: title: missing; say in a sentence what the scenario shows",
              "test.toml:2:9: tags[0]: expected a string with something in it, found the integer 1",
              "test.toml:4:1: guest.cpu: unknown key; did you mean \"cpus\"?",
              "test.toml:5:1: step[0]: does nothing; a step has exactly one of run, wait, cancel, "
              "signal, status, kill, pause, resume, restart, plug, unplug, sleep",
              "test.toml:6:1: step[0].rnu: unknown key; did you mean \"run\"?",
          });
}

TEST_CASE("A syntax error is told with its place", "[scenario]")
{
    const Texts problems = problemsOf("schema = 1\ntitle = \n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("test.toml:2:9: not TOML: Error while parsing"));
}

TEST_CASE("A file that is not there is a problem", "[scenario]")
{
    const auto scenario = loadScenario("no/such.toml");
    REQUIRE_FALSE(scenario);
    CHECK(scenario.error()[0].text() ==
          "no/such.toml: cannot be read; `testcard list` tells what there is");
}

TEST_CASE("An empty file is a problem of its own", "[scenario]")
{
    const TemporaryFolder folder;
    const auto file = folder.path() / "empty.toml";
    std::ofstream(file).flush();
    const auto scenario = loadScenario(file);
    REQUIRE_FALSE(scenario);
    CHECK(scenario.error()[0].text() ==
          file.string() + ": is empty; begin the file with schema = 1");
    const auto noFile = loadScenario(folder.path());
    REQUIRE_FALSE(noFile);
    CHECK(noFile.error()[0].what == "cannot be read");
}

TEST_CASE("A module's folder without a slash is no module of the kernel", "[scenario]")
{
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder.path() / "mine");
    std::ofstream(folder.path() / "mine" / "Kbuild") << "obj-m := mine.o\n";
    const auto file = folder.path() / "test.toml";
    const auto modules = [&](const std::string &list) {
        return parseScenario(header + "[guest]\nmodules = [" + list + "]\n", file);
    };
    const auto refused = modules("\"vivid\", \"mine\"");
    REQUIRE_FALSE(refused);
    CHECK(refused.error()[0].text() ==
          file.string() + ":7:21: guest.modules[1]: \"mine\" names a module of the kernel, but "
                          "also a folder here; write \"./mine\" for the folder");
    CHECK(modules("\"vivid\", \"./mine\""));
}

TEST_CASE("Another schema is refused", "[scenario]")
{
    CHECK(problemsOf("schema = 2\ntitle = \"T\"\n[[step]]\nrun = \"x\"\n") ==
          Texts{"test.toml:1:10: schema: expected 1, the only schema that this testcard knows, "
                "found the integer 2"});
    CHECK(problemsOf("title = \"T\"\n[[step]]\nrun = \"x\"\n") ==
          Texts{"test.toml:1:1: schema: missing; begin the file with schema = 1"});
}

TEST_CASE("A scenario that cannot fail is refused", "[scenario]")
{
    CHECK(problemsOf("schema = 1\ntitle = \"T\"\n[[step]]\nsleep = \"1s\"\n") ==
          Texts{"test.toml:1:1: step: no step can fail, so the scenario judges nothing; add a "
                "[[step]] with run or status"});
}

TEST_CASE("Wrong values are told with what was expected", "[scenario]")
{
    const Case wrong = GENERATE(
        Case{"directory = \"tmp\"",
             "6:13: step[0].directory: \"tmp\" is not an absolute path of the guest"},
        Case{"timeout = 5", "6:11: step[0].timeout: expected a duration such as \"500ms\", \"30s\" "
                            "or \"2min\", found the integer 5"},
        Case{"timeout = \"5\"", "6:11: step[0].timeout: expected a duration such as \"500ms\", "
                                "\"30s\" or \"2min\", found the string \"5\""},
        Case{"always = \"yes\"",
             "6:10: step[0].always: expected true or false, found the string \"yes\""},
        Case{"metrics = \"jsn\"", "6:11: step[0].metrics: expected \"json\", found the string "
                                  "\"jsn\"; did you mean \"json\"?"},
        Case{"collect = [\"a\"]",
             "6:12: step[0].collect[0]: \"a\" is not an absolute path of the guest"},
        Case{"collect = []",
             "6:11: step[0].collect: expected a string or a list of strings, found an empty list"},
        Case{"environment = 1", "6:15: step[0].environment: expected a table, found the integer 1"},
        Case{"environment = { A = 1 }", "6:21: step[0].environment.A: expected a string with "
                                        "something in it, found the integer 1"},
        Case{
            "kill = \"x\"",
            "3:1: step[0]: does run and kill at once; a step has exactly one of run, wait, cancel, "
            "signal, status, kill, pause, resume, restart, plug, unplug, sleep"},
        Case{"[guest]\nmemory = \"1M\"", "7:10: guest.memory: expected from 128M to 1024G"},
        Case{"[guest]\nmemory = 512", "7:10: guest.memory: expected a size such as \"256M\" or "
                                      "\"1G\", found the integer 512"},
        Case{"[guest]\ncpus = 0",
             "7:8: guest.cpus: expected an integer from 1 to 64, found the integer 0"},
        Case{"[guest]\nkernel = \"./none\"", "7:10: guest.kernel: there is no file none; paths "
                                             "start at the folder of the scenario file"},
        Case{"[guest]\nmodules = \"a.c\"",
             "7:11: guest.modules: \"a.c\" is not a kernel module; give a file that ends in .ko, a "
             "folder with a Kbuild in it, or the name of a module of the kernel"},
        Case{"[guest]\nmodules = [\"a.ko\"]",
             "7:12: guest.modules[0]: there is no file a.ko; paths start at the folder of the "
             "scenario file"},
        Case{"[guest]\npackages = [\"Foo\"]",
             "7:13: guest.packages[0]: \"Foo\" cannot be a Debian package; give the name alone, as "
             "in \"alsa-utils\""},
        Case{"[guest]\nfiles = [\"a\"]",
             "7:10: guest.files[0]: \"a\" is not HOST:GUEST; as in \"clip.yuv:/root/clip.yuv\", "
             "absolute in the guest"},
        Case{"[card]\ntype = \"capture\"",
             "6:1: card: expected tables, each begun by [[card]], found a table"});
    const Texts problems = problemsOf(header + wrong.text + "\n");
    REQUIRE_FALSE(problems.empty());
    CHECK(problems.front() == "test.toml:" + wrong.problem);
}

TEST_CASE("Wrong cards are told in the words of `testcard serve`", "[scenario]")
{
    const Case wrong = GENERATE(
        Case{"type = \"captur\"", "7:8: card[0].type: expected \"capture\", found the string "
                                  "\"captur\"; did you mean \"capture\"?"},
        Case{"name = \"x\"",
             "6:1: card[0].type: missing; say what kind of card this is, as in type "
             "= \"capture\""},
        Case{
            "type = \"capture\"\nname = \"9\"",
            "8:8: card[0].name: \"9\" is not a name: a lower-case letter, then letters, digits and "
            "'-', 32 at most"},
        Case{"type = \"capture\"\nmedia = \"bars\"",
             "8:9: card[0].media: media is \"bars\"; it must be one of smpte-bars, ramp, "
             "checkerboard, moving-box, noise"},
        Case{"type = \"capture\"\nwidth = \"wide\"",
             "8:9: card[0].width: width is \"wide\"; it must be a number from 16 to 4096"},
        Case{"type = \"capture\"\nmedia = true",
             "8:9: card[0].media: expected a string or a number, found true"},
        Case{"type = \"capture\"\npacin = \"real-time\"",
             "8:1: card[0].pacin: unknown key; did you mean \"pacing\"?"});
    const Texts problems = problemsOf(header + "[[card]]\n" + wrong.text + "\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems.front() == "test.toml:" + wrong.problem);
}

TEST_CASE("A signal that no timings standard knows is refused", "[scenario]")
{
    const Texts problems = problemsOf(header + card + "width = 1000\nheight = 700\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].starts_with("test.toml:7:8: card[0].type: "));
    CHECK(problems[0].find("1000x700") != std::string::npos);
}

TEST_CASE("Expectations that cannot fail or cannot hold are refused", "[scenario]")
{
    const Case wrong = GENERATE(
        Case{"expect = {}", "6:10: step[0].expect: expects nothing; leave it out: exit = 0 is "
                            "expected anyway"},
        Case{"expect = { exit = \"any\" }",
             "6:19: step[0].expect.exit: \"any\" alone cannot fail, so it judges nothing; expect "
             "something of the output too, or end the command with `|| true`"},
        Case{"expect = { exit = 256 }",
             "6:19: step[0].expect.exit: expected a code from 0 to 255, \"nonzero\" or \"any\", "
             "found the integer 256"},
        Case{"expect = { signal = \"KILLL\" }",
             "6:21: step[0].expect.signal: expected a signal such as \"KILL\" or 9, found the "
             "string \"KILLL\""},
        Case{"expect = { timeout = false }",
             "6:22: step[0].expect.timeout: false is what every step expects; leave it out"},
        Case{"expect = { exit = 1, timeout = true }",
             "6:32: step[0].expect.timeout: a command ends only once: by exit, by signal or by its "
             "timeout; keep one of them"},
        Case{"expect = { stdout = \".*\" }",
             "6:21: step[0].expect.stdout: \".*\" matches every text and so judges nothing; say "
             "what has to be there"},
        Case{"expect = { stdout-lacks = \"x*\" }",
             "6:27: step[0].expect.stdout-lacks: \"x*\" matches every text and so judges nothing; "
             "say what has to be there"},
        Case{"expect = { stderr = \"(\" }", "6:21: step[0].expect.stderr: not a POSIX extended "
                                            "regular expression: Unmatched ( or \\("},
        Case{"expect = { stdot = \"x\" }",
             "6:12: step[0].expect.stdot: unknown key; did you mean \"stdout\"?"},
        Case{"expect = { metrics = { a = 1 } }",
             "6:22: step[0].expect.metrics: the step reads no metrics; let it, with metrics = "
             "\"json\" beside expect"},
        Case{"metrics = \"json\"\nexpect = { metrics = {} }",
             "7:22: step[0].expect.metrics: expects nothing; an expectation must be able to fail"},
        Case{"metrics = \"json\"\nexpect = { metrics = { a = { min = 2, max = 1 } } }",
             "7:28: step[0].expect.metrics.a: can never hold: its min is above its max"},
        Case{"metrics = \"json\"\nexpect = { metrics = { a = { min = \"1\" } } }",
             "7:36: step[0].expect.metrics.a.min: expected a number, found the string \"1\""},
        Case{"metrics = \"json\"\nexpect = { metrics = { a = [1] } }",
             "7:28: step[0].expect.metrics.a: expected a number, a string, true, false or { min, "
             "max }, found a list"});
    const Texts problems = problemsOf(header + wrong.text + "\n");
    REQUIRE_FALSE(problems.empty());
    CHECK(problems.front() == "test.toml:" + wrong.problem);
}

TEST_CASE("Steps that name what is not there are refused", "[scenario]")
{
    const Case wrong = GENERATE(
        Case{"wait = \"frist\"",
             "9:8: step[1].wait: there is no step \"frist\"; no step is in the background by then"},
        Case{"wait = \"first\"", "9:8: step[1].wait: step \"first\" is not in the background; give "
                                 "it background = true"},
        Case{"cancel = \"nothing\"",
             "9:10: step[1].cancel: there is no step \"nothing\"; no step is "
             "in the background by then"},
        Case{"kill = \"capture1\"",
             "9:8: step[1].kill: there is no card \"capture1\"; did you mean \"capture0\"?"},
        Case{"status = \"capture0\"",
             "8:1: step[1].expect: missing; say what the counters must be, "
             "as in expect = { metrics = { frames-dropped = 0 } }"},
        Case{
            "status = \"capture0\"\nexpect = { exit = 0 }",
            "10:10: step[1].expect.metrics: missing; a card's status has metrics and nothing else"},
        Case{"signal = { present = true }",
             "9:10: step[1].signal.card: missing; name the card whose input this is"},
        Case{"signal = { card = \"capture0\" }",
             "9:19: step[1].signal.card: changes nothing; say "
             "what becomes of the signal, as in present = false"},
        Case{"signal = { card = \"capture0\", timings = \"720p\" }",
             "9:41: step[1].signal.timings: \"720p\" does not look like \"1280x720p60\""},
        Case{"run = \"x\"\nname = \"first\"",
             "8:1: step[1].name: there already is a step \"first\"; names are unique"},
        Case{"run = \"x\"\nbackground = true",
             "10:14: step[1].background: a step in the background needs a name; give it one, and "
             "let a later step wait for it or cancel it"},
        Case{
            "run = \"x\"\nname = \"b\"\nbackground = true",
            "8:1: step[1].background: no later step waits for this one or cancels it; without that "
            "its expectations cannot fail"},
        Case{"resume = \"capture0\"",
             "9:10: step[1].resume: card \"capture0\" is not paused by then"},
        Case{"plug = \"capture0\"", "9:8: step[1].plug: card \"capture0\" is plugged in by then"},
        Case{"restart = \"capture0\"", "9:11: step[1].restart: card \"capture0\" runs by then"},
        Case{"kill = \"capture0\"\n[[step]]\nsignal = { card = \"capture0\", present = true }",
             "11:19: step[2].signal.card: card \"capture0\" has been killed by a step before; "
             "restart it first"},
        Case{"kill = \"capture0\"\n[[step]]\nrestart = \"capture0\"",
             "11:11: step[2].restart: card \"capture0\" is still plugged in; the guest's old "
             "connection is gone for good: unplug it first"},
        Case{"pause = \"capture0\"\n[[step]]\nstatus = \"capture0\"\nexpect = { metrics = { a = 1 "
             "} }",
             "11:10: step[2].status: card \"capture0\" is paused by then and cannot answer; resume "
             "it first"},
        Case{"run = \"x\"\n[verdict]\nframes = { step = \"first\", card = \"capture0\" }",
             "11:19: verdict.frames.step: there is no step \"first\" that reads metrics"});
    const Texts problems = problemsOf(header + card + "[[step]]\n" + wrong.text + "\n");
    REQUIRE_FALSE(problems.empty());
    CHECK(problems.front() == "test.toml:" + wrong.problem);
}

TEST_CASE("A misspelt step in the background is suggested", "[scenario]")
{
    CHECK(problemsOf(header + "background = true\n[[step]]\nwait = \"frist\"\n"
                              "[[step]]\ncancel = \"first\"\n") ==
          Texts{"test.toml:8:8: step[1].wait: there is no step \"frist\"; did you mean "
                "\"first\"?"});
}

TEST_CASE("Two cards of one name are refused", "[scenario]")
{
    CHECK(problemsOf(header + card + card + "name = \"capture0\"\n") ==
          Texts{"test.toml:8:1: card[1].name: there already is a card \"capture0\"; names are "
                "unique"});
}

TEST_CASE("A background step that was ended cannot be waited for again", "[scenario]")
{
    CHECK(problemsOf(header + "[[step]]\nname = \"b\"\nrun = \"x\"\nbackground = true\n"
                              "[[step]]\ncancel = \"b\"\n[[step]]\nwait = \"b\"\n") ==
          Texts{"test.toml:13:8: step[3].wait: step \"b\" has been ended by a step before"});
    CHECK(problemsOf(header + "[[step]]\nwait = \"b\"\n"
                              "[[step]]\nname = \"b\"\nrun = \"x\"\nbackground = true\n"
                              "[[step]]\ncancel = \"b\"\n") ==
          Texts{"test.toml:7:8: step[1].wait: step \"b\" starts only later"});
}

} // namespace testcard::scenario
