// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/card.hpp"
#include "cards/card_spec.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <string>

using namespace testcard;
using cards::parseCard;

namespace
{

std::string refusalOf(std::string_view description)
{
    const auto spec = parseCard(description);
    REQUIRE_FALSE(spec);
    CHECK(spec.error().kind == cards::Error::Kind::usage);
    return spec.error().message;
}

} // namespace

TEST_CASE("A card without options has the documented defaults", "[cards]")
{
    const auto spec = parseCard("capture");
    REQUIRE(spec);
    CHECK(spec->type == "capture");
    CHECK(spec->name == "capture");
    CHECK(spec->media == "smpte-bars");
    CHECK(spec->width == 1280);
    CHECK(spec->height == 720);
    CHECK(spec->rate == 60);
    CHECK(spec->pacing == capture::Pacing::realTime);
    CHECK(spec->seed == 1);
    CHECK(spec->interrupts == capture::Interrupts::msi);
    CHECK_FALSE(spec->id);
}

TEST_CASE("Every option of a card is taken", "[cards]")
{
    const auto spec = parseCard("capture,name=cam-1,media=noise,width=1920,height=1080,rate=59.94,"
                                "pacing=as-fast-as-possible,seed=18446744073709551615,stream=7,"
                                "interrupts=msix,id=8086:10fB");
    REQUIRE(spec);
    CHECK(spec->name == "cam-1");
    CHECK(spec->media == "noise");
    CHECK(spec->width == 1920);
    CHECK(spec->height == 1080);
    CHECK(spec->rate == 59.94);
    CHECK(spec->pacing == capture::Pacing::onDemand);
    CHECK(spec->seed == 18446744073709551615u);
    CHECK(spec->stream == 7);
    CHECK(spec->interrupts == capture::Interrupts::msix);
    CHECK(spec->id == cards::PciId{0x8086, 0x10FB});
}

TEST_CASE("A wrong description is refused with the option and what it may be", "[cards]")
{
    CHECK(refusalOf("captrue") == "there is no card \"captrue\"; there is: capture");
    CHECK(refusalOf("").starts_with("there is no card \"\""));
    CHECK(refusalOf("capture,") == "card \"capture\": \"\" is not of the form option=value");
    CHECK(refusalOf("capture,wide") ==
          "card \"capture\": \"wide\" is not of the form option=value");
    CHECK(refusalOf("capture,widht=640")
              .starts_with(
                  "card \"capture\": there is no option \"widht\"; there are name, media, width"));
    CHECK(refusalOf("capture,width=640x") ==
          "card \"capture\": width is \"640x\"; it must be a number from 16 to 4096");
    CHECK(refusalOf("capture,width=-1").find("16 to 4096") != std::string::npos);
    CHECK(refusalOf("capture,width=").find("16 to 4096") != std::string::npos);
    CHECK(refusalOf("capture,rate=nan").find("1 to 240") != std::string::npos);
    CHECK(refusalOf("capture,stream=256").find("0 to 255") != std::string::npos);
    CHECK(refusalOf("capture,pacing=fast") ==
          "card \"capture\": pacing is \"fast\"; it must be one "
          "of real-time, as-fast-as-possible");
    CHECK(refusalOf("capture,media=bars").find("smpte-bars") != std::string::npos);
    CHECK(refusalOf("capture,id=7c01-0001").find("as in 7c01:0001") != std::string::npos);
    CHECK(refusalOf("capture,id=ffff:0001").find("no card at all") != std::string::npos);
    CHECK(refusalOf("capture,name=a/b").find("letters") != std::string::npos);
}

TEST_CASE("A card is built from its description, with its identity", "[cards]")
{
    bus::Clock clock;
    auto card = cards::makeCard(*parseCard("capture,id=1234:5678"), clock);
    REQUIRE(card);
    CHECK((*card)->function().info().identity.vendor == 0x1234);
    CHECK((*card)->function().info().identity.device == 0x5678);
    CHECK((*card)->status()["signal"]["timings"] == "1280x720p60");
}

TEST_CASE("A signal that no source can send is refused with the card's name", "[cards]")
{
    bus::Clock clock;
    const auto card = cards::makeCard(*parseCard("capture,name=odd,width=650,height=490"), clock);
    REQUIRE_FALSE(card);
    CHECK(card.error().message.starts_with("card \"odd\": "));
}
