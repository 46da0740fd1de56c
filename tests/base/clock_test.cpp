#include "base/clock.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

Time at(long long microseconds) {
    return Time{std::chrono::microseconds{microseconds}};
}

} // namespace

TEST_CASE("a time is written as RFC 3339 with microseconds", "[base]") {
    CHECK(format_time(at(0)) == "1970-01-01T00:00:00.000000Z");
    CHECK(format_time(at(-1)) == "1969-12-31T23:59:59.999999Z");
    CHECK(format_time(at(951'782'400'000'001)) == "2000-02-29T00:00:00.000001Z");
    CHECK(format_time(test::ManualClock().now()) == "2026-11-21T03:00:00.000000Z");
}

TEST_CASE("what was written is read back to the microsecond", "[base]") {
    for (long long value = -3'000'000'000'000'007; value < 4'102'444'800'000'000;
         value += 12'345'678'901'237) {
        const auto read = parse_time(format_time(at(value)));
        REQUIRE(read.ok());
        REQUIRE(microseconds_since_epoch(*read) == value);
    }
}

TEST_CASE("offsets and fractions are understood", "[base]") {
    CHECK(*parse_time("2026-11-21T05:30:00+02:30") == *parse_time("2026-11-21T03:00:00Z"));
    CHECK(*parse_time("2026-11-20T22:00:00-05:00") == *parse_time("2026-11-21T03:00:00Z"));
    CHECK(*parse_time("2026-11-21T03:00:00.5Z") == *parse_time("2026-11-21T03:00:00.500000Z"));
    CHECK(
        *parse_time("2026-11-21T03:00:00.123456789Z") == *parse_time("2026-11-21T03:00:00.123456Z")
    );
    CHECK(*parse_time("2026-11-21t03:00:00z") == *parse_time("2026-11-21T03:00:00Z"));
}

TEST_CASE("what is not a time is refused", "[base]") {
    const std::string text = GENERATE(
        "",
        "now",
        "2026-11-21",
        "2026-11-21T03:00:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T03:60:00Z",
        "2026-11-21T03:00:60Z",
        "2026-11-21T03:00:00.Z",
        "2026-11-21T03:00:00.1234567890Z",
        "2026-11-21T03:00:00+2:00",
        "2026-11-21T03:00:00+24:00",
        "2026-11-21T03:00:00Z ",
        "+026-11-21T03:00:00Z",
        " 2026-11-21T03:00:00Z",
        "2026-11-21T03:00:00ZZ"
    );
    const auto read = parse_time(text);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == Errc::invalid_input);
}

TEST_CASE("the system clock counts microseconds and its ticks never step back", "[base]") {
    SystemClock clock;
    const Ticks before = clock.ticks();
    const Time now = clock.now();
    clock.sleep_for(Duration{1'000});
    CHECK(clock.ticks() - before >= std::chrono::milliseconds{1});
    CHECK(now > *parse_time("2020-01-01T00:00:00Z"));
}

} // namespace interlock::base
