// Candidates for indexes on a real server: found in statements, tried through HypoPG.
#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace lab = interlock::lab;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

namespace {

/// A table read whole by habit, and the statements that read it.
void neglect(Shop& shop, bool may_read) {
    shop.database().sql(
        "create table app.visits (id int primary key, customer int, day date, kind text, note text,"
        " place int);"
        "insert into app.visits select i, i % 2000, date '2026-01-01' + i % 365, 'k' || i % 3, 'n',"
        " i % 500 from generate_series(1, 60000) i;"
        "create index visits_place on app.visits (place); analyze app.visits"
    );
    if (may_read) {
        shop.database().sql("grant usage on schema app to interlock_diag;"
                            "grant select on app.visits to interlock_diag");
    }
    shop.database().sql(
        "set enable_indexscan = off; set enable_bitmapscan = off;"
        "do $$ begin for i in 1..120 loop "
        "perform count(*) from app.visits where customer = i and day > '2026-06-01';"
        "end loop; end $$"
    );
    lab::Session session{shop.app()};
    shop.database().sql("grant all on app.visits to shop_app");
    session.run("set search_path = app");
    for (int i = 0; i < 5; ++i) {
        const std::string number = std::to_string(i);
        session.run(
            "select note from visits where customer = " + number + " and day > '2026-06-01'"
        );
        session.run("select count(*) from visits v where v.customer = " + number);
        session.run("select * from visits where kind = 'k1' and lower(note) = 'x'");
        session.run("select * from visits where place = " + number);
        session.run("update visits set note = 'm' where customer = -" + number);
    }
}

const json* candidate(const json& packet, const std::string& columns) {
    if (!packet["rows"].contains("candidates")) {
        return nullptr;
    }
    for (const json& row : packet["rows"]["candidates"]) {
        if (row["definition"] == "CREATE INDEX CONCURRENTLY ON app.visits (" + columns + ")") {
            return &row;
        }
    }
    return nullptr;
}

json ask(Shop& shop) {
    return shop.bench().ask("get_indexes", R"({"view":"missing"})");
}

} // namespace

TEST_CASE(
    "a missing index is found in statements and checked with the planner", "[tools][postgres][live]"
) {
    if (!lab::has_library("hypopg")) {
        WARN("HypoPG is not installed");
        return;
    }
    Shop shop;
    shop.database().sql("create extension hypopg");
    neglect(shop, true);
    for (int round = 0; round < 2; ++round) { // no plan of the first is taken for the second's
        const json packet = ask(shop);
        INFO(packet.dump(2));
        const json* found = candidate(packet, "customer, day");
        REQUIRE(found != nullptr);
        CHECK((*found)["checked"] == true);
        CHECK((*found)["used"] == true);
        CHECK((*found)["cost_after"].get<double>() * 10 < (*found)["cost_before"].get<double>());
        CHECK((*found)["bytes"].get<long long>() > 60'000 * 20);
        CHECK((*found)["writes"].get<long long>() >= 60'000);
        CHECK(candidate(packet, "customer") == nullptr); // the longer serves both
        CHECK(candidate(packet, "place") == nullptr);    // is there
        CHECK(candidate(packet, "kind") == nullptr);     // three values
        bool told = false;
        for (const json& finding : packet["findings"]) {
            told =
                told ||
                (finding["severity"] == "warning" &&
                 finding["value"].get<std::string>().find("index on (customer, day): cost ") == 0);
        }
        CHECK(told);
    }
    CHECK(
        shop.database().scalar(
            "select count(*) from pg_index where indrelid = 'app.visits'::regclass"
        ) == "2"
    );
}

TEST_CASE("what stops the check of a candidate is told", "[tools][postgres][live]") {
    Shop shop;
    neglect(shop, false);
    json packet = ask(shop);
    INFO(packet.dump(2));
    const json* found = candidate(packet, "customer, day");
    REQUIRE(found != nullptr);
    CHECK((*found)["checked"] == false);
    CHECK_FALSE(found->contains("used"));
    CHECK(not_examined(packet, "plans with the candidates")); // no HypoPG
    if (lab::has_library("hypopg")) {
        shop.database().sql("create extension hypopg");
        packet = ask(shop);
        INFO(packet.dump(2));
        REQUIRE(candidate(packet, "customer, day") != nullptr);
        CHECK((*candidate(packet, "customer, day"))["checked"] == false);
        CHECK(not_examined(packet, "with a candidate")); // no SELECT
    }
    shop.database().sql("drop extension pg_stat_statements");
    packet = ask(shop);
    CHECK(not_examined(packet, "which columns an index could be on"));
    CHECK_FALSE(packet["rows"].contains("candidates"));
    CHECK(candidate(packet, "customer, day") == nullptr);
    CHECK_FALSE(packet["rows"]["missing"].empty());
}
