#include "runbooks/contract.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

runbooks::Parameter integer(long long min, long long max) {
    runbooks::Parameter out;
    out.type = runbooks::ParameterType::integer;
    out.min = min;
    out.max = max;
    return out;
}

runbooks::Parameter of(runbooks::ParameterType type) {
    runbooks::Parameter out;
    out.type = type;
    out.choices = {"cancel", "terminate"};
    return out;
}

} // namespace

TEST_CASE("a parameter is bound as the narrowest type that holds its range", "[runbooks]") {
    CHECK(std::string(bound_type(integer(1, 2'147'483'647))) == "int4");
    CHECK(std::string(bound_type(integer(1, 2'147'483'648))) == "int8");
    CHECK(std::string(bound_type(integer(-2'147'483'649, 0))) == "int8");
    CHECK(std::string(bound_type(of(runbooks::ParameterType::timestamp))) == "timestamptz");
    CHECK(std::string(bound_type(of(runbooks::ParameterType::choice))) == "text");
}

TEST_CASE("an integer is digits within its range and nothing else", "[runbooks]") {
    const auto parameter = integer(1, 100);
    CHECK(normalise_value(parameter, "42").value() == "42");
    CHECK(normalise_value(parameter, "007").value() == "7");
    for (const std::string text :
         {"",
          "0",
          "101",
          "-1",
          "+5",
          " 5",
          "5 ",
          "5.0",
          "5e1",
          "0x5",
          "5;",
          "five",
          "\u0665",
          "99999999999999999999999999"}) {
        INFO(text);
        const auto value = normalise_value(parameter, text);
        REQUIRE_FALSE(value.ok());
        CHECK(value.error().what == "is not an integer from 1 to 100");
    }
}

TEST_CASE("a timestamp has one spelling, in UTC with microseconds", "[runbooks]") {
    const auto parameter = of(runbooks::ParameterType::timestamp);
    const std::string wanted = "2026-11-21T02:55:10.123456Z";
    CHECK(normalise_value(parameter, wanted).value() == wanted);
    CHECK(normalise_value(parameter, "2026-11-21T03:55:10.123456+01:00").value() == wanted);
    CHECK(
        normalise_value(parameter, "2026-11-21T02:55:10Z").value() == "2026-11-21T02:55:10.000000Z"
    );
    for (const std::string text :
         {"",
          "now",
          "infinity",
          "yesterday",
          "2026-11-21",
          "2026-11-21T02:55:10",
          "2026-13-21T02:55:10Z",
          "2026-11-21T02:55:10Z' or true",
          "2026-11-21T02:55:10.123456Z                                        x"}) {
        INFO(text);
        CHECK_FALSE(normalise_value(parameter, text).ok());
    }
}

TEST_CASE("a choice is one of its words, letter for letter", "[runbooks]") {
    const auto parameter = of(runbooks::ParameterType::choice);
    CHECK(normalise_value(parameter, "cancel").value() == "cancel");
    for (const std::string text : {"", "Cancel", "cancel ", "kill", "cancel,terminate"}) {
        const auto value = normalise_value(parameter, text);
        REQUIRE_FALSE(value.ok());
        CHECK(value.error().what == "is not one of cancel, terminate");
    }
}

} // namespace interlock
