#include "cli/audit_plan_files.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

approval::StoredPlan plan() {
    approval::StoredPlan plan;
    plan.id = "plan_a";
    plan.state = approval::PlanState::succeeded;
    plan.version = 7;
    plan.bytes = "{}";
    plan.presentation = "{}";
    plan.state_reason = "Better.";
    plan.requesters = {"os:a", "os:b"};
    plan.requester_client = "client";
    plan.created_at = "T";
    plan.trace_parent = "trace";
    plan.decisions.resize(2);
    plan.decisions[0].signed_decision = {"one", "signature of one"};
    plan.decisions[1].signed_decision = {"two", "signature of two"};
    return plan;
}

RecordedFacts facts() {
    RecordedFacts facts;
    facts.plan_id = "plan_a";
    facts.state = approval::PlanState::succeeded;
    facts.version = 7;
    facts.state_reason = "Better.";
    facts.expires_at = "";
    facts.client = "client";
    facts.trace_parent = "trace";
    facts.created_at = "T";
    facts.requesters = {"os:a", "os:b", "os:a"};
    facts.decisions = {
        RecordedDecision{"one", "signature of one", "lines"},
        RecordedDecision{"two", "signature of two", ""}};
    return facts;
}

} // namespace

TEST_CASE("the files of a plan are those that its records tell of", "[cli]") {
    const auto files = plan_files(plan(), {}, {{"one", "lines"}});
    CHECK(files.at("decisions/01.signers") == "lines");
    CHECK(files.at("decisions/02.json.sig") == "signature of two");
    CHECK_FALSE(files.contains("decisions/02.signers"));
    CHECK_FALSE(files.contains("steps.json"));
    CHECK_FALSE(files.contains("outcome.json"));
    const auto same = compare_plan_files(files, facts());
    CHECK(same.problems.empty());
    CHECK(same.not_known.empty());
    auto others = facts();
    others.steps = true;
    CHECK(compare_plan_files(files, others).problems.size() == 1);
    others = facts();
    others.decisions.pop_back();
    CHECK(compare_plan_files(files, others).problems.size() == 2); // the second and its signature
}

TEST_CASE("what erased payloads told of a plan is not known, and no lie", "[cli]") {
    auto erased = facts();
    erased.client.reset();
    erased.trace_parent.reset();
    erased.decisions[0].reset();
    const auto found = compare_plan_files(plan_files(plan(), {}, {}), erased);
    CHECK(found.problems.empty());
    REQUIRE(found.not_known.size() == 1);
    CHECK(found.not_known[0].find("requester_client, trace_parent") != std::string::npos);
}

} // namespace interlock::cli
