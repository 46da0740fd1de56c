#include "approval/queue_lease.hpp"
#include "tests/approval/fixture.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;

namespace {

/// Runs `body` in a transaction and keeps it.
base::Status
within(Office& office, const std::function<base::Status(db::StoreTransaction&)>& body) {
    return office.store->transact(body);
}

} // namespace

TEST_CASE("fences only grow") {
    Office office;
    long long last = 0;
    for (int i = 0; i < 20; ++i)
        must(within(office, [&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(const long long fence, lease::next_fence(transaction));
            CHECK(fence > last);
            last = fence;
            return base::done;
        }));
    CHECK(last == 20);
}

TEST_CASE("a store without its fence counter runs nothing") {
    Office office;
    const std::string id = office.approved();
    office.tamper("delete from queue_counters where name = 'fence'");
    CHECK(fails(office.claim(id), base::Errc::corrupt, "fence"));
    CHECK(office.state(id) == PlanState::approved);
}

TEST_CASE("lease keys conflict when one contains the other") {
    Office office;
    must(within(office, [&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(lease::hold(transaction, "1/app", {"plan_a", "e", 1, "2030"}));
        const auto free = [&](const std::string& key) {
            return lease::check_free(transaction, key).ok();
        };
        CHECK_FALSE(free("1/app"));
        CHECK_FALSE(free("1"));
        CHECK_FALSE(free("1/app/public.t"));
        CHECK(free("1/apple"));
        CHECK(free("1/ap"));
        CHECK(free("2/app"));
        CHECK(free("11/app"));
        const auto held = must(lease::held(transaction, "plan_a"));
        REQUIRE(held);
        CHECK(held->key == "1/app");
        CHECK_FALSE(must(lease::held(transaction, "plan_b")));
        INTERLOCK_CHECK(lease::release(transaction, "plan_a"));
        INTERLOCK_CHECK(lease::release(transaction, "plan_a"));
        CHECK(free("1/app"));
        CHECK_FALSE(must(lease::held(transaction, "plan_a")));
        return base::done;
    }));
}

TEST_CASE("the store itself refuses a second lease on one key") {
    Office office;
    const auto status = within(office, [&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(lease::hold(transaction, "1/app", {"plan_a", "e", 1, "2030"}));
        return lease::hold(transaction, "1/app", {"plan_b", "e", 2, "2030"});
    });
    CHECK(fails(status, base::Errc::conflict));
    CHECK(office.cell("select count(*) from target_leases") == "0");
}

TEST_CASE("only the holder under its own fence extends a lease") {
    Office office;
    const Claim claim = office.claimed();
    must(within(office, [&](db::StoreTransaction& transaction) -> base::Status {
        const auto lifetime = std::chrono::seconds{60};
        CHECK(must(lease::extend(transaction, claim, lifetime)) == "2026-11-21T03:01:00.000000Z");
        Claim other = claim;
        other.fence += 1;
        CHECK(fails(lease::extend(transaction, other, lifetime), base::Errc::conflict));
        CHECK(lease::check_fence(transaction, claim).ok());
        CHECK(fails(lease::check_fence(transaction, other), base::Errc::conflict));
        CHECK(lease::check_live(transaction, claim).ok());
        return base::done;
    }));
    office.clock.advance(std::chrono::seconds{60});
    must(within(office, [&](db::StoreTransaction& transaction) -> base::Status {
        CHECK(fails(lease::check_live(transaction, claim), base::Errc::expired));
        return base::done;
    }));
}

} // namespace interlock::approval
