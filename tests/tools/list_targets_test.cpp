#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::test::not_examined;
using interlock::test::Shop;
using interlock::test::ToolBench;
using nlohmann::json;

TEST_CASE("no target configured is told, not shown as an empty success", "[tools]") {
    ToolBench bench{{}};
    const json packet = bench.ask("list_targets");
    CHECK(packet["summary"] == "No target is configured.");
}

TEST_CASE("a dead target is listed with its problem beside a living one", "[tools][live]") {
    Shop shop;
    ToolBench bench{
        {shop.database().address("interlock_diag", "alive"),
         {.name = "dead", .conninfo = "host=/nonexistent dbname=x user=x", .password_file = ""}}};
    const json packet = bench.ask("list_targets");
    REQUIRE(packet["rows"]["targets"].size() == 2);
    const json& alive = packet["rows"]["targets"][0];
    CHECK(alive["reachable"] == true);
    CHECK(alive["database_role"] == "interlock_diag");
    CHECK(alive["sees_all_sessions"] == true);
    CHECK(alive["in_recovery"] == false);
    CHECK_FALSE(alive.contains("problem"));
    const json& dead = packet["rows"]["targets"][1];
    CHECK(dead["reachable"] == false);
    CHECK(dead["problem"].is_string());
    CHECK(not_examined(packet, "target dead"));
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("1 reachable"));
}

TEST_CASE("a credential that can write is shown as refused", "[tools][live]") {
    Shop shop;
    ToolBench bench{{shop.database().address("shop_app", "writer")}};
    const json packet = bench.ask("list_targets");
    CHECK(packet["rows"]["targets"][0]["reachable"] == false);
    CHECK(packet["findings"][0]["value"] == "permission_denied");
}

TEST_CASE("a connection on which nothing proves who answers is told", "[tools][live]") {
    interlock::cli::ClusterOptions options;
    options.tcp = true;
    const auto cluster = interlock::cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    const interlock::lab::Database database{**cluster};
    interlock::lab::apply_lane(database);
    database.sql("alter role interlock_diag password 'lab'");
    const interlock::test::TemporaryDirectory directory;
    const auto password = directory.file("password");
    REQUIRE(interlock::base::write_file_atomically(password, "lab\n").ok());
    ToolBench bench{
        {{.name = "open",
          .conninfo = "host=db.interlock.test hostaddr=127.0.0.1 port=" +
                      std::to_string((*cluster)->port()) +
                      " user=interlock_diag dbname=" + database.name() + " sslmode=disable",
          .password_file = password}}};
    const json packet = bench.ask("list_targets");
    CHECK(packet["rows"]["targets"][0]["connection"] == "not encrypted, sslmode=disable");
    CHECK(packet["findings"][0]["threshold"] == "sslmode=verify-full");
}
