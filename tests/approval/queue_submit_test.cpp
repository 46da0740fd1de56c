#include "approval/brakes.hpp"
#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <atomic>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::agent_of;
using test::fails;
using test::Office;
using test::plan_to_approve;

TEST_CASE("a submitted plan waits with its exact bytes, and the log says who asked") {
    Office office;
    const auto before = office.leaves();
    const auto result = office.submit(plan_to_approve());
    CHECK(result.state == PlanState::pending);
    CHECK_FALSE(result.joined);
    const auto stored = test::must(office.queue.get(result.id));
    CHECK(stored.bytes == runbooks::plan_bytes(plan_to_approve()));
    CHECK(stored.digest == base::hex(runbooks::plan_digest(stored.bytes)));
    CHECK(stored.digest == result.digest);
    CHECK(stored.requester == "os:requester");
    CHECK(stored.requester_client == "test-agent 1.0");
    CHECK(stored.expires_at == "2026-11-21T03:30:00.000000Z");
    CHECK(stored.expires_at == result.expires_at);
    CHECK(stored.requesters == std::vector<std::string>{"os:requester"});
    REQUIRE(office.leaves() == before + 1);
    const auto record = office.records().back();
    CHECK(record.header.find("\"plan.submitted\"") != std::string::npos);
    CHECK(record.header.find("\"os:requester\"") != std::string::npos);
    CHECK(record.header.find(result.digest) != std::string::npos);
}

TEST_CASE("the same effects join the plan that is open, whoever asks") {
    Office office;
    const auto first = office.submit(plan_to_approve());
    const auto second = office.submit(plan_to_approve());
    CHECK(second.joined);
    CHECK(second.id == first.id);
    const auto third = office.submit(plan_to_approve(), "alice");
    CHECK(third.joined);
    CHECK(third.id == first.id);
    CHECK(third.digest == first.digest);
    CHECK(
        test::must(office.queue.get(first.id)).requesters ==
        std::vector<std::string>{"os:requester", "os:alice"}
    );
    PlanFilter asked_by_alice;
    asked_by_alice.requester = "os:alice";
    REQUIRE(test::must(office.queue.list(asked_by_alice)).size() == 1);
    // Who joined has asked for it too, and so may not approve it.
    CHECK(fails(office.decide("alice", first.id), base::Errc::refused, "requested"));
    CHECK(office.decide("bob", first.id).ok());
    CHECK(office.submit(plan_to_approve()).joined);
    CHECK(office.cell("select count(*) from plans") == "1");
}

TEST_CASE("asking for an approved plan again unmakes no decision") {
    Office office;
    const std::string id = office.approved();
    const auto again = office.submit(plan_to_approve(), "alice");
    CHECK(again.joined);
    CHECK(again.state == PlanState::approved);
    const auto stored = test::must(office.queue.get(id));
    CHECK(stored.requesters == std::vector<std::string>{"os:requester"});
    CHECK(verify_approvals(stored, office.keys, office.clock.now()).ok());
}

TEST_CASE("a plan that ended is proposed again under the next attempt, with another digest") {
    Office office;
    const auto first = office.submit(plan_to_approve());
    test::must(office.queue.withdraw(first.id, agent_of("requester"), "Not now."));
    const auto second = office.submit(plan_to_approve());
    CHECK_FALSE(second.joined);
    CHECK(second.id != first.id);
    CHECK(second.digest != first.digest);
    const auto plan =
        test::must(runbooks::parse_plan(test::must(office.queue.get(second.id)).bytes));
    CHECK(plan.attempt == 2);
    // Whatever attempt the proposer claims: the queue counts.
    runbooks::Plan third = plan_to_approve();
    third.attempt = 77;
    CHECK(office.submit(third).id == second.id);
}

TEST_CASE("a running plan is joined too, and its effects are never open twice") {
    Office office;
    const auto claim = office.executing();
    const auto again = office.submit(plan_to_approve());
    CHECK(again.joined);
    CHECK(again.id == claim.plan_id);
    CHECK(again.state == PlanState::executing);
}

TEST_CASE("a plan that policy denied is recorded as blocked and goes nowhere") {
    Office office;
    runbooks::Plan plan = plan_to_approve();
    plan.policy_verdict = "deny";
    const auto blocked = office.submit(plan);
    CHECK(blocked.state == PlanState::blocked);
    CHECK(office.state(blocked.id) == PlanState::blocked);
    CHECK(office.records().back().header.find("\"plan.blocked\"") != std::string::npos);
    CHECK(fails(office.decide("alice", blocked.id), base::Errc::invalid_transition));
    CHECK(fails(office.claim(blocked.id), base::Errc::invalid_transition));
    const auto again = office.submit(plan);
    CHECK(again.joined);
    CHECK(again.id == blocked.id);
}

TEST_CASE("a submission that is not whole is refused") {
    Office office;
    const auto refused = [&](const runbooks::Plan& plan, const std::string& subject = "os:x") {
        Submission submission;
        submission.plan = plan;
        submission.requester.subject = subject;
        return office.queue.submit(submission);
    };
    const auto before = office.leaves();
    runbooks::Plan plan = plan_to_approve();
    CHECK(fails(refused(plan, ""), base::Errc::invalid_input, "nobody"));
    plan.policy_verdict = "";
    CHECK(fails(refused(plan), base::Errc::invalid_input, "verdict"));
    plan = plan_to_approve();
    plan.lease_key = "";
    CHECK(fails(refused(plan), base::Errc::invalid_input));
    plan = plan_to_approve();
    plan.steps.clear();
    CHECK(fails(refused(plan), base::Errc::invalid_input));
    plan = plan_to_approve();
    plan.steps[0].about = std::string(base::limits::plan_bytes_max, 'x');
    CHECK(fails(refused(plan), base::Errc::limit_exceeded, "read by a person"));
    Submission prose;
    prose.plan = plan_to_approve();
    prose.requester.subject = "os:x";
    prose.presentation.hypothesis = std::string(1 << 20, 'x');
    CHECK(fails(office.queue.submit(prose), base::Errc::limit_exceeded));
    CHECK(office.leaves() == before);
    CHECK(office.cell("select count(*) from plans") == "0");
}

TEST_CASE("one requester cannot flood people, and others are not held up") {
    Office office;
    const auto plan = [](std::size_t i) {
        runbooks::Plan each = plan_to_approve();
        each.steps[0].about = "Number " + std::to_string(i);
        return each;
    };
    const auto submit = [&](std::size_t i, const std::string& subject) {
        Submission submission;
        submission.plan = plan(i);
        submission.requester.subject = subject;
        return office.queue.submit(submission);
    };
    const std::size_t limit = base::limits::open_plans_per_requester_max;
    for (std::size_t i = 0; i < limit; ++i)
        REQUIRE(submit(i, "os:agent").ok());
    CHECK(fails(submit(limit, "os:agent"), base::Errc::limit_exceeded));
    CHECK(submit(limit, "os:other").ok());
    CHECK(submit(0, "os:agent").ok()); // joins
    // Time makes room.
    office.clock.advance(base::limits::pending_lifetime);
    CHECK(submit(limit + 1, "os:agent").ok());
}

TEST_CASE("what is stopped proposes nothing, new or joined") {
    Office office;
    Submission submission;
    submission.plan = plan_to_approve();
    submission.requester = agent_of("requester");
    submission.requester.issuer = "os";
    submission.tool = "propose_plan";
    const auto target = submission.plan.target.target;
    const auto stop = [&](BrakeKind kind, const std::string& name, const std::string& issuer = "") {
        Brake brake;
        brake.kind = kind;
        brake.name = name;
        brake.issuer = issuer;
        brake.who = "os:alice";
        brake.reason = "it does harm";
        REQUIRE(set_brake(*office.store, office.random, brake).ok());
    };
    SECTION("everything") {
        stop(BrakeKind::all, "");
    }
    SECTION("the identity") {
        stop(BrakeKind::identity, "os:requester");
    }
    SECTION("the identity of one issuer") {
        stop(BrakeKind::identity, "os:requester", "os");
    }
    SECTION("the tool") {
        stop(BrakeKind::tool, "propose_plan");
    }
    SECTION("the target") {
        stop(BrakeKind::target, target);
    }
    SECTION("everything, where the same effects wait already") {
        REQUIRE(office.queue.submit(submission).ok());
        stop(BrakeKind::all, "");
    }
    const auto leaves = office.leaves();
    CHECK(fails(office.queue.submit(submission), base::Errc::suspended, "it does harm"));
    CHECK(office.leaves() == leaves);
}

TEST_CASE("what stops others lets a proposal through") {
    Office office;
    office.tamper("insert into brakes values ('identity', 'os:other', '', 'person', '', 'a', 'b', "
                  "'', 0), ('identity', 'os:requester', 'https://other', 'person', '', 'a', 'b', "
                  "'', 0), ('tool', 'run_query', '', 'person', '', 'a', 'b', '', 0), ('target', "
                  "'elsewhere', '', 'person', '', 'a', 'b', '', 0)");
    CHECK(office.submit(plan_to_approve()).state == PlanState::pending);
}

TEST_CASE("a proposal that waits for the store while everything is stopped is not made") {
    Office office;
    const auto other = office.open_store(); // of whoever stops it
    std::atomic<bool> waiting{false};
    base::Result<SubmitResult> result = SubmitResult{};
    std::jthread proposer;
    test::must(other->transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(transaction.run(
            "insert into brakes values ('all', '', '', 'person', '', 'os:alice', 'it does harm', "
            "'', 0)"
        ));
        proposer = std::jthread([&] {
            Submission submission;
            submission.plan = plan_to_approve();
            submission.requester = agent_of("requester");
            waiting = true;
            result = office.queue.submit(submission); // waits for this transaction's end
        });
        while (!waiting)
            std::this_thread::yield();
        return base::done;
    }));
    proposer.join();
    CHECK(fails(result, base::Errc::suspended));
    CHECK(office.cell("select count(*) from plans") == "0");
}

TEST_CASE("only the requester withdraws, and only what is still open") {
    Office office;
    const std::string id = office.submitted();
    CHECK(fails(
        office.queue.withdraw(id, agent_of("alice"), "Mine now."), base::Errc::permission_denied
    ));
    CHECK(office.queue.withdraw(id, agent_of("requester"), "Not\nneeded\x1b[2J.").ok());
    const auto stored = test::must(office.queue.get(id));
    CHECK(stored.state == PlanState::withdrawn);
    CHECK(stored.state_reason.find('\n') == std::string::npos);
    CHECK(stored.state_reason.find('\x1b') == std::string::npos);
    CHECK(fails(
        office.queue.withdraw(id, agent_of("requester"), "Again."), base::Errc::invalid_transition
    ));
    CHECK(fails(
        office.queue.withdraw("plan_nowhere", agent_of("requester"), ""), base::Errc::not_found
    ));
    const std::string approved = office.approved();
    CHECK(office.queue.withdraw(approved, agent_of("requester"), "Changed my mind.").ok());
    CHECK(fails(office.claim(approved), base::Errc::invalid_transition));
}

} // namespace interlock::approval
