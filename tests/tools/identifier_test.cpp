#include "base/text.hpp"
#include "tools/identifier.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;

namespace {

/// "schema|name", or "-".
std::string read(std::string_view text) {
    const auto named = tools::read_relation_name(text);
    return named ? named->schema + "|" + named->name : "-";
}

} // namespace

TEST_CASE("names are read as PostgreSQL reads them", "[tools]") {
    CHECK(read("orders") == "|orders");
    CHECK(read("  App.ORDERS ") == "app|orders");
    CHECK(read("app.\"Order Items\"") == "app|Order Items");
    CHECK(read("\"a.b\".\"c\"\"d\"") == "a.b|c\"d");
    CHECK(read("\"Order Items\"") == "|Order Items");
    CHECK(read("U&\"d\\0061ta\\+01F600\\\\\"") == "|data\xF0\x9F\x98\x80\\");
    CHECK(read("u&\"x\".y") == "x|y");
    CHECK(read("U&\"\\000A\\202E\"") == "|\n\xE2\x80\xAE");
}

TEST_CASE("what is no name is none", "[tools]") {
    for (const char* text :
         {"",
          "\"",
          "\"open",
          "a.b.c",
          ".b",
          "a.",
          "\"\"",
          "a\"b\"",
          "U&\"\\00\"",
          "U&\"\\0000\"",
          "U&\"\\d800\"",
          "U&\"\\+11FFFF\"",
          "U&\"\\zzzz\""}) {
        INFO(text);
        CHECK(read(text) == "-");
    }
}

TEST_CASE("names are cut to 63 bytes between characters", "[tools]") {
    const std::string long_name(80, 'x');
    CHECK(read(long_name) == "|" + std::string(63, 'x'));
    CHECK(read("\"" + std::string(62, 'x') + "\xC3\xA9y\"") == "|" + std::string(62, 'x'));
}

TEST_CASE("a name is written so that it is read again", "[tools]") {
    CHECK(tools::sql_identifier("Order", "\"Order\"") == "\"Order\"");
    CHECK(tools::sql_identifier("\xC3\xBC", "\"\xC3\xBC\"") == "\"\xC3\xBC\"");
    for (const std::string name :
         {"odd \"name\"\n\xE2\x80\xAE"
          "1",
          "back\\slash\t",
          "tag \xF3\xA0\x81\x81",
          "\xC3\xA9\x01"}) {
        const std::string written = tools::sql_identifier(name, "never");
        INFO(written);
        CHECK(interlock::base::sanitize(written) == written);
        CHECK(
            written.find_first_not_of(
                " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                "abcdefghijklmnopqrstuvwxyz{|}~"
            ) == std::string::npos
        );
        CHECK(read(written) == "|" + name);
    }
    CHECK(tools::sql_identifier("\xff", "\"?\"") == "\"?\"");
}
