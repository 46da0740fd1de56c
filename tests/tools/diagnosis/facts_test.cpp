#include "tests/tools/diagnosis/world.hpp"
#include "tests/tools/shop.hpp"
#include "tools/diagnosis/facts.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
using interlock::lab::Session;
using interlock::test::backend;
using interlock::test::Shop;
using interlock::test::World;
using nlohmann::json;

TEST_CASE("the facts are kept as they were seen", "[tools]") {
    World world;
    world.session(1, "idle in transaction", 60);
    world.waits(2, {backend(1), {.pid = 0, .gid = "orphan"}}, 30).prepared("orphan", 900);
    const json kept = json::parse(tools::facts_json(world.facts()));
    REQUIRE(kept["looks"].size() == 2);
    const json& look = kept["looks"][1];
    CHECK(look["waits"][0]["blockers"] == json::array({{{"pid", 1}}, {{"gid", "orphan"}}}));
    CHECK(look["sessions"][0]["state"] == "idle in transaction");
    CHECK(look["prepared"][0]["gid"] == "orphan");
    CHECK(kept["apart_seconds"] == 0.3);
}

TEST_CASE("one look is enough when nobody waits", "[tools][live]") {
    Shop shop;
    const Session client{shop.app()};
    const json answer = shop.bench().ask("diagnose");
    CHECK(answer["window_seconds"] == 0);
    const auto stored = shop.bench().store().get(answer["id"], "os:tester");
    REQUIRE(stored.ok());
    CHECK(json::parse(stored->body)["sweep"]["looks"].size() == 1);
}

TEST_CASE("two looks stand the stated time apart and end within the budget", "[tools][live]") {
    Shop shop;
    Session root{shop.app()};
    root.run("begin; update app.orders set note = 'x' where id = 1");
    std::vector<std::unique_ptr<Session>> victims;
    for (int i = 0; i < 30; ++i) {
        victims.push_back(std::make_unique<Session>(shop.app()));
        victims.back()->start("update app.orders set note = 'y' where id = 1");
    }
    REQUIRE(shop.waiting(30));
    const json answer = shop.bench().ask("diagnose");
    CHECK(answer["window_seconds"] >= 0.3);
    CHECK(answer["window_seconds"] < 3.0);
}
