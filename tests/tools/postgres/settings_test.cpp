#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace cli = interlock::cli;
namespace lab = interlock::lab;
using interlock::test::not_examined;
using interlock::test::Shop;
using interlock::test::ToolBench;
using nlohmann::json;

namespace {

const json* finding(const json& packet, const std::string& object) {
    for (const json& each : packet["findings"]) {
        if (each["object"] == object) {
            return &each;
        }
    }
    return nullptr;
}

const json* setting(const json& packet, const std::string& name) {
    for (const json& each : packet["rows"]["settings"]) {
        if (each["name"] == name) {
            return &each;
        }
    }
    return nullptr;
}

} // namespace

TEST_CASE(
    "dangerous settings are findings, with what the documentation says", "[tools][postgres][live]"
) {
    cli::ClusterOptions options;
    options.settings = {
        {"autovacuum", "off"},
        {"synchronous_commit", "off"},
        {"enable_seqscan", "off"},
        {"archive_mode", "on"},
        {"autovacuum_vacuum_cost_delay", "20ms"},
        {"effective_cache_size", "64MB"},
        {"work_mem", "64MB"}};
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    ToolBench bench{{database.address("interlock_diag")}};
    const json packet = bench.ask("get_settings");
    for (const auto* name : {"fsync", "full_page_writes", "autovacuum", "archive_command"}) {
        INFO(name);
        REQUIRE(finding(packet, name) != nullptr);
        CHECK((*finding(packet, name))["severity"] == "critical");
        CHECK_THAT(
            (*finding(packet, name))["meaning"].get<std::string>(),
            Catch::Contains("(PostgreSQL documentation: ")
        );
    }
    for (const auto* name :
         {"synchronous_commit", "enable_seqscan", "autovacuum_vacuum_cost_delay", "memory"}) {
        INFO(name);
        REQUIRE(finding(packet, name) != nullptr);
        CHECK((*finding(packet, name))["severity"] == "warning");
    }
    CHECK((*finding(packet, "autovacuum_vacuum_cost_delay"))["value"] == "20 ms");
    CHECK(finding(packet, "track_counts") == nullptr);
    REQUIRE(setting(packet, "autovacuum") != nullptr);
    CHECK((*setting(packet, "autovacuum"))["default"] == "on");
    CHECK(packet["rows"]["server"][0]["data_checksums"] == "off");
}

TEST_CASE("what our own lane and role set is not told as the server's", "[tools][postgres][live]") {
    Shop shop;
    const json packet = shop.bench().ask("get_settings");
    const json* work_mem = setting(packet, "work_mem"); // the lane has 8 MB
    CHECK((work_mem == nullptr || (*work_mem)["value"] != "8192"));
    CHECK(not_examined(packet, "statement_timeout")); // the role has its own
    CHECK(finding(packet, "statement_timeout") == nullptr);
    CHECK(not_examined(packet, "memory against connections"));
}

TEST_CASE("a change that waits for a restart is told", "[tools][postgres][live]") {
    const auto cluster = cli::Cluster::start({});
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    ToolBench bench{{database.address("interlock_diag")}};
    CHECK(finding(bench.ask("get_settings"), "max_connections") == nullptr);
    database.sql("alter system set max_connections = 77");
    database.sql("select pg_reload_conf()");
    json packet;
    REQUIRE(lab::wait_until([&] {
        packet = bench.ask("get_settings");
        return finding(packet, "max_connections") != nullptr;
    }));
    CHECK((*finding(packet, "max_connections"))["severity"] == "warning");
    CHECK(packet["rows"]["settings"][0]["pending_restart"] == true);
}

TEST_CASE(
    "settings are found by name, and secrets in them are not shown", "[tools][postgres][live]"
) {
    cli::ClusterOptions options;
    options.settings = {
        {"archive_command", "cp --password=hunter2 %p /x"}, {"shop.secret_token", "hunter3"}};
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const lab::Database database{**cluster};
    lab::apply_lane(database);
    database.sql("create role clerk; alter role clerk set shop.api_key = 'hunter4'");
    ToolBench bench{{database.address("interlock_diag")}};
    const json all = bench.ask("get_settings");
    CHECK(all.dump().find("hunter") == std::string::npos);
    const json some = bench.ask("get_settings", R"({"name":"Archive_"})");
    REQUIRE(setting(some, "archive_command") != nullptr);
    CHECK((*setting(some, "archive_command"))["value"] == "(set; not shown)");
    CHECK(setting(some, "archive_timeout") != nullptr);
    CHECK(setting(some, "fsync") == nullptr);
    CHECK(some.dump().find("hunter") == std::string::npos);
    CHECK(
        (*setting(
            bench.ask("get_settings", R"({"name":"password_encryption"})"), "password_encryption"
        ))["value"] == "scram-sha-256"
    );
    bool told = false;
    for (const json& row : all["rows"]["overrides"]) {
        told = told || (row["role"] == "clerk" && row["setting"] == "shop.api_key");
    }
    CHECK(told);
}

TEST_CASE("extensions and collations behind their files are findings", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(R"(drop extension pg_stat_statements;
        create extension pg_stat_statements version '1.9';
        create collation app.odd (provider = icu, locale = 'de');
        create table app.names (n text collate app.odd);
        update pg_collation set collversion = '1.0' where collname = 'odd')");
    const json packet = shop.bench().ask("get_settings");
    REQUIRE(finding(packet, "extension pg_stat_statements") != nullptr);
    CHECK((*finding(packet, "extension pg_stat_statements"))["threshold"] == "1.10");
    REQUIRE(finding(packet, "collation odd") != nullptr);
    CHECK((*finding(packet, "collation odd"))["severity"] == "warning");
}

TEST_CASE(
    "a database whose collation library changed is told from 15 on", "[tools][postgres][live]"
) {
    for (const int major : {15, 17}) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        database.sql(
            "update pg_database set datcollversion = '0.1' where datname = '" + database.name() +
            "'"
        );
        ToolBench bench{{database.address("interlock_diag")}};
        const json packet = bench.ask("get_settings");
        // The C collation has no version: what is recorded differs from nothing.
        CHECK_FALSE(not_examined(packet, "changed_collations"));
    }
}

TEST_CASE(
    "without pg_monitor what superusers see is not examined, and told", "[tools][postgres][live]"
) {
    Shop shop{"plain_reader"};
    const json packet = shop.bench().ask("get_settings");
    CHECK(not_examined(packet, "settings for superusers"));
    CHECK(finding(packet, "fsync") != nullptr);
}

TEST_CASE("settings are examined on every major", "[tools][postgres][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        ToolBench bench{{database.address("interlock_diag")}};
        const json packet = bench.ask("get_settings");
        INFO("PostgreSQL " << major);
        CHECK(finding(packet, "fsync") != nullptr);
        CHECK((finding(packet, "data_checksums") == nullptr) == (major >= 18));
    }
}

TEST_CASE(
    "what the reader's role has of its own is not listed as the server's", "[tools][postgres][live]"
) {
    Shop shop;
    const json changed = shop.bench().ask("get_settings");
    for (const json& row : changed["rows"]["settings"]) {
        INFO(row.dump());
        CHECK(row["of_reader"] == false);
        CHECK(row["name"] != "default_transaction_read_only");
    }
    const json searched = shop.bench().ask("get_settings", R"({"name":"lock_timeout"})");
    const json* own = setting(searched, "lock_timeout");
    REQUIRE(own != nullptr);
    CHECK((*own)["of_reader"] == true);
    const json* server = setting(searched, "deadlock_timeout");
    REQUIRE(server != nullptr);
    CHECK((*server)["of_reader"] == false);
}
