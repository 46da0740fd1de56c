#include "tests/tools/postgres/plans.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using interlock::test::plans::children;
using interlock::test::plans::inner;
using interlock::test::plans::node;
using interlock::test::plans::outer;
using interlock::test::plans::Plan;
using interlock::test::plans::plan_of;
using interlock::test::plans::ran;
using interlock::test::plans::says;
using interlock::test::plans::scan;
using interlock::test::plans::temporary;
using interlock::test::plans::with;
using nlohmann::json;

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

TEST_CASE("spills of workers, incremental sorts and stores of rows are found", "[plan]") {
    const auto spilled = [](const std::string& type, const json& more) {
        return plan_of(with(node(type, 10, 10, more), ran(1, 10))).nodes[0].spilled_kb;
    };
    CHECK(
        spilled(
            "Sort",
            {{"Workers",
              json::array(
                  {{{"Sort Space Type", "Disk"}, {"Sort Space Used", 100}},
                   {{"Sort Space Type", "Memory"}, {"Sort Space Used", 7}}}
              )}}
        ) == 100
    );
    CHECK(
        spilled(
            "Incremental Sort",
            {{"Full-sort Groups",
              {{"Group Count", 1}, {"Sort Space Disk", {{"Peak Sort Space Used", 40}}}}},
             {"Pre-sorted Groups",
              {{"Group Count", 9}, {"Sort Space Memory", {{"Peak Sort Space Used", 9}}}}}}
        ) == 40
    );
    CHECK(spilled("CTE Scan", {{"Storage", "Disk"}, {"Maximum Storage", 77}}) == 77);
    CHECK(spilled("Materialize", {{"Storage", "Memory"}, {"Maximum Storage", 77}}) == 0);
    const Plan aggregate = plan_of(with(
        node(
            "Aggregate",
            10,
            10,
            {{"Strategy", "Hashed"}, {"Workers", json::array({{{"HashAgg Batches", 5}}, 3, "x"})}}
        ),
        ran(1, 10)
    ));
    CHECK(says(aggregate, "Aggregate (Hashed)", "5 batches"));
    // The outer rows of a hash join's batches are the hash's spill, not another.
    const Plan join = plan_of(with(
        node("Hash Join", 90, 10, {{"Join Type", "Inner"}}),
        with(
            with(ran(9, 10), temporary(80)),
            children(
                {with(with(node("Seq Scan", 10, 10), scan("a")), with(ran(1, 10), outer)),
                 with(
                     node("Hash", 10, 10, {{"Hash Batches", 4}}),
                     with(with(ran(1, 10), temporary(30)), inner)
                 )}
            )
        )
    ));
    CHECK(says(join, "Hash", "4 batches"));
    CHECK_FALSE(says(join, "Hash Join", "temporary"));
}

TEST_CASE("a plan of one node says what there is to say", "[plan]") {
    const json filter{{"Filter", "(state = 'x'::text)"}};
    const Plan large = plan_of(with(node("Seq Scan", 5'000, 10, filter), scan("orders")));
    CHECK(says(large, "Seq Scan on app.orders", "100 % of the estimated cost is its own"));
    const Plan small = plan_of(with(node("Seq Scan", 2, 1, filter), scan("orders")));
    CHECK(tools::judge_plan(small).empty());
    const Plan index = plan_of(with(node("Index Scan", 5'000, 1'000), scan("orders")));
    CHECK(tools::judge_plan(index).empty());
}

TEST_CASE("few rows are an error where nobody stopped asking", "[plan]") {
    const auto scanned =
        with(with(node("Seq Scan", 50, 50'000), scan("a")), with(ran(5, 1), outer));
    const auto below = [&](const std::string& type) {
        return plan_of(with(
            node("Limit", 1, 1),
            with(
                ran(1, 1),
                children({with(
                    node(type, 60, 50'000), with(ran(5, 1), with(outer, children({scanned})))
                )})
            )
        ));
    };
    CHECK(says(below("Sort"), "Seq Scan on app.a", "1 rows where 50000 were estimated"));
    CHECK_FALSE(says(below("Result"), "Seq Scan on app.a", "were estimated"));
    // A hash join reads one outer row before it finds that nothing can match.
    const auto join = [&](double inner_rows) {
        return plan_of(with(
            node("Hash Join", 90, 1, {{"Join Type", "Inner"}}),
            with(
                ran(9, 0),
                children({scanned, with(node("Hash", 10, 10), with(ran(1, inner_rows), inner))})
            )
        ));
    };
    CHECK_FALSE(says(join(0), "Seq Scan on app.a", "were estimated"));
    CHECK(says(join(10), "Seq Scan on app.a", "were estimated"));
}

TEST_CASE("a mean of no rows may be nearly half a row each time", "[plan]") {
    const auto removed = [](double mean, double loops) {
        return plan_of(with(
            with(node("Index Scan", 9, 1, {{"Rows Removed by Filter", 2}}), scan("a")),
            ran(1, mean, loops)
        ));
    };
    CHECK_FALSE(says(removed(0, 50'000), "Index Scan on app.a", "in vain"));
    CHECK(says(removed(0.02, 50'000), "Index Scan on app.a", "100000 rows read in vain"));
}
