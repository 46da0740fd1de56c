#include "tests/approval/fixture.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::must;
using test::Office;
using test::plan_to_approve;

namespace {

std::string submit_number(Office& office, int number) {
    runbooks::Plan plan = plan_to_approve();
    plan.steps[0].about = "Number " + std::to_string(number);
    plan.lease_key = "1/" + std::to_string(number);
    return office.submit(plan).id;
}

QueueSummary::InState in(const QueueSummary& summary, PlanState state) {
    const auto found =
        std::find_if(summary.states.begin(), summary.states.end(), [&](const auto& entry) {
            return entry.state == state;
        });
    return found == summary.states.end() ? QueueSummary::InState{state, 0, -1} : *found;
}

} // namespace

TEST_CASE("a summary counts plans by state and tells how long the oldest has waited") {
    Office office;
    (void)submit_number(office, 1);
    office.clock.advance(std::chrono::seconds{20});
    (void)submit_number(office, 2);
    const std::string rejected = submit_number(office, 3);
    must(office.decide("alice", rejected, DecisionVerdict::reject));
    office.clock.advance(std::chrono::seconds{10});
    const QueueSummary summary = must(office.queue.summary(""));
    CHECK(in(summary, PlanState::pending).plans == 2);
    CHECK(in(summary, PlanState::pending).oldest_seconds == Approx(30));
    CHECK(in(summary, PlanState::rejected).plans == 1);
    CHECK(in(summary, PlanState::rejected).oldest_seconds == 0);
    CHECK(in(summary, PlanState::approved).plans == 0);
    CHECK(summary.audit_leaves == office.leaves());
    CHECK(summary.decisions.empty());
    CHECK(summary.executions.empty());
}

TEST_CASE("a summary tells each decision and each end of an execution once") {
    Office office;
    std::string since = must(office.queue.summary("")).until;
    const std::string id = submit_number(office, 1);
    office.clock.advance(std::chrono::seconds{90});
    must(office.decide("alice", id));
    QueueSummary summary = must(office.queue.summary(since));
    REQUIRE(summary.decisions.size() == 1);
    CHECK(summary.decisions[0].what == "approve");
    CHECK(summary.decisions[0].seconds == Approx(90));
    since = summary.until;
    CHECK(must(office.queue.summary(since)).decisions.empty());

    office.clock.advance(std::chrono::seconds{1});
    const Claim claim = must(office.claim(id));
    office.clock.advance(std::chrono::seconds{7});
    must(office.queue.advance(claim, PlanEvent::abort_clean, "The session is gone."));
    summary = must(office.queue.summary(since));
    REQUIRE(summary.executions.size() == 1);
    CHECK(summary.executions[0].what == "ABORTED_CLEAN");
    CHECK(summary.executions[0].seconds == Approx(7));
    CHECK(must(office.queue.summary(summary.until)).executions.empty());
}

} // namespace interlock::approval
