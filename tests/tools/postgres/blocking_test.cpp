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
    CHECK(wait["queued_behind"] == 1); // the second waits for the first's place, and for the head
    CHECK(packet.dump().find("secret") == std::string::npos);
    CHECK(packet["findings"][0]["object"] == "backend " + std::to_string(root.pid()));

    const json narrowed = shop.bench().ask("get_blocking", R"({"limit":1,"target":"shop"})");
    CHECK(narrowed["rows"]["waits"].size() == 1);
    CHECK(not_examined(narrowed, "1 more wait"));
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

TEST_CASE(
    "a change of a table that waits is named with all who queue behind it",
    "[tools][postgres][live]"
) {
    Shop shop;
    Session reader{shop.app()};
    reader.run("begin; select count(*) from app.orders");
    Session change{shop.app()};
    change.start("alter table app.orders add column secret_name int");
    REQUIRE(shop.waiting(1));
    Session late{shop.app()};
    late.start("select count(*) from app.orders");
    REQUIRE(shop.waiting(2));
    REQUIRE(shop.waited(1.1));
    const json packet = shop.bench().ask("get_blocking");
    const json* found =
        finding(packet, "backend " + std::to_string(change.pid()), "1 session queued behind it");
    REQUIRE(found != nullptr);
    const std::string value = (*found)["value"];
    CHECK_THAT(value, Catch::StartsWith("ALTER waits for AccessExclusiveLock on app.orders for "));
    CHECK((*found)["severity"] != "notice");
    CHECK_THAT(
        (*found)["meaning"].get<std::string>(),
        Catch::Contains("It waits for " + std::to_string(reader.pid()))
    );
    bool counted = false;
    for (const json& wait : packet["rows"]["waits"]) {
        counted = counted || (wait["waiter_pid"] == change.pid() && wait["queued_behind"] == 1);
    }
    CHECK(counted);
    reader.run("rollback");
    CHECK(late.finish().empty());
}

TEST_CASE("advisory locks are shown though nobody waits for them", "[tools][postgres][live]") {
    for (const int major : interlock::lab::majors()) {
        const interlock::lab::Database database{interlock::lab::primary(major)};
        interlock::lab::apply_lane(database);
        interlock::test::ToolBench bench{{database.address("interlock_diag")}};
        Session holder{database.conninfo(), "nightly job"};
        holder.run("select pg_advisory_lock(4294967298), pg_advisory_lock_shared(7, -1)");
        INFO("PostgreSQL " << major);
        const json packet = bench.ask("get_blocking");
        const json* held = nullptr;
        for (const json& row : packet["rows"]["advisory"]) {
            held = row["pid"] == holder.pid() ? &row : held;
        }
        REQUIRE(held != nullptr);
        CHECK((*held)["locks"] == 2);
        CHECK((*held)["keys"] == "4294967298 (7,4294967295)");
        CHECK((*held)["exclusive"] == true);
        CHECK((*held)["state"] == "idle");
        CHECK((*held)["application_name"] == "nightly job");
        CHECK((*held)["database"] == database.name());
        CHECK(packet["findings"].empty()); // it has not idled for long
        CHECK(packet["not_examined"].empty());
    }
}
