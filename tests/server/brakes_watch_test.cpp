#include "approval/brakes_lift.hpp"
#include "server/brakes_watch.hpp"
#include "tests/approval/brakes_fixture.hpp"
#include "tests/server/captured_log.hpp"
#include "tests/server/fixture.hpp"
#include "tests/server/flaky_store.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
using interlock::approval::Brake;
using interlock::approval::BrakeKind;
using interlock::server::BrakesInForce;
using interlock::server::BrakesWatch;
using interlock::test::BrakeStore;
using interlock::test::CapturedLog;
using interlock::test::eventually;
using interlock::test::FlakyStore;

Brake suspension(const std::string& subject) {
    Brake brake = BrakeStore::brake(BrakeKind::identity, subject);
    brake.origin = interlock::approval::BrakeOrigin::supervisor;
    brake.cause = "loop";
    brake.who = "interlock-server";
    return brake;
}

/// A watch over a store that can be taken away. It looks only when told to, if `interval` is long.
struct Room : BrakeStore {
    explicit Room(std::chrono::milliseconds interval = std::chrono::hours(1))
        : flaky(*store), watch({flaky, flaky, random, metrics, interval}) {}
    void start() {
        REQUIRE(watch
                    .start([this](const BrakesInForce& before, const BrakesInForce& now) {
                        changes += std::to_string(before.list().size()) + ">" +
                                   std::to_string(now.list().size()) + " ";
                    })
                    .ok());
    }
    bool shows(const std::string& line) const {
        return metrics.render().find(line) != std::string::npos;
    }
    base::Status lift(BrakeKind kind, const std::string& name) {
        const auto lifted = interlock::approval::lift_brakes(
            *store,
            random,
            {.kind = kind, .name = name, .issuer = {}, .who = "os:bob", .reason = "mended"}
        );
        return lifted ? base::Status(base::done) : base::Status(lifted.error());
    }
    interlock::telemetry::Metrics metrics;
    FlakyStore flaky;
    BrakesWatch watch;
    std::string changes;
};

TEST_CASE("brakes are looked up by what they stop", "[server]") {
    const BrakesInForce brakes({
        BrakeStore::brake(BrakeKind::tool, "get_plan"),
        BrakeStore::brake(BrakeKind::target, "shop"),
        BrakeStore::brake(BrakeKind::identity, "os:alice"),
        BrakeStore::brake(BrakeKind::identity, "bob", "https://one.example"),
    });
    CHECK(brakes.all() == nullptr);
    CHECK(brakes.tool("get_plan") != nullptr);
    CHECK(brakes.tool("shop") == nullptr);
    CHECK(brakes.target("shop") != nullptr);
    CHECK(brakes.target("get_plan") == nullptr);
    const auto of = [&](const std::string& subject, const std::string& issuer) {
        return brakes.identity({subject, issuer, "", "", "", {}}) != nullptr;
    };
    CHECK(of("os:alice", "os"));
    CHECK(of("os:alice", "loopback"));
    CHECK(of("bob", "https://one.example"));
    CHECK_FALSE(of("bob", "https://two.example"));
    CHECK_FALSE(of("carol", "os"));
    CHECK(BrakesInForce({BrakeStore::brake(BrakeKind::all, "")}).all() != nullptr);
}

TEST_CASE("what stood in the store is in force from the start", "[server]") {
    Room room;
    REQUIRE(room.set(BrakeKind::tool, "get_plan").ok());
    room.start();
    CHECK(room.watch.current()->tool("get_plan") != nullptr);
    CHECK(room.changes == "0>1 ");
    CHECK(room.shows("interlock_brakes{kind=\"tool\"} 1"));
    CHECK(room.shows("interlock_brakes{kind=\"identity\"} 0")); // a rule needs a series
}

TEST_CASE("a kill and its lifting arrive without being asked for", "[server]") {
    Room room(std::chrono::milliseconds(5));
    room.start();
    REQUIRE(room.set(BrakeKind::target, "shop").ok());
    CHECK(eventually([&] { return room.watch.current()->target("shop") != nullptr; }));
    REQUIRE(room.lift(BrakeKind::target, "shop").ok());
    CHECK(eventually([&] { return room.watch.current()->target("shop") == nullptr; }));
    room.watch.stop();
    CHECK(room.changes == "0>1 1>0 ");
}

TEST_CASE("nobody is told when nothing has changed", "[server]") {
    Room room;
    room.start();
    REQUIRE(room.set(BrakeKind::all, "").ok());
    for (int i = 0; i < 3; ++i) {
        REQUIRE(room.watch.look().ok());
    }
    CHECK(room.changes == "0>1 ");
}

TEST_CASE("what was in force stays so while the store is away, and that is told once", "[server]") {
    Room room;
    REQUIRE(room.set(BrakeKind::identity, "os:agent").ok());
    room.start();
    const CapturedLog log;
    room.flaky.away(true);
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(room.watch.look().ok());
    }
    CHECK(log.lines("brakes.unreadable").size() == 1);
    CHECK(room.watch.unready().find("The disk is gone.") != std::string::npos);
    CHECK(room.shows("interlock_brakes_unreadable 1"));
    CHECK(room.watch.current()->list().size() == 1);
    room.flaky.away(false);
    REQUIRE(room.watch.look().ok());
    CHECK(room.watch.unready().empty());
    CHECK(room.shows("interlock_brakes_unreadable 0"));
    CHECK(log.lines("brakes.readable").size() == 1);
    CHECK(room.changes == "0>1 ");
}

TEST_CASE("a server does not start on brakes that it cannot read", "[server]") {
    Room room;
    room.flaky.away(true);
    CHECK_FALSE(room.watch.start({}).ok());
}

TEST_CASE("a suspension is in force at once, and soon on disk with its transcript", "[server]") {
    Room room;
    room.start();
    room.watch.suspend(suspension("os:agent"), R"([{"tool":"get_plan"}])");
    CHECK(room.watch.current()->list().size() == 1);
    CHECK(eventually([&] { return room.watch.unwritten() == 0; }));
    const auto stored = room.in_force();
    REQUIRE(stored.size() == 1);
    CHECK(stored[0].cause == "loop");
    CHECK(room.records().back().payload->find("get_plan") != std::string::npos);
    REQUIRE(room.watch.look().ok());
    CHECK(room.watch.current()->list() == stored);
}

TEST_CASE(
    "a suspension holds while the store is away, and is written when it is back", "[server]"
) {
    Room room(std::chrono::milliseconds(5));
    room.start();
    room.flaky.away(true);
    const CapturedLog log;
    room.watch.suspend(suspension("os:agent"), "[]");
    room.watch.suspend(suspension("os:agent"), "[]"); // once is enough
    CHECK(room.watch.current()->list().size() == 1);
    CHECK(eventually([&] { return log.lines("brakes.not_written").size() == 1; }));
    CHECK(room.watch.unwritten() == 1);
    room.flaky.away(false);
    CHECK(eventually([&] { return room.watch.unwritten() == 0; }));
    CHECK(room.in_force().size() == 1);
    CHECK(room.watch.current()->list().size() == 1);
}

TEST_CASE("a suspension outlives the server, and a person's lift is heard", "[server]") {
    Room room(std::chrono::milliseconds(5));
    room.start();
    room.watch.suspend(suspension("os:agent"), "[]");
    room.watch.stop(); // what is decided is kept, also when the program ends
    BrakesWatch next({room.flaky, room.flaky, room.random, room.metrics});
    REQUIRE(next.start({}).ok());
    CHECK(next.current()->list().size() == 1);
    REQUIRE(room.lift(BrakeKind::identity, "os:agent").ok());
    REQUIRE(next.look().ok());
    CHECK(next.current()->list().empty());
}

} // namespace
