#include "approval/recorded_history.hpp"
#include "tests/approval/fixture.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;
using test::plan_to_approve;

namespace {

/// Nobody got authority and nothing was recorded as begun.
void check_nothing_claimed(Office& office) {
    CHECK(office.cell("select count(*) from executions") == "0");
    CHECK(office.cell("select count(*) from target_leases") == "0");
    for (const auto& record : office.records())
        CHECK(record.header.find("\"plan.claimed\"") == std::string::npos);
}

/// Gives a plan that ended the row of an approved one.
void revive(Office& office) {
    office.tamper("update plans set state = 'APPROVED', expires_at = '2099-01-01T00:00:00.000000Z'"
    );
}

void append(Office& office, const std::string& type, const std::string& digest) {
    must(office.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(
            telemetry::append_audit(transaction, office.random, {type, "mallory", digest, "{}"})
        );
        return base::done;
    }));
}

} // namespace

TEST_CASE("what the log records of a plan's life is what its rows say") {
    Office office;
    const std::string id = office.submitted(2);
    const std::string digest = must(office.queue.get(id)).digest;
    CHECK(office.submit(plan_to_approve(2), "erin").joined);
    must(office.decide("alice", id));
    const auto history = [&] { return must(recorded_history(*office.store, digest)); };
    CHECK(history().state == PlanState::pending);
    CHECK(history().requesters == std::vector<std::string>{"os:requester", "os:erin"});
    must(office.decide("bob", id));
    // Asking once people have decided makes nobody a requester.
    CHECK(office.submit(plan_to_approve(2), "frank").joined);
    CHECK(history().state == PlanState::approved);
    CHECK(history().requesters.size() == 2);
    CHECK(agrees_with_log(must(office.queue.get(id)), history()).ok());
    office.tamper("delete from audit_payload"); // erased payloads change nothing
    const auto claim = must(office.claim(id));
    must(office.queue.advance(claim, PlanEvent::start, "Checked."));
    must(office.queue.advance(claim, PlanEvent::step_done, "Done."));
    CHECK(history().state == PlanState::executing);
    CHECK(agrees_with_log(must(office.queue.get(id)), history()).ok());
}

TEST_CASE("a plan that ended is not claimed when its row is edited back to APPROVED") {
    Office office;
    const std::string id = office.approved();
    SECTION("EXPIRED") {
        office.clock.advance(base::limits::approval_lifetime_strong);
        CHECK(must(office.queue.expire_due()) == 1);
    }
    SECTION("WITHDRAWN") {
        must(office.queue.withdraw(id, test::agent_of("requester"), "Not needed."));
    }
    SECTION("REVOKED, and the revocation's row deleted") {
        must(office.decide("bob", id, DecisionVerdict::revoke));
        office.tamper("delete from decisions where verdict = 'revoke'");
        revive(office);
        // The signatures alone cannot tell.
        CHECK(verify_approvals(must(office.queue.get(id)), office.keys, office.clock.now()).ok());
    }
    const std::string ended = office.records().back().header;
    revive(office);
    CHECK(fails(office.claim(id), base::Errc::corrupt, "the last change in the audit log made it"));
    check_nothing_claimed(office);
    CHECK(office.records().back().header == ended);
}

TEST_CASE("a plan that nobody approved is not claimed when its row says APPROVED") {
    Office office;
    const std::string id = office.submitted();
    revive(office);
    CHECK(fails(office.claim(id), base::Errc::corrupt, "made it PENDING"));
    check_nothing_claimed(office);
}

TEST_CASE("a requester who was edited away is found in the log") {
    Office office;
    const std::string id = office.submitted();
    CHECK(office.submit(plan_to_approve(), "erin").joined);
    must(office.decide("alice", id));
    SECTION("the first") {
        office.tamper("delete from plan_requesters where subject = 'os:requester'");
        office.tamper("update plans set requester = 'os:erin'");
        CHECK(fails(office.claim(id), base::Errc::changed, "os:requester requested"));
    }
    SECTION("who joined") {
        office.tamper("delete from plan_requesters where subject = 'os:erin'");
        CHECK(fails(office.claim(id), base::Errc::changed, "os:erin requested"));
    }
    check_nothing_claimed(office);
}

TEST_CASE("a life that cannot have happened is corruption") {
    Office office;
    const std::string id = office.approved();
    const std::string digest = must(office.queue.get(id)).digest;
    const auto history = [&] { return recorded_history(*office.store, digest); };
    SECTION("approved after its end") {
        must(office.decide("bob", id, DecisionVerdict::revoke));
        append(office, "plan.approved", digest);
        revive(office);
        CHECK(fails(history(), base::Errc::corrupt, "APPROVED follows REVOKED"));
    }
    SECTION("approved once it ran") {
        must(office.queue.advance(must(office.claim(id)), PlanEvent::start, "Checked."));
        append(office, "plan.approved", digest);
        CHECK(fails(history(), base::Errc::corrupt, "APPROVED follows EXECUTING"));
        return;
    }
    SECTION("submitted twice") {
        append(office, "plan.submitted", digest);
        CHECK(fails(history(), base::Errc::corrupt, "submitted twice"));
    }
    SECTION("not recorded at all") {
        CHECK(fails(
            recorded_history(*office.store, std::string(64, 'a')),
            base::Errc::corrupt,
            "does not know the plan"
        ));
        return;
    }
    CHECK(fails(office.claim(id), base::Errc::corrupt));
    check_nothing_claimed(office);
}

TEST_CASE("a plan is taken over only when the log says that it runs") {
    Office office;
    const std::string id = office.claimed().plan_id;
    office.tamper("update plans set state = 'EXECUTING'");
    office.clock.advance(base::limits::lease_lifetime);
    CHECK(fails(office.queue.take_over(id, "exec-2"), base::Errc::corrupt, "made it CLAIMED"));
    office.tamper("update plans set state = 'CLAIMED'");
    CHECK(office.queue.take_over(id, "exec-2").ok());
    office.clock.advance(base::limits::lease_lifetime);
    CHECK(office.queue.take_over(id, "exec-3").ok()); // IN_DOUBT again is no change of state
}

TEST_CASE("a history longer than one page is read to its end") {
    Office office;
    const std::string id = office.submitted();
    const std::string digest = must(office.queue.get(id)).digest;
    must(office.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
        for (std::size_t i = 0; i < base::limits::audit_read_max; ++i)
            INTERLOCK_CHECK(telemetry::append_audit(
                transaction, office.random, {"execution.refused", "exec-1", digest, "{}"}
            ));
        return base::done;
    }));
    must(office.decide("alice", id));
    CHECK(must(recorded_history(*office.store, digest)).state == PlanState::approved);
    CHECK(office.claim(id).ok());
}

} // namespace interlock::approval
