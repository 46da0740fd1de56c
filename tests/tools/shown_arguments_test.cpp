#include "tools/shown_arguments.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using nlohmann::json;

namespace {

tools::Tool sample() {
    return {
        .name = "sample",
        .title = "",
        .summary = "",
        .domain = "",
        .inputs = {
            {.name = "target"},
            {.name = "view", .choices = {"worst", "all"}},
            {.name = "limit", .type = tools::InputType::integer, .min = 1, .max = 100},
            {.name = "deep", .type = tools::InputType::boolean},
            {.name = "sql"},
            {.name = "evidence", .type = tools::InputType::text_list},
            {.name = "parameters", .type = tools::InputType::object}}};
}

json shown(const json& arguments) {
    return json::parse(tools::shown_arguments(sample(), arguments, {"shop", "billing"}));
}

} // namespace

TEST_CASE("what a declaration knows is shown", "[tools]") {
    const json known{{"target", "shop"}, {"view", "all"}, {"limit", 100}, {"deep", true}};
    CHECK(shown(known) == known);
    CHECK(shown(json::object()) == json::object());
    CHECK(shown({{"target", nullptr}}) == json{{"target", nullptr}});
}

TEST_CASE("what a caller made up is told by its kind and length", "[tools]") {
    const json made_up = shown(
        {{"target", "ann@example.org"},
         {"view", "hunter2"},
         {"limit", 4111111111111111},
         {"deep", "yes"},
         {"sql", "select 42 as hunter2"},
         {"evidence", {"hunter2"}},
         {"parameters", {{"hunter2", 1}}},
         {"hunter2", "hunter2"},
         {"another", {1, 2}}}
    );
    CHECK(made_up["target"] == "[text: 15 characters]");
    CHECK(made_up["view"] == "[text: 7 characters]");
    CHECK(made_up["limit"] == "[number]");
    CHECK(made_up["deep"] == "[text: 3 characters]");
    CHECK(made_up["sql"] == "[text: 20 characters]");
    CHECK(made_up["evidence"] == "[list: 1 elements]");
    CHECK(made_up["parameters"] == "[object: 1 members]");
    CHECK(made_up["[undeclared]"] == 2);
    CHECK(made_up.size() == 8);
    CHECK(made_up.dump().find("hunter2") == std::string::npos);
    CHECK(shown({{"limit", 4.5}, {"sql", 7}}) == json{{"limit", "[number]"}, {"sql", "[number]"}});
    CHECK(shown({{"sql", true}}) == json{{"sql", "[boolean]"}});
    CHECK(shown(json::array({"hunter2"})) == json::object());
}
