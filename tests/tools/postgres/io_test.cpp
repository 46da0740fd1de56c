#include "tests/tools/shop.hpp"
#include "tools/sampler.hpp"

#include <set>

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

const json* finding(const json& packet, const std::string& object, const std::string& value) {
    for (const json& each : packet["findings"]) {
        if (each["object"] == object &&
            each["value"].get<std::string>().find(value) != std::string::npos) {
            return &each;
        }
    }
    return nullptr;
}

const json* database_row(const json& packet, const std::string& name) {
    for (const json& row : packet["rows"]["databases"]) {
        if (row["database"] == name) {
            return &row;
        }
    }
    return nullptr;
}

/// Each waits for the row that the other has.
void deadlock(const std::string& conninfo) {
    Session one{conninfo};
    Session two{conninfo};
    one.run("begin; update app.orders set note = 'a' where id = 1");
    two.run("begin; update app.orders set note = 'b' where id = 2");
    one.start("update app.orders set note = 'a' where id = 2");
    two.start("update app.orders set note = 'b' where id = 1");
    const std::string first = one.finish();
    one.try_run("rollback");
    const std::string second = two.finish();
    CHECK((first == "40P01" || second == "40P01"));
}

} // namespace

TEST_CASE("without history rates are of two samples a second apart", "[tools][postgres][live]") {
    Shop shop;
    const json packet = shop.bench().ask("get_io", R"({"window_seconds":600})");
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("two samples"));
    REQUIRE(packet["rows"]["wal"].size() == 1);
    CHECK(packet["rows"]["wal"][0]["bytes_per_second"].is_number());
    CHECK(database_row(packet, shop.database().name()) != nullptr);
    CHECK(packet["rows"]["files"][0]["wal_bytes"] > 0);
    CHECK(packet["rows"]["state"][0]["track_io_timing"] == true);
    CHECK(not_examined(packet, "io"));
    CHECK(not_examined(packet, "times of WAL syncs"));
}

TEST_CASE("what went wrong in the window is found", "[tools][postgres][live]") {
    Shop shop;
    base::SystemClock clock;
    tools::Sampler sampler{{shop.bench().targets(), clock}};
    shop.bench().use_sampler(&sampler);
    REQUIRE(sampler.look("shop").ok());
    deadlock(shop.app());
    {
        Session app{shop.app()};
        for (int i = 0; i < 1'000; ++i) {
            app.run("begin; select 1; rollback");
        }
        app.run("set work_mem = '64kB'; create temp table t as "
                "select repeat('x', 1000) || g as x from generate_series(1, 50000) g order by x");
    }
    shop.database().sql("checkpoint");
    json packet;
    const std::string object = "database " + shop.database().name();
    REQUIRE(lab::wait_until([&] {
        packet = shop.bench().ask("get_io", R"({"window_seconds":30})");
        return finding(packet, object, "deadlocks in the window") != nullptr &&
               finding(packet, object, "rolled back") != nullptr &&
               finding(packet, "checkpoints", "requested in the window") != nullptr;
    }));
    CHECK_THAT(packet["summary"].get<std::string>(), !Catch::Contains("two samples"));
    const json* row = database_row(packet, shop.database().name());
    REQUIRE(row != nullptr);
    CHECK((*row)["deadlocks"] == 1);
    CHECK((*row)["deadlocks_in_all"] == 1);
    CHECK((*row)["rollback_percent"] > 50);
    const double temporary = (*row)["temp_bytes_per_second"];
    CHECK(temporary > 0);
    CHECK((finding(packet, object, "temporary files") != nullptr) == (temporary >= 10e6));
}

TEST_CASE("an archiver that fails is critical", "[tools][postgres][live]") {
    cli::ClusterOptions options;
    options.settings = {{"archive_mode", "on"}, {"archive_command", "false"}};
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    database.sql("create table t (a int); select pg_switch_wal()");
    ToolBench bench{{database.address("interlock_diag")}};
    json packet;
    REQUIRE(lab::wait_until([&] {
        packet = bench.ask("get_io", R"({"window_seconds":1})");
        return finding(packet, "archiver", "last worked never") != nullptr;
    }));
    CHECK((*finding(packet, "archiver", "last worked never"))["severity"] == "critical");
    CHECK(packet["rows"]["files"][0]["segments_waiting"] >= 1);
    CHECK(packet["rows"]["archiver"][0]["failed_in_all"] >= 1);
}

TEST_CASE("I/O by kind of process is shown from version 16 on", "[tools][postgres][live]") {
    for (const int major : {16, 17, 18}) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        ToolBench bench{{database.address("interlock_diag")}};
        base::SystemClock clock;
        tools::Sampler sampler{{bench.targets(), clock}};
        bench.use_sampler(&sampler);
        REQUIRE(sampler.look("lab").ok());
        database.sql("create table t as select generate_series(1, 10000) as a");
        database.sql("checkpoint");
        INFO("PostgreSQL " << major);
        json packet;
        REQUIRE(lab::wait_until([&] {
            packet = bench.ask("get_io", R"({"window_seconds":30})");
            return !packet["rows"]["io"].empty();
        }));
        CHECK_FALSE(not_examined(packet, "io"));
        CHECK(packet["rows"]["checkpoints"][0]["timed_in_all"].is_number());
    }
}

TEST_CASE(
    "without pg_monitor directory listings are not examined, and told", "[tools][postgres][live]"
) {
    Shop shop{"plain_reader"};
    const json packet = shop.bench().ask("get_io");
    CHECK(not_examined(packet, "files"));
    CHECK(packet["rows"]["wal"][0]["bytes_per_second"].is_number());
}

TEST_CASE("Interlock's own reads are no fault of an idle server", "[tools][postgres][live]") {
    Shop shop;
    base::SystemClock clock;
    tools::Sampler sampler{{shop.bench().targets(), clock}};
    shop.bench().use_sampler(&sampler);
    REQUIRE(sampler.look("shop").ok());
    json packet;
    for (int i = 0; i < 40; ++i) {
        packet = shop.bench().ask("get_io", R"({"window_seconds":60})");
    }
    CHECK(finding(packet, "database " + shop.database().name(), "rolled back") == nullptr);
}

TEST_CASE("tables and indexes are ranked by what they read from disk", "[tools][postgres][live]") {
    for (const int major : lab::majors()) {
        INFO("PostgreSQL " << major);
        cli::ClusterOptions options;
        options.programs = lab::programs_of(major);
        options.settings = {{"shared_buffers", "1MB"}}; // so that a table is read again and again
        const auto cluster = cli::Cluster::start(options);
        REQUIRE(cluster.ok());
        const lab::Database database{**cluster};
        lab::apply_lane(database);
        ToolBench bench{{database.address("interlock_diag")}};
        database.sql("create table \"Big One\" (a int primary key, b text);"
                     "insert into \"Big One\" select i, repeat('x', 1000) from "
                     "generate_series(1, 10000) i");
        {
            Session reader{database.conninfo()};
            for (int i = 0; i < 10; ++i) {
                reader.run("select count(b) from \"Big One\"");
                reader.run("set enable_seqscan = off; select count(a) from \"Big One\"");
                reader.run("set enable_seqscan = on");
            }
        }
        json packet;
        const auto row_of = [&](const std::string& name) -> const json* {
            for (const json& row : packet["rows"]["relations"]) {
                if (row.value("relation", "") == name) {
                    return &row;
                }
            }
            return nullptr;
        };
        REQUIRE(lab::wait_until([&] {
            packet = bench.ask("get_io", R"({"view":"relations"})");
            return row_of("public.\"Big One\"") != nullptr &&
                   row_of("public.\"Big One_pkey\"") != nullptr &&
                   (*row_of("public.\"Big One\""))["blocks_read"] >= 10'000;
        }));
        CHECK((*row_of("public.\"Big One\""))["kind"] == "table");
        CHECK((*row_of("public.\"Big One\""))["share_percent"] > 50);
        CHECK((*row_of("public.\"Big One_pkey\""))["kind"] == "index");
        CHECK((*row_of("public.\"Big One_pkey\""))["belongs_to"] == "public.\"Big One\"");
        std::set<std::string> kinds;
        for (const json& row : packet["rows"]["relations"]) {
            if (!row.contains("relation")) {
                kinds.insert(row["kind"].get<std::string>());
            }
        }
        CHECK(kinds == std::set<std::string>{"indexes", "tables", "toast"});
        CHECK_FALSE(packet["rows"].contains("databases"));
        REQUIRE(finding(packet, "all tables", "found in the cache") != nullptr);
        CHECK(finding(packet, "table public.\"Big One\"", "of all blocks read") != nullptr);
    }
}

TEST_CASE(
    "each session's reads and writes are shown from version 18 on", "[tools][postgres][live]"
) {
    for (const int major : {15, 18}) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        ToolBench bench{{database.address("interlock_diag")}};
        Session writer{database.conninfo(), "loader"};
        writer.run("create table t (a text); insert into t select repeat('x', 500) from "
                   "generate_series(1, 2000)");
        INFO("PostgreSQL " << major);
        json packet;
        if (major < 18) {
            packet = bench.ask("get_io", R"({"view":"sessions"})");
            CHECK(not_examined(packet, "backends"));
            CHECK(packet["rows"]["sessions"].empty());
            CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("not known here"));
            continue;
        }
        const json* row = nullptr;
        REQUIRE(lab::wait_until([&] {
            writer.run("insert into t select repeat('y', 500) from generate_series(1, 200)");
            packet = bench.ask("get_io", R"({"view":"sessions"})");
            row = nullptr;
            for (const json& each : packet["rows"]["sessions"]) {
                row = each["pid"] == writer.pid() && each["wal_bytes"] > 0 ? &each : row;
            }
            return row != nullptr;
        }));
        CHECK((*row)["application_name"] == "loader");
        CHECK((*row)["wal_bytes_per_second"] >= 0);
        CHECK_THAT((*row)["query"].get<std::string>(), Catch::StartsWith("insert into t select"));
        CHECK((*row)["query"].get<std::string>().find("'y'") == std::string::npos);
        CHECK(not_examined(packet, "statements that still run"));
    }
}

TEST_CASE("what takes the disk's space is told, and what nobody knows", "[tools][postgres][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        ToolBench bench{{database.address("interlock_diag")}};
        const json packet = bench.ask("get_io", R"({"view":"space"})");
        INFO("PostgreSQL " << major << packet.dump());
        bool measured = false;
        for (const json& row : packet["rows"]["database_sizes"]) {
            measured = measured || (row["database"] == database.name() && row["bytes"] > 1'000'000);
        }
        CHECK(measured);
        CHECK(packet["rows"]["files"][0]["wal_bytes"] > 0);
        CHECK(packet["rows"]["tablespaces"].empty());
        CHECK(not_examined(packet, "free space"));
        CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("of WAL"));
    }
}

TEST_CASE("WAL that checkpoints could not remove is found", "[tools][postgres][live]") {
    cli::ClusterOptions options;
    options.settings = {{"max_wal_size", "32MB"}, {"min_wal_size", "32MB"}};
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    ToolBench bench{{database.address("interlock_diag")}};
    CHECK(finding(bench.ask("get_io", R"({"view":"space"})"), "WAL", "on disk") == nullptr);
    database.sql("select pg_create_physical_replication_slot('lab_kept', true)");
    database.sql("select count(pg_logical_emit_message(false, 'lab', repeat(i::text, 500000))) "
                 "from generate_series(10, 130) i");
    const json packet = bench.ask("get_io", R"({"view":"space"})");
    REQUIRE(finding(packet, "WAL", "on disk") != nullptr);
    CHECK_THAT(
        (*finding(packet, "WAL", "on disk"))["meaning"].get<std::string>(),
        Catch::Contains("get_replication")
    );
}
