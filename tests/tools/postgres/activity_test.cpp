#include "tests/tools/shop.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using interlock::lab::Session;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

namespace {

const json* row_of(const json& packet, int pid) {
    for (const json& row : packet["rows"]["sessions"]) {
        if (row["pid"] == pid) {
            return &row;
        }
    }
    return nullptr;
}

} // namespace

TEST_CASE(
    "blocking, waiting and long sessions need attention, idle ones do not",
    "[tools][postgres][live]"
) {
    Shop shop;
    Session idle{shop.app()};
    Session root{shop.app()};
    root.run("begin; update app.orders set note = 'secret' where id = 1");
    Session victim{shop.app()};
    victim.start("update app.orders set note = 'x' where id = 1");
    REQUIRE(shop.waiting(1));
    const json packet = shop.bench().ask("get_activity");
    const json* first = row_of(packet, root.pid());
    REQUIRE(first != nullptr);
    CHECK((*first)["blocks_others"] == true);
    CHECK((*first)["state"] == "idle in transaction");
    CHECK(packet["rows"]["sessions"][0]["pid"] == root.pid()); // worst first
    REQUIRE(row_of(packet, victim.pid()) != nullptr);
    CHECK(row_of(packet, idle.pid()) == nullptr);
    CHECK(packet.dump().find("secret") == std::string::npos);

    const json all = shop.bench().ask("get_activity", R"({"view":"all"})");
    CHECK(row_of(all, idle.pid()) != nullptr);
    const json active = shop.bench().ask("get_activity", R"({"view":"active","limit":1})");
    CHECK(active["rows"]["sessions"].size() == 1);
    CHECK(not_examined(active, "sessions beyond the first 1"));
}

TEST_CASE("a session is long only past the asked seconds", "[tools][postgres][live]") {
    Shop shop;
    Session sleeper{shop.app()};
    sleeper.start("select pg_sleep(30)");
    REQUIRE(interlock::lab::wait_until([&] {
        return row_of(shop.bench().ask("get_activity", R"({"seconds_min":0})"), sleeper.pid()) !=
               nullptr;
    }));
    CHECK(
        row_of(shop.bench().ask("get_activity", R"({"seconds_min":86400})"), sleeper.pid()) ==
        nullptr
    );
}

TEST_CASE("our own readers are not listed", "[tools][postgres][live]") {
    Shop shop;
    auto loan = shop.bench().targets().borrow("shop", interlock::tools::Lane::ordinary, {});
    REQUIRE(loan.ok());
    const json packet = shop.bench().ask("get_activity", R"({"view":"all"})");
    CHECK(row_of(packet, (*loan)->connection().backend_pid()) == nullptr);
}

TEST_CASE(
    "connections are counted against what ordinary roles may use", "[tools][postgres][live]"
) {
    Shop shop;
    const json packet = shop.bench().ask("get_activity");
    const json& use = packet["rows"]["connections"][0];
    CHECK(use["max_connections"] == 60);
    CHECK(use["reserved"] == 3);
    CHECK(use["used"] >= 1);
    CHECK(use["used_percent"] > 0);
}

TEST_CASE("a connection limit that nears is a finding", "[tools][postgres][live]") {
    Shop shop;
    std::vector<std::unique_ptr<Session>> crowd;
    for (int i = 0; i < 42; ++i) {
        crowd.push_back(std::make_unique<Session>(shop.app()));
    }
    const json packet = shop.bench().ask("get_activity");
    bool found = false;
    for (const json& finding : packet["findings"]) {
        found = found || finding["object"] == "connections";
    }
    CHECK(found);
}

TEST_CASE("without pg_monitor hidden sessions are counted and told", "[tools][postgres][live]") {
    Shop shop{"plain_reader"};
    Session other{shop.app()};
    other.run("begin; select 1");
    const json packet = shop.bench().ask("get_activity");
    CHECK(not_examined(packet, "other roles' sessions"));
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("hidden"));
    CHECK(packet.dump().find("insufficient privilege") == std::string::npos);
}

namespace {

const json* finding(const json& packet, int pid) {
    for (const json& each : packet["findings"]) {
        if (each["object"] == "backend " + std::to_string(pid)) {
            return &each;
        }
    }
    return nullptr;
}

} // namespace

TEST_CASE(
    "sessions that are not tracked are told, not counted as examined", "[tools][postgres][live]"
) {
    Shop shop;
    Session silent{shop.app()};
    silent.run("select 1");
    shop.database().sql("alter role shop_app set track_activities = off");
    {
        Session root{shop.app()};
        root.run("begin; update app.orders set note = 'x' where id = 1");
        Session victim{shop.app()};
        victim.start("update app.orders set note = 'y' where id = 1");
        REQUIRE(shop.waited(1.5));
        const json packet = shop.bench().ask("get_activity");
        CHECK(not_examined(packet, "2 sessions with track_activities = off"));
        CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("2 not tracked"));
        REQUIRE(finding(packet, root.pid()) != nullptr);
        CHECK_THAT(
            (*finding(packet, root.pid()))["meaning"].get<std::string>(),
            Catch::Contains("cannot be told")
        );
        CHECK(not_examined(shop.bench().ask("get_blocking"), "track_activities = off"));
        const json diagnosis = shop.bench().ask("diagnose");
        CHECK(not_examined(diagnosis, "track_activities = off"));
        CHECK(diagnosis.dump().find("lock.advisory_leak at") == std::string::npos);
        CHECK(diagnosis["verdict"] == "insufficient_evidence");
        const json connections = shop.bench().ask("get_connections");
        CHECK(not_examined(connections, "track_activities = off"));
        for (const json& row : connections["rows"]["limits"]) {
            if (row["kind"] == "role" && row["name"] == "shop_app") {
                CHECK(row["used"] == 3);
                CHECK(row["idle"] == 1);
                CHECK(row["unknown"] == 2);
                CHECK_FALSE(row.contains("active"));
            }
        }
    }
    shop.database().sql("alter role shop_app reset track_activities");
}

TEST_CASE(
    "a finding depends on no argument, and who waits is no culprit", "[tools][postgres][live]"
) {
    Shop shop;
    Session root{shop.app()};
    root.run("begin; update app.orders set note = 'x' where id = 1");
    Session victim{shop.app()};
    victim.start("update app.orders set note = 'y' where id = 1");
    REQUIRE(shop.waiting(1));
    const json narrow = shop.bench().ask("get_activity", R"({"limit":1})");
    CHECK(narrow["rows"]["sessions"].size() == 1);
    CHECK(not_examined(narrow, "sessions beyond the first 1"));
    const json late = shop.bench().ask("get_activity", R"({"seconds_min":86400})");
    REQUIRE(finding(late, root.pid()) != nullptr); // it blocks others
    CHECK(finding(late, victim.pid()) == nullptr);
}
