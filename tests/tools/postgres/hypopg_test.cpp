// Plans with an index that nobody builds; how explain_query and get_indexes use it is in their own
// tests.
#include "tests/tools/shop.hpp"
#include "tools/postgres/hypopg.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace db = interlock::db;
namespace lab = interlock::lab;
namespace tools = interlock::tools;
using interlock::test::Shop;
using nlohmann::json;

TEST_CASE("a statement is planned as it is, one with parameters as prepared", "[tools]") {
    const auto plain = tools::plan_text(*db::guard_sql("select 1").statement);
    REQUIRE(plain.ok());
    CHECK(plain->text.find("explain") != std::string::npos);
    CHECK_FALSE(plain->query().explain_generic.has_value());
    const auto generic =
        tools::plan_text(*db::guard_sql("select oid from pg_class where relname = $1").statement);
    REQUIRE(generic.ok());
    CHECK(generic->query().explain_generic == std::size_t{1});
}

TEST_CASE("a refusal to plan says how to come to the plan", "[tools]") {
    interlock::base::Result<db::Rows> refused =
        interlock::base::Error{interlock::base::Errc::permission_denied, "No.", ""};
    const auto plan = tools::plan_of(refused, false);
    REQUIRE_FALSE(plan.ok());
    CHECK(plan.error().remedy.find("SELECT") != std::string::npos);
}

TEST_CASE("an index is tried for a statement with parameters too", "[tools][postgres][live]") {
    if (!lab::has_library("hypopg")) {
        WARN("HypoPG is not installed");
        return;
    }
    Shop shop;
    shop.database().sql("create extension hypopg;"
                        "create table app.lines (id int, order_id int);"
                        "insert into app.lines select i, i % 5000 from generate_series(1, 50000) i;"
                        "analyze app.lines; grant usage on schema app to interlock_diag;"
                        "grant select on app.lines to interlock_diag");
    const json arguments{
        {"query", "select * from app.lines where order_id = $1"},
        {"index", "CREATE INDEX ON app.lines (order_id)"}};
    for (int round = 0; round < 2; ++round) {
        const json packet = shop.bench().ask("explain_query", arguments.dump());
        INFO(packet.dump(2));
        bool used = false;
        for (const json& finding : packet["findings"]) {
            used = used || finding["value"].get<std::string>().find("used: cost") == 0;
        }
        CHECK(used);
        const json alone =
            shop.bench().ask("explain_query", json{{"query", arguments["query"]}}.dump());
        CHECK(alone["rows"]["nodes"][0]["node"] == "Seq Scan on lines"); // nothing stays
    }
}
