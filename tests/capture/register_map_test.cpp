// SPDX-License-Identifier: GPL-2.0-or-later
// The datasheet and the contract say the same: a shared header would hide a shared mistake, so the
// datasheet's tables are read as text.
#include "capture/capture_regs.h"
#include "capture/register_table.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <cstddef>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace testcard;

namespace
{

std::string datasheet()
{
    std::ostringstream text;
    text << std::ifstream{TESTCARD_CAPTURE_DATASHEET}.rdbuf();
    REQUIRE(text.str().size() > 1000);
    return text.str();
}

const char *nameOf(bus::RegisterAccess access)
{
    switch (access) {
    case bus::RegisterAccess::RO: return "RO";
    case bus::RegisterAccess::RW: return "RW";
    case bus::RegisterAccess::W1C: return "W1C";
    case bus::RegisterAccess::WO: return "WO";
    }
    return "?";
}

/// The rows of the datasheet's register tables, as they stand there.
std::multiset<std::string> datasheetRows(const std::string &text)
{
    const std::regex row{
        R"(\| \+?0x[0-9A-F]+ \| (CAPTURE|STREAM)_\w+ \| \w+ \| 0x\w+ \| 0x\w+ \|)"};
    std::multiset<std::string> rows;
    for (std::sregex_iterator it{text.begin(), text.end(), row}, end; it != end; ++it)
        rows.insert(it->str());
    return rows;
}

} // namespace

TEST_CASE("The datasheet's register tables are the contract's", "[capture][datasheet]")
{
    std::multiset<std::string> expected;
    for (const bus::RegisterInfo &info : capture::registerTable(1)) {
        const bool ofStream = info.offset >= CAPTURE_STREAM_BASE;
        const std::string offset = ofStream
                                       ? fmt::format("+0x{:02X}", info.offset - CAPTURE_STREAM_BASE)
                                       : fmt::format("0x{:03X}", info.offset);
        expected.insert(fmt::format("| {} | {} | {} | 0x{:08X} | 0x{:08X} |", offset, info.name,
                                    nameOf(info.access), info.writable, info.reset));
    }
    CHECK(datasheetRows(datasheet()) == expected);
}

TEST_CASE("The structures in guest memory have the datasheet's layout", "[capture][datasheet]")
{
    CHECK(offsetof(capture_descriptor, sg_address) == 0);
    CHECK(offsetof(capture_descriptor, sg_count) == 8);
    CHECK(offsetof(capture_descriptor, cookie) == 16);
    CHECK(offsetof(capture_sg, address) == 0);
    CHECK(offsetof(capture_sg, length) == 8);
    CHECK(offsetof(capture_completion, cookie) == 0);
    CHECK(offsetof(capture_completion, sequence) == 8);
    CHECK(offsetof(capture_completion, status) == 12);
    CHECK(offsetof(capture_completion, field) == 16);
    CHECK(offsetof(capture_completion, bytes) == 20);
    CHECK(offsetof(capture_completion, start_ns) == 24);
    CHECK(offsetof(capture_completion, end_ns) == 32);
    CHECK(offsetof(capture_completion, dropped) == 40);
    CHECK(offsetof(capture_completion, generation) == 44);
    CHECK(offsetof(capture_index, completed) == 0);
    CHECK(offsetof(capture_index, events) == 4);
}
