#include "server/header_parameters.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::check_header_parameters;
using interlock::server::read_header_parameters;
using Headers = std::vector<std::pair<std::string, std::string>>;

Json schema(const std::string& properties) {
    return Json::parse(R"({"type":"object","properties":{)" + properties + "}}");
}

bool valid(const std::string& text) {
    return read_header_parameters(Json::parse(text)).ok();
}

/// Whether arguments and headers agree, for a schema with a string, an integer, a boolean and one
/// that lies deeper.
bool agree(const std::string& arguments, const Headers& headers) {
    static const auto parameters =
        read_header_parameters(
            schema(R"("region":{"type":"string","x-mcp-header":"Region"},)"
                   R"("count":{"type":"integer","x-mcp-header":"Count"},)"
                   R"("dry":{"type":"boolean","x-mcp-header":"Dry"},)"
                   R"("where":{"type":"object","properties":)"
                   R"({"rack":{"type":"string","x-mcp-header":"Rack"}}},"free":{"type":"string"})")
        )
            .value();
    const auto error = check_header_parameters(parameters, Json::parse(arguments), headers);
    CHECK((!error || error->code == -32020));
    return !error;
}

} // namespace

TEST_CASE("annotations are read with their path, in lower case", "[server]") {
    const auto read = read_header_parameters(schema(
        R"("a":{"type":"object","properties":{"b":{"type":"integer","x-mcp-header":"Some-B"}}},)"
        R"("x-mcp-header":{"type":"string"})"
    ));
    REQUIRE(read.ok());
    REQUIRE(read.value().size() == 1);
    const auto& parameter = read.value().front();
    CHECK(parameter.path == std::vector<std::string>{"a", "b"});
    CHECK(parameter.header == "mcp-param-some-b");
    CHECK(parameter.is_integer);
    CHECK_FALSE(parameter.is_string);
}

TEST_CASE("an annotation that clients would have to drop is refused", "[server]") {
    const auto property = [](const std::string& members) {
        return valid(R"({"type":"object","properties":{"p":{)" + members + "}}}");
    };
    CHECK(property(R"("type":"string","x-mcp-header":"P")"));
    for (const std::string members :
         {R"("type":"string","x-mcp-header":"")",
          R"("type":"string","x-mcp-header":"a b")",
          R"("type":"string","x-mcp-header":"a:b")",
          R"("type":"string","x-mcp-header":"\u00fc")",
          R"("type":"string","x-mcp-header":"a\r\nb")",
          R"("type":"string","x-mcp-header":7)",
          R"("type":"string","x-mcp-header":null)",
          R"("type":"number","x-mcp-header":"P")",
          R"("type":"object","x-mcp-header":"P")",
          R"("type":"array","x-mcp-header":"P")",
          R"("type":["string","null"],"x-mcp-header":"P")",
          R"("x-mcp-header":"P")",
          R"("$ref":"#/$defs/p","x-mcp-header":"P")"}) {
        INFO(members);
        CHECK_FALSE(property(members));
    }
    const std::string p = R"({"type":"string","x-mcp-header":"P"})";
    for (const std::string& text :
         {R"({"type":"object","x-mcp-header":"P"})" + std::string(),
          R"({"type":"object","properties":{"p":{"type":"array","items":)" + p + "}}}",
          R"({"type":"object","anyOf":[{"properties":{"p":)" + p + "}}]}",
          R"({"type":"object","if":{"properties":{"p":)" + p + "}}}",
          R"({"type":"object","$defs":{"p":)" + p + "}}",
          R"({"type":"object","patternProperties":{"p":)" + p + "}}",
          R"({"type":"object","additionalProperties":)" + p + "}",
          R"({"type":"object","properties":{"p":)" + p +
              R"(,"q":{"type":"string","x-mcp-header":"p"}}})"}) {
        INFO(text);
        CHECK_FALSE(valid(text));
    }
    // Data that looks like an annotation is none.
    CHECK(valid(R"({"type":"object","properties":{"p":{"const":{"x-mcp-header":7}}}})"));
    CHECK(valid(R"({"type":"object","properties":{"p":{"enum":[{"x-mcp-header":7}]}}})"));
}

TEST_CASE("a tool has only so many header parameters", "[server]") {
    std::string properties;
    for (int i = 0; i < 17; ++i) {
        const auto number = std::to_string(i);
        properties += (i == 0 ? "" : ",") + ("\"p" + number) +
                      R"(":{"type":"string","x-mcp-header":"p)" + number + "\"}";
    }
    CHECK_FALSE(read_header_parameters(schema(properties)).ok());
}

TEST_CASE("an argument and its header agree, or the call is refused", "[server]") {
    CHECK(agree("{}", {}));
    CHECK(agree(R"({"region":null,"where":null,"free":"x"})", {}));
    CHECK(agree(R"({"region":"eu"})", {{"mcp-param-region", "eu"}}));
    CHECK(agree(R"({"region":""})", {{"mcp-param-region", ""}}));
    CHECK(agree(R"({"region":" eu"})", {{"mcp-param-region", "=?base64?IGV1?="}}));
    CHECK(agree(R"({"region":"eu"})", {{"mcp-param-region", "eu"}, {"mcp-param-else", "1"}}));
    CHECK(agree(R"({"where":{"rack":"7"}})", {{"mcp-param-rack", "7"}}));
    CHECK(agree(R"({"dry":true})", {{"mcp-param-dry", "true"}}));
    CHECK(agree(R"({"dry":false})", {{"mcp-param-dry", "false"}}));

    CHECK_FALSE(agree(R"({"region":"eu"})", {}));
    CHECK_FALSE(agree(R"({"region":""})", {}));
    CHECK_FALSE(agree(R"({"region":"eu"})", {{"mcp-param-region", "EU"}}));
    CHECK_FALSE(agree(R"({"region":"eu"})", {{"mcp-param-region", "=?base64?ZXU?="}}));
    CHECK_FALSE(agree(R"({"region":"eu"})", {{"mcp-param-region", "=?base64?Z!U=?="}}));
    CHECK_FALSE(
        agree(R"({"region":"eu"})", {{"mcp-param-region", "eu"}, {"mcp-param-region", "us"}})
    );
    CHECK_FALSE(
        agree(R"({"region":"eu"})", {{"mcp-param-region", "eu"}, {"mcp-param-region", "eu"}})
    );
    CHECK_FALSE(agree("{}", {{"mcp-param-region", "eu"}}));
    CHECK_FALSE(agree(R"({"region":null})", {{"mcp-param-region", "null"}}));
    CHECK_FALSE(agree(R"({"dry":true})", {{"mcp-param-dry", "TRUE"}}));
    CHECK_FALSE(agree(R"({"dry":true})", {{"mcp-param-dry", "1"}}));
    CHECK_FALSE(agree(R"({"region":{"a":1}})", {{"mcp-param-region", "{\"a\":1}"}}));
}

TEST_CASE("integers are compared as numbers, within what every reader holds", "[server]") {
    CHECK(agree(R"({"count":42})", {{"mcp-param-count", "42"}}));
    CHECK(agree(R"({"count":42})", {{"mcp-param-count", "42.0"}}));
    CHECK(agree(R"({"count":42.0})", {{"mcp-param-count", "42"}}));
    CHECK(agree(R"({"count":-1})", {{"mcp-param-count", "-1"}}));
    CHECK(agree(R"({"count":9007199254740991})", {{"mcp-param-count", "9007199254740991"}}));
    CHECK_FALSE(agree(R"({"count":9007199254740993})", {{"mcp-param-count", "9007199254740992"}}));
    for (const std::string wrong :
         {"43", "42x", "", "0x2a", "042", "+42", "\"42\"", "[42]", "NaN"}) {
        INFO(wrong);
        CHECK_FALSE(agree(R"({"count":42})", {{"mcp-param-count", wrong}}));
    }
    // The schema says that a text is no count; header and body must agree all the same.
    CHECK(agree(R"({"count":"many"})", {{"mcp-param-count", "many"}}));
    CHECK_FALSE(agree(R"({"count":"many"})", {{"mcp-param-count", "42"}}));
}
