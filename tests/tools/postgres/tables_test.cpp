#include "tests/lab/topology.hpp"
#include "tests/support/fakes.hpp"
#include "tests/tools/shop.hpp"
#include "tools/sampler.hpp"

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

/// A session's counters arrive when it ends: after ANALYZE they would count as new changes.
void wait_for_counters(Shop& shop, const std::string& table, int rows) {
    REQUIRE(interlock::lab::wait_until([&] {
        return shop.database().scalar(
                   "select n_live_tup from pg_stat_all_tables where relid = '" + table +
                   "'::regclass"
               ) == std::to_string(rows);
    }));
}

void make_rows(Shop& shop, const std::string& table, int rows, bool analyze = true) {
    shop.database().sql(
        "create table " + table +
        " (id int, parent int) with (autovacuum_enabled = off);"
        "insert into " +
        table + " select i, i from generate_series(1, " + std::to_string(rows) + ") i"
    );
    wait_for_counters(shop, table, rows);
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

TEST_CASE("bloat is of the file and the rows of now", "[tools][postgres][live]") {
    Shop shop;
    // Full pages of columns that need padding, nulls, and a fillfactor: nothing to give back.
    shop.database().sql(
        "create table app.padded (flag bool, id bigint not null, small smallint, at timestamptz) "
        "with (autovacuum_enabled = off);"
        "insert into app.padded select true, i, 1, now() from generate_series(1, 100000) i;"
        "create table app.sparse (a bigint, b bigint, c bigint, d bigint, e bigint, f bigint, "
        "g bigint, h bigint) with (autovacuum_enabled = off);"
        "insert into app.sparse (a) select i from generate_series(1, 100000) i;"
        "create table app.roomy (id bigint not null) "
        "with (autovacuum_enabled = off, fillfactor = 50);"
        "insert into app.roomy select i from generate_series(1, 100000) i;"
        "create table app.grown (id bigint not null) with (autovacuum_enabled = off);"
        "insert into app.grown select i from generate_series(1, 50000) i;"
        "create table app.unknown (id bigint not null) with (autovacuum_enabled = off);"
        "grant usage on schema app to interlock_diag;"
        "grant select on app.padded, app.sparse to interlock_diag"
    );
    for (const char* table : {"app.padded", "app.sparse", "app.roomy"}) {
        wait_for_counters(shop, table, 100'000);
    }
    wait_for_counters(shop, "app.grown", 50'000);
    shop.database().sql("vacuum analyze app.padded, app.sparse, app.roomy, app.grown");
    // Four times the file since: a third of it deleted again, and not vacuumed.
    shop.database().sql("insert into app.grown select i from generate_series(1, 150000) i");
    shop.database().sql("delete from app.grown where id % 2 = 0");
    shop.database().sql("insert into app.unknown select i from generate_series(1, 100000) i");
    json packet;
    const auto percent = [&](const std::string& table) {
        const json* row = row_of(packet["rows"]["bloat"], "app." + table);
        return row == nullptr || !row->contains("wasted_percent")
                   ? -1.0
                   : (*row)["wasted_percent"].get<double>();
    };
    CHECK(interlock::lab::wait_until([&] { // until the counters have come
        packet = shop.bench().ask("get_tables", R"({"view":"bloat"})");
        return percent("grown") > 45 && row_of(packet["rows"]["bloat"], "app.unknown") != nullptr;
    }));
    INFO(packet.dump(2));
    CHECK(percent("grown") < 55);
    const json* grown = row_of(packet["rows"]["bloat"], "app.grown");
    REQUIRE(grown != nullptr);
    CHECK((*grown)["bytes"] > 6'500'000); // not the 1.8 MB of the last vacuum
    for (const char* table : {"padded", "sparse", "roomy"}) {
        INFO(table);
        CHECK(percent(table) >= 0);
        CHECK(percent(table) < 5);
    }
    CHECK(percent("unknown") < 0);
    CHECK_THAT(packet["not_examined"].dump(), Catch::Contains("no statistics"));

    Session owner{shop.database().conninfo()};
    owner.run("begin; lock table app.grown in access exclusive mode");
    packet = shop.bench().ask("get_tables", R"({"view":"bloat"})");
    CHECK(percent("grown") < 0);
    CHECK_THAT(packet["not_examined"].dump(), Catch::Contains("ACCESS EXCLUSIVE"));
}

TEST_CASE("a partitioned table is what its partitions are in all", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(
        "create table app.events (id int, kind text) partition by range (id);"
        "create table app.events_1 partition of app.events for values from (0) to (50000) "
        "with (autovacuum_enabled = off);"
        "create table app.events_2 partition of app.events for values from (50000) to (200000) "
        "partition by list (kind);"
        "create table app.events_2_a partition of app.events_2 for values in ('a') "
        "with (autovacuum_enabled = off);"
        "create table app.events_2_b partition of app.events_2 default "
        "with (autovacuum_enabled = off);"
        "insert into app.events select i, case when i % 2 = 0 then 'a' else 'b' end "
        "from generate_series(1, 149998) i"
    );
    wait_for_counters(shop, "app.events_1", 49'999);
    wait_for_counters(shop, "app.events_2_a", 50'000);
    wait_for_counters(shop, "app.events_2_b", 49'999);
    shop.database().sql("analyze app.events_1, app.events_2_a, app.events_2_b");
    shop.database().sql("delete from app.events_2_a");
    json packet = ask_until(shop, "{}", [](const json& seen) {
        return found(seen, "partitioned table app.events", "most in app.events_2_a");
    });
    const json* events = row_of(packet["rows"]["partitioned"], "app.events");
    REQUIRE(events != nullptr);
    CHECK((*events)["partitions"] == 3);
    CHECK((*events)["rows"] == 149'998); // the catalog's before the deletes, till ANALYZE
    CHECK((*events)["dead"] == 50'000);
    CHECK((*events)["never_analyzed"] == true);
    CHECK((*events)["heap_bytes"] > 5'000'000);
    CHECK(row_of(packet["rows"]["partitioned"], "app.events_2") == nullptr); // a part of it
    CHECK(found(packet, "partitioned table app.events", "itself never analyzed"));
    CHECK(found(packet, "table app.events", "no primary key"));
    shop.database().sql("analyze app.events");
    packet = shop.bench().ask("get_tables");
    CHECK_FALSE(found(packet, "partitioned table app.events", "itself never analyzed"));
}

namespace {

/// A bench whose tools have a sampler with a clock of its own.
struct Sampled {
    interlock::test::ManualClock clock;
    interlock::telemetry::Metrics metrics;
    interlock::tools::Targets targets;
    interlock::tools::Sampler sampler{{targets, clock}};

    explicit Sampled(Shop& shop)
        : targets{{shop.database().address("interlock_diag", "shop")}, clock, metrics} {
        shop.bench().use_sampler(&sampler);
    }
};

} // namespace

TEST_CASE("growth is told of the history that there is", "[tools][postgres][live]") {
    Shop shop;
    make_rows(shop, "app.grows", 10'000);
    const json none = shop.bench().ask("get_tables", R"({"view":"growth"})");
    CHECK(none["rows"]["growth"].empty());
    CHECK(not_examined(none, "growth of tables"));
    CHECK_FALSE(none["rows"].contains("bloat"));
    CHECK(not_examined(shop.bench().ask("get_tables", R"({"view":"bloat"})"), "growth"));

    // The bench's clock is the machine's: samples of a clock behind it lie in its past.
    Sampled sampled{shop};
    const auto now = interlock::base::SystemClock{}.ticks();
    sampled.clock.advance(std::chrono::duration_cast<interlock::base::Duration>(
        now - std::chrono::seconds{1'800} - sampled.clock.ticks()
    ));
    REQUIRE(sampled.sampler.look("shop").ok());
    shop.database().sql("insert into app.grows select i, i from generate_series(1, 30000) i;"
                        "delete from app.grows where id <= 5000");
    json packet;
    const json* grows = nullptr;
    const bool seen = interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_tables", R"({"view":"growth"})");
        grows = row_of(packet["rows"]["growth"], "app.grows");
        return grows != nullptr && (*grows)["rows_per_hour"] > 35'000;
    });
    INFO(packet.dump(2));
    REQUIRE(seen);
    CHECK((*grows)["window_seconds"] >= 1'800);
    CHECK((*grows)["window_seconds"] < 1'900);
    CHECK((*grows)["rows_per_hour"] <= 40'000); // 30,000 in and 10,000 out in half an hour
    CHECK((*grows)["bytes_per_hour"] > 1'500'000);
    // Half an hour of an hour is missing, and that is told with its number.
    CHECK(not_examined(packet, "growth of tables over the last 3600 s"));
    CHECK_THAT(packet["not_examined"].dump(), Catch::Contains("are missing"));
}

TEST_CASE(
    "a catalog that is locked takes along the sections that read it", "[tools][postgres][live]"
) {
    Shop shop;
    make_rows(shop, "app.busy", 20'000, false);
    Session owner{shop.database().conninfo()};
    owner.run("begin; lock table pg_catalog.pg_sequence in access exclusive mode");
    const auto output = shop.bench().call("get_tables");
    INFO(output.text);
    REQUIRE_FALSE(output.is_error);
    const json packet = json::parse(output.structured);
    for (const char* lost : {"schema_gaps", "totals"}) {
        INFO(lost);
        CHECK(not_examined(packet, lost));
        CHECK(packet["rows"][lost].empty());
    }
    CHECK_THAT(
        packet["not_examined"].dump(), Catch::Contains("timeout: ") && Catch::Contains("55P03")
    );
    CHECK(row_of(packet["rows"]["tables"], "app.busy") != nullptr);
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("since an unknown moment"));
}

TEST_CASE("a standby says that it has no counters of changes", "[tools][postgres][live]") {
    Shop shop;
    make_rows(shop, "app.copied", 20'000);
    interlock::lab::Replica replica;
    REQUIRE(replica.catch_up());
    interlock::test::ToolBench bench{
        {{"standby", replica.cluster().conninfo("interlock_diag", shop.database().name()), {}}}};
    const json packet = bench.ask("get_tables");
    CHECK(not_examined(packet, "changes to tables"));
    // Its rows are the catalog's: the file is as large as it was then.
    const json* copied = row_of(packet["rows"]["bloat"], "app.copied");
    REQUIRE(copied == nullptr); // below what is worth an estimate
    const json* row = row_of(packet["rows"]["tables"], "app.copied");
    REQUIRE(row != nullptr);
    CHECK((*row)["rows"] == 20'000);
}
