#include "runbooks/policy.hpp"

#include "base/db/sql_text.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "runbooks/policy_rules.hpp"

#include <algorithm>
#include <cctype>

namespace interlock::runbooks {
namespace {

namespace limits = base::limits;

constexpr Requirement floor_for_no_way_back{2, Assurance::hardware_key};
constexpr Requirement floor_for_bounded{1, Assurance::ssh_key};

/// Collects the reasons of a denial; where in the plan comes first in each.
class Judge {
public:
    explicit Judge(const Contract& contract) : contract_(contract) {}

    std::vector<std::string> take() { return std::move(reasons_); }

    void deny(const std::string& where, const std::string& why) {
        reasons_.push_back(where + " " + why + ".");
    }

    void judge_checks(const std::string& kind, const std::vector<Check>& checks) {
        if (checks.empty()) {
            deny("The plan", "has no " + kind);
        }
        if (checks.size() > limits::plan_checks_max) {
            deny(
                "The plan",
                "has more than " + std::to_string(limits::plan_checks_max) + " " + kind + "s"
            );
        }
        for (const auto& check : checks) {
            judge_statement(kind + " " + check.id, check.statement, Place::read);
        }
    }

    void judge_step(const Step& step) {
        const auto where = "step " + step.id;
        const bool signals = judge_statement(where, step.statement, Place::step);
        if (signals && step.step_class != StepClass::readback) {
            deny(where, "signals a session, which no rollback undoes, but is not a readback step");
        }
        if (step.step_class == StepClass::readback && !step.probe) {
            deny(where, "is a readback step without a probe");
        }
        if (step.probe) {
            judge_statement("probe " + step.probe->id, step.probe->statement, Place::read);
        }
        if (step.inverse.statement) {
            judge_statement("inverse of " + step.id, *step.inverse.statement, Place::step);
        } else if (step.inverse.absence_reason.empty()) {
            deny(where, "has no inverse and does not say why");
        }
        judge_time(where + " lock time-out", step.lock_timeout_ms, limits::step_lock_timeout_max);
        judge_time(
            where + " statement time-out",
            step.statement_timeout_ms,
            limits::step_statement_timeout_max
        );
    }

    void judge_verification(const Verification& verification) {
        judge_checks("recovery check", verification.recovery);
        judge_checks("guardrail", verification.guardrails);
        const auto most = limits::verification_deadline_max;
        judge_time("verification interval", verification.interval_ms, most);
        judge_time("verification hold time", verification.hold_ms, most);
        judge_time("verification deadline", verification.deadline_ms, most);
        if (verification.hold_ms > verification.deadline_ms) {
            deny("The verification", "must hold longer than its deadline allows");
        }
    }

private:
    void judge_time(const std::string& where, long long value_ms, std::chrono::milliseconds most) {
        if (value_ms < 1 || value_ms > most.count()) {
            deny("The " + where, "is not between 1 and " + std::to_string(most.count()) + " ms");
        }
    }

    void judge_text(const std::string& where, const BoundStatement& statement);
    void judge_names(const std::string& where, const db::StatementFacts& facts);
    /// Every rule for one statement; true when it calls a signalling function.
    bool judge_statement(const std::string& where, const BoundStatement& statement, Place place);

    const Contract& contract_;
    std::vector<std::string> reasons_;
};

bool contains(const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

/// A name out of a statement, harmless in a message.
std::string shown(const std::string& name) {
    constexpr std::size_t shown_max = 130;
    return base::escape_non_ascii(base::cut_middle(name, shown_max));
}

/// The placeholders from $1 on must be exactly the parameters: a missing one would leave a shown
/// value without effect.
bool placeholders_match(const BoundStatement& statement) {
    std::vector<bool> used(statement.parameters.size(), false);
    const auto& sql = statement.sql;
    for (auto at = sql.find('$'); at != std::string::npos; at = sql.find('$', at + 1)) {
        const auto end = std::min(sql.find_first_not_of("0123456789", at + 1), sql.size());
        const auto digits = sql.substr(at + 1, end - at - 1);
        if (digits.empty() || digits.size() > 3 || digits.front() == '0') {
            return false;
        }
        const auto number = static_cast<std::size_t>(std::stoi(digits));
        if (number > used.size()) {
            return false;
        }
        used[number - 1] = true;
    }
    return std::all_of(used.begin(), used.end(), [](bool one) { return one; });
}

void Judge::judge_text(const std::string& where, const BoundStatement& statement) {
    const bool printable = std::all_of(statement.sql.begin(), statement.sql.end(), [](char c) {
        return (c >= ' ' && c <= '~' && c != '\\') || c == '\n';
    });
    if (!printable) {
        deny(where, "holds characters that do not look like what they are");
    }
    if (!placeholders_match(statement)) {
        deny(where, "has placeholders that are not exactly its parameters");
    }
    for (const auto& parameter : statement.parameters) {
        if (!is_bindable_type(parameter.type)) {
            deny(where, "binds a value as " + shown(parameter.type) + ", a type nobody has judged");
        }
    }
}

void Judge::judge_names(const std::string& where, const db::StatementFacts& facts) {
    for (const auto& relation : facts.relations) {
        if (relation.find('.') == std::string::npos) {
            deny(where, "names the relation " + shown(relation) + " without its schema");
        } else if (is_secret_relation(relation)) {
            deny(where, "reads " + shown(relation) + ", which holds secrets or user data");
        } else if (!contains(contract_.allowed_relations, relation)) {
            deny(where, "touches " + shown(relation) + ", which the runbook does not allow");
        }
    }
    for (const auto& function : facts.functions) {
        if (function.find('.') == std::string::npos) {
            deny(where, "calls " + shown(function) + " without its schema");
        } else if (!contains(contract_.allowed_functions, function)) {
            deny(where, "calls " + shown(function) + ", which the runbook does not allow");
        }
    }
}

bool Judge::judge_statement(
    const std::string& where, const BoundStatement& statement, Place place
) {
    judge_text(where, statement);
    const auto read = db::statement_facts(statement.sql);
    if (!read) {
        deny(where, "cannot be read as SQL: " + shown(read.error().what));
        return false;
    }
    const auto& facts = *read;
    if (facts.statements != 1) {
        deny(where, "holds " + std::to_string(facts.statements) + " statements, not one");
    }
    if (const auto why = kind_denial(facts.kind, place); !why.empty()) {
        deny(where, "is a " + why);
    }
    for (const auto& type : facts.unknown) {
        deny(where, "holds " + shown(type) + ", a syntax this policy does not know");
    }
    if (facts.writes_rows) {
        deny(where, "writes rows");
    }
    if (facts.locks_rows) {
        deny(where, "locks rows");
    }
    judge_names(where, facts);
    bool signals = false;
    for (const auto& function : facts.functions) {
        const auto rule = function_rule(function);
        signals = signals || rule == FunctionRule::signals;
        if (rule == FunctionRule::unknown) {
            deny(where, "calls " + shown(function) + ", which no plan may call");
        } else if (rule == FunctionRule::signals && place == Place::read) {
            deny(where, "calls " + shown(function) + ", which acts; it is only meant to look");
        }
    }
    return signals;
}

/// What a plan without a way back asks of people, whatever its contract says.
Requirement required(const Plan& plan, const Contract& contract) {
    Requirement needs = contract.needs;
    const auto raise = [&needs](const Requirement& floor) {
        needs.approvals = std::max(needs.approvals, floor.approvals);
        needs.assurance = std::max(needs.assurance, floor.assurance);
    };
    raise({plan.needs.approvals, plan.needs.assurance});
    for (const auto& step : plan.steps) {
        if (!step.inverse.exists) {
            raise(step.inverse.bounded ? floor_for_bounded : floor_for_no_way_back);
        }
    }
    if (plan.reversibility == Reversibility::irreversible) {
        raise(floor_for_no_way_back);
    }
    if (plan.reversibility == Reversibility::bounded) {
        raise(floor_for_bounded);
    }
    return needs;
}

void judge_whole(Judge& judge, const Plan& plan, const Contract& contract) {
    if (plan.runbook != contract.id || plan.runbook_version != contract.version ||
        plan.runbook_digest != contract.digest) {
        judge.deny("The plan", "was not made from this version of runbook " + contract.id);
    }
    if (plan.target.in_recovery) {
        judge.deny("The target", "is a standby, where nothing can be recorded");
    }
    if (plan.lease_key != plan.target.system_identifier + "/" + plan.target.database) {
        judge.deny("The plan", "does not hold the lease of its own target");
    }
    if (plan.steps.empty() || plan.steps.size() > limits::plan_steps_max) {
        judge.deny(
            "The plan",
            "does not have between 1 and " + std::to_string(limits::plan_steps_max) + " steps"
        );
    }
    const bool claims_way_back = plan.reversibility == Reversibility::exact ||
                                 plan.reversibility == Reversibility::compensating;
    for (const auto& step : plan.steps) {
        if (claims_way_back && !step.inverse.exists) {
            judge.deny(
                "The plan",
                std::string("claims to be ") + name(plan.reversibility) + ", but step " + step.id +
                    " has no inverse"
            );
        }
    }
    if (plan_bytes(plan).size() > limits::plan_bytes_max) {
        judge.deny("The plan", "is longer than a person can read");
    }
}

} // namespace

std::string policy_digest(const Contract& contract) {
    std::string text = rules_text();
    const auto add = [&text](const Requirement& floor) {
        text += "floor " + std::to_string(floor.approvals) + " " + name(floor.assurance) + "\n";
    };
    add(floor_for_no_way_back);
    add(floor_for_bounded);
    text += "runbook " + contract.digest + "\n";
    for (const auto& function : contract.allowed_functions) {
        text += "function " + function + "\n";
    }
    for (const auto& relation : contract.allowed_relations) {
        text += "relation " + relation + "\n";
    }
    return base::hex(base::sha256(text));
}

Verdict judge(const Plan& plan, const Contract& contract) {
    Judge judge(contract);
    judge_whole(judge, plan, contract);
    judge.judge_checks("precondition", plan.preconditions);
    for (const auto& step : plan.steps) {
        judge.judge_step(step);
    }
    judge.judge_verification(plan.verification);

    Verdict verdict;
    verdict.reasons = judge.take();
    verdict.allowed = verdict.reasons.empty();
    verdict.needs = required(plan, contract);
    return verdict;
}

base::Result<Plan> admit(Plan plan, const Contract& contract) {
    const auto verdict = judge(plan, contract);
    if (!verdict.allowed) {
        std::string reasons;
        for (const auto& reason : verdict.reasons) {
            reasons += (reasons.empty() ? "" : " ") + reason;
        }
        return base::Error{
            base::Errc::refused,
            "The policy denies the plan. " + reasons,
            "No person is asked about it; tell them what was diagnosed.",
        };
    }
    plan.policy_digest = policy_digest(contract);
    plan.policy_verdict = "require_approval";
    plan.needs = verdict.needs;
    const auto lifetime = plan.needs.assurance >= Assurance::ssh_key
                              ? limits::approval_lifetime_strong
                              : limits::approval_lifetime_chat;
    plan.approval_lifetime_s = lifetime.count();
    return plan;
}

} // namespace interlock::runbooks
