#include "runbooks/planner.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/statement_template.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::runbooks {
namespace {

using Texts = std::map<std::string, std::string>; // parameter -> normal spelling
using Bindings = std::map<std::string, BoundParameter>;

// Parameters ----------------------------------------------------------------------------------

/// The value's text when its JSON type is the one the parameter wants.
std::optional<std::string> typed_text(const Parameter& parameter, const base::Json& value) {
    if (parameter.type == ParameterType::integer) {
        // An unsigned number beyond a long long is out of every range; its text says so.
        return value.is_number_integer() ? std::optional(value.dump()) : std::nullopt;
    }
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

std::string harmless(std::string_view hostile) {
    constexpr std::size_t shown_max = 60;
    return base::escape_non_ascii(base::cut_middle(base::sanitize(hostile), shown_max));
}

/// Reads what the agent gave for one parameter; a problem is added to `problems`.
void read_given(
    const Parameter& parameter,
    const base::Json& value,
    Texts& texts,
    std::vector<std::string>& problems
) {
    const auto text = typed_text(parameter, value);
    if (!text) {
        const char* wanted = parameter.type == ParameterType::integer ? "an integer" : "text";
        problems.push_back(
            parameter.name + " must be " + wanted + ", for example " + parameter.example
        );
        return;
    }
    const auto normal = normalise_value(parameter, *text);
    if (!normal) {
        problems.push_back(
            parameter.name + " " + normal.error().what + ": got `" + harmless(*text) +
            "`, wanted for example " + parameter.example
        );
        return;
    }
    texts[parameter.name] = *normal;
}

std::string join(const std::vector<std::string>& parts, const char* separator) {
    std::string out;
    for (const auto& part : parts) {
        out += (out.empty() ? "" : separator) + part;
    }
    return out;
}

/// Every parameter's value: what the agent gave, what the decision sets, what the contract falls
/// back to. All problems are told at once, so that one more try is enough.
base::Result<Texts>
resolve(const Contract& contract, const DecisionRow& decision, const base::Json& given) {
    Texts texts;
    std::vector<std::string> problems;
    for (const auto& [name, value] : given.items()) {
        const bool known = std::any_of(
            contract.parameters.begin(),
            contract.parameters.end(),
            [&, key = name](const auto& p) { return p.name == key; }
        );
        if (!known) {
            problems.push_back("`" + harmless(name) + "` is not a parameter of this runbook");
        }
    }
    for (const auto& parameter : contract.parameters) {
        const auto decided = decision.set.find(parameter.name);
        if (const auto* value = base::member(given, parameter.name)) {
            read_given(parameter, *value, texts, problems);
        } else if (decided == decision.set.end() && !parameter.fallback.empty()) {
            texts[parameter.name] = parameter.fallback;
        } else if (decided == decision.set.end()) {
            problems.push_back(parameter.name + " is missing, for example " + parameter.example);
        }
        if (decided == decision.set.end()) {
            continue;
        }
        const auto said = texts.find(parameter.name);
        if (said != texts.end() && said->second != decided->second) {
            problems.push_back(
                parameter.name + " is decided by the runbook: " + decided->second + " for " +
                decision.cause + ", not " + said->second
            );
        }
        texts[parameter.name] = decided->second;
    }
    if (!problems.empty()) {
        return base::Error{
            base::Errc::invalid_arguments,
            "The parameters of " + contract.id + " do not fit: " + join(problems, "; ") + ".",
            "Correct them all and propose again.",
        };
    }
    return texts;
}

// Templates -----------------------------------------------------------------------------------

base::Result<Check> bind_check(const CheckTemplate& source, const Bindings& bindings) {
    Check out;
    out.id = source.id;
    out.about = source.about;
    INTERLOCK_TRY(out.statement, bind_template(source.sql, bindings));
    out.comparison = source.comparison;
    out.expected = source.expected;
    return out;
}

base::Result<std::vector<Check>>
bind_checks(const std::vector<CheckTemplate>& sources, const Bindings& bindings) {
    std::vector<Check> out;
    for (const auto& source : sources) {
        INTERLOCK_TRY(auto check, bind_check(source, bindings));
        out.push_back(std::move(check));
    }
    return out;
}

base::Result<Step> bind_step(const StepTemplate& source, const Bindings& bindings) {
    Step out;
    out.id = source.id;
    out.about = source.about;
    out.step_class = source.step_class;
    INTERLOCK_TRY(out.statement, bind_template(source.sql, bindings));
    out.expected_lock = source.expected_lock;
    out.lock_timeout_ms = source.lock_timeout_ms;
    out.statement_timeout_ms = source.statement_timeout_ms;
    out.rows_expected = source.rows_expected;
    if (source.probe) {
        INTERLOCK_TRY(out.probe, bind_check(*source.probe, bindings));
    }
    out.inverse.exists = !source.inverse_sql.empty();
    if (out.inverse.exists) {
        INTERLOCK_TRY(out.inverse.statement, bind_template(source.inverse_sql, bindings));
    }
    out.inverse.absence_reason = source.inverse_absence_reason;
    out.inverse.bounded = source.inverse_bounded;
    return out;
}

bool applies(const StepTemplate& step, const Texts& texts) {
    return std::all_of(step.when.begin(), step.when.end(), [&](const auto& condition) {
        const auto value = texts.find(condition.first);
        return value != texts.end() && value->second == condition.second;
    });
}

base::Error refused(const Contract& contract, const std::string& why, const std::string& remedy) {
    return {
        base::Errc::refused, "Runbook " + contract.id + " does not apply: " + why + ".", remedy};
}

} // namespace

base::Result<Plan>
make_plan(const Contract& contract, const Proposal& proposal, const TargetFingerprint& target) {
    const auto* decision = decision_for(contract, proposal.cause);
    if (decision == nullptr) {
        return refused(
            contract,
            "its decision table has no row for " + harmless(proposal.cause),
            "Diagnose again, or tell a person: no runbook is no plan. This one answers " +
                join(contract.trigger_causes, ", ") + "."
        );
    }
    if (target.server_major < contract.server_major_min) {
        return refused(
            contract,
            "it needs PostgreSQL " + std::to_string(contract.server_major_min) +
                ", the target is " + std::to_string(target.server_major),
            "Tell a person what was diagnosed."
        );
    }
    INTERLOCK_TRY(const auto given, base::parse_json(proposal.parameters));
    if (!given.is_object()) {
        return base::Error{
            base::Errc::invalid_arguments,
            "The parameters are not a JSON object.",
            "Send one object."};
    }
    INTERLOCK_TRY(const auto texts, resolve(contract, *decision, given));
    Bindings bindings;
    for (const auto& parameter : contract.parameters) {
        bindings[parameter.name] = {
            parameter.name, bound_type(parameter), texts.at(parameter.name)};
    }

    Plan plan;
    plan.runbook = contract.id;
    plan.runbook_version = contract.version;
    plan.runbook_digest = contract.digest;
    plan.target = target;
    plan.lease_key = target.system_identifier + "/" + target.database;
    INTERLOCK_TRY(plan.preconditions, bind_checks(contract.preconditions, bindings));
    for (const auto& source : contract.steps) {
        if (applies(source, texts)) {
            INTERLOCK_TRY(auto step, bind_step(source, bindings));
            plan.steps.push_back(std::move(step));
        }
    }
    if (plan.steps.empty()) {
        return refused(
            contract, "no step is meant for these parameters", "Tell a person what was diagnosed."
        );
    }
    INTERLOCK_TRY(plan.verification.recovery, bind_checks(contract.recovery, bindings));
    INTERLOCK_TRY(plan.verification.guardrails, bind_checks(contract.guardrails, bindings));
    plan.verification.interval_ms = contract.interval_ms;
    plan.verification.hold_ms = contract.hold_ms;
    plan.verification.deadline_ms = contract.deadline_ms;
    plan.reversibility = contract.reversibility;
    plan.risk = contract.risk;
    plan.needs = contract.needs;
    plan.pending_lifetime_s = base::limits::pending_lifetime.count();
    return plan;
}

} // namespace interlock::runbooks
