#include "base/json.hpp"

#include <malloc.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

std::string nested(int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
}

Errc code_of(std::string_view text) {
    const auto parsed = parse_json(text);
    REQUIRE_FALSE(parsed.ok());
    return parsed.error().code;
}

} // namespace

TEST_CASE("JSON is read and written without loss", "[base]") {
    const std::string text =
        R"({"a":[1,-2,3.5,true,false,null,"x\"y"],"b":{"c":{}},"d":18446744073709551615})";
    const auto parsed = parse_json(text);
    REQUIRE(parsed.ok());
    CHECK(render_json(*parsed) == text);
    CHECK(*parse_json(" 7 ") == Json(7));
    CHECK(*parse_json(R"("\u00e9\ud83d\ude00")") == Json("\xc3\xa9\xf0\x9f\x98\x80"));
}

TEST_CASE("keys come back sorted, so the same value has the same bytes", "[base]") {
    CHECK(render_json(*parse_json(R"({"b":1,"a":2})")) == R"({"a":2,"b":1})");
    CHECK(render_json_pretty(*parse_json(R"({"a":[]})")) == "{\n  \"a\": []\n}");
}

TEST_CASE("a key named twice is refused, also when it is spelt with an escape", "[base]") {
    CHECK(code_of(R"({"a":1,"a":2})") == Errc::invalid_input);
    CHECK(code_of(R"({"a":1,"\u0061":2})") == Errc::invalid_input);
    CHECK(code_of(R"([{"x":{"a":1,"b":2,"a":3}}])") == Errc::invalid_input);
    CHECK(code_of(R"({"a":1,"a":)") == Errc::invalid_input);
    CHECK(parse_json(R"([{"a":1},{"a":2}])").ok());
    CHECK(parse_json(R"({"a":{"a":1}})").ok());
}

TEST_CASE("depth is allowed up to its limit and not beyond", "[base]") {
    CHECK(parse_json(nested(64)).ok());
    CHECK(code_of(nested(65)) == Errc::limit_exceeded);
    CHECK(code_of(std::string(1'000'000, '[')) == Errc::limit_exceeded);
    std::string objects;
    for (int i = 0; i < 65; ++i) {
        objects += R"({"a":)";
    }
    CHECK(code_of(objects) == Errc::limit_exceeded);
    CHECK(parse_json("[[]]", 100, 2).ok());
    CHECK_FALSE(parse_json("[[]]", 100, 1).ok());
}

TEST_CASE("size is allowed up to its limit and not beyond", "[base]") {
    CHECK(parse_json("[1,2]", 5).ok());
    CHECK(parse_json("[1,2]", 4).error().code == Errc::limit_exceeded);
}

TEST_CASE("a text holds a bounded number of values, by the bytes allowed for it", "[base]") {
    const auto list = [](std::size_t values) {
        std::string text = "[0";
        for (std::size_t i = 2; i < values; ++i) {
            text += ",0";
        }
        return text + "]";
    };
    const std::size_t most = limits::json_bytes_max / limits::json_bytes_per_value;
    CHECK(parse_json(list(most)).ok());
    const auto refused = parse_json(list(most + 1));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::limit_exceeded);
    CHECK_THAT(
        refused.error().what, Catch::Contains("more than " + std::to_string(most) + " values")
    );
    // Containers count like other values, and small texts have room for what real ones hold.
    CHECK(parse_json(list(limits::json_values_min), 8'000).ok());
    CHECK_FALSE(parse_json(list(limits::json_values_min + 1), 8'000).ok());
    std::string nested = "[";
    for (std::size_t i = 1; i < most; ++i) {
        nested += "[],";
    }
    CHECK(parse_json(nested + "{}]").error().code == Errc::limit_exceeded);
}

TEST_CASE("the tree of a text takes no more memory than is told for its length", "[base]") {
    const auto repeated = [](std::string text, const std::string& piece, std::size_t bytes) {
        for (int i = 0; text.size() + piece.size() + 16 < bytes; ++i) {
            std::string next = piece;
            if (const auto at = next.find('#'); at != std::string::npos) {
                next.replace(at, 1, std::to_string(i));
            }
            text += next;
        }
        return text;
    };
    for (const std::size_t bytes : {std::size_t{300}, std::size_t{20'000}, std::size_t{200'000}}) {
        for (const std::string& text :
             {repeated("[", "{},", bytes) + "0]",
              repeated("[", "[],", bytes) + "0]",
              repeated("[", "\"\",", bytes) + "0]",
              repeated("[", "0,", bytes) + "0]",
              repeated("{", "\"#\":{},", bytes) + "\"\":0}",
              "\"" + repeated("", "xxxxxxx", bytes) + "\""}) {
            INFO(text.substr(0, 20) << " of " << text.size());
            const auto before = ::mallinfo2();
            const auto tree = parse_json(text);
            const auto after = ::mallinfo2();
            const bool told = tree.ok() || tree.error().code == Errc::limit_exceeded;
            CHECK(told);
            const std::size_t taken =
                after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
            CHECK(taken <= json_tree_bytes(text.size()));
        }
    }
}

TEST_CASE("what two parsers could read differently is refused", "[base]") {
    using std::string;
    const string text = GENERATE(
        string("1e999999"),
        string("[-1e999999]"),
        string(R"("\ud800")"),
        string(R"("\udc00")"),
        string(R"("\ud800\u0041")"),
        string("\"\xff\""),
        string("\"\xc0\xaf\""),
        string("\"\xed\xa0\x80\""),
        string("\"\xf4\x90\x80\x80\""),
        string("\"\xe2\x82\""),
        string("\xef\xbb\xbf{}"),
        string("{}\0", 3),
        string("{}\0garbage", 10),
        string("\"a\0b\"", 5),
        string("\"a\nb\""),
        string("\"a\tb\""),
        string("{} {}"),
        string("{}x"),
        string(""),
        string(" "),
        string("{"),
        string("[1,]"),
        string(R"({"a":1,})"),
        string(R"({a:1})"),
        string("{'a':1}"),
        string("01"),
        string("+1"),
        string(".5"),
        string("1."),
        string("0x10"),
        string("NaN"),
        string("Infinity"),
        string("-Infinity"),
        string("nul"),
        string("True"),
        string("[1 2]"),
        string("// comment\n1"),
        string("/* c */ 1"),
        string(R"("\x41")"),
        string(R"("\u12")"),
        string("\"open")
    );
    CAPTURE(text);
    CHECK(code_of(text) == Errc::invalid_input);
}

TEST_CASE("an escaped NUL in a string is data and is kept", "[base]") {
    const auto parsed = parse_json(R"("a\u0000b")");
    REQUIRE(parsed.ok());
    CHECK(parsed->get<std::string>() == std::string("a\0b", 3));
}

TEST_CASE("an error names the place and never repeats the input", "[base]") {
    const auto parsed = parse_json(R"({"password":"hunter2" "x":1})");
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().what.find("at byte") != std::string::npos);
    CHECK(parsed.error().what.find("hunter2") == std::string::npos);
    const auto number = parse_json("1e999999");
    CHECK(number.error().what.find("double") != std::string::npos);
}

TEST_CASE("text that is not UTF-8 is rendered with its bad bytes replaced", "[base]") {
    CHECK(
        render_json(Json("a\xff"
                         "b")) == "\"a\xef\xbf\xbd"
                                  "b\""
    );
}

TEST_CASE("members are read without exceptions", "[base]") {
    const Json value = *parse_json(
        R"({"s":"x","i":-3,"u":18446744073709551615,"f":1.0,"t":true,"n":null,"o":{"k":1}})"
    );
    CHECK(string_member(value, "s") == "x");
    CHECK(integer_member(value, "i") == -3);
    CHECK(boolean_member(value, "t") == true);
    REQUIRE(member(value, "o") != nullptr);
    CHECK(integer_member(*member(value, "o"), "k") == 1);
    CHECK(member(value, "n")->is_null());
    CHECK_FALSE(integer_member(value, "u"));
    CHECK_FALSE(integer_member(value, "f"));
    CHECK_FALSE(string_member(value, "i"));
    CHECK_FALSE(boolean_member(value, "s"));
    CHECK(member(value, "absent") == nullptr);
    CHECK(member(Json(3), "x") == nullptr);
    CHECK(member(Json::array(), "x") == nullptr);
}

} // namespace interlock::base
