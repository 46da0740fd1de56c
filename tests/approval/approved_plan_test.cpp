#include "approval/approved_plan.hpp"
#include "tests/approval/fixture.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;

TEST_CASE("an approved plan is made from the bytes and signatures alone") {
    Office office;
    StoredPlan stored = must(office.queue.get(office.approved()));
    // What the store says about state, assurance and keys is not believed, so it may be anything.
    stored.state = PlanState::pending;
    stored.decisions[0].assurance = "hardware_key";
    stored.decisions[0].key_fingerprint = "SHA256:another";
    stored.decisions[0].statement.approver = "somebody else";
    const auto approved = verify_approvals(stored, office.keys, office.clock.now());
    REQUIRE(approved.ok());
    CHECK(approved->id() == stored.id);
    CHECK(approved->bytes() == stored.bytes);
    CHECK(approved->digest() == base::hex(runbooks::plan_digest(stored.bytes)));
    CHECK(runbooks::plan_bytes(approved->plan()) == stored.bytes);
    REQUIRE(approved->approvals().size() == 1);
    CHECK(approved->approvals()[0].statement.approver == "alice");
    CHECK(approved->approvals()[0].assurance == runbooks::Assurance::ssh_key);
}

TEST_CASE("a forged queue makes no approved plan") {
    Office office;
    const std::string id = office.approved();
    StoredPlan stored = must(office.queue.get(id));
    const auto verify = [&] { return verify_approvals(stored, office.keys, office.clock.now()); };
    REQUIRE(verify().ok());

    SECTION("no decision at all, whatever the state says") {
        stored.decisions.clear();
        CHECK(fails(verify(), base::Errc::refused, "0 of the 1 approvals"));
    }
    SECTION("a changed byte") {
        stored.bytes[stored.bytes.find("4242")] = '5';
        CHECK(fails(verify(), base::Errc::changed, "not those submitted"));
    }
    SECTION("a changed byte with its digest") {
        stored.bytes[stored.bytes.find("4242")] = '5';
        stored.digest = base::hex(runbooks::plan_digest(stored.bytes));
        CHECK(fails(verify(), base::Errc::changed, "for other bytes"));
    }
    SECTION("bytes that are no plan") {
        stored.bytes = "{}";
        stored.digest = base::hex(runbooks::plan_digest(stored.bytes));
        CHECK_FALSE(verify().ok());
    }
    SECTION("a changed presentation") {
        stored.presentation += " ";
        CHECK(fails(verify(), base::Errc::changed, "another presentation"));
    }
    SECTION("the decision of another plan") {
        stored.id = "plan_another";
        CHECK(fails(verify(), base::Errc::changed, "for other bytes"));
    }
    SECTION("a statement that nobody signed") {
        auto statement = must(parse_decision(stored.decisions[0].signed_decision.statement));
        statement.approver = "bob";
        stored.decisions[0].signed_decision.statement = decision_bytes(statement);
        CHECK(fails(verify(), base::Errc::invalid_signature));
    }
    SECTION("a key revoked since") {
        office.keys.revoked_keys = test::KeyRing::shared().key("alice") + ".pub";
        CHECK(fails(verify(), base::Errc::invalid_signature, "is revoked"));
    }
    SECTION("an approver removed since") {
        office.write_signers({"bob"});
        CHECK(fails(verify(), base::Errc::invalid_signature, "not an approver"));
    }
    SECTION("the requester's own approval") {
        stored.requester = "os:alice";
        CHECK(fails(verify(), base::Errc::refused, "alice requested it"));
    }
    SECTION("the approval of somebody who is known to be the requester") {
        office.keys.people = {{"alice", "requester"}};
        CHECK(fails(verify(), base::Errc::refused, "alice requested it"));
    }
    SECTION("the approval of somebody who asked for the same") {
        stored.requesters.push_back("os:alice");
        CHECK(fails(verify(), base::Errc::refused, "alice requested it"));
    }
    SECTION("a rejection beside it") {
        StoredDecision rejection = stored.decisions[0];
        rejection.signed_decision =
            office.sign(office.statement(id, "bob", DecisionVerdict::reject), "bob");
        stored.decisions.push_back(rejection);
        CHECK(fails(verify(), base::Errc::refused, "bob decided to reject"));
    }
    SECTION("a revocation beside it") {
        StoredDecision revocation = stored.decisions[0];
        revocation.signed_decision =
            office.sign(office.statement(id, "bob", DecisionVerdict::revoke), "bob");
        stored.decisions.push_back(revocation);
        CHECK(fails(verify(), base::Errc::refused, "bob decided to revoke"));
    }
}

TEST_CASE("a quorum is made of distinct people with distinct keys") {
    Office office;
    const std::string id = office.submitted(2);
    must(office.decide("alice", id));
    StoredPlan stored = must(office.queue.get(id));
    const auto verify = [&] { return verify_approvals(stored, office.keys, office.clock.now()); };
    const auto add = [&](const std::string& approver, const std::string& key) {
        StoredDecision decision;
        decision.signed_decision = office.sign(office.statement(id, approver), key);
        stored.decisions.push_back(decision);
    };
    CHECK(fails(verify(), base::Errc::refused, "1 of the 2 approvals"));

    SECTION("the same decision twice") {
        stored.decisions.push_back(stored.decisions[0]);
        CHECK(fails(verify(), base::Errc::refused, "alice counts once"));
    }
    SECTION("the same person twice") {
        add("alice", "alice");
        CHECK(fails(verify(), base::Errc::refused, "alice counts once"));
    }
    SECTION("the same person under two names") {
        office.keys.people = {{"alice", "bob"}};
        add("bob", "bob");
        CHECK(fails(verify(), base::Errc::refused, "bob counts once"));
    }
    SECTION("one key for two names") {
        office.write_signers(
            {"alice"}, "mallory " + test::KeyRing::shared().public_key("alice") + "\n"
        );
        add("mallory", "alice");
        CHECK(fails(verify(), base::Errc::refused, "mallory counts once"));
    }
    SECTION("two people") {
        add("bob", "bob");
        CHECK(verify().ok());
    }
}

TEST_CASE("assurance is judged from the signature, not from the store") {
    Office office;
    runbooks::Plan plan = test::plan_to_approve();
    plan.needs.assurance = runbooks::Assurance::hardware_key;
    const auto result = office.submit(plan);
    StoredPlan stored = must(office.queue.get(result.id));
    StoredDecision decision;
    decision.signed_decision = office.signed_by("alice", result.id);
    decision.assurance = "hardware_key";
    stored.decisions = {decision};
    stored.state = PlanState::approved;
    CHECK(fails(
        verify_approvals(stored, office.keys, office.clock.now()),
        base::Errc::refused,
        "only ssh_key"
    ));
}

TEST_CASE("what cannot be undone needs two people even when the plan asks for one") {
    Office office;
    runbooks::Plan plan = test::plan_to_approve();
    plan.reversibility = runbooks::Reversibility::irreversible;
    const std::string id = office.submit(plan).id;
    CHECK(must(office.decide("alice", id)) == PlanState::pending);
    StoredPlan stored = must(office.queue.get(id));
    CHECK(fails(
        verify_approvals(stored, office.keys, office.clock.now()),
        base::Errc::refused,
        "1 of the 2 approvals"
    ));
    CHECK(must(office.decide("bob", id)) == PlanState::approved);
    CHECK(verify_approvals(must(office.queue.get(id)), office.keys, office.clock.now()).ok());
}

TEST_CASE("an approval ends by the time that was signed, whatever the queue's rows say") {
    Office office;
    StoredPlan stored = must(office.queue.get(office.approved()));
    const auto lifetime = approval_lifetime(must(runbooks::parse_plan(stored.bytes)));
    const auto verify = [&] { return verify_approvals(stored, office.keys, office.clock.now()); };
    stored.expires_at = "2099-01-01T00:00:00.000000Z";
    stored.decisions[0].recorded_at = stored.expires_at;

    office.clock.advance(lifetime);
    CHECK(verify().ok());
    office.clock.advance(std::chrono::microseconds{1});
    CHECK(fails(verify(), base::Errc::expired, "by the approver's clock"));

    SECTION("a plan that runs may be taken over for a while") {
        stored.state = PlanState::executing;
        CHECK(verify().ok());
        office.clock.advance(resumption_max);
        CHECK(fails(verify(), base::Errc::expired, "A person"));
    }
    SECTION("an approval dated ahead does not live longer") {
        auto statement = office.statement(stored.id, "alice");
        statement.decided_at = base::format_time(
            office.clock.now() + decision_skew_max + std::chrono::microseconds{1}
        );
        stored.decisions[0].signed_decision = office.sign(statement, "alice");
        CHECK(fails(verify(), base::Errc::refused, "the clock here says"));
        statement.decided_at = base::format_time(office.clock.now() + decision_skew_max);
        stored.decisions[0].signed_decision = office.sign(statement, "alice");
        CHECK(verify().ok());
    }
}

TEST_CASE("no plan can ask for an approval that outlives the limit") {
    runbooks::Plan plan = test::plan_to_approve();
    plan.approval_lifetime_s = 365 * 24 * 3600;
    CHECK(approval_lifetime(plan) == base::limits::approval_lifetime_strong);
    plan.approval_lifetime_s = 0;
    CHECK(approval_lifetime(plan) == base::limits::approval_lifetime_strong);
    plan.approval_lifetime_s = 60;
    CHECK(approval_lifetime(plan) == std::chrono::seconds{60});
    plan.needs.assurance = runbooks::Assurance::chat;
    plan.approval_lifetime_s = 3600;
    CHECK(approval_lifetime(plan) == base::limits::approval_lifetime_chat);
}

} // namespace interlock::approval
