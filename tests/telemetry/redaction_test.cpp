#include "base/json.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"

#include <chrono>
#include <random>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace telemetry = interlock::telemetry;
using nlohmann::json;

namespace {

/// What must hold whatever comes in.
void check_promises(const std::string& hostile) {
    CAPTURE(hostile);
    const std::string text = base::sanitize(hostile);
    const std::string shown = telemetry::redact(text);
    REQUIRE(telemetry::redact(shown) == shown);
    REQUIRE(base::is_utf8(shown));
    REQUIRE(shown.size() <= 8 * text.size() + 64);
    const std::string sql = telemetry::safe_sql(hostile);
    REQUIRE(base::is_utf8(sql));
}

std::string repeat(std::string_view text, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
        out += text;
    }
    return out;
}

} // namespace

TEST_CASE("redacting twice changes nothing more, whatever is put together", "[telemetry]") {
    const std::vector<std::string> pieces{
        "password",
        "=",
        " ",
        "'",
        "\"",
        "E'",
        "U&'",
        "$$",
        "$a$",
        "\\",
        "://",
        "@",
        "a",
        ":",
        "x.org",
        "[redacted:",
        "]",
        "[redacted:password]",
        "[redacted:jwt]",
        "[redacted:e-mail]",
        "crypt(",
        ")",
        "(",
        "eyJhbGciOiJIUzI1NiJ9",
        ".",
        "4111111111111111",
        "4111 1111 1111 1111",
        "-",
        "-----BEGIN ",
        "-----END ",
        "-----",
        "sk-",
        "ghp_",
        "abcdef0123456789",
        "AKIA",
        "IOSFODNN7EXAMPLE",
        "md5",
        "d41d8cd98f00b204e9800998ecf8427e",
        "IDENTIFIED BY ",
        "user ",
        "CONNECTION ",
        "CREDENTIALS ",
        "/*",
        "*/",
        "--",
        "\n",
        "\xC3\xA9",
        "\xF0\x9F\x98\x80",
        "\xFF",
        "||",
        "bearer ",
        "SCRAM-SHA-256$4096:",
        "pwd",
        "authorization",
        "xoxb-1234",
        "?",
        "$1",
        ",",
        ";",
        "UESCAPE '!'",
        "{",
        "}",
        "api_key"};
    std::mt19937 generator{20261121};
    std::uniform_int_distribution<std::size_t> pick{0, pieces.size() - 1};
    std::uniform_int_distribution<int> length{1, 14};
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (int i = length(generator); i > 0; --i) {
            text += pieces[pick(generator)];
        }
        check_promises(text);
    }
}

TEST_CASE("random bytes break no promise", "[telemetry]") {
    std::mt19937 generator{7};
    std::uniform_int_distribution<int> byte{0, 255};
    for (int round = 0; round < 3'000; ++round) {
        std::string text;
        for (int i = round % 97; i > 0; --i) {
            text += static_cast<char>(byte(generator));
        }
        check_promises(text);
    }
}

TEST_CASE("hostile text costs work in proportion to its size", "[telemetry]") {
    constexpr std::size_t bytes = 1 << 18;
    for (const std::string_view unit :
         {"E'\\'",
          "'/*",
          "x://",
          "x://a:",
          "a@",
          "a@b.",
          "password=\\",
          "password '",
          "crypt(",
          "$a$",
          "-----BEGIN x-----",
          "4",
          "4111 ",
          "'",
          "'' ",
          "identified by ",
          "eyJ",
          "eyJhbGciOiJIUzI.",
          "[redacted:",
          "U&'\\0041' ",
          "--",
          "password --",
          "user identified by x ",
          "bearer ",
          "\"password\":\""}) {
        CAPTURE(unit);
        const std::string text = repeat(unit, bytes);
        const auto start = std::chrono::steady_clock::now();
        const std::string shown = telemetry::redact(text);
        const auto took = std::chrono::steady_clock::now() - start;
        CHECK(shown.size() <= 8 * text.size() + 64);
        // A quadratic scan of 256 KiB would take minutes; this leaves room for a slow, busy
        // machine.
        CHECK(took < std::chrono::seconds{5});
    }
}

TEST_CASE("what a secret hides behind is removed before the rules look", "[telemetry]") {
    CHECK(telemetry::safe_text("AKIA\xE2\x80\x8BIOSFODNN7EXAMPLE") == "[redacted:aws-key]");
    CHECK(telemetry::safe_text("pass\x1b[0mword=x") == "password=[redacted:password]");
}

TEST_CASE("SQL shows no literal, no comment, and no secret in a name", "[telemetry]") {
    CHECK(
        telemetry::safe_sql("select 'x' /* AKIAIOSFODNN7EXAMPLE */ from \"ann@example.com\"") ==
        "select $1 from \"[redacted:e-mail]\""
    );
    CHECK(
        telemetry::safe_sql("alter role a password 'x' valid until 'y'") ==
        "alter role a password $1 valid until $2"
    );
    CHECK(
        telemetry::safe_sql("update u set password = crypt($1, gen_salt($2)) where u.password = old"
        ) == "update u set password = crypt($1, gen_salt($2)) where u.password = old"
    );
    CHECK(
        telemetry::safe_sql("select 1 from t where password = \"hunter2\"").find("hunter2") ==
        std::string::npos
    );
    CHECK(
        telemetry::safe_sql("select U&\"\\0041KIAIOSFODNN7EXAMPLE\"") == "select [redacted:literal]"
    );
    CHECK(telemetry::safe_sql("'AKIAIOSFODNN7EXA") == "<unreadable statement>");
    CHECK(telemetry::safe_sql("select $x$AKIAIOSFODNN7EXA").find("AKIA") == std::string::npos);
}

TEST_CASE("arguments for spans tell their shape and no text", "[telemetry]") {
    const json arguments{
        {"target", "main"},
        {"view", "password=hunter2"},
        {"sql", "select 'hunter2'"},
        {"hypothesis", "it is hunter2"},
        {"limit", 20},
        {"deep", {{"target", "ann@x.org"}, {"list", {"a", true, nullptr, 1.5}}}},
        {"card", 4111111111111111LL}};
    const json shown = json::parse(telemetry::masked_arguments(arguments));
    CHECK(shown["target"] == "main");
    CHECK(shown["view"] == "[text: 16 characters]");
    CHECK(shown["sql"] == "select $1");
    CHECK(shown["hypothesis"] == "[text: 13 characters]");
    CHECK(shown["limit"] == 20);
    CHECK(shown["deep"]["target"] == "[text: 9 characters]");
    CHECK(shown["deep"]["list"] == json({"[text: 1 characters]", true, nullptr, 1.5}));
    CHECK(shown["card"] == "[redacted:card]");
    CHECK(json::parse(telemetry::masked_arguments(json("x"))) == "[text: 1 characters]");
}

TEST_CASE("arguments of any depth and size become short text", "[telemetry]") {
    json deep = "x";
    for (int i = 0; i < 60; ++i) {
        deep = json::array({deep});
    }
    CHECK(telemetry::masked_arguments(deep).size() < 200);
    json wide = json::object();
    for (int i = 0; i < 5'000; ++i) {
        wide["k" + std::to_string(i)] = i;
    }
    CHECK(telemetry::masked_arguments(wide).size() < 100);
    CHECK(telemetry::masked_arguments({{"ann@x.org", 1}}) == R"({"[redacted:e-mail]":1})");
}
