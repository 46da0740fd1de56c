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

TEST_CASE("what sessions wait for is counted, on every major", "[tools][postgres][live]") {
    for (const int major : interlock::lab::majors()) {
        const interlock::lab::Database database{interlock::lab::primary(major)};
        interlock::lab::apply_lane(database);
        interlock::test::ToolBench bench{{database.address("interlock_diag")}};
        database.sql("create table t (a int primary key); insert into t values (1)");
        Session root{database.conninfo()};
        root.run("begin; update t set a = 1");
        Session victim{database.conninfo()};
        victim.start("update t set a = 1");
        INFO("PostgreSQL " << major);
        const json* waits = nullptr;
        json packet;
        REQUIRE(interlock::lab::wait_until([&] {
            packet = bench.ask("get_activity");
            for (const json& row : packet["rows"]["waits"]) {
                waits = row["wait_event"] == "transactionid" ? &row : waits;
            }
            return waits != nullptr;
        }));
        CHECK((*waits)["wait_type"] == "Lock");
        CHECK((*waits)["sessions"] == 1);
        CHECK((*waits)["longest_seconds"] >= 0);
        CHECK(waits->contains("meaning") == (major >= 17));
        root.run("rollback");
    }
}

TEST_CASE(
    "maintenance tells how far it is, and what it waits for, on every major",
    "[tools][postgres][live]"
) {
    for (const int major : interlock::lab::majors()) {
        const interlock::lab::Database database{interlock::lab::primary(major)};
        interlock::lab::apply_lane(database);
        interlock::test::ToolBench bench{{database.address("interlock_diag")}};
        database.sql("create table t (a int); insert into t select generate_series(1, 1000)");
        Session old{database.conninfo()};
        old.run("begin; select * from t limit 1; insert into t values (0)");
        Session build{database.conninfo()};
        build.start("create index concurrently t_a on t (a)");
        INFO("PostgreSQL " << major);
        json row;
        REQUIRE(interlock::lab::wait_until([&] {
            const json packet = bench.ask("get_activity");
            for (const json& each : packet["rows"]["progress"]) {
                if (each["pid"] == build.pid() && each.contains("waits_for_pid")) {
                    row = each;
                }
            }
            return !row.is_null();
        }));
        CHECK(row["command"] == "create index concurrently");
        CHECK(row["relation"] == "public.t");
        CHECK(row["waits_for_pid"] == old.pid());
        CHECK(row["unit"] == "transactions");
        CHECK_THAT(row["phase"].get<std::string>(), Catch::StartsWith("waiting for"));
        old.run("rollback");
        CHECK(build.finish().empty());

        Session loader{database.conninfo()};
        loader.start("copy t from program 'sleep 30'");
        REQUIRE(interlock::lab::wait_until([&] {
            const json packet = bench.ask("get_activity");
            for (const json& each : packet["rows"]["progress"]) {
                if (each["pid"] == loader.pid() && each.contains("command")) {
                    row = each;
                }
            }
            return row["pid"] == loader.pid();
        }));
        CHECK(row["command"] == "copy from");
        CHECK(row["phase"] == "program");
        CHECK_FALSE(row.contains("percent")); // nobody knows how much will come
    }
}

TEST_CASE(
    "functions of users are counted where the server counts them", "[tools][postgres][live]"
) {
    Shop shop;
    const json off = shop.bench().ask("get_activity", R"({"view":"functions"})");
    CHECK(not_examined(off, "time of functions"));
    CHECK_FALSE(off["rows"].contains("sessions"));
    shop.database().sql(
        "create function app.slow() returns void language plpgsql as 'begin perform "
        "pg_sleep(0.01); end'"
    );
    {
        Session app{shop.app()};
        shop.database().sql(
            "alter role shop_app in database " + shop.database().name() +
            " set track_functions = 'all'"
        );
        Session counted{shop.app()};
        for (int i = 0; i < 3; ++i) {
            counted.run("select app.slow()");
        }
    }
    json packet;
    REQUIRE(interlock::lab::wait_until([&] {
        packet = shop.bench().ask("get_activity", R"({"view":"functions"})");
        return !packet["rows"]["functions"].empty() && packet["rows"]["functions"][0]["calls"] == 3;
    }));
    CHECK(packet["rows"]["functions"][0]["function"] == "app.slow");
    CHECK(packet["rows"]["functions"][0]["mean_ms"] >= 10);
}

TEST_CASE("sessions that are not tracked are neither hidden nor idle", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql(
        "alter role shop_app in database " + shop.database().name() + " set track_activities = off"
    );
    Session untracked{shop.app()};
    untracked.run("begin; update app.orders set note = 'x' where id = 1");
    Session waiting{shop.app()};
    waiting.start("update app.orders set note = 'y' where id = 1");
    REQUIRE(shop.waiting(1));
    const json packet = shop.bench().ask("get_activity", R"({"view":"all"})");
    CHECK(not_examined(packet, "2 sessions with track_activities = off"));
    CHECK_FALSE(not_examined(packet, "hidden"));
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("2 not tracked"));
    bool told = false;
    for (const json& each : packet["findings"]) {
        told = told || (each["object"] == "backend " + std::to_string(untracked.pid()) &&
                        each["value"] == "state not known");
    }
    CHECK(told);
    shop.database().sql(
        "alter role shop_app in database " + shop.database().name() + " reset track_activities"
    );
}
