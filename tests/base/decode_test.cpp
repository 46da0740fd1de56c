#include "base/decode.hpp"
#include "base/yaml.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;

Json yaml(std::string_view text) {
    return parse_yaml(text).value();
}

bool mentions(const Status& status, std::string_view part) {
    INFO(status.error().what);
    return status.error().what.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("values of every kind are read by name", "[base]") {
    const Json document = yaml(R"(
name: demo
port: 5432
ratio: 0.25
strict: true
mode: fast
wait: 500ms
hold: 2h
hosts: [a, b]
labels: {team: db, region: eu}
inner: {x: 1}
targets: [{name: one}, {name: two}]
empty:
)");
    Decoder decoder(document, "");
    CHECK(decoder.text("name") == "demo");
    CHECK(decoder.text_or("absent", "x") == "x");
    CHECK(decoder.text_or("empty", "y") == "y");
    CHECK(decoder.integer("port", 1, 65535) == 5432);
    CHECK(decoder.integer_or("absent", 0, 9, 4) == 4);
    CHECK(decoder.real("ratio", 0, 1) == 0.25);
    CHECK(decoder.boolean_or("strict", false));
    CHECK(decoder.choice("mode", {"slow", "fast"}) == "fast");
    CHECK(decoder.duration_or("wait", 1s) == 500ms);
    CHECK(decoder.duration_or("hold", 1s) == 2h);
    CHECK(decoder.duration_or("absent", 1s) == 1s);
    CHECK(decoder.texts("hosts") == std::vector<std::string>{"a", "b"});
    CHECK(decoder.texts("absent").empty());
    CHECK(decoder.pairs("labels").size() == 2);
    CHECK(decoder.mapping("inner").integer("x", 0, 5) == 1);
    auto targets = decoder.mappings("targets");
    REQUIRE(targets.size() == 2);
    CHECK(targets[1].text("name") == "two");
    CHECK(targets[0].text("name") == "one");
    CHECK(decoder.has("name"));
    CHECK_FALSE(decoder.has("absent"));
    CHECK(decoder.finish().ok());
}

TEST_CASE("an error names the path, what was expected and what was found", "[base]") {
    const Json document = yaml("targets:\n  - name: one\n  - name: [x]\n    port: 99999\n");
    Decoder decoder(document, "");
    for (auto& target : decoder.mappings("targets")) {
        (void)target.text("name");
        (void)target.integer_or("port", 1, 65535, 5432);
    }
    const Status status = decoder.finish();
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == Errc::invalid_input);
    CHECK(mentions(status, "`targets[1].name`"));
    CHECK(mentions(status, "expected text"));
    CHECK(mentions(status, "a list"));
}

TEST_CASE("each wrong value is refused with its path", "[base]") {
    const Json document = yaml(R"(
int: 5x
float: 1.5e
big: 99999999999999999999
bool: yes
pick: other
time: 10 seconds
huge: 99999999999999999h
texts: {a: b}
items: [[x]]
map: text
maps: [text]
pairs: {a: [x]}
empty: ""
)");
    const auto first_error = [&](auto read) {
        Decoder decoder(document, "root");
        read(decoder);
        return decoder.finish();
    };
    using D = Decoder&;
    CHECK(mentions(first_error([](D d) { (void)d.integer("int", 0, 9); }), "`root.int`"));
    CHECK(mentions(first_error([](D d) { (void)d.real("float", 0, 9); }), "`root.float`"));
    CHECK(mentions(first_error([](D d) { (void)d.integer("big", 0, 9); }), "0 to 9"));
    CHECK(mentions(first_error([](D d) { (void)d.boolean_or("bool", true); }), "`yes`"));
    CHECK(mentions(first_error([](D d) { (void)d.choice("pick", {"a", "b"}); }), "one of a, b"));
    CHECK(mentions(first_error([](D d) { (void)d.duration_or("time", 1s); }), "duration"));
    CHECK(mentions(first_error([](D d) { (void)d.duration_or("huge", 1s); }), "duration"));
    CHECK(mentions(first_error([](D d) { (void)d.texts("texts"); }), "a list of texts"));
    CHECK(mentions(first_error([](D d) { (void)d.texts("items"); }), "`root.items[0]`"));
    CHECK(mentions(first_error([](D d) { (void)d.mapping("map"); }), "`root.map`"));
    CHECK(mentions(first_error([](D d) { (void)d.mappings("maps"); }), "`root.maps[0]`"));
    CHECK(mentions(first_error([](D d) { (void)d.pairs("pairs"); }), "`root.pairs.a`"));
    CHECK(mentions(first_error([](D d) { (void)d.text("empty"); }), "`root.empty`"));
    CHECK(mentions(first_error([](D d) { (void)d.text("absent"); }), "missing"));
    CHECK(mentions(first_error([](D d) { (void)d.mapping("absent"); }), "missing"));
    CHECK(mentions(first_error([](D d) { d.fail("int", "too odd"); }), "too odd"));
}

TEST_CASE("an unknown key is an error wherever it stands", "[base]") {
    const Json document = yaml("a: 1\ninner: {known: 1, tpyo: 2}\n");
    Decoder decoder(document, "");
    (void)decoder.text("a");
    Decoder inner = decoder.mapping("inner");
    (void)inner.text("known");
    CHECK(mentions(inner.finish(), "`inner.tpyo`"));
    CHECK(mentions(decoder.finish(), "`inner.tpyo`"));

    Decoder outer(document, "");
    (void)outer.mapping("inner").text("known");
    CHECK(mentions(outer.finish(), "`a`"));
}

TEST_CASE("a part may be finished before its siblings are read", "[base]") {
    const Json document = yaml("first: {x: 1}\nsecond: {y: 2}\n");
    Decoder decoder(document, "");
    Decoder first = decoder.mapping("first");
    Decoder second = decoder.mapping("second");
    CHECK(first.text("x") == "1");
    CHECK(first.finish().ok());
    CHECK(second.text("y") == "2");
    CHECK(second.finish().ok());
    CHECK(decoder.finish().ok());
}

TEST_CASE("the first error wins", "[base]") {
    const Json document = yaml("a: x\nb: y\n");
    Decoder decoder(document, "");
    (void)decoder.integer("b", 0, 1);
    (void)decoder.integer("a", 0, 1);
    CHECK(mentions(decoder.finish(), "`b`"));
}

TEST_CASE("a document that is no mapping is an error, not a crash", "[base]") {
    const Json document = yaml("[1, 2]");
    Decoder decoder(document, "");
    CHECK(decoder.text_or("x", "fallback") == "fallback");
    CHECK(mentions(decoder.finish(), "expected a mapping"));
}

TEST_CASE("a hostile value is shown harmless and short", "[base]") {
    const Json document = {{"n", "\x1b[31m" + std::string(5'000, 'x')}};
    Decoder decoder(document, "");
    (void)decoder.integer("n", 0, 1);
    const Status status = decoder.finish();
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().what.find('\x1b') == std::string::npos);
    CHECK(status.error().what.size() < 200);
}

} // namespace interlock::base
