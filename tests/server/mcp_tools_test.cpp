#include "approval/queue.hpp"
#include "base/json.hpp"
#include "server/mcp_tools.hpp"
#include "server/planning_tools.hpp"
#include "tests/server/fixture.hpp"
#include "tests/support/fakes.hpp"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

using interlock::base::Json;
using interlock::server::Era;
using interlock::server::ToolBox;

/// All tools of the default set, over a queue that is never touched.
std::vector<interlock::tools::Tool> default_set() {
    static interlock::test::TemporaryDirectory directory;
    static interlock::test::ManualClock clock;
    static interlock::test::CountingRandom random;
    static auto store = interlock::db::open_sqlite_store(
        directory.file("queue.db"), interlock::db::StoreMode::create, clock
    );
    static interlock::approval::Queue queue(*store.value(), random);
    auto all = interlock::tools::catalog();
    for (auto& tool : interlock::server::planning_tools({queue, ""})) {
        all.push_back(std::move(tool));
    }
    return all;
}

Json parsed(const std::string& text) {
    auto value = interlock::base::parse_json(text);
    INFO(text);
    REQUIRE(value.ok());
    return std::move(value).value();
}

} // namespace

TEST_CASE("the default set is complete, well named and has a small footprint", "[server]") {
    const ToolBox box(default_set());
    const Json list = parsed(box.list_result(Era::legacy))["tools"];
    std::set<std::string> names;
    std::size_t read_by_model = 0;
    for (const Json& tool : list) {
        const auto name = tool["name"].get<std::string>();
        INFO(name);
        CHECK(names.insert(name).second);
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        const auto description = tool["description"].get<std::string>();
        CHECK_FALSE(description.empty());
        for (const char letter : description) {
            CHECK((letter >= 0x20 && letter < 0x7f));
        }
        CHECK(tool["inputSchema"]["type"] == "object");
        CHECK(tool["inputSchema"]["additionalProperties"] == false);
        CHECK(tool["outputSchema"]["type"] == "object");
        read_by_model += name.size() + description.size() + tool["inputSchema"].dump().size();
        const bool touches_queue = name == "propose_plan" || name == "withdraw_plan";
        CHECK(tool["annotations"]["readOnlyHint"] == !touches_queue);
    }
    CHECK(names.count("diagnose") == 1);
    CHECK(names.count("propose_plan") == 1);
    for (const std::string never : {"approve_plan", "reject_plan", "execute_plan"}) {
        CHECK(names.count(never) == 0);
    }
    CHECK(read_by_model < 8'000);
}

TEST_CASE("every list is the same tools; only the modern one says how long it stands", "[server]") {
    const ToolBox box(interlock::test::example_tools());
    const Json legacy = parsed(box.list_result(Era::legacy));
    const Json modern = parsed(box.list_result(Era::modern));
    CHECK(legacy["tools"] == modern["tools"]);
    CHECK_FALSE(legacy.contains("resultType"));
    CHECK(modern["resultType"] == "complete");
    CHECK(modern["ttlMs"].is_number_integer());
    CHECK(modern["cacheScope"] == "private");
}

TEST_CASE("an unknown name finds no tool", "[server]") {
    const ToolBox box(interlock::test::example_tools());
    CHECK(box.find("echo") != nullptr);
    CHECK(box.find("Echo") == nullptr);
    CHECK(box.find("") == nullptr);
}

TEST_CASE("toolsets narrow the set and must exist", "[server]") {
    using interlock::server::choose_toolsets;
    const auto chosen = choose_toolsets(interlock::test::example_tools(), {"triage"});
    REQUIRE(chosen.ok());
    REQUIRE(chosen.value().size() == 1);
    CHECK(chosen.value().front().name == "echo");
    CHECK(choose_toolsets(interlock::test::example_tools(), {}).value().size() == 4);
    const auto unknown = choose_toolsets(interlock::test::example_tools(), {"triage", "root"});
    REQUIRE_FALSE(unknown.ok());
    CHECK(unknown.error().what.find("root") != std::string::npos);
}

TEST_CASE("text that is not UTF-8 still leaves as valid JSON", "[server]") {
    interlock::tools::Output output;
    output.text = "bad \xff byte\n\ndata: x";
    output.structured = "{}";
    const Json result = parsed(interlock::server::call_result(output, Era::modern));
    CHECK(result["content"][0]["type"] == "text");
    CHECK(interlock::server::call_result(output, Era::modern).find('\n') == std::string::npos);
}
