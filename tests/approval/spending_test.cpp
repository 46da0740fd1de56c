#include "approval/brakes_lift.hpp"
#include "approval/spending.hpp"
#include "tests/approval/brakes_fixture.hpp"

#include <catch2/catch.hpp>

namespace {

using interlock::approval::add_spending;
using interlock::approval::BrakeKind;
using interlock::approval::lift_brakes;
using interlock::approval::Spender;
using interlock::approval::Spending;
using interlock::approval::spent_so_far;
using interlock::test::BrakeStore;
using std::chrono::hours;
using std::chrono::minutes;

const Spender alice{"https://one.example", "alice"};
const Spender namesake{"https://two.example", "alice"};

interlock::approval::WindowSpending add(BrakeStore& room, const Spender& who, Spending spending) {
    const auto all = add_spending(*room.store, {{who, spending}}, hours(1));
    REQUIRE(all.ok());
    REQUIRE(all->size() == 1);
    return all->front();
}

TEST_CASE("what servers spend adds up, by identity", "[approval]") {
    BrakeStore room;
    const auto other = room.open(); // of another server
    CHECK(
        add(room, alice, {.calls = 2, .result_bytes = 10, .database = minutes(1)}).total.calls == 2
    );
    room.clock.advance(minutes(5));
    const auto all = add_spending(
        *other, {{namesake, {.calls = 7}}, {alice, {.calls = 3, .database = minutes(2)}}}, hours(1)
    );
    REQUIRE(all.ok());
    REQUIRE(all->size() == 2);
    CHECK((*all)[0].total == Spending{.calls = 7});
    CHECK((*all)[0].age == minutes(0));
    CHECK((*all)[1].total == Spending{.calls = 5, .result_bytes = 10, .database = minutes(3)});
    CHECK((*all)[1].age == minutes(5));
    CHECK(spent_so_far(*room.store, alice, hours(1))->total == (*all)[1].total);
    CHECK(spent_so_far(*room.store, {"os", "os:bob"}, hours(1))->total == Spending{});
}

TEST_CASE("a window ends, and the next begins with what is spent then", "[approval]") {
    BrakeStore room;
    add(room, alice, {.calls = 9});
    room.clock.advance(hours(1));
    CHECK(spent_so_far(*room.store, alice, hours(1))->total == Spending{});
    const auto next = add(room, alice, {.calls = 1});
    CHECK(next.total.calls == 1);
    CHECK(next.age == minutes(0));
}

TEST_CASE("a clock that is set back ends no window", "[approval]") {
    BrakeStore room;
    add(room, alice, {.calls = 9});
    room.clock.advance(-hours(3));
    const auto next = add(room, alice, {.calls = 1});
    CHECK(next.total.calls == 10);
    CHECK(next.age == minutes(0));
}

TEST_CASE("rows of windows long past go", "[approval]") {
    BrakeStore room;
    add(room, alice, {.calls = 9});
    room.clock.advance(hours(25));
    add(room, namesake, {.calls = 1});
    long long rows = -1;
    REQUIRE(room.store
                ->read([&](interlock::db::StoreTransaction& transaction) {
                    const auto found = transaction.run("select count(*) as rows from spending");
                    rows = found->integer(0, "rows").value_or(-1);
                    return interlock::base::Status(interlock::base::done);
                })
                .ok());
    CHECK(rows == 1);
}

TEST_CASE("whoever is lifted starts anew, and nobody else", "[approval]") {
    BrakeStore room;
    add(room, alice, {.calls = 9});
    add(room, namesake, {.calls = 8});
    REQUIRE(
        set_brake(
            *room.store, room.random, BrakeStore::brake(BrakeKind::identity, "alice", alice.issuer)
        )
            .ok()
    );
    REQUIRE(lift_brakes(
                *room.store,
                room.random,
                {.kind = BrakeKind::identity,
                 .name = "alice",
                 .issuer = {},
                 .who = "os:bob",
                 .reason = "talked to"}
    )
                .ok());
    CHECK(spent_so_far(*room.store, alice, hours(1))->total == Spending{});
    CHECK(spent_so_far(*room.store, namesake, hours(1))->total.calls == 8);
}

} // namespace
