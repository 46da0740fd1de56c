#include "approval/brakes_lift.hpp"
#include "tests/approval/brakes_fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
using interlock::approval::BrakeKind;
using interlock::approval::lift_brakes;
using interlock::test::BrakeStore;

interlock::approval::Lift lift(BrakeKind kind, const std::string& name) {
    return {.kind = kind, .name = name, .issuer = {}, .who = "os:bob", .reason = "mended"};
}

TEST_CASE("a person lifts a brake, and the audit log says who and why", "[approval]") {
    BrakeStore room;
    REQUIRE(room.set(BrakeKind::target, "shop").ok());
    REQUIRE(room.set(BrakeKind::target, "blog").ok());
    const auto lifted = lift_brakes(*room.store, room.random, lift(BrakeKind::target, "shop"));
    REQUIRE(lifted.ok());
    REQUIRE(lifted->size() == 1);
    CHECK(lifted->front().reason == "it does harm");
    REQUIRE(room.in_force().size() == 1);
    CHECK(room.in_force()[0].name == "blog");
    const auto last = room.records().back();
    CHECK(last.header.find("brake.lifted") != std::string::npos);
    CHECK(last.header.find("os:bob") != std::string::npos);
    CHECK(base::parse_json(*last.payload).value()["reason"] == "mended");
}

TEST_CASE("lifting what is not in force is told, and leaves no leaf", "[approval]") {
    BrakeStore room;
    REQUIRE(room.set(BrakeKind::tool, "get_plan").ok());
    const auto records = room.records().size();
    const auto none = lift_brakes(*room.store, room.random, lift(BrakeKind::tool, "get_blocking"));
    REQUIRE_FALSE(none.ok());
    CHECK(none.error().code == base::Errc::not_found);
    CHECK(room.in_force().size() == 1);
    CHECK(room.records().size() == records);
}

TEST_CASE("an identity is lifted for all its issuers, or for the one that is named", "[approval]") {
    BrakeStore room;
    for (const char* issuer : {"", "https://one.example", "https://two.example"}) {
        REQUIRE(
            set_brake(
                *room.store, room.random, BrakeStore::brake(BrakeKind::identity, "alice", issuer)
            )
                .ok()
        );
    }
    auto one = lift(BrakeKind::identity, "alice");
    one.issuer = "https://one.example";
    CHECK(lift_brakes(*room.store, room.random, one)->size() == 1);
    CHECK(room.in_force().size() == 2);
    one.issuer.reset();
    CHECK(lift_brakes(*room.store, room.random, one)->size() == 2);
    CHECK(room.in_force().empty());
}

TEST_CASE("nobody lifts without a name and a reason", "[approval]") {
    BrakeStore room;
    REQUIRE(room.set(BrakeKind::all, "").ok());
    auto nameless = lift(BrakeKind::all, "");
    nameless.who.clear();
    CHECK_FALSE(lift_brakes(*room.store, room.random, nameless).ok());
    auto silent = lift(BrakeKind::all, "");
    silent.reason = "  ";
    CHECK_FALSE(lift_brakes(*room.store, room.random, silent).ok());
    CHECK(room.in_force().size() == 1);
}

} // namespace
