#include "tools/postgres/log_time.hpp"

#include <catch2/catch.hpp>

namespace base = interlock::base;
using interlock::tools::LogTimeReader;
using interlock::tools::LogZone;
using interlock::tools::ZoneSpan;

namespace {

base::Time moment(const char* text) {
    return base::parse_time(text).value();
}

std::string read(LogTimeReader& reader, std::string_view text) {
    std::optional<base::Time> at;
    const std::size_t length = reader.read(text, at);
    return std::to_string(length) + " " + (at ? base::format_time(*at) : "-");
}

/// Central Europe in the autumn of 2026: the hour from two to three comes twice.
LogZone autumn() {
    using std::chrono::hours;
    return LogZone{
        {{moment("2026-10-24T00:00:00Z"), hours{2}}, {moment("2026-10-25T01:00:00Z"), hours{1}}}};
}

} // namespace

TEST_CASE("times of a log are read with and without fraction and zone", "[tools]") {
    LogTimeReader reader{LogZone{}};
    CHECK(read(reader, "2026-11-21 21:36:07.123 UTC [1]") == "27 2026-11-21T21:36:07.123000Z");
    CHECK(read(reader, "2026-11-21 21:36:08 UTC LOG") == "23 2026-11-21T21:36:08.000000Z");
    CHECK(read(reader, "2026-11-21 21:36:07.5 CET x") == "25 2026-11-21T20:36:07.500000Z");
    CHECK(read(reader, "2026-11-21 21:36:07 +0530 x") == "25 2026-11-21T16:06:07.000000Z");
    CHECK(read(reader, "2026-11-21 21:36:07 -03 x") == "23 2026-11-22T00:36:07.000000Z");
}

TEST_CASE("what is no time is none", "[tools]") {
    LogTimeReader reader{LogZone{}};
    for (const char* text :
         {"",
          "LOG:  x",
          "2026-11-21",
          "2026-13-21 21:36:07 UTC",
          "2026-02-30 21:36:07 UTC",
          "2026-11-21 24:36:07 UTC",
          "2026-11-21 21:60:07 UTC",
          "2026/11/21 21:36:07 UTC",
          "9999999999999999999999999",
          "2026-11-21 21-36-07 UTC xxxxx"}) {
        INFO(text);
        CHECK(read(reader, text) == "0 -");
    }
}

TEST_CASE("a zone that nobody knows is told, and its times are left open", "[tools]") {
    LogTimeReader reader{LogZone{}};
    CHECK(read(reader, "2026-11-21 21:36:07 XYZT [1]") == "24 -");
    CHECK(reader.unknown_zone() == "XYZT");
    CHECK(read(reader, "2026-11-21 21:36:07 UTC [1]") == "23 2026-11-21T21:36:07.000000Z");
}

TEST_CASE("the server's offsets place times, an hour that comes twice by its name", "[tools]") {
    LogTimeReader reader{autumn()};
    CHECK(read(reader, "2026-10-25 01:59:59 CEST x").ends_with("2026-10-24T23:59:59.000000Z"));
    CHECK(read(reader, "2026-10-25 02:30:00 CEST x").ends_with("2026-10-25T00:30:00.000000Z"));
    CHECK(read(reader, "2026-10-25 03:00:00 CET x").ends_with("2026-10-25T02:00:00.000000Z"));
    CHECK(read(reader, "2026-10-25 02:30:00 CET x").ends_with("2026-10-25T01:30:00.000000Z"));
    CHECK(read(reader, "2026-10-25 02:30:00 CEST x").ends_with("2026-10-25T00:30:00.000000Z"));
    // What is written there wins over the usual meaning.
    LogTimeReader israel{LogZone{{{moment("2026-10-01T00:00:00Z"), std::chrono::hours{2}}}}};
    CHECK(read(israel, "2026-10-25 02:30:00 IST x").ends_with("2026-10-25T00:30:00.000000Z"));
}

TEST_CASE("a person's time without a zone is the log's", "[tools]") {
    LogTimeReader reader{autumn()};
    CHECK(reader.read_local("2026-10-25 12:00:00") == moment("2026-10-25T11:00:00Z"));
    CHECK(reader.read_local("2026-10-24T12:00:00.5") == moment("2026-10-24T10:00:00.5Z"));
    CHECK_FALSE(reader.read_local("2026-10-24 12:00:00 or so").has_value());
    CHECK_FALSE(reader.read_local("yesterday").has_value());
    LogTimeReader unknown{LogZone{}};
    CHECK(unknown.read_local("2026-10-25 12:00:00") == moment("2026-10-25T12:00:00Z"));
}
