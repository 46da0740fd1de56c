#include "telemetry/sql_literal.hpp"

#include <catch2/catch.hpp>

namespace telemetry = interlock::telemetry;
using telemetry::Backslash;

namespace {

std::string value_of(std::string_view text, Backslash backslash = Backslash::plain) {
    std::string decoded;
    const auto chain = telemetry::read_literals(text, 0, backslash, &decoded);
    CHECK(chain.end <= text.size());
    return chain.pieces == 0 ? "no literal" : decoded;
}

std::size_t end_of(std::string_view text) {
    return telemetry::read_literals(text, 0, Backslash::plain).end;
}

} // namespace

TEST_CASE("every way of SQL to write text gives its value", "[telemetry]") {
    CHECK(value_of("'plain'") == "plain");
    CHECK(value_of("'it''s'") == "it's");
    CHECK(value_of("E'\\x41\\102\\u0043\\U00000044\\n'") == "ABCD ");
    CHECK(value_of("e'it\\'s'") == "it's");
    CHECK(value_of("U&'\\0041\\+000042c'") == "ABc");
    CHECK(value_of("u&\"\\0041b\"") == "Ab");
    CHECK(value_of("N'national'") == "national");
    CHECK(value_of("$$any 'thing'$$") == "any 'thing'");
    CHECK(value_of("$tag$a $$ b$tag$") == "a $$ b");
    CHECK(value_of("'\\'") == "\\");
    CHECK(value_of("'a\\'b'", Backslash::escapes) == "a'b");
    CHECK(value_of("E'\\u00e9\\u20ac\\U0001F600'") == "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST_CASE("pieces of one value are read together", "[telemetry]") {
    CHECK(value_of("'ab'\n'cd'") == "abcd");
    CHECK(value_of("'ab' /* gap */ 'cd'") == "abcd");
    CHECK(value_of("'ab' -- gap\n 'cd'") == "abcd");
    CHECK(value_of("'ab' || E'\\x63d'") == "abcd");
    CHECK(end_of("'ab', 'cd'") == 4);
    CHECK(end_of("'ab'x'cd'") == 4);
}

TEST_CASE("what does not close reaches to the end", "[telemetry]") {
    CHECK(end_of("'abc") == 4);
    CHECK(end_of("E'abc\\") == 6);
    CHECK(end_of("$$abc$") == 6);
    CHECK(end_of("'ab' /* open 'cd'") == 4);
    CHECK(value_of("") == "no literal");
    CHECK(value_of("$1") == "no literal");
    CHECK(value_of("$1$x$1$") == "no literal");
    CHECK(value_of("word") == "no literal");
    CHECK(value_of("U&") == "no literal");
}

TEST_CASE("a line comment whose end is gone is told", "[telemetry]") {
    bool unclear = false;
    CHECK(telemetry::skip_blanks("  /* a */ x", 0, unclear) == 10);
    CHECK_FALSE(unclear);
    CHECK(telemetry::skip_blanks("-- a\nx", 0, unclear) == 5);
    CHECK_FALSE(unclear);
    telemetry::skip_blanks("-- a x", 0, unclear);
    CHECK(unclear);
    unclear = false;
    CHECK(telemetry::skip_blanks("/* " + std::string(2'000, 'x') + "*/ y", 0, unclear) == 0);
    CHECK(unclear);
}
