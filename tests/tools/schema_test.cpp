#include "tools/schema.hpp"
#include "tools/tool.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using nlohmann::json;

namespace {

/// What narrower dialects of clients do not understand: lists of types, references, schemas without
/// a type or that are a mere true or false.
void check_portable(const json& schema, const std::string& path) {
    INFO(path);
    REQUIRE(schema.is_object());
    CHECK_FALSE(schema.contains("$ref"));
    CHECK((schema.contains("type") || schema.contains("anyOf") || schema.contains("required")));
    CHECK((!schema.contains("type") || schema["type"].is_string()));
    const json properties = schema.value("properties", json::object());
    for (const auto& [name, property] : properties.items()) {
        check_portable(property, path + "." + name);
    }
    for (const auto& branch : schema.value("anyOf", json::array())) {
        check_portable(branch, path + "|");
    }
    if (schema.contains("items")) {
        check_portable(schema["items"], path + "[]");
    }
}

int schemas_made = 0;
std::string counted_schema() {
    ++schemas_made;
    return tools::output_schema_of(R"({"n":{"type":"integer"}})", {"n"});
}

} // namespace

TEST_CASE("a document is held against its schema", "[tools]") {
    const std::string schema = tools::output_schema_of(R"({"n":{"type":"integer"}})", {"n"});
    CHECK(tools::check_schema(schema, R"({"n":1})").ok());
    CHECK_FALSE(tools::check_schema(schema, R"({"n":"1"})").ok());
    CHECK_FALSE(tools::check_schema(schema, R"({})").ok());
    CHECK_FALSE(tools::check_schema(schema, R"({"n":1,"m":2})").ok());
    const auto broken = tools::check_schema(schema, R"({"n":1)");
    REQUIRE_FALSE(broken.ok());
    CHECK(broken.error().code == interlock::base::Errc::internal);
}

TEST_CASE("an error is valid against every tool's output schema", "[tools]") {
    const auto error =
        tools::error_output({interlock::base::Errc::timeout, "It took too long.", "Narrow it."});
    for (const tools::Tool& tool : tools::catalog()) {
        INFO(tool.name);
        CHECK(tools::check_schema(tool.output_schema(), error.structured).ok());
        CHECK_FALSE(tools::check_schema(tool.output_schema(), "{}").ok());
    }
}

TEST_CASE("every schema keeps to what all clients understand", "[tools]") {
    for (const tools::Tool& tool : tools::catalog()) {
        INFO(tool.name);
        const json input = json::parse(tools::input_schema(tool));
        check_portable(input, "input");
        CHECK(input.dump().find("Of\":[") == std::string::npos); // arguments: no combinators
        check_portable(json::parse(tool.output_schema()), "output");
    }
}

TEST_CASE("a tool's output schema is made once, however often results are checked", "[tools]") {
    schemas_made = 0;
    CHECK(tools::check_result(counted_schema, R"({"n":1})").ok());
    CHECK_FALSE(tools::check_result(counted_schema, R"({"n":"1"})").ok());
    CHECK_FALSE(tools::check_result(counted_schema, "no JSON").ok());
    CHECK(schemas_made == 1);
}
