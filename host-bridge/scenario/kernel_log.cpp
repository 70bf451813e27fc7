// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/kernel_log.hpp"

#include "scenario/kept_output.hpp"
#include "scenario/pattern.hpp"

#include <algorithm>

namespace testcard::scenario
{

namespace
{

constexpr std::size_t mostFindings = 10;

/// How Linux begins its reports, but for a panic, which ends the machine and is known from that
/// (lib/bug.c, mm/kasan/report.c, kernel/watchdog.c, hung_task.c).
constexpr const char *linuxReports =
    "BUG:|WARNING: |Oops: |Oops\\[|kernel BUG at|KASAN: |KFENCE: |UBSAN: |"
    "general protection fault|"
    "blocked for more than [0-9]+ seconds|"
    "soft lockup|hard LOCKUP|refcount_t: |list_(add|del) corruption|"
    "DMA-API: |irq [0-9]+: nobody cared|scheduling while atomic";

std::vector<Matcher> compile(const std::vector<Pattern> &patterns)
{
    std::vector<Matcher> out;
    for (const Pattern &pattern : patterns)
        if (auto matcher = Matcher::compile(pattern.text)) out.push_back(*std::move(matcher));
    return out;
}

bool anyMatches(const std::vector<Matcher> &matchers, std::string_view line)
{
    return std::any_of(matchers.begin(), matchers.end(),
                       [&](const Matcher &matcher) { return matcher.matches(line); });
}

/// Without "[    1.234567] " and a serial line's CR, so that the same report counts once.
std::string_view withoutTime(std::string_view line)
{
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with('[')) return line;
    const std::size_t end = line.find("] ");
    return end == std::string_view::npos ? line : line.substr(end + 2);
}

} // namespace

std::vector<std::string> findKernelBugs(std::string_view log, const Verdict &verdict)
{
    std::vector<Matcher> refused = compile(verdict.kernelLogRefuse);
    refused.push_back(*Matcher::compile(linuxReports));
    const std::vector<Matcher> allowed = compile(verdict.kernelLogAllow);

    std::vector<std::string> out;
    while (!log.empty() && out.size() < mostFindings) {
        const std::string_view line = log.substr(0, log.find('\n'));
        log.remove_prefix(std::min(log.size(), line.size() + 1));
        if (!anyMatches(refused, line) || anyMatches(allowed, line)) continue;
        std::string found = printable(withoutTime(line));
        if (std::find(out.begin(), out.end(), found) == out.end()) out.push_back(std::move(found));
    }
    return out;
}

} // namespace testcard::scenario
