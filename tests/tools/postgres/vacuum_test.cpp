#include "tests/lab/topology.hpp"
#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

namespace {

const json* row_where(const json& rows, const char* column, const std::string& value) {
    for (const json& row : rows) {
        if (row[column] == value) {
            return &row;
        }
    }
    return nullptr;
}

const json* finding_about(const json& packet, const std::string& object) {
    for (const json& finding : packet["findings"]) {
        if (finding["object"] == object) {
            return &finding;
        }
    }
    return nullptr;
}

/// Ids that pass while a holder looks on.
void burn_transactions(Shop& shop, int count) {
    shop.database().sql(
        "do $$ begin for i in 1.." + std::to_string(count) +
        " loop perform pg_current_xact_id(); commit; end loop; end $$"
    );
}

void make_dead_rows(Shop& shop, const std::string& options) {
    shop.database().sql(
        "create table app.worn (id int, note text) with (" + options +
        ");"
        "insert into app.worn select i, 'n' from generate_series(1, 120000) i;"
        "analyze app.worn;"
        "delete from app.worn where id % 2 = 0;"
    );
    REQUIRE(interlock::lab::wait_until([&] {
        return shop.database().scalar(
                   "select n_dead_tup >= 60000 from pg_stat_user_tables where relname = 'worn'"
               ) == "t";
    }));
}

} // namespace

TEST_CASE("every kind of holder stands in one ranked list", "[tools][postgres][live]") {
    Shop shop;
    // First: a slot begins when every transaction before it has ended.
    shop.database().sql("select pg_create_logical_replication_slot('feed', 'pgoutput')");
    Session idle{shop.app()};
    idle.run("begin isolation level repeatable read; select 1 from app.orders");
    shop.database().sql(
        "begin; update app.orders set note = 'secret' where id = 1; "
        "prepare transaction 'order''s\u202eend'",
        "shop_app"
    );
    burn_transactions(shop, 2'000);
    const json packet = shop.bench().ask("get_vacuum");
    const json& holders = packet["rows"]["holders"];

    const json* backend = row_where(holders, "name", std::to_string(idle.pid()));
    REQUIRE(backend != nullptr);
    CHECK((*backend)["kind"] == "backend");
    CHECK((*backend)["state"] == "idle in transaction");
    CHECK((*backend)["xid_age"] >= 2'000);
    CHECK((*backend)["holds_here"] == true);

    const json* prepared = row_where(holders, "kind", "prepared transaction");
    REQUIRE(prepared != nullptr);
    CHECK((*prepared)["xid_age"] >= 2'000);
    CHECK((*prepared)["name"] == "order'send"); // nothing that deceives a reader

    const json* slot = row_where(holders, "kind", "logical slot");
    REQUIRE(slot != nullptr);
    CHECK((*slot)["name"] == "feed");
    CHECK_FALSE(slot->contains("xid_age"));
    CHECK((*slot)["catalog_xid_age"] >= 2'000);
    CHECK(packet.dump().find("secret") == std::string::npos);
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("must stay, for"));

    shop.database().sql("select pg_drop_replication_slot('feed')");
    shop.database().sql("rollback prepared 'order''s\u202eend'", "shop_app");
}

TEST_CASE(
    "a table past its own threshold is found, with what keeps its rows", "[tools][postgres][live]"
) {
    Shop shop;
    Session idle{shop.app()};
    idle.run("begin isolation level repeatable read; select 1 from app.orders");
    make_dead_rows(shop, "autovacuum_vacuum_scale_factor = 0.01, autovacuum_enabled = off");
    burn_transactions(shop, 2'000);
    json packet = shop.bench().ask("get_vacuum");
    const json* worn = row_where(packet["rows"]["tables"], "relation", "app.worn");
    REQUIRE(worn != nullptr);
    CHECK((*worn)["dead"] == 60'000);
    CHECK((*worn)["dead_percent"] == 33.3);
    CHECK((*worn)["vacuum_at"] == 1'250); // 50 + 1 % of 120,000
    CHECK((*worn)["times_due"] == 48);
    CHECK((*worn)["autovacuum"] == false);
    const json* finding = finding_about(packet, "table app.worn");
    REQUIRE(finding != nullptr);
    CHECK((*finding)["meaning"] == "Autovacuum is switched off for it.");

    shop.database().sql("alter table app.worn set (autovacuum_enabled = on)");
    shop.database().sql("vacuum app.worn");
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_vacuum");
        finding = finding_about(packet, "table app.worn");
        return finding != nullptr &&
               (*finding)["meaning"].get<std::string>().starts_with("Vacuum ran");
    }));
    CHECK_THAT(
        (*finding)["meaning"].get<std::string>(),
        Catch::Contains("backend " + std::to_string(idle.pid()) + " holds the horizon")
    );
}

TEST_CASE(
    "a TOAST table without settings of its own is under those of its table",
    "[tools][postgres][live]"
) {
    Shop shop;
    shop.database().sql(
        "create table app.papers (id int, body text) with (autovacuum_enabled = off);"
        "alter table app.papers alter body set storage external;"
        "insert into app.papers select i, repeat('x', 9000) from generate_series(1, 2000) i;"
        "delete from app.papers;"
    );
    json found;
    REQUIRE(interlock::lab::wait_until([&] {
        const json packet = shop.bench().ask("get_vacuum");
        for (const json& row : packet["rows"]["tables"]) {
            if (row["relation"] == "app.papers" && row["kind"] == "toast") {
                found = row;
            }
        }
        return !found.is_null() && found["dead"] >= 10'000;
    }));
    CHECK(found["autovacuum"] == false);
    CHECK(found["options"] == "autovacuum_enabled=off");
}

TEST_CASE("the age of every database stands against the end of ids", "[tools][postgres][live]") {
    Shop shop;
    const json packet = shop.bench().ask("get_vacuum");
    const json* here = row_where(packet["rows"]["databases"], "database", shop.database().name());
    REQUIRE(here != nullptr);
    CHECK(
        (*here)["xid_age"].get<long long>() + (*here)["xids_left"].get<long long>() == 2147483648
    );
    CHECK((*here)["mxid_age"] >= 0);
    CHECK(not_examined(packet, "tables of other databases"));
    const json& throttle = packet["rows"]["throttle"][0];
    CHECK(throttle["workers_max"] == 3);
    CHECK(throttle["dirty_mb_per_second"] == 41.0);
}

TEST_CASE(
    "a standby's feedback holds, and a standby says what it does not know",
    "[tools][postgres][live]"
) {
    Shop shop;
    interlock::lab::Replica replica;
    REQUIRE(replica.catch_up());
    const std::string name = shop.database().name();
    interlock::lab::run_sql(replica.cluster(), name, "alter system set hot_standby_feedback = on");
    interlock::lab::run_sql(replica.cluster(), name, "select pg_reload_conf()");
    Session reader{replica.cluster().conninfo("shop_app", name)};
    reader.run("begin isolation level repeatable read; select count(*) from app.orders");
    REQUIRE(interlock::lab::wait_until([&] {
        const json packet = shop.bench().ask("get_vacuum");
        const json* slot = row_where(packet["rows"]["holders"], "kind", "physical slot");
        return slot != nullptr && (*slot)["xid_age"] >= 0 && (*slot)["holds_here"] == true;
    }));

    interlock::test::ToolBench standby{
        {{"standby", replica.cluster().conninfo("interlock_diag", name), {}}}};
    const json packet = standby.ask("get_vacuum");
    CHECK(not_examined(packet, "dead rows and vacuums"));
    CHECK(row_where(packet["rows"]["holders"], "name", std::to_string(reader.pid())) != nullptr);
}

TEST_CASE("without pg_monitor a hidden holder is told as a gap", "[tools][postgres][live]") {
    Shop shop{"plain_reader"};
    const json packet = shop.bench().ask("get_vacuum");
    CHECK(not_examined(packet, "other roles' sessions"));
}

TEST_CASE(
    "a table that was never analyzed is measured by what was counted", "[tools][postgres][live]"
) {
    Shop shop;
    shop.database().sql("create table app.fresh (id int) with (autovacuum_enabled = off);"
                        "insert into app.fresh select generate_series(1, 200000);"
                        "delete from app.fresh where id % 2 = 0");
    json packet;
    const json* fresh = nullptr;
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_vacuum");
        fresh = row_where(packet["rows"]["tables"], "relation", "app.fresh");
        return fresh != nullptr && (*fresh)["dead"] == 100'000;
    }));
    CHECK((*fresh)["never_analyzed"] == true);
    CHECK((*fresh)["rows"] == 100'000);
    CHECK((*fresh)["dead_percent"] == 50);
    CHECK_FALSE(fresh->contains("bytes")); // nobody has counted its pages yet
    const json* finding = finding_about(packet, "table app.fresh");
    REQUIRE(finding != nullptr);
    CHECK((*finding)["value"] == "100000 dead rows (50.0 %), never analyzed");
}

TEST_CASE("a table is due by what was inserted into it as well", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(
        "create table app.grown (id int) with (autovacuum_vacuum_insert_threshold = 1000, "
        "autovacuum_vacuum_insert_scale_factor = 0)"
    );
    Session keeper{shop.database().conninfo()}; // no worker comes between
    keeper.run("begin; lock table app.grown in share update exclusive mode");
    shop.database().sql("insert into app.grown select generate_series(1, 300000)");
    json packet;
    const json* grown = nullptr;
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_vacuum");
        grown = row_where(packet["rows"]["tables"], "relation", "app.grown");
        return grown != nullptr && (*grown)["inserted_since_vacuum"] == 300'000;
    }));
    CHECK((*grown)["times_due"] == 300);
    const json* finding = finding_about(packet, "table app.grown");
    REQUIRE(finding != nullptr);
    CHECK((*finding)["severity"] == "warning");
    CHECK_THAT((*finding)["value"].get<std::string>(), Catch::Contains("300.0 times"));
    CHECK_THAT((*finding)["meaning"].get<std::string>(), Catch::Contains("never vacuumed"));
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("past its vacuum threshold"));
}
