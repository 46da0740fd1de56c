#include "tests/lab/topology.hpp"
#include "tests/tools/shop.hpp"
#include "tools/sampler.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace cli = interlock::cli;
namespace lab = interlock::lab;
namespace tools = interlock::tools;
using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using interlock::test::ToolBench;
using nlohmann::json;

namespace {

const json* finding(const json& packet, const std::string& object, const std::string& value = "") {
    for (const json& each : packet["findings"]) {
        if (each["object"].get<std::string>().starts_with(object) &&
            each["value"].get<std::string>().find(value) != std::string::npos) {
            return &each;
        }
    }
    return nullptr;
}

/// Writes some 120 MB of WAL.
void write_wal(const lab::Database& database) {
    database.sql("select count(pg_logical_emit_message(false, 'lab', repeat(i::text, 500000))) "
                 "from generate_series(10, 130) i");
}

} // namespace

TEST_CASE("a primary and its standby are seen from both sides", "[tools][postgres][live]") {
    Shop shop;
    lab::Replica replica;
    REQUIRE(replica.catch_up());
    const json primary = shop.bench().ask("get_replication");
    CHECK(primary["rows"]["server"][0]["role"] == "primary");
    REQUIRE(primary["rows"]["standbys"].size() == 1);
    CHECK(primary["rows"]["standbys"][0]["state"] == "streaming");
    CHECK(primary["rows"]["standbys"][0]["sync_state"] == "async");
    REQUIRE(primary["rows"]["slots"].size() == 1);
    CHECK(primary["rows"]["slots"][0]["active"] == true);
    CHECK(finding(primary, "max_slot_wal_keep_size") != nullptr);
    CHECK_THAT(primary["summary"].get<std::string>(), Catch::StartsWith("A primary"));

    ToolBench bench{{{"standby", replica.cluster().conninfo("interlock_diag", "postgres"), {}}}};
    const json standby = bench.ask("get_replication");
    CHECK(standby["rows"]["server"][0]["role"] == "standby");
    CHECK(standby["rows"]["receiver"][0]["status"] == "streaming");
    CHECK(finding(standby, "this standby") == nullptr);
    CHECK_THAT(standby["summary"].get<std::string>(), Catch::StartsWith("A standby"));

    lab::run_sql(replica.cluster(), "postgres", "select pg_wal_replay_pause()");
    json paused;
    REQUIRE(lab::wait_until([&] {
        paused = bench.ask("get_replication");
        return finding(paused, "this standby", "replay: ") != nullptr;
    }));
    CHECK((*finding(paused, "this standby", "replay: "))["severity"] == "critical");
}

TEST_CASE("a standby of every major says how it stands", "[tools][postgres][live]") {
    for (const int major : lab::majors()) {
        INFO("PostgreSQL " << major);
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        lab::Replica replica{lab::primary(major)};
        REQUIRE(replica.catch_up());
        ToolBench bench{
            {{"standby", replica.cluster().conninfo("interlock_diag", database.name()), {}}}};
        const json packet = bench.ask("get_replication");
        CHECK(packet["rows"]["server"][0]["role"] == "standby");
        CHECK(packet["rows"]["receiver"].size() == 1);
        REQUIRE(packet["not_examined"].size() == 1); // there is no sampler: two samples
        CHECK(packet["not_examined"][0]["what"] == "rates over the last 60 s");
        const json io = bench.ask("get_io");
        CHECK_FALSE(io["rows"]["databases"].empty());
        CHECK(io["source"]["in_recovery"] == true);
        CHECK_FALSE(bench.ask("get_connections")["rows"]["limits"].empty());
        CHECK_FALSE(bench.ask("get_settings")["rows"]["settings"].empty());
    }
}

TEST_CASE("queries that recovery cancels on a standby are found", "[tools][postgres][live]") {
    Shop shop;
    lab::Replica replica;
    REQUIRE(replica.catch_up());
    const auto on_replica = replica.cluster().conninfo("postgres", shop.database().name());
    lab::run_sql(replica.cluster(), "postgres", "alter system set max_standby_streaming_delay = 0");
    lab::run_sql(replica.cluster(), "postgres", "select pg_reload_conf()");
    ToolBench bench{
        {{"standby", replica.cluster().conninfo("interlock_diag", shop.database().name()), {}}}};
    base::SystemClock clock;
    tools::Sampler sampler{{bench.targets(), clock}};
    bench.use_sampler(&sampler);
    REQUIRE(sampler.look("standby").ok());
    {
        Session reader{on_replica};
        reader.run("begin isolation level repeatable read; select count(*) from app.orders");
        shop.database().sql("delete from app.orders");
        shop.database().sql("vacuum app.orders");
        REQUIRE(lab::wait_until([&] {
            return !reader.try_run("select count(*) from app.orders").empty();
        }));
    }
    json packet;
    REQUIRE(lab::wait_until([&] {
        packet = bench.ask("get_replication");
        return finding(packet, "this standby", "1 query cancelled by recovery") != nullptr;
    }));
    REQUIRE(packet["rows"]["conflicts"].size() == 1);
    CHECK(packet["rows"]["conflicts"][0]["database"] == shop.database().name());
    const json& cancelled = *finding(packet, "this standby", "cancelled by recovery");
    CHECK_THAT(cancelled["value"].get<std::string>(), Catch::Contains("1 query cancelled"));
    CHECK_THAT(
        cancelled["value"].get<std::string>(), Catch::Contains("for rows that were vacuumed")
    );
    CHECK_THAT(cancelled["meaning"].get<std::string>(), Catch::Contains("hot_standby_feedback"));
}

TEST_CASE("a slot that nobody reads is found by what it keeps", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("select pg_create_physical_replication_slot('lab_unused', true)");
    const json small = shop.bench().ask("get_replication");
    REQUIRE(finding(small, "slot lab_unused") != nullptr);
    CHECK((*finding(small, "slot lab_unused"))["severity"] == "notice");
    write_wal(shop.database());
    const json large = shop.bench().ask("get_replication");
    REQUIRE(finding(large, "slot lab_unused", "WAL kept, and nobody reads it") != nullptr);
    CHECK((*finding(large, "slot lab_unused"))["severity"] == "warning");
    CHECK_THAT(
        (*finding(large, "slot lab_unused"))["meaning"].get<std::string>(),
        Catch::Contains("until the disk is full")
    );
    shop.database().sql("select pg_drop_replication_slot('lab_unused')");
}

TEST_CASE("a slot past its bound is lost, and told", "[tools][postgres][live]") {
    for (const int major : {15, 18}) {
        cli::ClusterOptions options;
        options.programs = lab::programs_of(major);
        options.settings = {{"max_slot_wal_keep_size", "1MB"}, {"max_wal_size", "32MB"}};
        const auto cluster = cli::Cluster::start(options);
        REQUIRE(cluster.ok());
        const lab::Database database{**cluster};
        lab::apply_lane(database);
        database.sql("select pg_create_physical_replication_slot('lab_lost', true)");
        write_wal(database);
        database.sql("checkpoint");
        ToolBench bench{{database.address("interlock_diag")}};
        const json packet = bench.ask("get_replication");
        INFO("PostgreSQL " << major << packet["rows"]["slots"].dump());
        REQUIRE(finding(packet, "slot lab_lost") != nullptr);
        CHECK((*finding(packet, "slot lab_lost"))["severity"] == "critical");
        CHECK(packet["rows"]["slots"][0]["wal_status"] == "lost");
    }
}

TEST_CASE("a subscription that fails or is disabled is found", "[tools][postgres][live]") {
    Shop shop;
    lab::Subscriber subscriber{shop.database(), "notes"};
    const lab::Database beside{subscriber.cluster()};
    lab::apply_lane(beside);
    ToolBench bench{{beside.address("interlock_diag")}};
    json packet;
    REQUIRE(lab::wait_until([&] {
        packet = bench.ask("get_replication");
        return packet["rows"]["subscriptions"][0]["pid"].is_number();
    }));
    CHECK(packet["rows"]["subscriptions"][0]["enabled"] == true);
    CHECK(packet.dump().find("host=") == std::string::npos); // its connection string
    subscriber.sql("insert into notes values (1, 'here')");
    shop.database().sql("insert into notes values (1, 'there')");
    REQUIRE(lab::wait_until([&] {
        packet = bench.ask("get_replication");
        return packet["rows"]["subscriptions"][0]["apply_errors"] > 0;
    }));
    REQUIRE(finding(packet, "subscription lab_subscription", "apply") != nullptr);
    subscriber.sql("alter subscription lab_subscription disable");
    packet = bench.ask("get_replication");
    REQUIRE(finding(packet, "subscription lab_subscription", "disabled") != nullptr);
    subscriber.sql("delete from notes; alter subscription lab_subscription enable");
}

TEST_CASE("a published table without a replica identity is found", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("create table app.keyless (a int); create table app.keyed (a int primary "
                        "key); create table app.full_rows (a int); alter table app.full_rows "
                        "replica identity full; create publication p for table app.keyless, "
                        "app.keyed, app.full_rows");
    const json packet = shop.bench().ask("get_replication");
    REQUIRE(packet["rows"]["without_identity"].size() == 1);
    CHECK(packet["rows"]["without_identity"][0]["relation"] == "app.keyless");
    CHECK(finding(packet, "relation app.keyless", "published in p") != nullptr);
}

TEST_CASE("a missing synchronous standby is critical", "[tools][postgres][live]") {
    cli::ClusterOptions options;
    options.settings = {
        {"synchronous_standby_names", "elsewhere"}, {"synchronous_commit", "local"}};
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    ToolBench bench{{database.address("interlock_diag")}};
    const json packet = bench.ask("get_replication");
    REQUIRE(finding(packet, "synchronous replication") != nullptr);
    CHECK((*finding(packet, "synchronous replication"))["severity"] == "critical");
}

TEST_CASE("without pg_monitor lag is not examined, and told", "[tools][postgres][live]") {
    Shop shop{"plain_reader"};
    const json packet = shop.bench().ask("get_replication");
    CHECK(not_examined(packet, "lag of standbys, and the receiver"));
    CHECK(packet["rows"]["server"][0]["role"] == "primary");
}
