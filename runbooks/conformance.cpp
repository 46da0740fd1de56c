#include "runbooks/conformance.hpp"

#include "base/json.hpp"
#include "runbooks/planner.hpp"
#include "runbooks/policy.hpp"

#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::runbooks {

namespace {

using Values = std::map<std::string, std::string>;

void collect(const BoundStatement& statement, Values& values) {
    for (const auto& parameter : statement.parameters) {
        values.emplace(parameter.name, parameter.value);
    }
}

void collect(const std::vector<Check>& checks, Values& values) {
    for (const auto& check : checks) {
        collect(check.statement, values);
    }
}

/// What the plan's statements are bound to. Contradicting values show when it is made again.
Values bound_values(const Plan& plan) {
    Values values;
    collect(plan.preconditions, values);
    for (const auto& step : plan.steps) {
        collect(step.statement, values);
        if (step.probe) {
            collect(step.probe->statement, values);
        }
        if (step.inverse.statement) {
            collect(*step.inverse.statement, values);
        }
    }
    collect(plan.verification.recovery, values);
    collect(plan.verification.guardrails, values);
    return values;
}

/// The values as an agent would have given them: only those that `row` does not decide.
std::optional<std::string>
given_parameters(const Contract& contract, const DecisionRow& row, const Values& values) {
    base::Json given = base::Json::object();
    for (const auto& parameter : contract.parameters) {
        const auto value = values.find(parameter.name);
        if (value == values.end() || row.set.contains(parameter.name)) {
            continue;
        }
        if (parameter.type != ParameterType::integer) {
            given[parameter.name] = value->second;
            continue;
        }
        const auto number = base::parse_json(value->second);
        if (!number || !number->is_number_integer()) {
            return std::nullopt;
        }
        given[parameter.name] = *number;
    }
    return base::render_json(given);
}

} // namespace

base::Status check_conformance(const Plan& plan, const Contract& contract) {
    const Values values = bound_values(plan);
    for (const auto& row : contract.decision_table) {
        const auto given = given_parameters(contract, row, values);
        if (!given) {
            continue;
        }
        const auto made = make_plan(contract, {row.cause, *given}, plan.target);
        if (!made) {
            continue;
        }
        auto admitted = admit(*made, contract);
        if (!admitted) {
            continue;
        }
        admitted->attempt = plan.attempt;
        if (plan_bytes(*admitted) == plan_bytes(plan)) {
            return base::done;
        }
    }
    return base::Error{
        base::Errc::changed,
        "The plan is not what runbook " + contract.id + " makes for any of its causes.",
        "Do not approve it; propose it again, and find out who changed it."};
}

} // namespace interlock::runbooks
