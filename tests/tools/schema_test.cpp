#include "tools/schema.hpp"
#include "tools/tool.hpp"

#include <fstream>
#include <iterator>

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

TEST_CASE(
    "a packet is held against what is published of it and against its whole shape", "[tools]"
) {
    static const std::vector<tools::Column> columns{
        {.name = "pid", .type = tools::ColumnType::integer},
        {.name = "age", .type = tools::ColumnType::real, .unit = "s", .about = "Of it"},
        {.name = "age_seconds", .type = tools::ColumnType::real, .unit = "s"}};
    const auto schema = [] {
        return tools::packet_schema({{"sessions", &columns}, {"result", nullptr}});
    };
    json packet = json::parse(R"({"id":"ev_1","summary":"s","source":{"target":"t",
        "database_role":"r","server_version":"15","in_recovery":false,"at":"now"},
        "findings":[{"severity":"notice","object":"o","value":"v","threshold":"","meaning":"m"}],
        "rows":{"sessions":[{"pid":1},{}],"result":[{"a":"b"}]},"untrusted":["result.a"],
        "not_examined":[{"what":"a","why":"b","would_tell":"c"}],
        "cut":{"rows":1,"characters":2,"whole":"evidence://ev_1"}})");
    const auto fits = [&](const char* pointer, const json& value) {
        json changed = packet;
        changed[json::json_pointer(pointer)] = value;
        return tools::check_result(schema, changed.dump()).ok();
    };
    CHECK(tools::check_result(schema, packet.dump()).ok());
    CHECK(fits("/rows/sessions/0/age", 1.5));
    CHECK(fits("/source/replay_lag_seconds", 1));
    CHECK_FALSE(fits("/rows/sessions/0/pid", nullptr));
    CHECK_FALSE(fits("/rows/sessions/0/pid", "1"));
    CHECK_FALSE(fits("/rows/result/0/a", 1));
    CHECK_FALSE(fits("/rows/others", json::array()));
    CHECK_FALSE(fits("/findings/0/severity", "bad"));
    CHECK_FALSE(fits("/findings/0/more", "x"));
    CHECK_FALSE(fits("/source/at", nullptr));
    CHECK_FALSE(fits("/cut/rows", "1"));
    CHECK_FALSE(fits("/other", 1));
    packet.erase("not_examined");
    CHECK_FALSE(tools::check_result(schema, packet.dump()).ok());

    const json published = json::parse(schema());
    const json& row = published["properties"]["rows"]["properties"]["sessions"]["items"];
    CHECK(row["properties"]["age"]["description"] == "Of it (s)");
    CHECK_FALSE(row["properties"]["age_seconds"].contains("description"));
}

TEST_CASE("the shape of packets is documented as it is held", "[tools]") {
    std::ifstream file("docs/tools.md");
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    CHECK(page.find("```json\n" + tools::packet_shape() + "\n```") != std::string::npos);
}

TEST_CASE("an error is valid against every tool's output schema", "[tools]") {
    const auto error =
        tools::error_output({interlock::base::Errc::timeout, "It took too long.", "Narrow it."});
    for (const tools::Tool& tool : tools::catalog()) {
        INFO(tool.name);
        CHECK(tools::check_result(tool.output_schema, error.structured).ok());
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
