// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of frame-check that need no device: command line, verdict, report, standard input.
#include "feed/ppm.hpp"
#include "frame-check/capture.hpp"
#include "frame-check/judge.hpp"
#include "frame-check/options.hpp"
#include "frame-check/report.hpp"
#include "sample_frames.hpp"
#include "temporary_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include <initializer_list>
#include <string>
#include <vector>

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

using namespace testcard;
using namespace testcard::agent;
using Catch::Matchers::ContainsSubstring;
using nlohmann::json;

namespace
{

constexpr feed::Shape shape{feed::PixelFormat::yuyv, 96, 48};

Result<Options> parse(std::initializer_list<const char *> arguments)
{
    std::vector<std::string> copies{"frame-check"};
    copies.insert(copies.end(), arguments.begin(), arguments.end());
    std::vector<char *> argv;
    for (std::string &copy : copies)
        argv.push_back(copy.data());
    argv.push_back(nullptr);
    optind = 0; // getopt starts anew
    opterr = 0; // and keeps quiet
    return parseOptions(static_cast<int>(copies.size()), argv.data());
}

/// A judge that was given frames of these numbers, each with its number as sequence.
struct Session {
    explicit Session(Options chosen) : options{std::move(chosen)}, judge{options}
    {
        judge.streamStarted();
        outcome.shape = shape;
    }

    void receive(std::uint32_t number, std::uint32_t sequence, bool flagged = false)
    {
        const auto bytes = sampleFrame(shape, {1, number});
        REQUIRE(judge.receive(feed::viewOf(shape, bytes),
                              {.sequence = sequence, .flagged = flagged}, number * 1000ull));
    }
    Verdict verdict() const { return verdictOf(outcome, judge, options); }
    json report() const { return json::parse(asJson(outcome, judge, options, verdict())); }

    Options options;
    Judge judge;
    Outcome outcome;
};

/// Standard input comes from a file while this lives.
class StandardInput
{
public:
    explicit StandardInput(const std::filesystem::path &path) : saved_{::dup(STDIN_FILENO)}
    {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        ::dup2(file, STDIN_FILENO);
        ::close(file);
    }
    ~StandardInput()
    {
        ::dup2(saved_, STDIN_FILENO);
        ::close(saved_);
    }
    StandardInput(const StandardInput &) = delete;
    StandardInput &operator=(const StandardInput &) = delete;

private:
    int saved_;
};

std::string framesFrom(std::uint32_t first, std::uint32_t count)
{
    std::string all;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto bytes = sampleFrame(shape, {1, first + i});
        all.append(bytes.begin(), bytes.end());
    }
    return all;
}

/// What frame-check says of this input when it asks for `frames` of it, or for all.
Verdict judgeInput(const std::string &content, std::optional<std::uint64_t> frames = std::nullopt)
{
    const TemporaryFolder folder;
    const StandardInput input{folder.write("frames", content)};
    Result<Options> options = parse({"--stdin", "--width", "96", "--height", "48"});
    REQUIRE(options);
    options->frames = frames;
    Judge judge{*options};
    const Outcome outcome = readFromStandardInput(*options, judge);
    return verdictOf(outcome, judge, *options);
}

} // namespace

TEST_CASE("frame-check without arguments takes 120 frames of YUYV by mmap", "[frame-check]")
{
    const auto options = parse({});
    REQUIRE(options);
    CHECK(options->device == "/dev/video0");
    CHECK(options->io == Io::mmap);
    CHECK(options->format == feed::PixelFormat::yuyv);
    CHECK(options->frames == 120);
    CHECK_FALSE(options->duration);
    CHECK_FALSE(options->expectedDrops);
}

TEST_CASE("frame-check takes all of its options", "[frame-check]")
{
    const auto options = parse({"--device",
                                "/dev/video7",
                                "--io",
                                "userptr",
                                "--userptr-offset",
                                "36",
                                "--buffers",
                                "8",
                                "--format",
                                "BGR24",
                                "--seconds",
                                "2.5",
                                "--timeout",
                                "0.25",
                                "--signal-timeout",
                                "3",
                                "--follow-source-change",
                                "--stream",
                                "9",
                                "--expect-drops",
                                "0",
                                "--json",
                                "--thumbnails",
                                "/tmp/t",
                                "--thumbnail-count",
                                "5",
                                "--thumbnail-width",
                                "400"});
    REQUIRE(options);
    CHECK(options->device == "/dev/video7");
    CHECK(options->io == Io::userptr);
    CHECK(options->userptrOffset == 36);
    CHECK(options->buffers == 8);
    CHECK(options->format == feed::PixelFormat::bgr24);
    CHECK_FALSE(options->frames);
    CHECK(options->duration == std::chrono::milliseconds{2500});
    CHECK(options->frameTimeout == std::chrono::milliseconds{250});
    CHECK(options->signalTimeout == std::chrono::milliseconds{3000});
    CHECK(options->followSourceChange);
    CHECK(options->allowFlagged);
    CHECK(options->stream == 9);
    CHECK(options->expectedDrops == 0);
    CHECK(options->json);
    CHECK(options->thumbnailFolder == "/tmp/t");
    CHECK(options->thumbnailCount == 5);
    CHECK(options->thumbnailWidth == 400);
}

TEST_CASE("frame-check refuses what makes no sense and names it", "[frame-check]")
{
    const auto refused = [](std::initializer_list<const char *> arguments) {
        const auto options = parse(arguments);
        if (options) return std::string{"accepted"};
        CHECK(options.error().code == ExitCode::usage);
        return options.error().message;
    };
    CHECK_THAT(refused({"--format", "yuyv"}), ContainsSubstring("--format yuyv"));
    CHECK_THAT(refused({"--io", "dma"}), ContainsSubstring("--io dma"));
    CHECK_THAT(refused({"--frames", "0"}), ContainsSubstring("--frames 0"));
    CHECK_THAT(refused({"--frames", "12x"}), ContainsSubstring("--frames 12x"));
    CHECK_THAT(refused({"--frames", "-1"}), ContainsSubstring("--frames -1"));
    CHECK_THAT(refused({"--buffers", "33"}), ContainsSubstring("--buffers 33"));
    CHECK_THAT(refused({"--seconds", "0"}), ContainsSubstring("--seconds 0"));
    CHECK_THAT(refused({"--seconds", "nan"}), ContainsSubstring("--seconds nan"));
    CHECK_THAT(refused({"--seconds", "1e9"}), ContainsSubstring("--seconds 1e9"));
    CHECK_THAT(refused({"--stream", "256"}), ContainsSubstring("--stream 256"));
    CHECK_THAT(refused({"--thumbnails", ""}), ContainsSubstring("--thumbnails"));
    CHECK_THAT(refused({"--frames"}), ContainsSubstring("incomplete"));
    CHECK_THAT(refused({"--nonsense"}), ContainsSubstring("unknown"));
    CHECK_THAT(refused({"/dev/video0"}), ContainsSubstring("/dev/video0"));
    CHECK_THAT(refused({"--stdin"}), ContainsSubstring("--width"));
    CHECK_THAT(refused({"--stdin", "--width", "3", "--height", "4"}),
               ContainsSubstring("--width 3"));
}

TEST_CASE("A sound run passes and its report says so", "[frame-check]")
{
    Session session{parse({"--frames", "3", "--expect-drops", "0"}).value()};
    session.outcome.driver = "testcard";
    session.outcome.card = "a \"card\"\\\x01\xFF";
    session.outcome.nominalRate = 59.94;
    session.outcome.events.sourceChange = 2;
    for (std::uint32_t i = 0; i < 3; ++i) {
        CHECK_FALSE(session.judge.finished());
        session.receive(5 + i, i);
    }
    CHECK(session.judge.finished());
    CHECK(session.verdict().code == ExitCode::passed);

    const json report = session.report();
    CHECK(report["passed"] == true);
    CHECK_FALSE(report.contains("reason"));
    CHECK(report["driver"] == "testcard");
    CHECK(report["card"] == "a \"card\"\\\x01\xC3\xBF"); // the byte FFh as U+00FF
    CHECK(report["width"] == 96);
    CHECK(report["height"] == 48);
    CHECK(report["format"] == "YUYV");
    CHECK(report["io"] == "mmap");
    CHECK(report["frames"] == 3);
    CHECK(report["received"] == 3);
    for (const char *const key : {"dropped", "dropped-by-sequence", "torn", "repeated",
                                  "out-of-order", "wrong", "flagged", "sequence-errors"}) {
        INFO(key);
        CHECK(report[key] == 0);
    }
    CHECK(report["first-sequence"] == 0);
    CHECK(report["first-stamp"] == 5);
    CHECK(report["timestamps-rise"] == true);
    CHECK(report["first-frame-ms"].is_number());
    CHECK(report["starts"] == 1);
    CHECK(report["events"]["source-change"] == 2);
    CHECK(report["thumbnails"] == json::array());
}

TEST_CASE("Every kind of failure has its reason", "[frame-check]")
{
    const Options options = parse({}).value();
    CHECK_THAT(Session{options}.verdict().reason, ContainsSubstring("no frame"));

    Session defective{options};
    defective.receive(1, 1);
    defective.receive(3, 3);
    defective.receive(3, 4);
    defective.receive(2, 5);
    CHECK(defective.verdict().code == ExitCode::failed);
    CHECK(defective.verdict().reason == "1 repeated, 1 out of order");
    CHECK(defective.report()["reason"] == "1 repeated, 1 out of order");

    Session hidden{options};
    hidden.receive(1, 1);
    hidden.receive(3, 2);
    CHECK_THAT(hidden.verdict().reason,
               ContainsSubstring("1 dropped") && ContainsSubstring("sequence numbers 0"));

    Session flagged{options};
    flagged.receive(1, 1);
    flagged.receive(2, 2, true);
    CHECK_THAT(flagged.verdict().reason, ContainsSubstring("1 frames as bad"));
    flagged.options.allowFlagged = true;
    CHECK(flagged.verdict().code == ExitCode::passed);

    Session dropped{options};
    dropped.receive(1, 1);
    dropped.receive(4, 4);
    CHECK(dropped.verdict().code == ExitCode::passed);
    dropped.options.expectedDrops = 0;
    CHECK(dropped.verdict().reason == "2 dropped instead of 0");
    dropped.options.expectedDrops = 2;
    CHECK(dropped.verdict().code == ExitCode::passed);

    dropped.outcome.failure = Failure{ExitCode::unsupported, "no such device"};
    CHECK(dropped.verdict().code == ExitCode::unsupported);
    CHECK(dropped.report()["reason"] == "no such device");
    CHECK_THAT(asText(dropped.outcome, dropped.judge, dropped.options, dropped.verdict()),
               ContainsSubstring("failed: no such device"));
}

TEST_CASE("Timestamps that do not rise are reported", "[frame-check]")
{
    Session session{parse({}).value()};
    session.receive(4, 4);
    session.judge.streamStarted(); // a new start may begin anywhere
    session.receive(1, 1);
    CHECK(session.report()["timestamps-rise"] == true);
    const auto bytes = sampleFrame(shape, {1, 2});
    REQUIRE(
        session.judge.receive(feed::viewOf(shape, bytes), {.sequence = 2, .flagged = false}, 1000));
    CHECK(session.report()["timestamps-rise"] == false);
    CHECK(session.report()["starts"] == 2);
}

TEST_CASE("Thumbnails are spread evenly over the frames", "[frame-check]")
{
    const TemporaryFolder folder;
    Session session{parse({"--frames", "10", "--thumbnail-count", "4"}).value()};
    session.options.thumbnailFolder = folder / "pictures";
    for (std::uint32_t i = 0; i < 10; ++i)
        session.receive(100 + i, i);
    const std::vector<std::string> names{"thumbnail-000.ppm", "thumbnail-001.ppm",
                                         "thumbnail-002.ppm", "thumbnail-003.ppm"};
    CHECK(session.judge.thumbnails() == names);
    CHECK(session.report()["thumbnails"] == json(names));
    std::vector<std::uint32_t> numbers;
    for (const std::string &name : names) {
        const auto thumbnail = feed::readPpm(folder / "pictures" / name);
        REQUIRE(thumbnail);
        CHECK(thumbnail->note.source == shape);
        numbers.push_back(thumbnail->note.frame.value_or(0));
    }
    CHECK(numbers == std::vector<std::uint32_t>{100, 103, 106, 109});
}

TEST_CASE("Fewer frames than thumbnails give one each, a single one the first", "[frame-check]")
{
    const TemporaryFolder folder;
    Session few{parse({"--frames", "3", "--thumbnail-count", "12"}).value()};
    few.options.thumbnailFolder = folder / "few";
    for (std::uint32_t i = 0; i < 3; ++i)
        few.receive(i, i);
    CHECK(few.judge.thumbnails().size() == 3);

    Session single{parse({"--frames", "5", "--thumbnail-count", "1"}).value()};
    single.options.thumbnailFolder = folder / "single";
    for (std::uint32_t i = 0; i < 5; ++i)
        single.receive(i, i);
    CHECK(single.judge.thumbnails().size() == 1);
    CHECK(feed::readPpm(folder / "single/thumbnail-000.ppm")->note.frame == 0);
}

TEST_CASE("A thumbnail that cannot be written ends the run with its path", "[frame-check]")
{
    Session session{parse({}).value()};
    session.options.thumbnailFolder = "/dev/null/pictures";
    const auto bytes = sampleFrame(shape, {1, 1});
    const auto judged = session.judge.receive(feed::viewOf(shape, bytes), {}, std::nullopt);
    REQUIRE_FALSE(judged);
    CHECK_THAT(judged.error().message, ContainsSubstring("/dev/null/pictures/thumbnail-000.ppm"));
}

TEST_CASE("Frames from standard input are judged like any others", "[frame-check]")
{
    CHECK(judgeInput(framesFrom(7, 5)).code == ExitCode::passed);
    CHECK(judgeInput(framesFrom(7, 5), 3).code == ExitCode::passed);
    CHECK(judgeInput(framesFrom(7, 2) + framesFrom(8, 1)).reason == "1 repeated");
    CHECK(judgeInput(std::string(shape.bytes(), '\0')).reason == "1 wrong");
}

TEST_CASE("Standard input that ends too early is told from one that ends in time", "[frame-check]")
{
    CHECK(judgeInput("").reason == "no frame was received");
    CHECK(judgeInput(framesFrom(0, 2), 3).reason == "standard input ended after 2 frames");
    CHECK(judgeInput(framesFrom(0, 2).substr(0, 9000 + shape.bytes())).reason ==
          "standard input ended within a frame, after 1");
}

TEST_CASE("A device that is not there or is none is told from one that fails", "[frame-check]")
{
    Options options = parse({"--device", "/dev/does-not-exist"}).value();
    Judge judge{options};
    const auto absent = captureFromDevice(options, judge);
    REQUIRE(absent.failure);
    CHECK(absent.failure->code == ExitCode::unsupported);
    CHECK_THAT(absent.failure->message, ContainsSubstring("/dev/does-not-exist"));
    options.device = "/dev/null";
    const auto none = captureFromDevice(options, judge);
    REQUIRE(none.failure);
    CHECK_THAT(none.failure->message, ContainsSubstring("/dev/null is no V4L2 device"));
}
