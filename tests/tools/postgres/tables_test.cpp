#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

namespace {

const json* row_of(const json& rows, const std::string& relation) {
    for (const json& row : rows) {
        if (row["relation"] == relation) {
            return &row;
        }
    }
    return nullptr;
}

bool found(const json& packet, const std::string& object, const std::string& value) {
    for (const json& finding : packet["findings"]) {
        if (finding["object"] == object &&
            finding["value"].get<std::string>().find(value) != std::string::npos) {
            return true;
        }
    }
    return false;
}

void make_rows(Shop& shop, const std::string& table, int rows, bool analyze = true) {
    shop.database().sql(
        "create table " + table +
        " (id int, parent int) with (autovacuum_enabled = off);"
        "insert into " +
        table + " select i, i from generate_series(1, " + std::to_string(rows) + ") i"
    );
    // A session's counters arrive when it ends: after ANALYZE they would count as new changes.
    REQUIRE(interlock::lab::wait_until([&] {
        return shop.database().scalar(
                   "select n_live_tup from pg_stat_all_tables where relid = '" + table +
                   "'::regclass"
               ) == std::to_string(rows);
    }));
    if (analyze) {
        shop.database().sql("analyze " + table);
    }
}

/// Asks until the counters, which sessions report late, show it.
json ask_until(
    Shop& shop, const std::string& arguments, const std::function<bool(const json&)>& is
) {
    json packet;
    const bool seen = interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_tables", arguments);
        return is(packet);
    });
    INFO(packet.dump(2));
    CHECK(seen);
    return packet;
}

} // namespace

TEST_CASE("dead rows, stale and missing statistics are told apart", "[tools][postgres][live]") {
    Shop shop;
    make_rows(shop, "app.dead", 120'000);
    make_rows(shop, "app.stale", 120'000);
    make_rows(shop, "app.fresh", 120'000);
    make_rows(shop, "app.unknown", 20'000, false);
    shop.database().sql("delete from app.dead where id % 2 = 0; analyze app.dead");
    shop.database().sql("update app.stale set parent = 0 where id <= 24000");
    const json packet = ask_until(shop, "{}", [](const json& seen) {
        return found(seen, "table app.dead", "50.0 % dead rows") &&
               found(seen, "table app.stale", "20.0 % of rows changed") &&
               found(seen, "table app.unknown", "never analyzed, 20000 rows");
    });
    INFO(packet.dump(2));
    CHECK_FALSE(found(packet, "table app.fresh", "%"));
    CHECK(packet["rows"]["totals"][0]["tables"] >= 5);
    CHECK(not_examined(packet, "growth of tables"));
    const json* dead = row_of(packet["rows"]["tables"], "app.dead");
    REQUIRE(dead != nullptr);
    CHECK((*dead)["heap_bytes"] > 4'000'000);
}

TEST_CASE("a large table that is read whole by habit is found", "[tools][postgres][live]") {
    Shop shop;
    make_rows(shop, "app.scanned", 20'000);
    shop.database().sql(
        "do $$ begin for i in 1..120 loop perform count(*) from app.scanned where parent = i; "
        "end loop; end $$"
    );
    const json packet = ask_until(shop, R"({"view":"scans"})", [](const json& seen) {
        return found(seen, "table app.scanned", "sequential scans of 20000 rows each");
    });
    CHECK_FALSE(packet["rows"].contains("bloat")); // an empty list might be taken for health
    CHECK(not_examined(packet, "bloat"));
}

TEST_CASE("bloat is estimated, told where it cannot be, and measured", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(
        "create table app.hollow (id bigint not null, at timestamptz not null);"
        "insert into app.hollow select i, now() from generate_series(1, 200000) i;"
        "delete from app.hollow where id % 4 <> 0;"
        "create table app.notes (id int, note text);"
        "insert into app.notes select i, repeat('n', 90) from generate_series(1, 50000) i;"
        "analyze app.notes"
    );
    shop.database().sql("vacuum analyze app.hollow");
    const json estimate = shop.bench().ask("get_tables");
    const json* hollow = row_of(estimate["rows"]["bloat"], "app.hollow");
    REQUIRE(hollow != nullptr);
    CHECK((*hollow)["exact"] == false);
    CHECK((*hollow)["wasted_percent"] > 73);
    CHECK((*hollow)["wasted_percent"] < 77);
    const json* notes = row_of(estimate["rows"]["bloat"], "app.notes");
    REQUIRE(notes != nullptr);
    CHECK_FALSE(notes->contains("wasted_bytes")); // pg_monitor alone does not see widths
    CHECK(not_examined(estimate, "bloat of 1 table"));

    shop.database().sql("create schema \"odd \"\"place\"; "
                        "create extension pgstattuple schema \"odd \"\"place\"; "
                        "grant usage on schema \"odd \"\"place\" to interlock_diag");
    const json measured = shop.bench().ask("get_tables", R"({"view":"bloat"})");
    hollow = row_of(measured["rows"]["bloat"], "app.hollow");
    REQUIRE(hollow != nullptr);
    CHECK((*hollow)["exact"] == true);
    CHECK((*hollow)["wasted_percent"] > 60);
    notes = row_of(measured["rows"]["bloat"], "app.notes");
    REQUIRE(notes != nullptr);
    CHECK((*notes)["exact"] == true);
    CHECK((*notes)["wasted_percent"] < 5);
}

TEST_CASE("what definitions lack is told", "[tools][postgres][live]") {
    Shop shop;
    make_rows(shop, "app.keyless", 20'000);
    shop.database().sql("create table app.near_end (id serial primary key);"
                        "alter sequence app.near_end_id_seq as bigint;"
                        "select setval('app.near_end_id_seq', 2000000000);"
                        "grant usage on schema app to interlock_diag;"
                        "grant select on sequence app.near_end_id_seq to interlock_diag;"
                        "create table app.cyclic (id serial primary key);"
                        "create sequence app.shared as bigint; create table app.narrow "
                        "(id int primary key default nextval('app.shared'));"
                        "select setval('app.shared', 2000000000);"
                        "grant select on sequence app.shared to interlock_diag;"
                        "create table app.unread (id serial primary key);"
                        "alter sequence app.cyclic_id_seq cycle;"
                        "alter table app.keyless add constraint positive check (id > 0) not valid");
    const json packet = shop.bench().ask("get_tables", R"({"view":"schema"})");
    CHECK(found(packet, "table app.keyless", "no primary key"));
    CHECK(found(packet, "constraint positive on app.keyless", "check not validated"));
    // A bigint sequence of an integer column ends with the column.
    CHECK(found(packet, "sequence app.near_end_id_seq of app.near_end", "93.1 % used"));
    // So does one that only a default tells of.
    CHECK(found(packet, "sequence app.shared of app.narrow", "93.1 % used"));
    CHECK(packet.dump().find("cyclic") == std::string::npos);
    CHECK(not_examined(packet, "last value of 1 sequence"));
    CHECK_THAT(
        packet.dump(),
        Catch::Contains("GRANT SELECT ON ALL SEQUENCES IN SCHEMA S TO interlock_diag")
    );
}

TEST_CASE(
    "a table that is being altered is judged without waiting for it", "[tools][postgres][live]"
) {
    Shop shop;
    make_rows(shop, "app.busy", 20'000, false);
    Session ddl{shop.app()};
    Session owner{shop.database().conninfo()};
    owner.run("begin; lock table app.busy in access exclusive mode");
    const json packet = ask_until(shop, "{}", [](const json& seen) {
        return row_of(seen["rows"]["tables"], "app.busy") != nullptr;
    });
    const json* busy = row_of(packet["rows"]["tables"], "app.busy");
    REQUIRE(busy != nullptr);
    CHECK((*busy)["is_locked"] == true);
    CHECK_FALSE(busy->contains("heap_bytes"));
    CHECK((*busy)["rows"] == 20'000);
}
