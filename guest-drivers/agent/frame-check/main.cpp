// SPDX-License-Identifier: GPL-2.0-or-later
// frame-check: a V4L2 application that knows what it should see.
#include "capture.hpp"
#include "judge.hpp"
#include "options.hpp"
#include "report.hpp"

#include <cstdio>

int main(int argc, char **argv)
{
    using namespace testcard::agent;

    const Result<Options> options = parseOptions(argc, argv);
    if (!options) {
        std::fprintf(stderr, "frame-check: %s\n", options.error().message.c_str());
        return static_cast<int>(options.error().code);
    }
    if (options->help) {
        std::fputs(helpText, stdout);
        return static_cast<int>(ExitCode::passed);
    }

    Judge judge{*options};
    const Outcome outcome = options->fromStandardInput ? readFromStandardInput(*options, judge)
                                                       : captureFromDevice(*options, judge);
    const Verdict verdict = verdictOf(outcome, judge, *options);
    const std::string report = options->json ? asJson(outcome, judge, *options, verdict)
                                             : asText(outcome, judge, *options, verdict);
    std::printf("%s\n", report.c_str());
    if (std::fflush(stdout) != 0) return static_cast<int>(ExitCode::failed);
    return static_cast<int>(verdict.code);
}
