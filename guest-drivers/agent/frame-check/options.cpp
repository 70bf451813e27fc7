// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include <getopt.h>

namespace testcard::agent
{

const char *const helpText =
    R"(Usage: frame-check [OPTION]...
Captures video from a V4L2 device and judges every frame by its Testcard stamp.

What to capture
  --device FILE             video device (/dev/video0)
  --format FORMAT           YUYV or BGR24 (YUYV)
  --io METHOD               mmap, userptr, dmabuf or read (mmap)
  --buffers N               buffers to ask for, 1 to 32 (4)
  --userptr-offset BYTES    start user buffers this far into a page (0)
  --frames N                stop after N frames (120)
  --seconds S               stop after S seconds; with --frames, whatever comes first
  --timeout S               give up when no frame comes for S seconds (5)
  --signal-timeout S        give up when there is no usable signal for S seconds (10)
  --follow-source-change    on a SOURCE_CHANGE event take over the new timings and go on
  --stdin                   judge pictures without padding from standard input instead
  --width N --height N      their size

What to expect
  --stream N                frames of other streams are wrong (any one stream)
  --expect-drops N          exactly N frames are dropped (any number, if all counts agree)
  --allow-flagged           frames that the driver marks as bad are no failure; implied by
                            --follow-source-change

What to report
  --json                    one line of JSON instead of text
  --thumbnails FOLDER       write small pictures, thumbnail-000.ppm and so on
  --thumbnail-count N       how many, spread evenly, 1 to 256 (12)
  --thumbnail-width N       how wide, 16 to 4096 (320)
  --help                    this text

Exit codes
  0  every frame is intact, in order and accounted for
  1  frames are torn, repeated, out of order, wrong, or not accounted for; or the device failed
     or stopped delivering
  2  the command line is wrong
  3  the device is not there, or lacks the format or the method asked for
)";

namespace
{

enum Key : int {
    keyDevice = 256,
    keyFormat,
    keyIo,
    keyBuffers,
    keyUserptrOffset,
    keyFrames,
    keySeconds,
    keyTimeout,
    keySignalTimeout,
    keyFollow,
    keyStdin,
    keyWidth,
    keyHeight,
    keyStream,
    keyExpectDrops,
    keyAllowFlagged,
    keyJson,
    keyThumbnails,
    keyThumbnailCount,
    keyThumbnailWidth,
    keyHelp,
};

const std::array keys{
    option{"device", required_argument, nullptr, keyDevice},
    option{"format", required_argument, nullptr, keyFormat},
    option{"io", required_argument, nullptr, keyIo},
    option{"buffers", required_argument, nullptr, keyBuffers},
    option{"userptr-offset", required_argument, nullptr, keyUserptrOffset},
    option{"frames", required_argument, nullptr, keyFrames},
    option{"seconds", required_argument, nullptr, keySeconds},
    option{"timeout", required_argument, nullptr, keyTimeout},
    option{"signal-timeout", required_argument, nullptr, keySignalTimeout},
    option{"follow-source-change", no_argument, nullptr, keyFollow},
    option{"stdin", no_argument, nullptr, keyStdin},
    option{"width", required_argument, nullptr, keyWidth},
    option{"height", required_argument, nullptr, keyHeight},
    option{"stream", required_argument, nullptr, keyStream},
    option{"expect-drops", required_argument, nullptr, keyExpectDrops},
    option{"allow-flagged", no_argument, nullptr, keyAllowFlagged},
    option{"json", no_argument, nullptr, keyJson},
    option{"thumbnails", required_argument, nullptr, keyThumbnails},
    option{"thumbnail-count", required_argument, nullptr, keyThumbnailCount},
    option{"thumbnail-width", required_argument, nullptr, keyThumbnailWidth},
    option{"help", no_argument, nullptr, keyHelp},
    option{nullptr, 0, nullptr, 0},
};

tl::unexpected<Failure> misused(std::string what)
{
    return tl::unexpected(Failure{ExitCode::usage, std::move(what) + "; see frame-check --help"});
}

/// A whole number within limits.
template <typename T>
bool readNumber(std::string_view text, std::uint64_t least, std::uint64_t most, T &into)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    if (number < least || number > most) return false;
    into = static_cast<T>(number);
    return true;
}

template <typename T>
bool readNumber(std::string_view text, std::uint64_t least, std::uint64_t most,
                std::optional<T> &into)
{
    T number{};
    if (!readNumber(text, least, most, number)) return false;
    into = number;
    return true;
}

/// Seconds, with a fraction if need be, up to a day.
template <typename T>
bool readSeconds(std::string_view text, T &into)
{
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    if (!(seconds > 0 && seconds <= 86400)) return false;
    into = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000 + 0.5)};
    return true;
}

bool readIo(std::string_view text, Io &into)
{
    for (const Io io : {Io::mmap, Io::userptr, Io::read, Io::dmabuf})
        if (text == ioName(io)) {
            into = io;
            return true;
        }
    return false;
}

bool readFormat(std::string_view text, feed::PixelFormat &into)
{
    const auto format = feed::formatByName(text);
    if (format) into = *format;
    return format.has_value();
}

/// Takes over one option; false if its value is not acceptable.
bool take(int key, std::string_view value, Options &options)
{
    constexpr std::uint64_t many = 1'000'000'000;
    switch (key) {
    case keyDevice: options.device = value; return true;
    case keyFormat: return readFormat(value, options.format);
    case keyIo: return readIo(value, options.io);
    case keyBuffers: return readNumber(value, 1, 32, options.buffers);
    case keyUserptrOffset: return readNumber(value, 0, 4095, options.userptrOffset);
    case keyFrames: return readNumber(value, 1, many, options.frames);
    case keySeconds: return readSeconds(value, options.duration);
    case keyTimeout: return readSeconds(value, options.frameTimeout);
    case keySignalTimeout: return readSeconds(value, options.signalTimeout);
    case keyFollow: options.followSourceChange = options.allowFlagged = true; return true;
    case keyStdin: options.fromStandardInput = true; return true;
    case keyWidth: return readNumber(value, 2, 16384, options.width) && options.width % 2 == 0;
    case keyHeight: return readNumber(value, 1, 16384, options.height);
    case keyStream: return readNumber(value, 0, 255, options.stream);
    case keyExpectDrops: return readNumber(value, 0, many, options.expectedDrops);
    case keyAllowFlagged: options.allowFlagged = true; return true;
    case keyJson: options.json = true; return true;
    case keyThumbnails: options.thumbnailFolder = value; return !value.empty();
    case keyThumbnailCount: return readNumber(value, 1, 256, options.thumbnailCount);
    case keyThumbnailWidth: return readNumber(value, 16, 4096, options.thumbnailWidth);
    case keyHelp: options.help = true; return true;
    }
    return false;
}

} // namespace

std::string_view ioName(Io io)
{
    switch (io) {
    case Io::mmap: return "mmap";
    case Io::userptr: return "userptr";
    case Io::read: return "read";
    case Io::dmabuf: return "dmabuf";
    }
    return "unknown";
}

Result<Options> parseOptions(int argc, char **argv)
{
    Options options;
    int index = 0;
    for (;;) {
        const int key = getopt_long(argc, argv, "", keys.data(), &index);
        if (key == -1) break;
        if (key == '?') return misused("an option is unknown or incomplete");
        const std::string_view value = optarg ? optarg : "";
        if (!take(key, value, options))
            return misused("--" + std::string{keys.at(static_cast<std::size_t>(index)).name} + " " +
                           std::string{value} + " is not acceptable");
    }
    if (optind < argc) return misused("unexpected argument: " + std::string{argv[optind]});
    if (options.fromStandardInput && (options.width == 0 || options.height == 0))
        return misused("--stdin needs --width and --height");
    if (!options.frames && !options.duration && !options.fromStandardInput) options.frames = 120;
    return options;
}

} // namespace testcard::agent
