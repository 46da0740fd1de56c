#include "base/json.hpp"
#include "base/json_string.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::base {

TEST_CASE("a JSON string is written as the tree would write it", "[base]") {
    for (int byte = 0; byte < 256; ++byte) {
        INFO(byte);
        const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "b";
        CHECK(json_string(text) == render_json(Json(text)));
    }
    // Long texts are looked at several bytes at a time.
    for (const std::string odd :
         {"\"", "\\", "\x1F", "!", "\x7F", "\xC3\xA9", "\xF4\x8F\xBF\xBF"}) {
        for (std::size_t at = 0; at < 24; ++at) {
            auto text = std::string(24, ' ');
            text.replace(at, 1, odd);
            CHECK(json_string(text) == render_json(Json(text)));
            text.replace(23 - at, 1, odd);
            CHECK(json_string(text) == render_json(Json(text)));
        }
    }
    for (const std::string text :
         {"",
          "\"",
          "\\\\",
          "plain",
          "tab\tand\nline\r",
          "h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x98\x80",
          "cut \xE2\x82",
          "over \xC0\xAF long",
          "\xED\xA0\x80 half",
          "\x7F\x1F\x01"}) {
        INFO(text);
        CHECK(json_string(text) == render_json(Json(text)));
        CHECK(Json::accept(json_string(text)));
    }
    const std::string with_nul("a\0b", 3);
    CHECK(json_string(with_nul) == R"("a\u0000b")");
}

TEST_CASE("a JSON string is appended to what is there", "[base]") {
    std::string out = "{";
    append_json_string(out, "name");
    CHECK(out == R"({"name")");
}

} // namespace interlock::base
