#include "tests/tools/shop.hpp"
#include "tools/postgres/plan_reader.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using interlock::base::Errc;
using interlock::test::Shop;
using nlohmann::json;
using tools::Plan;

namespace {

/// A node as EXPLAIN writes it; `more` overwrites and adds.
json node(const std::string& type, double cost, double rows, const json& more = json::object()) {
    json out{
        {"Node Type", type},
        {"Startup Cost", 0.0},
        {"Total Cost", cost},
        {"Plan Rows", rows},
        {"Plan Width", 8}};
    out.update(more);
    return out;
}

json ran(double ms, double rows, double loops = 1) {
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

Plan plan_of(const json& root, const json& more = json::object()) {
    json top{{"Plan", root}};
    top.update(more);
    auto plan = tools::read_plan(json::array({top}).dump());
    INFO((plan ? "" : interlock::base::to_text(plan.error())));
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

const json outer{{"Parent Relationship", "Outer"}};
const json inner{{"Parent Relationship", "Inner"}};

json scan(const std::string& relation) {
    return {{"Relation Name", relation}, {"Schema", "app"}, {"Alias", relation}};
}

} // namespace

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

TEST_CASE("a node's own time leaves out its children and shares out workers", "[plan]") {
    const Plan plan = plan_of(with(
        node("Gather", 100, 10, {{"Workers Planned", 2}, {"Workers Launched", 1}}),
        with(
            ran(100, 10),
            {{"Plans",
              json::array(
                  {with(with(node("Seq Scan", 90, 5), scan("orders")), with(ran(80, 5, 2), outer))}
              )}}
        )
    ));
    REQUIRE(plan.nodes.size() == 2);
    CHECK(plan.nodes[1].self_ms == Approx(80)); // twice 80 ms, side by side
    CHECK(plan.nodes[0].self_ms == Approx(20));
    CHECK(plan.nodes[1].share == Approx(0.8));
    CHECK(says(plan, "Gather", "1 of 2 workers started"));
    CHECK(says(plan, "Seq Scan on app.orders", "80 % of the time"));
}

TEST_CASE("the cost of a nested loop's inner side counts for each outer row", "[plan]") {
    const Plan plan = plan_of(node(
        "Nested Loop",
        1'110,
        100,
        {{"Join Type", "Inner"},
         {"Plans",
          json::array(
              {with(with(node("Seq Scan", 100, 200), scan("a")), outer),
               with(with(node("Index Scan", 5, 1), scan("b")), inner)}
          )}}
    ));
    CHECK(plan.nodes[2].self_cost == Approx(1'000));
    CHECK(plan.nodes[1].self_cost == Approx(100));
    CHECK(plan.nodes[0].self_cost == Approx(10));
    CHECK_FALSE(plan.executed);
}

TEST_CASE("LIMIT stops early: its child's cost is never more than its own", "[plan]") {
    const Plan plan = plan_of(node(
        "Limit",
        10,
        1,
        {{"Plans", json::array({with(with(node("Seq Scan", 1'000, 500), scan("a")), outer)})}}
    ));
    CHECK(plan.nodes[1].self_cost == Approx(10));
    CHECK(plan.nodes[0].self_cost == Approx(0));
}

TEST_CASE("a CTE's time is told once, where it is made", "[plan]") {
    const Plan plan = plan_of(with(
        node("Aggregate", 100, 1),
        with(
            ran(100, 1),
            {{"Plans",
              json::array(
                  {with(
                       with(node("Seq Scan", 50, 10), scan("a")),
                       with(
                           ran(60, 10),
                           {{"Parent Relationship", "InitPlan"}, {"Subplan Name", "CTE c"}}
                       )
                   ),
                   with(node("CTE Scan", 60, 10, {{"CTE Name", "c"}}), with(ran(90, 10), outer))}
              )}}
        )
    ));
    CHECK(plan.nodes[0].self_ms == Approx(10));
    CHECK(plan.nodes[1].self_ms == Approx(60));
    CHECK(plan.nodes[2].self_ms == Approx(30));
}

TEST_CASE("an estimate is found wrong where the error begins", "[plan]") {
    const auto scan_of = [](double planned, double actual) {
        return with(with(node("Seq Scan", 50, planned), scan("a")), with(ran(5, actual), outer));
    };
    const Plan plan = plan_of(
        with(node("Sort", 60, 10, {{"Plans", json::array({scan_of(10, 5'000)})}}), ran(9, 5'000))
    );
    CHECK(says(plan, "Seq Scan on app.a", "5000 rows where 10 were estimated: off by 500 times"));
    CHECK_FALSE(says(plan, "Sort", "were estimated"));
    // Fewer rows than estimated below LIMIT are no error; far more are.
    const Plan limited =
        plan_of(with(node("Limit", 1, 1, {{"Plans", json::array({scan_of(5'000, 1)})}}), ran(1, 1))
        );
    CHECK_FALSE(says(limited, "Seq Scan on app.a", "were estimated"));
    // Ten for one is nothing when both are few.
    const Plan small = plan_of(with(node("Seq Scan", 5, 1), with(ran(1, 20), scan("a"))));
    CHECK(tools::judge_plan(small).empty());
}

TEST_CASE("spills, rows read in vain, heap fetches and side costs are found", "[plan]") {
    const Plan plan = plan_of(
        with(
            node(
                "Sort",
                900,
                1'000,
                {{"Sort Method", "external merge"},
                 {"Sort Space Used", 4'096},
                 {"Sort Space Type", "Disk"}}
            ),
            with(
                ran(400, 1'000),
                {{"Plans",
                  json::array(
                      {with(
                           with(
                               node(
                                   "Seq Scan",
                                   500,
                                   900,
                                   {{"Filter", "(state = 'open'::text)"},
                                    {"Rows Removed by Filter", 99'000},
                                    {"Shared Read Blocks", 20'000}}
                               ),
                               scan("orders")
                           ),
                           with(ran(200, 1'000), outer)
                       ),
                       with(
                           with(
                               node(
                                   "Index Only Scan",
                                   50,
                                   2'000,
                                   {{"Index Name", "i"}, {"Heap Fetches", 1'900}}
                               ),
                               scan("lines")
                           ),
                           with(ran(20, 2'000), inner)
                       )}
                  )}}
            )
        ),
        {{"Execution Time", 500.0},
         {"Planning Time", 2.0},
         {"JIT", {{"Timing", {{"Total", 150.0}}}}},
         {"Triggers", json::array({json{{"Trigger Name", "x"}, {"Time", 120.0}}})}}
    );
    CHECK(says(plan, "Sort", "4096 kB on disk"));
    CHECK(says(plan, "Seq Scan on app.orders", "99000 rows read in vain for 1000 kept"));
    CHECK(says(plan, "Seq Scan on app.orders", "20000 blocks read"));
    CHECK(says(plan, "Index Only Scan using i on app.lines", "1900 heap fetches"));
    CHECK(says(plan, "JIT", "150 ms of 500 ms"));
    CHECK(says(plan, "triggers", "120 ms"));
}

TEST_CASE("a nested loop that runs too often is found, and why it was chosen", "[plan]") {
    const auto loop = [](double planned) {
        return plan_of(with(
            node("Nested Loop", 900, planned, {{"Join Type", "Left"}}),
            with(
                ran(400, 50'000),
                {{"Plans",
                  json::array(
                      {with(
                           with(node("Seq Scan", 10, planned), scan("a")),
                           with(ran(20, 50'000), outer)
                       ),
                       with(
                           with(node("Index Scan", 5, 1, {{"Index Name", "b_pkey"}}), scan("b")),
                           with(ran(0.005, 1, 50'000), inner)
                       )}
                  )}}
            )
        ));
    };
    const auto finding_of = [](const Plan& plan) {
        for (const tools::Finding& finding : tools::judge_plan(plan)) {
            if (finding.object == "Nested Loop (Left)" &&
                finding.value == "50000 runs of Index Scan using b_pkey on app.b") {
                return finding;
            }
        }
        return tools::Finding{};
    };
    CHECK(finding_of(loop(10)).severity == tools::Severity::critical);
    CHECK_THAT(finding_of(loop(10)).meaning, Catch::Contains("chosen for 10 outer rows"));
    CHECK(finding_of(loop(50'000)).severity == tools::Severity::warning);
    // By estimates alone: a whole relation for each outer row.
    const Plan estimated = plan_of(node(
        "Nested Loop",
        90'000,
        100,
        {{"Join Type", "Inner"},
         {"Plans",
          json::array(
              {with(with(node("Seq Scan", 100, 500), scan("a")), outer),
               with(with(node("Seq Scan", 150, 1), scan("b")), inner)}
          )}}
    ));
    CHECK(says(estimated, "Nested Loop", "Seq Scan on app.b for each of 500 outer rows"));
}

TEST_CASE("two plans are compared by access, joins and cost", "[plan]") {
    const Plan before =
        plan_of(with(node("Index Scan", 8, 1, {{"Index Name", "orders_pkey"}}), scan("orders")));
    const Plan now = plan_of(with(node("Seq Scan", 1'800, 1), scan("orders")));
    CHECK(before.fingerprint != now.fingerprint);
    const auto changes = tools::compare_plans(before, now);
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].what == "access to app.orders");
    CHECK(changes[0].before == "Index Scan using orders_pkey");
    CHECK(changes[0].now == "Seq Scan");
    CHECK(changes[1].what == "total cost");
    CHECK(tools::compare_plans(now, now).empty());
    // Numbers and conditions are no shape.
    json other = with(node("Seq Scan", 7, 3, {{"Filter", "(id = 9)"}}), scan("orders"));
    CHECK(plan_of(other).fingerprint == now.fingerprint);
}
