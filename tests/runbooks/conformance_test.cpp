#include "runbooks/conformance.hpp"
#include "runbooks/policy.hpp"
#include "tests/runbooks/release_plan.hpp"

#include <functional>

#include <catch2/catch.hpp>

namespace interlock::runbooks {

TEST_CASE("what the planner makes conforms, for every cause and attempt", "[runbooks]") {
    for (const char* cause : {"lock.idle_in_tx", "lock.active_blocker", "lock.ddl_queue"}) {
        INFO(cause);
        auto plan = admit(test::release_plan(cause), test::release_contract());
        REQUIRE(plan.ok());
        plan->attempt = 7;
        CHECK(check_conformance(*plan, test::release_contract()).ok());
    }
}

TEST_CASE("a plan from which anything was taken or changed does not conform", "[runbooks]") {
    const std::vector<std::pair<const char*, std::function<void(Plan&)>>> changes = {
        {"a precondition left out", [](Plan& p) { p.preconditions.pop_back(); }},
        {"all preconditions left out", [](Plan& p) { p.preconditions.clear(); }},
        {"a guardrail left out", [](Plan& p) { p.verification.guardrails.pop_back(); }},
        {"a weaker expectation", [](Plan& p) { p.preconditions.front().expected = "t"; }},
        {"a step twice", [](Plan& p) { p.steps.push_back(p.steps.front()); }},
        {"another statement",
         [](Plan& p) {
             p.steps.front().statement.sql =
                 "select pg_catalog.pg_terminate_backend(session.pid, 5000::pg_catalog.int8) "
                 "from pg_catalog.pg_stat_activity as session";
             p.steps.front().statement.parameters.clear();
         }},
        {"more rows", [](Plan& p) { p.steps.front().rows_expected = 50; }},
        {"another pid in one place",
         [](Plan& p) { p.steps.front().statement.parameters.front().value = "1"; }},
        {"a value outside its range",
         [](Plan& p) { p.preconditions.at(1).statement.parameters.front().value = "-1"; }},
        {"a shorter hold", [](Plan& p) { p.verification.hold_ms = 1; }},
        {"a prettier risk", [](Plan& p) { p.risk = "low"; }},
        {"a prettier reversibility", [](Plan& p) { p.reversibility = Reversibility::exact; }},
        {"another lease", [](Plan& p) { p.lease_key = "other/app"; }},
        {"fewer approvals",
         [](Plan& p) {
             p.needs = {0, Assurance::chat};
         }},
        {"a longer life", [](Plan& p) { p.approval_lifetime_s = 1'000'000; }},
        {"no probe", [](Plan& p) { p.steps.front().probe.reset(); }},
    };
    for (const auto& [what, change] : changes) {
        INFO(what);
        auto plan = admit(test::release_plan(), test::release_contract());
        REQUIRE(plan.ok());
        change(*plan);
        const auto conforms = check_conformance(*plan, test::release_contract());
        REQUIRE_FALSE(conforms.ok());
        CHECK(conforms.error().code == base::Errc::changed);
    }
}

TEST_CASE(
    "a signal that the decision table does not give the cause does not conform", "[runbooks]"
) {
    auto plan = admit(test::release_plan("lock.idle_in_tx"), test::release_contract());
    REQUIRE(plan.ok());
    for (auto& check : plan->preconditions) {
        for (auto& parameter : check.statement.parameters) {
            if (parameter.name == "signal") {
                parameter.value = "cancel";
            }
        }
    }
    CHECK_FALSE(check_conformance(*plan, test::release_contract()).ok());
}

} // namespace interlock::runbooks
