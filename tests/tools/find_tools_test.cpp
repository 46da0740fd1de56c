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

TEST_CASE("what people say on call leads to the right tool first", "[tools]") {
    const std::initializer_list<std::pair<const char*, const char*>> intents{
        {"slow", "diagnose"},
        {"everything is slow", "diagnose"},
        {"why is my query slow", "explain_query"},
        {"why is this query suddenly slower", "explain_query"},
        {"plan changed since yesterday", "explain_query"},
        {"slowest queries", "get_statements"},
        {"slow query", "get_statements"},
        {"cpu at 100 percent", "get_statements"},
        {"top queries by total time", "get_statements"},
        {"stuck", "get_blocking"},
        {"app hangs", "get_blocking"},
        {"who blocks", "get_blocking"},
        {"ALTER TABLE is hanging and all queue behind it", "get_blocking"},
        {"who holds the lock on orders", "get_blocking"},
        {"advisory lock never released", "get_blocking"},
        {"orphaned prepared transaction", "get_blocking"},
        {"deadlock", "read_logs"},
        {"deadlock detected", "read_logs"},
        {"idle in transaction", "get_activity"},
        {"long running transactions", "get_activity"},
        {"what is running now", "get_activity"},
        {"wait events", "get_activity"},
        {"how far is the index build, progress", "get_activity"},
        {"too many clients", "get_connections"},
        {"FATAL: sorry, too many clients already", "get_connections"},
        {"remaining connection slots are reserved", "get_connections"},
        {"connection leak", "get_connections"},
        {"pgbouncer pool too small", "get_connections"},
        {"disk full", "get_io"},
        {"No space left on device", "get_io"},
        {"cache hit ratio", "get_io"},
        {"checkpoints occurring too frequently", "get_io"},
        {"archive command failing", "get_io"},
        {"temp files fill the disk", "get_io"},
        {"replication behind", "get_replication"},
        {"replica lag", "get_replication"},
        {"replication slot keeps WAL", "get_replication"},
        {"canceling statement due to conflict with recovery", "get_replication"},
        {"subscription stopped", "get_replication"},
        {"bloat", "get_tables"},
        {"stale statistics", "get_tables"},
        {"sequence runs out of values", "get_tables"},
        {"index bloat", "get_indexes"},
        {"unused indexes", "get_indexes"},
        {"missing index", "get_indexes"},
        {"autovacuum does not keep up", "get_vacuum"},
        {"transaction id wraparound", "get_vacuum"},
        {"what holds the xmin horizon back", "get_vacuum"},
        {"which settings were changed", "get_settings"},
        {"pending restart", "get_settings"},
        {"how much memory may sessions take", "get_settings"},
        {"password authentication failed", "read_logs"},
        {"out of memory", "read_logs"},
        {"data corruption", "read_logs"},
        {"columns of the orders table", "describe_schema"},
        {"run a select", "run_query"},
        {"is the database down", "list_targets"}};
    for (const auto& [intent, expected] : intents) {
        INFO(intent);
        const auto names = found(intent);
        REQUIRE_FALSE(names.empty());
        CHECK(names.front() == expected);
    }
    CHECK(intents.size() >= 40);
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

TEST_CASE("what is found says how to get it", "[tools]") {
    ToolBench bench{{}};
    const auto found_text = [&](const std::string& intent) {
        const auto output = bench.call("find_tools", json{{"intent", intent}}.dump());
        const json answer = json::parse(output.structured);
        return std::pair{answer["tools"][0], output.text};
    };
    const auto [seldom, how] = found_text("disk full");
    CHECK(seldom["name"] == "get_io");
    CHECK(seldom["listed"] == false);
    CHECK_THAT(
        how, Catch::Contains("- get_io(target?, view?, window_seconds?) [postgres, not listed]")
    );
    CHECK_THAT(how, Catch::Contains("called by its name all the same"));
    CHECK_THAT(how, Catch::Contains("?toolsets="));
    const auto [often, plain] = found_text("who blocks");
    CHECK(often["listed"] == true);

    const auto of_domain = [](const char* domain) {
        auto some = std::make_shared<std::vector<tools::Tool>>();
        for (const tools::Tool& tool : tools::catalog()) {
            if (tool.domain == domain) {
                some->push_back(tool);
            }
        }
        return some;
    };
    const auto narrow = tools::find_tools_among(of_domain("triage"), of_domain("postgres"));
    const auto output = bench.call(narrow, R"({"intent":"who blocks"})");
    const json answer = json::parse(output.structured);
    for (const json& each : answer["tools"]) {
        CHECK(each["name"] != "get_blocking");
    }
    CHECK(answer["elsewhere"][0] == json{{"name", "get_blocking"}, {"domain", "postgres"}});
    CHECK_THAT(output.text, Catch::Contains("Not in this session's toolsets: get_blocking"));
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
