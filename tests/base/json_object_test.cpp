#include "base/json.hpp"
#include "base/json_object.hpp"

#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::base::Json;
using interlock::base::JsonObject;
using interlock::base::render_json;

TEST_CASE("an object is written as a tree of it would be", "[base]") {
    CHECK(JsonObject().take() == "{}");
    CHECK(JsonObject().number("a", -1).take() == R"({"a":-1})");
    const std::vector<std::string> texts{
        "",
        "plain",
        "\"quoted\" \\ \n \t \x01 \x7f",
        "\xc3\xa9 \xe2\x80\xae",
        "\xff bad",
        "</script>"};
    for (const std::string& text : texts) {
        const auto written = JsonObject()
                                 .text("a", text)
                                 .number("b", std::numeric_limits<long long>::min())
                                 .json("c", R"({"d":[1]})")
                                 .text("e", text)
                                 .take();
        CHECK(
            written == render_json(Json{
                           {"a", text},
                           {"b", std::numeric_limits<long long>::min()},
                           {"c", {{"d", {1}}}},
                           {"e", text}})
        );
    }
}
