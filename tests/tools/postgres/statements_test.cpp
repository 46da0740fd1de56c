#include "tests/lab/topology.hpp"
#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace lab = interlock::lab;
using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using interlock::test::ToolBench;
using nlohmann::json;

namespace {

const json* row_with(const json& packet, const std::string& text) {
    for (const json& row : packet["rows"]["statements"]) {
        if (row["query"].get<std::string>().find(text) != std::string::npos) {
            return &row;
        }
    }
    return nullptr;
}

bool finds(const json& packet, const std::string& queryid, const std::string& meaning) {
    for (const json& each : packet["findings"]) {
        if (each["object"] == "statement " + queryid &&
            each["meaning"].get<std::string>().find(meaning) != std::string::npos) {
            return true;
        }
    }
    return false;
}

void count_statements(Shop& shop) {
    shop.database().sql("select pg_stat_statements_reset()");
}

} // namespace

TEST_CASE("a database without the extension says so and what to do", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("drop extension pg_stat_statements");
    const json packet = shop.bench().ask("get_statements");
    CHECK(packet["rows"]["statements"].empty());
    REQUIRE(not_examined(packet, "statements"));
    CHECK_THAT(packet.dump(), Catch::Contains("CREATE EXTENSION pg_stat_statements there"));
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("not counted"));
}

TEST_CASE("a server that does not load the library says so", "[tools][postgres][live]") {
    const auto cluster = interlock::cli::Cluster::start({});
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    database.sql("create extension pg_stat_statements");
    ToolBench bench{{database.address("interlock_diag")}};
    const json packet = bench.ask("get_statements");
    REQUIRE(not_examined(packet, "statements"));
    CHECK_THAT(packet.dump(), Catch::Contains("not in shared_preload_libraries"));
}

TEST_CASE("an extension that was never updated is told apart", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("drop extension pg_stat_statements; "
                        "create extension pg_stat_statements version '1.8'");
    const json old = shop.bench().ask("get_statements");
    CHECK_THAT(old.dump(), Catch::Contains("ALTER EXTENSION pg_stat_statements UPDATE"));
    shop.database().sql("alter extension pg_stat_statements update to '1.9'");
    count_statements(shop);
    const json updated = shop.bench().ask("get_statements");
    CHECK(updated["rows"]["extension"][0]["version"] == "1.9");
    CHECK_FALSE(updated["rows"]["statements"].empty());
}

TEST_CASE("the extension is found in any schema", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(R"(drop extension pg_stat_statements;
        create schema "odd ""place"; grant usage on schema "odd ""place" to public;
        create extension pg_stat_statements schema "odd ""place")");
    CHECK_FALSE(shop.bench().ask("get_statements")["rows"]["statements"].empty());
}

TEST_CASE("one query for each row of another is recognised", "[tools][postgres][live]") {
    Shop shop;
    count_statements(shop);
    {
        Session app{shop.app()};
        for (int i = 0; i < 12; ++i) {
            app.run("select id, 'secret' from app.orders");
        }
        for (int i = 0; i < 1'200; ++i) {
            app.run("select note from app.orders where id = " + std::to_string(1 + i % 100));
        }
    }
    const json packet = shop.bench().ask("get_statements", R"({"order":"calls"})");
    const json& first = packet["rows"]["statements"][0];
    CHECK(first["calls"] == 1'200);
    CHECK(first["rows_per_call"] == 1);
    CHECK(first["user"] == "shop_app");
    CHECK(first["database"] == shop.database().name());
    REQUIRE(first["once_per_row_of"].is_string());
    CHECK(finds(packet, first["queryid"], "N+1"));
    const json* parent = row_with(packet, "select id");
    REQUIRE(parent != nullptr);
    CHECK((*parent)["queryid"] == first["once_per_row_of"]);
    CHECK(packet.dump().find("secret") == std::string::npos);
    CHECK(packet["rows"]["coverage"][0]["age_seconds"] < 3'600);
}

TEST_CASE("slow statements and those that spill are findings", "[tools][postgres][live]") {
    Shop shop;
    count_statements(shop);
    {
        Session app{shop.app()};
        app.run("select pg_sleep(1.1)");
        app.run("set work_mem = '64kB'");
        app.run("select count(*) from (select repeat('x', 1000) || g as x "
                "from generate_series(1, 50000) g order by x) s");
    }
    const json packet = shop.bench().ask("get_statements");
    const json* slow = row_with(packet, "pg_sleep");
    REQUIRE(slow != nullptr);
    CHECK((*slow)["mean_ms"] > 1'000);
    CHECK(finds(packet, (*slow)["queryid"], "Slow the one time that it ran"));
    CHECK_FALSE(finds(packet, (*slow)["queryid"], "explain_query")); // the guard lets none sleep
    const json* spilling = row_with(packet, "generate_series");
    REQUIRE(spilling != nullptr);
    INFO(packet.dump(2));
    CHECK(finds(packet, (*spilling)["queryid"], "work_mem"));
    const json temp = shop.bench().ask("get_statements", R"({"order":"temp","limit":1})");
    REQUIRE(temp["rows"]["statements"].size() == 1);
    CHECK(temp["rows"]["statements"][0]["queryid"] == (*spilling)["queryid"]);
}

TEST_CASE("two samples show what runs now, not what ran once", "[tools][postgres][live]") {
    Shop shop;
    count_statements(shop);
    shop.database().sql("select pg_sleep(0.3)");
    const lab::Workload load{shop.database(), "select 40 + 2;\n"};
    json packet;
    REQUIRE(lab::wait_until([&] {
        packet = shop.bench().ask("get_statements", R"({"order":"calls","sample_seconds":1})");
        return !packet["rows"]["window"].empty() &&
               packet["rows"]["window"][0]["calls_per_second"] > 10;
    }));
    const json* running = row_with(packet, "select $1 + $2");
    REQUIRE(running != nullptr);
    CHECK((*running)["queryid"] == packet["rows"]["window"][0]["queryid"]);
    CHECK(row_with(packet, "pg_sleep") == nullptr);
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("ended in 1"));
}

TEST_CASE("every order works on every major", "[tools][postgres][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        database.sql("create extension pg_stat_statements; select count(*) from pg_class");
        ToolBench bench{{database.address("interlock_diag")}};
        for (const auto* order : {"time", "mean", "calls", "io", "temp", "wal", "rows"}) {
            INFO("PostgreSQL " << major << " by " << order);
            const json packet =
                bench.ask("get_statements", R"({"order":")" + std::string{order} + "\"}");
            REQUIRE_FALSE(packet["rows"]["statements"].empty());
            CHECK(packet["rows"]["statements"][0].contains("since") == (major >= 17));
        }
        const json sampled = bench.ask("get_statements", R"({"sample_seconds":1})");
        CHECK_FALSE(sampled["rows"]["window"].empty());
    }
}

TEST_CASE(
    "without pg_read_all_stats texts of others are hidden, and told", "[tools][postgres][live]"
) {
    Shop shop{"plain_reader"};
    count_statements(shop);
    const json packet = shop.bench().ask("get_statements");
    CHECK(not_examined(packet, "texts of other roles' statements"));
}

TEST_CASE("explain_query is advised only where it can help", "[tools][postgres][live]") {
    Shop shop;
    count_statements(shop);
    {
        Session locker{shop.app()};
        locker.run("begin; delete from app.orders where id = 7");
        Session writer{shop.app()};
        writer.start("update app.orders set note = 'y' where id = 7");
        REQUIRE(shop.waited(2));
        locker.run("rollback");
        CHECK(writer.finish().empty());
        locker.run("create table app.many as select i from generate_series(1, 1000000) i");
        locker.run("select count(distinct i || 'x') from app.many");
    }
    const json packet = shop.bench().ask("get_statements", R"({"order":"mean"})");
    const json* read = row_with(packet, "select count");
    REQUIRE(read != nullptr);
    if ((*read)["mean_ms"] >= 1'000) { // a million texts to sort: on most machines
        CHECK(finds(packet, (*read)["queryid"], "explain_query with this queryid"));
    }
    const json* write = row_with(packet, "update app.orders");
    REQUIRE(write != nullptr);
    CHECK(finds(packet, (*write)["queryid"], "auto_explain"));
}
