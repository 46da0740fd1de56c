#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

TEST_CASE("waits are listed with their head, age, mode and relation", "[tools][postgres][live]") {
    Shop shop;
    Session root{shop.app(), "checkout"};
    root.run("begin; update app.orders set note = 'secret value' where id = 1");
    Session first{shop.app()};
    first.start("update app.orders set note = 'other secret' where id = 1");
    REQUIRE(shop.waiting(1));
    Session second{shop.app()};
    second.start("update app.orders set note = 'third' where id = 1");
    REQUIRE(shop.waiting(2));
    const json packet = shop.bench().ask("get_blocking");
    REQUIRE(packet["rows"]["chains"].size() == 1);
    const json& chain = packet["rows"]["chains"][0];
    CHECK(chain["root_pid"] == root.pid());
    CHECK(chain["root_state"] == "idle in transaction");
    CHECK(chain["root_application"] == "checkout");
    CHECK(chain["victims"] == 2);
    REQUIRE(packet["rows"]["waits"].size() == 2);
    const json& wait = packet["rows"]["waits"][0];
    CHECK(wait["waiter_pid"] == first.pid());
    CHECK(wait["relation"] == "app.orders");
    CHECK(wait["lock_type"] == "transactionid");
    CHECK(wait["mode"] == "ShareLock");
    CHECK(wait["wait_seconds"] > 0);
    CHECK(packet.dump().find("secret") == std::string::npos);
    CHECK(packet["findings"][0]["object"] == "backend " + std::to_string(root.pid()));

    const json narrowed = shop.bench().ask("get_blocking", R"({"limit":1,"target":"shop"})");
    CHECK(narrowed["rows"]["waits"].size() == 1);
    CHECK(not_examined(narrowed, "1 more waits"));
    const json patient = shop.bench().ask("get_blocking", R"({"wait_ms_min":3600000})");
    CHECK(patient["rows"]["waits"].empty());
    CHECK(patient["rows"]["chains"].size() == 1);
}

TEST_CASE("no waits are told with how many sessions were examined", "[tools][postgres][live]") {
    Shop shop;
    Session idle{shop.app()};
    const json packet = shop.bench().ask("get_blocking");
    CHECK(packet["rows"]["waits"].empty());
    CHECK(packet["findings"].empty());
    CHECK_THAT(
        packet["summary"].get<std::string>(),
        Catch::Matches("[0-9]+ client sessions? examined: none waits for a lock.")
    );
}
