#include "base/yaml.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

Error refusal_of(std::string_view text) {
    const auto parsed = parse_yaml(text);
    REQUIRE_FALSE(parsed.ok());
    return parsed.error();
}

} // namespace

TEST_CASE("mappings, lists and scalars become JSON with text for every value", "[base]") {
    const auto parsed = parse_yaml(R"(
# a comment
name: demo
port: 5432
ratio: 0.5
list:
  - one
  - {a: 1, b: [x, y]}
text: |
  two
  lines
quoted: "a\tb"
single: 'it''s'
)");
    REQUIRE(parsed.ok());
    CHECK(
        render_json(*parsed) ==
        R"({"list":["one",{"a":"1","b":["x","y"]}],"name":"demo","port":"5432","quoted":"a\tb",)"
        R"("ratio":"0.5","single":"it's","text":"two\nlines\n"})"
    );
}

TEST_CASE("Norway stays a country and versions stay text", "[base]") {
    const auto parsed =
        parse_yaml("country: no\nversion: 1.10\nyes: on\ntime: 12:30:45\noctal: 010");
    REQUIRE(parsed.ok());
    CHECK(
        render_json(*parsed) ==
        R"({"country":"no","octal":"010","time":"12:30:45","version":"1.10","yes":"on"})"
    );
}

TEST_CASE("only what is empty or says null is null", "[base]") {
    const auto parsed = parse_yaml("a:\nb: ~\nc: null\nd: \"\"\ne: \"null\"\n");
    REQUIRE(parsed.ok());
    CHECK(render_json(*parsed) == R"({"a":null,"b":null,"c":null,"d":"","e":"null"})");
}

TEST_CASE("what makes YAML more than a tree of texts is refused", "[base]") {
    const std::string text = GENERATE(
        "a: &x 1\nb: *x",
        "a: &x {k: v}",
        "- &x\n",
        "*x",
        "a: !!str 1",
        "a: !custom 1",
        "a: !!python/object:os.system ls",
        "a: !<tag:yaml.org,2002:int> 3",
        "!!map {a: 1}",
        "a: !!seq [1]",
        "base: {x: 1}\nchild:\n  <<: {y: 2}",
        "a: 1\na: 2",
        "x:\n  a: 1\n  \"a\": 2",
        "{a: 1, a: 2}",
        "a: 1\n---\nb: 2",
        "--- a\n--- b",
        "a: 1\n---\n",
        "{a: 1} {b: 2}",
        "? [complex, key]\n: value",
        "? {a: b}\n: value",
        "~: 1",
        "? \n: 1",
        "[[]: 1]",
        "",
        "# nothing\n",
        "a: [1, 2",
        "a: {b: 1",
        "a: \"open",
        "\ta: 1",
        "a: b: c",
        "a: 1\n b: 2\n",
        "a: \"\\q\"",
        "a: \xff",
        "%TAG ! tag:example.com,2000:\n---\na: !foo 1"
    );
    CAPTURE(text);
    const Error error = refusal_of(text);
    CHECK(error.code == Errc::invalid_input);
    CHECK_FALSE(error.what.empty());
}

TEST_CASE("an expansion bomb is refused at its first anchor", "[base]") {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " +
                before + ", " + before + ", " + before + "]\n";
    }
    CHECK(refusal_of(bomb).what.find("anchor in line 1") != std::string::npos);
}

TEST_CASE("depth and size have limits", "[base]") {
    CHECK(parse_yaml(std::string(16, '[') + std::string(16, ']')).ok());
    CHECK(refusal_of(std::string(17, '[') + std::string(17, ']')).code == Errc::limit_exceeded);
    CHECK_FALSE(parse_yaml(std::string(60'000, '[')).ok());
    CHECK_FALSE(parse_yaml(std::string(60'000, '{')).ok());
    CHECK(refusal_of(std::string(64 * 1024 + 1, ' ')).code == Errc::limit_exceeded);
}

TEST_CASE("a NUL byte is refused", "[base]") {
    CHECK(refusal_of(std::string_view("a: b\0c", 6)).code == Errc::invalid_input);
}

TEST_CASE("an error names line and column, and shows hostile keys harmless", "[base]") {
    CHECK(refusal_of("ok: 1\nx: *a\n").what.find("line 2") != std::string::npos);
    const Error twice = refusal_of("\"k\\e[2J\": 1\n\"k\\e[2J\": 2\n");
    CHECK(twice.what.find('\x1b') == std::string::npos);
    CHECK(twice.what.find("`k`") != std::string::npos);
}

TEST_CASE("one document may be marked as such", "[base]") {
    const auto parsed = parse_yaml("---\na: 1\n...\n");
    REQUIRE(parsed.ok());
    CHECK(render_json(*parsed) == R"({"a":"1"})");
}

} // namespace interlock::base
