#include "base/limits.hpp"
#include "tests/approval/brakes_fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
using interlock::approval::BrakeKind;
using interlock::approval::BrakeOrigin;
using interlock::approval::set_brake;
using interlock::test::BrakeStore;

TEST_CASE("a brake is in force and in the audit log at once", "[approval]") {
    BrakeStore room;
    const auto before = room.records().size();
    const auto set = room.set(BrakeKind::tool, "get_blocking");
    REQUIRE(set.ok());
    CHECK_FALSE(set->already);
    const auto brakes = room.in_force();
    REQUIRE(brakes.size() == 1);
    CHECK(brakes[0] == set->brake);
    CHECK(brakes[0].kind == BrakeKind::tool);
    CHECK(brakes[0].name == "get_blocking");
    CHECK(brakes[0].origin == BrakeOrigin::person);
    CHECK(brakes[0].who == "os:alice");
    CHECK(brakes[0].reason == "it does harm");
    CHECK(brakes[0].at == base::format_time(room.clock.now()));
    const auto records = room.records();
    REQUIRE(records.size() == before + 1);
    CHECK(records.back().index == brakes[0].leaf);
    CHECK(records.back().header.find("brake.set") != std::string::npos);
    CHECK(records.back().header.find("os:alice") != std::string::npos);
    const auto payload = base::parse_json(*records.back().payload).value();
    CHECK(payload["kind"] == "tool");
    CHECK(payload["name"] == "get_blocking");
    CHECK(payload["reason"] == "it does harm");
    CHECK_FALSE(payload.contains("transcript"));
}

TEST_CASE("a brake that is set already stands as it was", "[approval]") {
    BrakeStore room;
    REQUIRE(room.set(BrakeKind::all, "").ok());
    const auto records = room.records().size();
    auto again = BrakeStore::brake(BrakeKind::all, "");
    again.who = "os:bob";
    const auto set = set_brake(*room.store, room.random, again);
    REQUIRE(set.ok());
    CHECK(set->already);
    CHECK(set->brake.who == "os:alice");
    CHECK(room.in_force().size() == 1);
    CHECK(room.records().size() == records);
}

TEST_CASE("an identity of one issuer is not that of another", "[approval]") {
    BrakeStore room;
    const auto set = [&](const std::string& issuer) {
        return set_brake(
            *room.store, room.random, BrakeStore::brake(BrakeKind::identity, "alice", issuer)
        );
    };
    CHECK_FALSE(set("https://one.example")->already);
    CHECK_FALSE(set("https://two.example")->already);
    CHECK_FALSE(set("")->already);
    CHECK(set("")->already);
    CHECK(room.in_force().size() == 3);
}

TEST_CASE("the transcript of a suspension is kept in its leaf", "[approval]") {
    BrakeStore room;
    auto brake = BrakeStore::brake(BrakeKind::identity, "os:agent");
    brake.origin = BrakeOrigin::supervisor;
    brake.cause = "loop";
    REQUIRE(set_brake(*room.store, room.random, brake, R"([{"tool":"get_plan"}])").ok());
    CHECK(room.in_force()[0].cause == "loop");
    CHECK(room.in_force()[0].origin == BrakeOrigin::supervisor);
    const auto payload = base::parse_json(*room.records().back().payload).value();
    CHECK(payload["transcript"][0]["tool"] == "get_plan");
    CHECK_FALSE(
        set_brake(
            *room.store, room.random, BrakeStore::brake(BrakeKind::identity, "os:other"), "not json"
        )
            .ok()
    );
    CHECK(room.in_force().size() == 1);
}

TEST_CASE("a brake whose name cannot be one of its kind is refused", "[approval]") {
    BrakeStore room;
    const std::pair<BrakeKind, std::string> bad[] = {
        {BrakeKind::tool, ""},
        {BrakeKind::tool, "get blocking"},
        {BrakeKind::tool, "Get_blocking"},
        {BrakeKind::tool, std::string(65, 'a')},
        {BrakeKind::target, ""},
        {BrakeKind::target, "shop;"},
        {BrakeKind::identity, ""},
        {BrakeKind::identity, "os:\x1b[31m"},
        {BrakeKind::identity, std::string(base::limits::brake_name_bytes_max + 1, 'a')},
        {BrakeKind::all, "x"}};
    for (const auto& [kind, name] : bad) {
        INFO(interlock::approval::name(kind) << " " << name);
        const auto set = room.set(kind, name);
        REQUIRE_FALSE(set.ok());
        CHECK(set.error().code == base::Errc::invalid_arguments);
    }
    auto tool = BrakeStore::brake(BrakeKind::tool, "get_plan", "https://one.example");
    CHECK_FALSE(set_brake(*room.store, room.random, tool).ok());
    auto silent = BrakeStore::brake(BrakeKind::all, "");
    silent.reason = " \n";
    CHECK_FALSE(set_brake(*room.store, room.random, silent).ok());
    CHECK(room.in_force().empty());
}

TEST_CASE("a reason is cut and made harmless", "[approval]") {
    BrakeStore room;
    auto brake = BrakeStore::brake(BrakeKind::all, "");
    brake.reason = "\x1b]0;x\x07" + std::string(10'000, 'r');
    REQUIRE(set_brake(*room.store, room.random, brake).ok());
    const auto kept = room.in_force()[0].reason;
    CHECK(kept.find('\x1b') == std::string::npos);
    CHECK(kept.size() < 1'000);
}

TEST_CASE("there are only so many brakes, but everything can always be stopped", "[approval]") {
    BrakeStore room;
    REQUIRE(room.store
                ->transact([&](interlock::db::StoreTransaction& transaction) -> base::Status {
                    for (std::size_t i = 0; i < base::limits::brakes_max; ++i) {
                        INTERLOCK_CHECK(transaction.run(
                            "insert into brakes values ('tool', $1, '', 'person', '', 'os:a', 'r', "
                            "'', 0)",
                            {"t" + std::to_string(i)}
                        ));
                    }
                    return base::done;
                })
                .ok());
    const auto refused = room.set(BrakeKind::target, "shop");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Errc::limit_exceeded);
    CHECK(room.set(BrakeKind::all, "").ok());
}

TEST_CASE("what the supervisor set keeps no person from setting a brake", "[approval]") {
    BrakeStore room;
    REQUIRE(room.store
                ->transact([&](interlock::db::StoreTransaction& transaction) -> base::Status {
                    for (std::size_t i = 0; i < base::limits::brakes_max; ++i) {
                        INTERLOCK_CHECK(transaction.run(
                            "insert into brakes values ('identity', $1, '', 'supervisor', 'loop', "
                            "'interlock-server', 'r', '', 0)",
                            {"s" + std::to_string(i)}
                        ));
                    }
                    return base::done;
                })
                .ok());
    CHECK(room.set(BrakeKind::target, "shop").ok());
}

TEST_CASE("a brake of an unknown kind is not overlooked", "[approval]") {
    BrakeStore room;
    REQUIRE(
        room.store
            ->transact([&](interlock::db::StoreTransaction& transaction) -> base::Status {
                INTERLOCK_CHECK(transaction.run(
                    "insert into brakes values ('moon', '', '', 'person', '', 'os:a', 'r', '', 0)"
                ));
                return base::done;
            })
            .ok()
    );
    const auto read = interlock::approval::brakes_in_force(*room.store);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == base::Errc::corrupt);
}

} // namespace
