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

TEST_CASE("what a CTE read and spilled is told once, and at the scan that spilled", "[plan]") {
    const auto cte = [](const std::string& name, double read, double temp) {
        return with(
            with(node("Seq Scan", 50, 10), scan(name)),
            with(
                with(ran(60, 10), temporary(temp)),
                {{"Parent Relationship", "InitPlan"},
                 {"Subplan Name", "CTE " + name},
                 {"Shared Read Blocks", read}}
            )
        );
    };
    const auto scan_of = [](const std::string& name, double read, double temp, double ms) {
        return with(
            node("CTE Scan", 60, 10, {{"CTE Name", name}, {"Shared Read Blocks", read}}),
            with(with(ran(ms, 10), temporary(temp)), outer)
        );
    };
    const Plan plan = plan_of(with(
        node("Append", 100, 1, {{"Shared Read Blocks", 30'000}}),
        with(
            with(ran(200, 1), temporary(900)),
            children(
                {cte("a", 20'000, 0),
                 cte("b", 10'000, 200),
                 scan_of("b", 10'000, 900, 80),
                 scan_of("a", 20'000, 0, 110)}
            )
        )
    ));
    CHECK(plan.nodes[0].read_blocks == Approx(0));
    CHECK(plan.nodes[1].read_blocks == Approx(20'000));
    CHECK(plan.nodes[2].read_blocks == Approx(10'000));
    CHECK(plan.nodes[3].read_blocks == Approx(0));
    CHECK(plan.nodes[4].read_blocks == Approx(0));
    CHECK(plan.nodes[3].self_ms == Approx(20)); // not the 60 ms of CTE a
    CHECK(plan.nodes[4].self_ms == Approx(50));
    CHECK(plan.nodes[0].self_ms == Approx(10));
    CHECK(says(plan, "CTE Scan on b", "700 temporary blocks"));
    CHECK(says(plan, "Seq Scan on app.b", "200 temporary blocks"));
    CHECK_FALSE(says(plan, "Append", "temporary"));
    CHECK_FALSE(says(plan, "CTE Scan on a", "temporary"));
}

TEST_CASE("an InitPlan's part is taken from the node that asks for it", "[plan]") {
    const auto plan_with = [](const std::string& subplan, const std::string& condition) {
        return plan_of(with(
            node("Nested Loop", 100, 1),
            with(
                ran(100, 1),
                children(
                    {with(
                         node("Result", 50, 1),
                         with(
                             ran(60, 1),
                             {{"Parent Relationship", "InitPlan"}, {"Subplan Name", subplan}}
                         )
                     ),
                     with(with(node("Seq Scan", 10, 1), scan("a")), with(ran(20, 1), outer)),
                     with(
                         node("Seq Scan", 60, 1, {{"Filter", condition}}),
                         with(with(ran(75, 1), scan("b")), inner)
                     )}
                )
            )
        ));
    };
    for (const Plan& plan :
         {plan_with("InitPlan 1 (returns $0)", "(b.x = $0)"),
          plan_with("InitPlan 1", "(b.x = (InitPlan 1).col1)")}) {
        CHECK(plan.nodes[3].self_ms == Approx(15));
        CHECK(plan.nodes[2].self_ms == Approx(20));
        CHECK(plan.nodes[0].self_ms == Approx(5));
    }
    // $0 is not $01, and what nobody is seen to ask for was its owner's.
    CHECK(plan_with("InitPlan 1 (returns $0)", "(b.x = $01)").nodes[3].self_ms == Approx(75));
}

TEST_CASE("rows that processes share are counted in all", "[plan]") {
    const auto gather = [](double workers, double launched, const json& child, double loops = 1) {
        return plan_of(with(
            node(
                "Gather", 100, 1'000, {{"Workers Planned", workers}, {"Workers Launched", launched}}
            ),
            with(ran(100, 1'000, loops), children({with(child, outer)}))
        ));
    };
    const auto part = [](double planned, double actual, double loops) {
        return with(
            with(node("Seq Scan", 90, planned, {{"Parallel Aware", true}}), scan("a")),
            ran(80, actual, loops)
        );
    };
    // 4 workers and a busy leader were planned, none came: the leader read all of it.
    const Plan alone = gather(4, 0, part(1'000, 4'000, 1));
    CHECK(alone.nodes[1].planned_rows() == Approx(4'000));
    CHECK(alone.nodes[1].seen_rows() == Approx(4'000));
    CHECK_FALSE(says(alone, "Seq Scan on app.a", "were estimated"));
    // A true error, in all processes together.
    const Plan wrong = gather(2, 2, part(10, 4'000, 3));
    CHECK(says(wrong, "Seq Scan on app.a", "12000 rows where 24 were estimated"));
    // Each process reads the whole of what is not shared.
    const Plan whole =
        gather(2, 2, with(with(node("Seq Scan", 90, 5'000), scan("a")), ran(80, 5'000, 3)));
    CHECK(whole.nodes[1].processes_planned == 1);
    CHECK_FALSE(says(whole, "Seq Scan on app.a", "were estimated"));
    // What stands above a shared scan is shared too; a Gather that ran twice counts each run.
    const Plan above = gather(
        2,
        2,
        with(
            node("Aggregate", 95, 100, {{"Strategy", "Plain"}, {"Partial Mode", "Partial"}}),
            with(ran(90, 100, 6), children({with(part(1'000, 800, 6), outer)}))
        ),
        2
    );
    CHECK(above.nodes[1].type == "Aggregate (Partial)");
    CHECK(above.nodes[1].processes == Approx(3));
    CHECK(above.nodes[2].seen_rows() == Approx(2'400));
    CHECK(above.nodes[0].processes == 1);
}

TEST_CASE("a fingerprint does not know values, schemas or how many partitions", "[plan]") {
    const auto partition = [](const std::string& name) {
        return with(
            node("Index Scan", 8, 1, {{"Index Name", name + "_pkey"}}),
            {{"Relation Name", name}, {"Alias", name}, {"Parent Relationship", "Member"}}
        );
    };
    const auto append = [&](const std::vector<std::string>& names) {
        std::vector<json> members;
        for (const std::string& name : names) {
            members.push_back(partition(name));
        }
        return plan_of(with(node("Append", 30, 3), children(members))).fingerprint;
    };
    CHECK(
        append({"orders_2024_01", "orders_2024_02"}) == append({"orders_2025_11", "orders_2025_1"})
    );
    CHECK(append({"orders_2024_01"}) == append({"orders_1_2", "orders_3_4", "orders_5_6"}));
    CHECK(append({"orders_1"}) != append({"lines_1"}));
    CHECK(append({"orders_1"}) != append({"orders_1", "lines_1"}));

    const Plan bare = plan_of(node("Seq Scan", 8, 1, {{"Relation Name", "orders"}}));
    const Plan verbose = plan_of(with(node("Seq Scan", 8, 1), scan("orders")));
    CHECK(bare.fingerprint == verbose.fingerprint);
    CHECK(tools::compare_plans(bare, verbose).empty());
    CHECK(
        bare.fingerprint != plan_of(node("Seq Scan", 8, 1, {{"Relation Name", "t2"}})).fingerprint
    );
    const auto made_up = [](const std::string& name) {
        return plan_of(with(node("Index Scan", 8, 1, {{"Index Name", name}}), scan("orders")));
    };
    CHECK(made_up("<13543>btree_orders").fingerprint == made_up("<777>btree_orders").fingerprint);
    CHECK(tools::compare_plans(made_up("<13543>btree_orders"), made_up("<777>btree_orders")).empty()
    );
}
