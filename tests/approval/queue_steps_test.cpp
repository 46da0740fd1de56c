#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;

namespace {

base::Status record(
    Office& office, const Claim& claim, const std::string& state, bool forward = true, int index = 0
) {
    return office.queue.record_step(
        claim, {claim.plan_id, index, forward, state, claim.fence, R"({"rows":1})", ""}
    );
}

Claim taken_over(Office& office, const Claim& claim) {
    office.clock.advance(base::limits::lease_lifetime);
    const Claim next = must(office.queue.take_over(claim.plan_id, "exec-2"));
    must(office.queue.advance(next, PlanEvent::resolve_continue, "Nothing was done."));
    return next;
}

} // namespace

TEST_CASE("a step is written down before and after its effect, each with a leaf") {
    Office office;
    const Claim claim = office.executing();
    const auto before = office.leaves();
    must(record(office, claim, "INTENT"));
    CHECK(office.records().back().header.find("\"step.intent\"") != std::string::npos);
    office.clock.advance(std::chrono::seconds{2});
    must(record(office, claim, "DONE"));
    CHECK(office.leaves() == before + 2);
    const auto steps = must(office.queue.steps(claim.plan_id));
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].state == "DONE");
    CHECK(steps[0].index == 0);
    CHECK(steps[0].forward);
    CHECK(steps[0].fence == claim.fence);
    CHECK(steps[0].detail == R"({"rows":1})");
    CHECK(steps[0].at == "2026-11-21T03:00:02.000000Z");
}

TEST_CASE("every pair of step states is an arrow or refused, under one fence and under the next") {
    const std::vector<std::string> states{"", "INTENT", "DONE", "FAILED", "IN_DOUBT", "SKIPPED"};
    const auto allowed = [](const std::string& from, const std::string& to, bool new_fence) {
        if (from.empty())
            return to == "INTENT" || to == "SKIPPED";
        if (from != "INTENT" && from != "IN_DOUBT")
            return false;
        if (to == "INTENT")
            return new_fence;
        return to == "DONE" || to == "FAILED" || (to == "IN_DOUBT" && from == "INTENT");
    };
    for (const bool new_fence : {false, true}) {
        Office office;
        Claim claim = office.executing();
        // One step for every pair, brought to `from` first.
        std::vector<std::pair<std::string, std::string>> pairs;
        for (const auto& from : states)
            for (const auto& to : states)
                if (!to.empty())
                    pairs.emplace_back(from, to);
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const std::string& from = pairs[i].first;
            if (!from.empty() && from != "SKIPPED")
                must(record(office, claim, "INTENT", true, static_cast<int>(i)));
            if (!from.empty() && from != "INTENT")
                must(record(office, claim, from, true, static_cast<int>(i)));
        }
        if (new_fence)
            claim = taken_over(office, claim);
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const auto& [from, to] = pairs[i];
            INFO(from << " -> " << to << (new_fence ? " under a new fence" : ""));
            const auto result = record(office, claim, to, true, static_cast<int>(i));
            if (allowed(from, to, new_fence))
                CHECK(result.ok());
            else
                CHECK(fails(result, base::Errc::invalid_transition));
        }
    }
}

TEST_CASE("an effect is committed at most once in each direction") {
    Office office;
    const Claim claim = office.executing();
    must(record(office, claim, "INTENT"));
    must(record(office, claim, "DONE"));
    CHECK(fails(record(office, claim, "INTENT"), base::Errc::invalid_transition, "it is DONE"));
    must(office.queue.advance(claim, PlanEvent::step_failed, "The next one failed."));
    must(record(office, claim, "INTENT", /*forward=*/false));
    must(record(office, claim, "DONE", /*forward=*/false));
    CHECK(fails(record(office, claim, "INTENT", false), base::Errc::invalid_transition));
    const auto steps = must(office.queue.steps(claim.plan_id));
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].forward);
    CHECK_FALSE(steps[1].forward);
}

TEST_CASE("a step begins only in the state for its direction") {
    Office office;
    const Claim claim = office.claimed();
    CHECK(fails(record(office, claim, "INTENT"), base::Errc::invalid_transition, "CLAIMED"));
    must(office.queue.advance(claim, PlanEvent::start, "Checked."));
    CHECK(fails(record(office, claim, "INTENT", false), base::Errc::invalid_transition));
    must(record(office, claim, "INTENT"));
    must(office.queue.advance(claim, PlanEvent::lose_contact, "The connection broke."));
    CHECK(
        fails(record(office, claim, "INTENT", true, 1), base::Errc::invalid_transition, "IN_DOUBT")
    );
    must(record(office, claim, "DONE")); // found out in the ledger
}

TEST_CASE("a step begins only on a live lease, but its outcome can still be told") {
    Office office;
    const Claim claim = office.executing();
    must(record(office, claim, "INTENT"));
    office.clock.advance(base::limits::lease_lifetime);
    CHECK(fails(record(office, claim, "INTENT", true, 1), base::Errc::expired, "lease"));
    CHECK(record(office, claim, "DONE").ok());
}

TEST_CASE("the steps of an ended plan are history") {
    Office office;
    const Claim claim = office.executing();
    must(record(office, claim, "INTENT"));
    must(office.queue.advance(claim, PlanEvent::abort_clean, "It failed."));
    CHECK(fails(record(office, claim, "FAILED"), base::Errc::invalid_transition, "history"));
}

TEST_CASE("a step of another plan, without a place or with too much detail is refused") {
    Office office;
    const Claim claim = office.executing();
    const auto refused = [&](const StepRun& run) {
        return fails(office.queue.record_step(claim, run), base::Errc::invalid_input);
    };
    CHECK(refused({"plan_other", 0, true, "INTENT", claim.fence, "", ""}));
    CHECK(refused({claim.plan_id, -1, true, "INTENT", claim.fence, "", ""}));
    CHECK(refused(
        {claim.plan_id,
         0,
         true,
         "INTENT",
         claim.fence,
         std::string(base::limits::step_detail_bytes_max + 1, 'x'),
         ""}
    ));
    CHECK(fails(record(office, claim, "WHATEVER"), base::Errc::invalid_transition));
    CHECK(fails(office.queue.steps("plan_nowhere"), base::Errc::not_found));
    CHECK(must(office.queue.steps(claim.plan_id)).empty());
}

} // namespace interlock::approval
