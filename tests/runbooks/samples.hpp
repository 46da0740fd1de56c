// A plan with every member set to something of its own, and what can be changed in it.
#pragma once

#include "runbooks/plan.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace interlock::test {

inline runbooks::Check sample_check(const std::string& id) {
    runbooks::Check check;
    check.id = id;
    check.about = "About " + id + ".";
    check.statement = {
        "select pg_catalog.count(*)\nfrom app.jobs where id = $1::pg_catalog.int4",
        {{"pid", "int4", "4242"}}};
    check.comparison = runbooks::Comparison::at_most;
    check.expected = "7";
    return check;
}

inline runbooks::Plan sample_plan() {
    runbooks::Plan plan;
    plan.runbook = "sample-runbook";
    plan.runbook_version = 3;
    plan.runbook_digest = "ab12";
    plan.target = {"main", "7312345678901234567", "app", 2, false, 15};
    plan.lease_key = "7312345678901234567/app";
    plan.preconditions = {sample_check("before")};
    runbooks::Step step;
    step.id = "act";
    step.about = "Acts once.";
    step.step_class = runbooks::StepClass::readback;
    step.statement = {
        "select pg_catalog.pg_cancel_backend($1::pg_catalog.int4)", {{"pid", "int4", "4242"}}};
    step.expected_lock = "none on relations";
    step.lock_timeout_ms = 500;
    step.statement_timeout_ms = 10'000;
    step.rows_expected = 1;
    step.probe = sample_check("probe");
    step.inverse.exists = true;
    step.inverse.statement =
        runbooks::BoundStatement{"select $1::pg_catalog.text", {{"word", "text", "back"}}};
    step.inverse.absence_reason = "It has one.";
    plan.steps = {step};
    plan.verification.recovery = {sample_check("recovered")};
    plan.verification.guardrails = {sample_check("guard")};
    plan.verification.interval_ms = 1'000;
    plan.verification.hold_ms = 8'000;
    plan.verification.deadline_ms = 30'000;
    plan.reversibility = runbooks::Reversibility::compensating;
    plan.risk = "medium";
    plan.needs = {2, runbooks::Assurance::ssh_key};
    plan.policy_digest = "cd34";
    plan.policy_verdict = "require_approval";
    plan.pending_lifetime_s = 1'800;
    plan.approval_lifetime_s = 3'600;
    plan.attempt = 1;
    return plan;
}

using PlanChange = std::pair<std::string, std::function<void(runbooks::Plan&)>>;

inline void add_statement_changes(
    std::vector<PlanChange>& out,
    const std::string& where,
    const std::function<runbooks::BoundStatement&(runbooks::Plan&)>& at
) {
    out.push_back({where + ".sql", [at](auto& plan) { at(plan).sql += " "; }});
    out.push_back({where + ".name", [at](auto& plan) { at(plan).parameters[0].name += "x"; }});
    out.push_back({where + ".type", [at](auto& plan) { at(plan).parameters[0].type = "int8"; }});
    out.push_back({where + ".value", [at](auto& plan) { at(plan).parameters[0].value = "4243"; }});
    out.push_back({where + ".none", [at](auto& plan) { at(plan).parameters.clear(); }});
    out.push_back({where + ".one more", [at](auto& plan) {
                       at(plan).parameters.push_back({"more", "text", ""});
                   }});
}

inline void add_check_changes(
    std::vector<PlanChange>& out,
    const std::string& where,
    const std::function<runbooks::Check&(runbooks::Plan&)>& at
) {
    out.push_back({where + ".id", [at](auto& plan) { at(plan).id += "x"; }});
    out.push_back({where + ".about", [at](auto& plan) { at(plan).about += "x"; }});
    out.push_back({where + ".comparison", [at](auto& plan) {
                       at(plan).comparison = runbooks::Comparison::at_least;
                   }});
    out.push_back({where + ".expected", [at](auto& plan) { at(plan).expected = "8"; }});
    add_statement_changes(out, where, [at](runbooks::Plan& plan) -> runbooks::BoundStatement& {
        return at(plan).statement;
    });
}

/// One change for every member of a plan.
inline std::vector<PlanChange> plan_changes() {
    using runbooks::Check;
    using runbooks::Plan;
    std::vector<PlanChange> out{
        {"runbook", [](auto& p) { p.runbook += "x"; }},
        {"runbook_version", [](auto& p) { ++p.runbook_version; }},
        {"runbook_digest", [](auto& p) { p.runbook_digest += "0"; }},
        {"target", [](auto& p) { p.target.target = "other"; }},
        {"system_identifier", [](auto& p) { p.target.system_identifier += "1"; }},
        {"database", [](auto& p) { p.target.database = "other"; }},
        {"timeline", [](auto& p) { ++p.target.timeline; }},
        {"in_recovery", [](auto& p) { p.target.in_recovery = true; }},
        {"server_major", [](auto& p) { ++p.target.server_major; }},
        {"lease_key", [](auto& p) { p.lease_key += "x"; }},
        {"no precondition", [](auto& p) { p.preconditions.clear(); }},
        {"second precondition", [](auto& p) { p.preconditions.push_back(sample_check("x")); }},
        {"no step", [](auto& p) { p.steps.clear(); }},
        {"second step", [](auto& p) { p.steps.push_back(p.steps[0]); }},
        {"step.id", [](auto& p) { p.steps[0].id += "x"; }},
        {"step.about", [](auto& p) { p.steps[0].about += "x"; }},
        {"step.class", [](auto& p) { p.steps[0].step_class = runbooks::StepClass::transactional; }},
        {"step.expected_lock", [](auto& p) { p.steps[0].expected_lock += "x"; }},
        {"step.lock_timeout_ms", [](auto& p) { ++p.steps[0].lock_timeout_ms; }},
        {"step.statement_timeout_ms", [](auto& p) { ++p.steps[0].statement_timeout_ms; }},
        {"step.rows_expected", [](auto& p) { ++p.steps[0].rows_expected; }},
        {"step.no probe", [](auto& p) { p.steps[0].probe.reset(); }},
        {"inverse.none",
         [](auto& p) {
             p.steps[0].inverse.exists = false;
             p.steps[0].inverse.statement.reset();
         }},
        {"inverse.absence_reason", [](auto& p) { p.steps[0].inverse.absence_reason += "x"; }},
        {"inverse.bounded", [](auto& p) { p.steps[0].inverse.bounded = true; }},
        {"no recovery", [](auto& p) { p.verification.recovery.clear(); }},
        {"no guardrail", [](auto& p) { p.verification.guardrails.clear(); }},
        {"interval_ms", [](auto& p) { ++p.verification.interval_ms; }},
        {"hold_ms", [](auto& p) { ++p.verification.hold_ms; }},
        {"deadline_ms", [](auto& p) { ++p.verification.deadline_ms; }},
        {"reversibility", [](auto& p) { p.reversibility = runbooks::Reversibility::exact; }},
        {"risk", [](auto& p) { p.risk = "low"; }},
        {"approvals", [](auto& p) { ++p.needs.approvals; }},
        {"assurance", [](auto& p) { p.needs.assurance = runbooks::Assurance::chat; }},
        {"policy_digest", [](auto& p) { p.policy_digest += "0"; }},
        {"policy_verdict", [](auto& p) { p.policy_verdict += "x"; }},
        {"pending_lifetime_s", [](auto& p) { ++p.pending_lifetime_s; }},
        {"approval_lifetime_s", [](auto& p) { ++p.approval_lifetime_s; }},
        {"attempt", [](auto& p) { ++p.attempt; }},
    };
    add_statement_changes(
        out, "step", [](Plan & p) -> auto& { return p.steps[0].statement; }
    );
    add_statement_changes(
        out, "inverse", [](Plan & p) -> auto& { return *p.steps[0].inverse.statement; }
    );
    add_check_changes(out, "precondition", [](Plan& p) -> Check& { return p.preconditions[0]; });
    add_check_changes(out, "probe", [](Plan& p) -> Check& { return *p.steps[0].probe; });
    add_check_changes(out, "recovery", [](Plan& p) -> Check& {
        return p.verification.recovery[0];
    });
    add_check_changes(out, "guardrail", [](Plan& p) -> Check& {
        return p.verification.guardrails[0];
    });
    return out;
}

} // namespace interlock::test
