#include "tests/tools/bench.hpp"
#include "tools/find_tools.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using interlock::test::ToolBench;
using nlohmann::json;

namespace {

/// Names of what was found, best first.
std::vector<std::string> found(std::string_view intent) {
    std::vector<std::string> names;
    for (const tools::FoundTool& each : tools::match_tools(tools::catalog(), intent)) {
        names.emplace_back(each.tool->name);
        CHECK_FALSE(each.why.empty());
    }
    return names;
}

} // namespace

TEST_CASE("an intent finds the tool that answers it first", "[tools]") {
    for (const auto& [intent, expected] :
         std::initializer_list<std::pair<const char*, const char*>>{
             {"who is blocking the orders table?", "get_blocking"},
             {"sessions are stuck waiting for locks", "get_blocking"},
             {"which databases can I look at", "list_targets"},
             {"what is in the server log", "read_logs"},
             {"PANIC and crash last night", "read_logs"},
             {"how many connections are used", "get_connections"},
             {"what is wrong here", "diagnose"},
             {"the root cause of the outage", "diagnose"}}) {
        INFO(intent);
        const auto names = found(intent);
        REQUIRE_FALSE(names.empty());
        CHECK(names.front() == expected);
    }
}

TEST_CASE("the same intent finds the same, in any spelling of its words", "[tools]") {
    CHECK(found("Blocking LOCKS") == found("locks, blocking!"));
    CHECK(found("locked") == found("locking"));
    CHECK(found("locks locks locks") == found("lock"));
}

TEST_CASE("what no tool says finds none, and the answer lists what there is", "[tools]") {
    CHECK(found("the of and").empty());
    CHECK(found("\xff\xfe \xe2\x80\xae weather in Paris").empty());
    ToolBench bench{{}};
    const auto output = bench.call("find_tools", R"({"intent":"weather in Paris"})");
    CHECK_FALSE(output.is_error);
    const json answer = json::parse(output.structured);
    CHECK(answer["tools"].empty());
    CHECK_FALSE(answer["domains"]["postgres"].empty());
    CHECK_THAT(output.text, Catch::Contains("get_blocking"));
}

TEST_CASE("a found tool comes with why and how to call it", "[tools]") {
    ToolBench bench{{}};
    const json answer = bench.ask("find_tools", R"({"intent":"who blocks whom"})");
    REQUIRE_FALSE(answer["tools"].empty());
    const json& first = answer["tools"][0];
    CHECK(first["name"] == "get_blocking");
    CHECK_THAT(first["why"].get<std::string>(), Catch::Contains("block"));
    CHECK(first["input_schema"]["properties"].contains("target"));
    CHECK(answer["tools"].size() <= 8);
    CHECK(bench.call("find_tools").error_code == "invalid_arguments");
    CHECK(
        bench.call("find_tools", R"({"intent":")" + std::string(301, 'x') + R"("})").error_code ==
        "invalid_arguments"
    );
}

TEST_CASE("only the given tools are searched, and never the search itself", "[tools]") {
    auto some = std::make_shared<std::vector<tools::Tool>>();
    std::copy_if(
        tools::catalog().begin(),
        tools::catalog().end(),
        std::back_inserter(*some),
        [](const tools::Tool& tool) { return tool.domain == "orientation"; }
    );
    CHECK(tools::match_tools(*some, "blocking locks").empty());
    for (const auto& each : tools::match_tools(*some, "find tools for an intent")) {
        CHECK(each.tool->name != "find_tools");
    }
    CHECK(tools::find_tools_among(some).name == "find_tools");
}
