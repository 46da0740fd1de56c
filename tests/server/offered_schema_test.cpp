#include "server/offered_schema.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::server::read_offered_schema;

TEST_CASE("a schema of an object is taken, with all that 2020-12 has", "[server]") {
    for (const std::string schema :
         {R"({"type":"object"})",
          R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"})",
          R"({"type":"object","$defs":{"a":{"$anchor":"here","type":"string"}},)"
          R"("properties":{"x":{"$ref":"#/$defs/a"},"y":{"$ref":"#here"},"z":{"$ref":"#"}},)"
          R"("allOf":[{"anyOf":[{"required":["x"]}]}],"if":{},"then":{},"else":false})",
          // A property may be called like a keyword, and data may look like a reference.
          R"({"type":"object","properties":{"$ref":{"type":"string"},"enum":{"type":"string"}}})",
          R"({"type":"object","properties":{"x":{"const":{"$ref":"https://example.com"}}}})"}) {
        INFO(schema);
        CHECK(read_offered_schema(schema).ok());
    }
}

TEST_CASE("a schema that a client could not use alone is refused", "[server]") {
    for (const std::string schema :
         {"",
          "{",
          "[]",
          "true",
          "{}",
          R"({"type":"string"})",
          R"({"type":["object","null"]})",
          R"({"type":"object","type":"object"})",
          R"({"$schema":"http://json-schema.org/draft-07/schema#","type":"object"})",
          R"({"$schema":7,"type":"object"})",
          R"({"type":"object","properties":{"x":{"$ref":"https://example.com/s"}}})",
          R"({"type":"object","properties":{"x":{"$ref":"other.json"}}})",
          R"({"type":"object","properties":{"x":{"$ref":"#/$defs/missing"}}})",
          R"({"type":"object","properties":{"x":{"$ref":"#nowhere"}}})",
          R"({"type":"object","properties":{"x":{"$ref":"#/~2"}}})",
          R"({"type":"object","properties":{"x":{"$ref":7}}})",
          R"({"type":"object","properties":{"enum":{"$ref":"https://example.com/s"}}})",
          R"({"type":"object","allOf":[{"$dynamicRef":"https://example.com/s"}]})"}) {
        INFO(schema);
        CHECK_FALSE(read_offered_schema(schema).ok());
    }
    std::string deep = R"({"type":"object","properties":{"x":)";
    for (int i = 0; i < 100; ++i) {
        deep += R"({"not":)";
    }
    deep += "{}" + std::string(102, '}');
    CHECK_FALSE(read_offered_schema(deep).ok());
}
