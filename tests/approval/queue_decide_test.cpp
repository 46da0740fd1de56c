#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::agent_of;
using test::fails;
using test::must;
using test::Office;
using test::plan_to_approve;

TEST_CASE("one approval of one needed makes a plan approved, with its own expiry") {
    Office office;
    const std::string id = office.submitted();
    office.clock.advance(std::chrono::minutes{5});
    const auto before = office.leaves();
    const auto state = office.decide("alice", id);
    REQUIRE(state.ok());
    CHECK(*state == PlanState::approved);
    const auto stored = must(office.queue.get(id));
    CHECK(stored.expires_at == "2026-11-21T04:05:00.000000Z");
    REQUIRE(stored.decisions.size() == 1);
    CHECK(stored.decisions[0].statement.approver == "alice");
    CHECK(stored.decisions[0].assurance == "ssh_key");
    CHECK(stored.decisions[0].key_fingerprint.starts_with("SHA256:"));
    CHECK(stored.decisions[0].recorded_at == "2026-11-21T03:05:00.000000Z");
    REQUIRE(office.leaves() == before + 1);
    const auto record = office.records().back();
    CHECK(record.header.find("\"plan.approved\"") != std::string::npos);
    CHECK(record.header.find("\"actor\":\"alice\"") != std::string::npos);
    CHECK(record.payload->find("BEGIN SSH SIGNATURE") != std::string::npos);
    // The position of the log that this person saw is kept with the vote.
    CHECK(
        office.cell("select log_checkpoint from decisions") ==
        stored.decisions[0].statement.log_checkpoint
    );
}

TEST_CASE("two approvals take two people") {
    Office office;
    const std::string id = office.submitted(2);
    CHECK(must(office.decide("alice", id)) == PlanState::pending);
    CHECK(office.records().back().header.find("\"plan.approve_counted\"") != std::string::npos);
    CHECK(must(office.queue.get(id)).expires_at == "2026-11-21T03:30:00.000000Z");

    SECTION("the same person does not count twice") {
        CHECK(fails(office.decide("alice", id), base::Errc::conflict, "already decided"));
    }
    SECTION("nor under another name") {
        office.keys.people = {{"alice", "dave"}};
        CHECK(fails(office.decide("dave", id), base::Errc::conflict, "already decided"));
    }
    SECTION("nor does one key for two names") {
        office.write_signers(
            {"alice"}, "mallory " + test::KeyRing::shared().public_key("alice") + "\n"
        );
        CHECK(fails(
            office.queue.decide(office.sign(office.statement(id, "mallory"), "alice"), office.keys),
            base::Errc::refused,
            "One key is one person"
        ));
    }
    SECTION("nor may who approved also reject") {
        CHECK(fails(
            office.decide("alice", id, DecisionVerdict::reject), base::Errc::conflict, "revoke"
        ));
    }
    SECTION("the second person completes it") {
        CHECK(must(office.decide("bob", id)) == PlanState::approved);
        CHECK(verify_approvals(must(office.queue.get(id)), office.keys, office.clock.now()).ok());
        return;
    }
    CHECK(office.state(id) == PlanState::pending);
    CHECK(office.cell("select count(*) from decisions") == "1");
}

TEST_CASE("every bad decision has its own error and changes nothing") {
    Office office;
    const std::string id = office.submitted();
    DecisionStatement statement = office.statement(id, "alice");
    const auto before = office.leaves();
    const auto decide = [&](const std::string& key = "alice") {
        return office.queue.decide(office.sign(statement, key), office.keys);
    };

    SECTION("wrong key") {
        CHECK(fails(decide("bob"), base::Errc::invalid_signature, "not one of alice's keys"));
    }
    SECTION("unknown approver") {
        statement.approver = "eve";
        CHECK(fails(decide(), base::Errc::invalid_signature, "not an approver"));
    }
    SECTION("expired key") {
        office.write_signers(
            {},
            "alice valid-before=\"20261121Z\" " + test::KeyRing::shared().public_key("alice") + "\n"
        );
        CHECK(fails(decide(), base::Errc::invalid_signature, "not valid now"));
    }
    SECTION("revoked key") {
        office.keys.revoked_keys = test::KeyRing::shared().key("alice") + ".pub";
        CHECK(fails(decide(), base::Errc::invalid_signature, "is revoked"));
    }
    SECTION("own key: the requester approves") {
        office.write_signers({"requester"});
        statement.approver = "requester";
        CHECK(fails(decide("requester"), base::Errc::refused, "requested plan"));
    }
    SECTION("own key under another name") {
        office.keys.people = {{"os:requester", "alice"}};
        CHECK(fails(decide(), base::Errc::refused, "requested plan"));
    }
    SECTION("own key: the requester rejects instead of withdrawing") {
        office.write_signers({"requester"});
        statement.approver = "requester";
        statement.verdict = DecisionVerdict::reject;
        statement.reason = "No.";
        CHECK(fails(decide("requester"), base::Errc::refused, "withdraw"));
    }
    SECTION("unknown plan") {
        statement.plan_id = "plan_nowhere";
        CHECK(fails(decide(), base::Errc::not_found, "plan_nowhere"));
    }
    SECTION("another plan's digest") {
        runbooks::Plan other = plan_to_approve();
        other.risk = "high";
        statement.plan_digest = office.submit(other).digest;
        CHECK(fails(decide(), base::Errc::changed, "another plan"));
        return;
    }
    SECTION("another plan's decision") {
        runbooks::Plan other = plan_to_approve();
        other.risk = "high";
        statement.plan_id = office.submit(other).id;
        CHECK(fails(decide(), base::Errc::changed, "another plan"));
        return;
    }
    SECTION("a changed byte of the stored plan") {
        office.tamper("update plans set plan_bytes = replace(plan_bytes, '4242', '4243')");
        CHECK(fails(decide(), base::Errc::changed, "not those that were submitted"));
    }
    SECTION("a changed byte and a digest to match") {
        office.tamper("update plans set plan_bytes = replace(plan_bytes, '4242', '4243')");
        const std::string forged =
            base::hex(runbooks::plan_digest(office.cell("select plan_bytes from plans")));
        office.tamper("update plans set plan_digest = '" + forged + "'");
        CHECK(fails(decide(), base::Errc::changed, "another plan"));
    }
    SECTION("a changed presentation") {
        office.tamper("update plans set presentation = replace(presentation, 'hyp', 'HYP')");
        CHECK(fails(decide(), base::Errc::changed, "shown beside"));
    }
    SECTION("a presentation nobody showed") {
        statement.presentation_digest = std::string(64, '0');
        CHECK(fails(decide(), base::Errc::changed, "shown beside"));
    }
    SECTION("an audit log that has lost leaves the approver saw") {
        statement.log_checkpoint = "9999:" + std::string(64, '0');
        CHECK(fails(decide(), base::Errc::corrupt, "audit log"));
    }
    SECTION("an audit log that was rewritten") {
        statement.log_checkpoint =
            statement.log_checkpoint.substr(0, statement.log_checkpoint.find(':') + 1) +
            std::string(64, '0');
        CHECK(fails(decide(), base::Errc::corrupt, "audit log"));
    }
    SECTION("a beginning of the audit log that was rewritten since") {
        (void)office.submit(plan_to_approve(2), "erin");
        REQUIRE(office.leaves() > std::stoull(statement.log_checkpoint));
        statement.log_checkpoint = "1:" + std::string(64, '0');
        CHECK(fails(decide(), base::Errc::corrupt, "not a beginning"));
        CHECK(office.state(id) == PlanState::pending);
        CHECK(office.cell("select count(*) from decisions") == "0");
        return;
    }
    SECTION("too weak a key") {
        runbooks::Plan strong = plan_to_approve();
        strong.needs.assurance = runbooks::Assurance::hardware_key;
        const auto result = office.submit(strong);
        statement = office.statement(result.id, "alice");
        CHECK(fails(decide(), base::Errc::refused, "hardware_key"));
        CHECK(office.state(result.id) == PlanState::pending);
        return;
    }
    CHECK(office.leaves() == before);
    CHECK(office.state(id) == PlanState::pending);
    CHECK(office.cell("select count(*) from decisions") == "0");
}

TEST_CASE("a decision that was used is not used again") {
    Office office;
    const std::string id = office.submitted(2);
    const SignedDecision decision = office.signed_by("alice", id);
    REQUIRE(office.queue.decide(decision, office.keys).ok());
    const auto before = office.leaves();
    CHECK(fails(office.queue.decide(decision, office.keys), base::Errc::conflict, "nonce"));

    // The same nonce in a new statement, by somebody else, about another plan.
    runbooks::Plan other = plan_to_approve();
    other.risk = "high";
    const auto second = office.submit(other);
    DecisionStatement statement = office.statement(second.id, "bob");
    statement.nonce = must(parse_decision(decision.statement)).nonce;
    CHECK(fails(
        office.queue.decide(office.sign(statement, "bob"), office.keys),
        base::Errc::conflict,
        "nonce"
    ));
    CHECK(office.leaves() == before + 1); // the submission
}

TEST_CASE("an unsigned request learns nothing but that its signature is invalid") {
    Office office;
    const std::string open = office.submitted();
    for (const std::string& id : {open, std::string("plan_nowhere")}) {
        DecisionStatement statement = office.statement(open, "alice");
        statement.plan_id = id;
        const auto result =
            office.queue.decide({decision_bytes(statement), "nothing"}, office.keys);
        CHECK(fails(result, base::Errc::invalid_signature, "not an SSH signature"));
        CHECK(base::to_text(result.error()).find(id) == std::string::npos);
    }
}

TEST_CASE("one rejection ends a plan for everybody") {
    Office office;
    const std::string id = office.submitted(2);
    must(office.decide("alice", id));
    const SignedDecision late = office.signed_by("carol", id);
    CHECK(must(office.decide("bob", id, DecisionVerdict::reject)) == PlanState::rejected);
    CHECK(must(office.queue.get(id)).state_reason.find("bob") != std::string::npos);
    CHECK(fails(office.queue.decide(late, office.keys), base::Errc::invalid_transition, "REJECTED")
    );
    CHECK(fails(office.decide("bob", id), base::Errc::conflict, "already decided"));
    CHECK(fails(office.claim(id), base::Errc::invalid_transition));
}

TEST_CASE("any approver revokes before the claim, nobody after it") {
    Office office;
    const std::string id = office.approved();
    SECTION("who approved") {
        CHECK(must(office.decide("alice", id, DecisionVerdict::revoke)) == PlanState::revoked);
    }
    SECTION("who did not") {
        CHECK(must(office.decide("bob", id, DecisionVerdict::revoke)) == PlanState::revoked);
    }
    SECTION("even the requester, for it takes power away") {
        office.write_signers({"alice", "requester"});
        CHECK(must(office.decide("requester", id, DecisionVerdict::revoke)) == PlanState::revoked);
    }
    SECTION("not once it is claimed") {
        must(office.claim(id));
        CHECK(fails(
            office.decide("alice", id, DecisionVerdict::revoke), base::Errc::invalid_transition
        ));
        return;
    }
    CHECK(fails(office.claim(id), base::Errc::invalid_transition));
    const auto stored = must(office.queue.get(id));
    CHECK_FALSE(verify_approvals(stored, office.keys, office.clock.now()).ok());
}

TEST_CASE("a pending plan is revoked by who has already approved it") {
    Office office;
    const std::string id = office.submitted(2);
    must(office.decide("alice", id));
    CHECK(must(office.decide("alice", id, DecisionVerdict::revoke)) == PlanState::revoked);
}

TEST_CASE("time is up by the store's clock, at every use, and that is recorded") {
    Office office;
    const std::string id = office.submitted();
    const SignedDecision decision = office.signed_by("alice", id);
    office.clock.advance(base::limits::pending_lifetime - std::chrono::microseconds{1});
    CHECK(office.state(id) == PlanState::pending);
    office.clock.advance(std::chrono::microseconds{1});
    CHECK(office.state(id) == PlanState::expired); // shown before anybody recorded it
    const auto before = office.leaves();
    CHECK(fails(office.queue.decide(decision, office.keys), base::Errc::expired));
    CHECK(office.leaves() == before + 1);
    CHECK(office.records().back().header.find("\"plan.expired\"") != std::string::npos);
    CHECK(office.cell("select state from plans") == "EXPIRED");
    CHECK(fails(office.queue.decide(decision, office.keys), base::Errc::invalid_transition));
}

TEST_CASE("an approval is dated within the time its plan has waited") {
    Office office;
    const std::string id = office.submitted();
    DecisionStatement statement = office.statement(id, "alice");
    const auto decide_at = [&](base::Duration offset) {
        statement.decided_at = base::format_time(office.clock.now() + offset);
        return office.queue.decide(office.sign(statement, "alice"), office.keys);
    };
    const std::chrono::microseconds tick{1};
    SECTION("not ahead of the queue's clock") {
        CHECK(fails(decide_at(decision_skew_max + tick), base::Errc::refused, "clock here says"));
    }
    SECTION("not before the plan was proposed") {
        CHECK(fails(decide_at(-decision_skew_max - tick), base::Errc::refused, "was proposed at"));
    }
    SECTION("clocks that differ a little are fine") {
        CHECK(must(decide_at(-decision_skew_max)) == PlanState::approved);
        return;
    }
    SECTION("a no is taken whatever its date") {
        statement = office.statement(id, "alice", DecisionVerdict::reject);
        CHECK(must(decide_at(std::chrono::hours{24})) == PlanState::rejected);
        return;
    }
    CHECK(office.state(id) == PlanState::pending);
    CHECK(office.cell("select count(*) from decisions") == "0");
}

TEST_CASE("an approval lasts as long as the plan says, shorter when chat suffices") {
    Office office;
    runbooks::Plan plan = plan_to_approve();
    SECTION("by key") {
        plan.approval_lifetime_s = 120;
        const auto id = office.submit(plan).id;
        must(office.decide("alice", id));
        CHECK(must(office.queue.get(id)).expires_at == "2026-11-21T03:02:00.000000Z");
    }
    SECTION("by chat") {
        plan.needs.assurance = runbooks::Assurance::chat;
        const auto id = office.submit(plan).id;
        must(office.decide("alice", id));
        CHECK(must(office.queue.get(id)).expires_at == "2026-11-21T03:10:00.000000Z");
    }
    SECTION("unsaid") {
        plan.approval_lifetime_s = 0;
        const auto id = office.submit(plan).id;
        must(office.decide("alice", id));
        CHECK(must(office.queue.get(id)).expires_at == "2026-11-21T04:00:00.000000Z");
    }
}

TEST_CASE("of eight clicks at once exactly one counts") {
    Office office;
    const std::string id = office.submitted();
    std::vector<SignedDecision> clicks;
    for (int i = 0; i < 8; ++i)
        clicks.push_back(office.signed_by(i % 2 == 0 ? "alice" : "bob", id));
    // Each thread has a handle of its own on the one file.
    std::vector<std::unique_ptr<db::Store>> stores;
    std::vector<test::CountingRandom> randoms(clicks.size());
    for (std::size_t i = 0; i < clicks.size(); ++i)
        stores.push_back(office.open_store());
    std::atomic<int> won{0};
    std::atomic<int> told{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < clicks.size(); ++i)
        threads.emplace_back([&, i] {
            Queue queue(*stores[i], randoms[i]);
            const auto state = queue.decide(clicks[i], office.keys);
            won += state.ok();
            told +=
                fails(state, base::Errc::conflict) || fails(state, base::Errc::invalid_transition);
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(won == 1);
    CHECK(told == 7);
    CHECK(office.state(id) == PlanState::approved);
    CHECK(office.cell("select count(*) from decisions") == "1");
    CHECK(must(telemetry::verify_audit(*office.store, {})).problems.empty());
}

TEST_CASE("who approved and then asks for the same no longer counts as an approver") {
    Office office;
    const std::string id = office.submitted(2);
    must(office.decide("alice", id));
    CHECK(office.submit(plan_to_approve(2), "alice").joined);
    CHECK(must(office.decide("bob", id)) == PlanState::pending);
    CHECK(must(office.decide("carol", id)) == PlanState::approved);
    CHECK(verify_approvals(must(office.queue.get(id)), office.keys, office.clock.now()).ok());
}

} // namespace interlock::approval
