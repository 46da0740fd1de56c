// Two servers, and one that is started again, on one store: one budget.
#include "approval/brakes_lift.hpp"
#include "server/sessions.hpp"
#include "server/spending_watch.hpp"
#include "tests/approval/brakes_fixture.hpp"
#include "tests/server/flaky_store.hpp"

#include <catch2/catch.hpp>

namespace {

namespace base = interlock::base;
namespace telemetry = interlock::telemetry;
using interlock::approval::lift_brakes;
using interlock::server::Breach;
using interlock::server::FinishedCall;
using interlock::server::session_owner;
using interlock::server::SpendingWatch;
using interlock::server::Supervisor;
using interlock::server::SupervisorLimits;
using interlock::test::BrakeStore;
using interlock::test::FlakyStore;
using std::chrono::hours;
using std::chrono::seconds;

telemetry::Identity alice() {
    telemetry::Identity identity;
    identity.subject = "alice";
    identity.issuer = "https://one.example";
    return identity;
}

SupervisorLimits narrow() {
    SupervisorLimits limits;
    limits.calls = 10;
    limits.result_bytes = 1'000;
    limits.database_time = seconds(60);
    limits.identical_calls = 1'000;
    return limits;
}

struct Server {
    explicit Server(BrakeStore& shared)
        : room(shared),
          store(room.open()),
          flaky(*store),
          watch({*store, flaky, supervisor, room.clock, hours(1)}) {
        watch.start([this](const telemetry::Identity& identity, const Breach& breach) {
            breaches.push_back(identity.subject + " " + breach.cause);
        });
    }
    /// The cause why it may not be made, or "".
    std::string call(std::size_t bytes = 1, base::Duration database = {}) {
        watch.introduce(alice());
        const auto begun = supervisor.begin(session_owner(alice()), room.clock.ticks());
        REQUIRE(begun.ok());
        if (*begun) {
            return (*begun)->cause;
        }
        FinishedCall call;
        call.identity = session_owner(alice());
        call.seen = std::to_string(++made);
        call.database = database;
        call.line.outcome = "ok";
        call.line.result_bytes = bytes;
        const auto breach = supervisor.end(call, room.clock.ticks());
        return breach ? breach->cause : "";
    }

    BrakeStore& room;
    std::unique_ptr<interlock::db::Store> store;
    FlakyStore flaky;
    Supervisor supervisor{narrow()};
    std::vector<std::string> breaches;
    int made = 0;
    SpendingWatch watch; // last: it ends first, and settles once more
};

TEST_CASE("two servers make one budget", "[server]") {
    BrakeStore room;
    Server one(room);
    Server two(room);
    for (int i = 0; i < 6; ++i) {
        CHECK(one.call().empty());
    }
    for (int i = 0; i < 5; ++i) { // not told yet: each knows of its own
        CHECK(two.call().empty());
    }
    REQUIRE(one.watch.settle().ok());
    CHECK(one.breaches.empty());
    REQUIRE(two.watch.settle().ok()); // eleven
    CHECK(two.breaches == std::vector<std::string>{"alice calls"});
    REQUIRE(one.watch.settle().ok()); // has counted nothing new: asks for nothing
    CHECK(one.call().empty());
    REQUIRE(one.watch.settle().ok());
    CHECK(one.breaches == std::vector<std::string>{"alice calls"});
}

TEST_CASE("bytes and database time add up, too", "[server]") {
    BrakeStore room;
    Server one(room);
    CHECK(one.call(600, seconds(50)).empty());
    REQUIRE(one.watch.settle().ok());
    Server two(room);
    CHECK(two.call(500) == "result_bytes");
    Server three(room);
    CHECK(three.call(1, seconds(11)) == "database_time");
}

TEST_CASE("a restart buys no new budget", "[server]") {
    BrakeStore room;
    {
        Server one(room);
        for (int i = 0; i < 10; ++i) {
            CHECK(one.call().empty());
        }
    } // its end tells what it counted
    Server again(room);
    CHECK(again.call() == "calls");
}

TEST_CASE("the window ends for a restarted server when it began for the first", "[server]") {
    BrakeStore room;
    {
        Server one(room);
        for (int i = 0; i < 10; ++i) {
            CHECK(one.call().empty());
        }
    }
    room.clock.advance(hours(1) - seconds(1));
    Server again(room);
    CHECK(again.call() == "calls");
    room.clock.advance(seconds(1));
    Server later(room);
    CHECK(later.call().empty());
}

TEST_CASE("without the store each counts for itself, and tells when it is back", "[server]") {
    BrakeStore room;
    Server one(room);
    one.flaky.away(true);
    for (int i = 0; i < 9; ++i) {
        CHECK(one.call().empty());
        CHECK_FALSE(one.watch.settle().ok());
    }
    one.flaky.away(false);
    REQUIRE(one.watch.settle().ok());
    const auto told =
        interlock::approval::spent_so_far(*room.store, {"https://one.example", "alice"}, hours(1));
    CHECK(told->total.calls == 9);
    CHECK(one.call().empty());
    CHECK(one.call() == "calls");
}

TEST_CASE("who is lifted has a budget again, on every server", "[server]") {
    BrakeStore room;
    Server one(room);
    Server two(room);
    for (int i = 0; i < 10; ++i) {
        CHECK(one.call().empty());
    }
    REQUIRE(one.watch.settle().ok());
    CHECK(two.call() == "calls");
    REQUIRE(set_brake(
                *room.store,
                room.random,
                BrakeStore::brake(interlock::approval::BrakeKind::identity, "alice", alice().issuer)
    )
                .ok());
    REQUIRE(lift_brakes(
                *room.store,
                room.random,
                {.kind = interlock::approval::BrakeKind::identity,
                 .name = "alice",
                 .issuer = {},
                 .who = "os:bob",
                 .reason = "talked to"}
    )
                .ok());
    one.supervisor.forget(alice().issuer, "alice"); // as the guard does when it hears of it
    two.supervisor.forget(alice().issuer, "alice");
    CHECK(one.call().empty());
    CHECK(two.call().empty());
}

TEST_CASE("whoever is suspended meanwhile is not reported twice", "[server]") {
    BrakeStore room;
    Server one(room);
    Server two(room);
    for (int i = 0; i < 10; ++i) {
        CHECK(one.call().empty());
    }
    CHECK(one.call() == "calls");
    REQUIRE(one.watch.settle().ok());
    CHECK(one.breaches.empty());
}

} // namespace
