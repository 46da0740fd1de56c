#include "tests/tools/postgres/plans.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test::plans {

using nlohmann::json;

const json outer{{"Parent Relationship", "Outer"}};
const json inner{{"Parent Relationship", "Inner"}};

json node(const std::string& type, double cost, double rows) {
    return node(type, cost, rows, json::object());
}

Plan plan_of(const json& root) {
    return plan_of(root, json::object());
}

json node(const std::string& type, double cost, double rows, const json& more) {
    json out{
        {"Node Type", type},
        {"Startup Cost", 0.0},
        {"Total Cost", cost},
        {"Plan Rows", rows},
        {"Plan Width", 8}};
    out.update(more);
    return out;
}

json ran(double ms, double rows, double loops) {
    return {
        {"Actual Startup Time", 0.0},
        {"Actual Total Time", ms},
        {"Actual Rows", rows},
        {"Actual Loops", loops}};
}

json with(json left, const json& right) {
    left.update(right);
    return left;
}

Plan plan_of(const json& root, const json& more) {
    json top{{"Plan", root}};
    top.update(more);
    auto plan = tools::read_plan(json::array({top}).dump());
    INFO((plan ? "" : base::to_text(plan.error())));
    REQUIRE(plan.ok());
    return std::move(plan).value();
}

bool says(const Plan& plan, const std::string& object, const std::string& value) {
    for (const tools::Finding& finding : tools::judge_plan(plan)) {
        if (finding.object == object && finding.value.find(value) != std::string::npos) {
            return true;
        }
    }
    return false;
}

json scan(const std::string& relation) {
    return {{"Relation Name", relation}, {"Schema", "app"}, {"Alias", relation}};
}

json children(std::vector<json> nodes) {
    return {{"Plans", json(std::move(nodes))}};
}

json temporary(double blocks) {
    return {{"Temp Read Blocks", blocks / 2}, {"Temp Written Blocks", blocks / 2}};
}

} // namespace interlock::test::plans

namespace tools = interlock::tools;
using interlock::base::Errc;
using interlock::test::plans::node;
using interlock::test::plans::with;
using nlohmann::json;

TEST_CASE("what is not one plan is refused, with what it lacks", "[plan]") {
    for (const char* text :
         {"",
          "Seq Scan on t",
          "[]",
          "{}",
          "[1,2]",
          R"({"Plan":3})",
          R"({"Plan":{"Plans":[]}})",
          R"([{"Plan":{"Node Type":"Limit","Plans":[{"no":1}]}}])"}) {
        INFO(text);
        const auto plan = tools::read_plan(text);
        REQUIRE_FALSE(plan.ok());
        CHECK(plan.error().code == Errc::invalid_arguments);
        CHECK_FALSE(plan.error().remedy.empty());
    }
    std::string deep;
    for (int i = 0; i < 100'000; ++i) {
        deep += R"({"Node Type":"Limit","Plans":[)";
    }
    CHECK_FALSE(tools::read_plan(deep).ok());
}

TEST_CASE("EXPLAIN's array, its object and a bare node are the same plan", "[plan]") {
    const json root = node("Result", 0.01, 1);
    const auto array = tools::read_plan(json::array({json{{"Plan", root}}}).dump());
    const auto object = tools::read_plan(json{{"Query Text", "select 1"}, {"Plan", root}}.dump());
    const auto bare = tools::read_plan(root.dump());
    REQUIRE((array.ok() && object.ok() && bare.ok()));
    CHECK(array->fingerprint == object->fingerprint);
    CHECK(array->fingerprint == bare->fingerprint);
    CHECK(array->fingerprint.size() == 16);
}
