#include "server/input_response.hpp"
#include "tests/server/fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::server::answers_question;
using interlock::test::json;

TEST_CASE("an answer has the shape of its question's result", "[server]") {
    CHECK(answers_question("elicitation/create", json(R"({"action":"decline"})")));
    CHECK(answers_question("elicitation/create", json(R"({"action":"accept","content":{"a":1}})")));
    CHECK(answers_question(
        "sampling/createMessage",
        json(R"({"role":"assistant","content":{"type":"text","text":"x"},"model":"m"})")
    ));
    CHECK(answers_question("roots/list", json(R"({"roots":[{"uri":"file:///a"}]})")));
    CHECK(answers_question("roots/list", json(R"({"roots":[]})")));
}

TEST_CASE("what has another shape is no answer", "[server]") {
    for (const char* text :
         {"12345",
          "null",
          "[]",
          "{}",
          R"({"action":"yes"})",
          R"({"action":1})",
          R"({"action":"accept","content":"x"})"}) {
        CHECK_FALSE(answers_question("elicitation/create", json(text)));
    }
    for (const char* text :
         {"{}", R"({"role":"assistant"})", R"({"role":"system","content":{}})"}) {
        CHECK_FALSE(answers_question("sampling/createMessage", json(text)));
    }
    for (const char* text : {"{}", R"({"roots":{}})", R"({"roots":[1]})"}) {
        CHECK_FALSE(answers_question("roots/list", json(text)));
    }
    CHECK_FALSE(answers_question("tools/call", json(R"({"action":"accept"})")));
}
