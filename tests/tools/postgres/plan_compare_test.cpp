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
using interlock::test::plans::scan;
using interlock::test::plans::with;
using nlohmann::json;

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

TEST_CASE("a comparison tells how rows are grouped, and in which order they are read", "[plan]") {
    const auto grouped = [](const std::string& strategy) {
        return plan_of(with(
            node("Aggregate", 90, 10, {{"Strategy", strategy}}),
            children({with(with(node("Seq Scan", 10, 10), scan("a")), outer)})
        ));
    };
    const auto changes = tools::compare_plans(grouped("Sorted"), grouped("Hashed"));
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].what == "grouping and sorting");
    CHECK(changes[0].now == "Aggregate (Hashed)");
    const auto joined = [](const std::string& first, const std::string& second) {
        return plan_of(with(
            node("Merge Join", 90, 10, {{"Join Type", "Inner"}}),
            children(
                {with(with(node("Seq Scan", 10, 10), scan(first)), outer),
                 with(with(node("Seq Scan", 10, 10), scan(second)), inner)}
            )
        ));
    };
    const auto turned = tools::compare_plans(joined("a", "b"), joined("b", "a"));
    REQUIRE(turned.size() == 1);
    CHECK(turned[0].what == "order of relations");
    CHECK(turned[0].now == "b, a");
}
