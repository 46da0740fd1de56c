#include "tests/tools/shop.hpp"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace cli = interlock::cli;
namespace lab = interlock::lab;
using interlock::lab::Session;
using interlock::test::not_examined;
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

} // namespace

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
