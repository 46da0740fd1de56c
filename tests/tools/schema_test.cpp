#include "tools/schema.hpp"
#include "tools/tool.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;

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
