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
        return finding(packet, object, "1 deadlock in the window") != nullptr &&
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
        for (const json& gap : packet["not_examined"]) {
            CHECK(gap["what"] != "io");
        }
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
