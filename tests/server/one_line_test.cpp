#include "server/one_line.hpp"

#include <catch2/catch.hpp>

using interlock::server::one_line;

TEST_CASE("JSON text becomes one line of the same value", "[server]") {
    CHECK(one_line("").empty());
    CHECK(one_line("{\"a\":1}") == "{\"a\":1}");
    CHECK(one_line("\n{\n\"a\":1\r\n}\r") == " { \"a\":1  } ");
    CHECK(one_line("\"\u2028\u2028\"") == "\"\\u2028\\u2028\"");
    CHECK(one_line("\"\\\\\u2029\"") == "\"\\\\\\u2029\"");
    CHECK(one_line("\"\u0084\u0085\u2027\u202a\"") == "\"\u0084\\u0085\u2027\u202a\"");
}
