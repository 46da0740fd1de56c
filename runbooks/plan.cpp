#include "runbooks/plan.hpp"

#include "base/limits.hpp"
#include "runbooks/strict_object.hpp"

#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::runbooks {
namespace {

using base::Json;

constexpr std::string_view payload_type = "application/vnd.interlock.plan.v1+json";
constexpr int schema_version = 1;
constexpr long long int_max = std::numeric_limits<int>::max();
constexpr long long number_max = std::numeric_limits<long long>::max();

// Writing ------------------------------------------------------------------------------------

Json statement_json(const BoundStatement& statement) {
    Json parameters = Json::array();
    for (const auto& parameter : statement.parameters) {
        parameters.push_back(
            {{"name", parameter.name}, {"type", parameter.type}, {"value", parameter.value}}
        );
    }
    return {{"sql", statement.sql}, {"parameters", std::move(parameters)}};
}

Json check_json(const Check& check) {
    return {
        {"id", check.id},
        {"about", check.about},
        {"statement", statement_json(check.statement)},
        {"comparison", name(check.comparison)},
        {"expected", check.expected},
    };
}

Json checks_json(const std::vector<Check>& checks) {
    Json out = Json::array();
    for (const auto& check : checks) {
        out.push_back(check_json(check));
    }
    return out;
}

Json inverse_json(const Inverse& inverse) {
    return {
        {"exists", inverse.exists},
        {"statement", inverse.statement ? statement_json(*inverse.statement) : Json()},
        {"absence_reason", inverse.absence_reason},
        {"bounded", inverse.bounded},
    };
}

Json step_json(const Step& step) {
    return {
        {"id", step.id},
        {"about", step.about},
        {"class", name(step.step_class)},
        {"statement", statement_json(step.statement)},
        {"expected_lock", step.expected_lock},
        {"lock_timeout_ms", step.lock_timeout_ms},
        {"statement_timeout_ms", step.statement_timeout_ms},
        {"rows_expected", step.rows_expected},
        {"probe", step.probe ? check_json(*step.probe) : Json()},
        {"inverse", inverse_json(step.inverse)},
    };
}

Json steps_json(const std::vector<Step>& steps) {
    Json out = Json::array();
    for (const auto& step : steps) {
        out.push_back(step_json(step));
    }
    return out;
}

Json target_json(const TargetFingerprint& target) {
    return {
        {"target", target.target},
        {"system_identifier", target.system_identifier},
        {"database", target.database},
        {"timeline", target.timeline},
        {"in_recovery", target.in_recovery},
        {"server_major", target.server_major},
    };
}

Json verification_json(const Verification& verification) {
    return {
        {"recovery", checks_json(verification.recovery)},
        {"guardrails", checks_json(verification.guardrails)},
        {"interval_ms", verification.interval_ms},
        {"hold_ms", verification.hold_ms},
        {"deadline_ms", verification.deadline_ms},
    };
}

Json plan_json(const Plan& plan) {
    return {
        {"schema_version", plan.schema_version},
        {"runbook", plan.runbook},
        {"runbook_version", plan.runbook_version},
        {"runbook_digest", plan.runbook_digest},
        {"target", target_json(plan.target)},
        {"lease_key", plan.lease_key},
        {"preconditions", checks_json(plan.preconditions)},
        {"steps", steps_json(plan.steps)},
        {"verification", verification_json(plan.verification)},
        {"reversibility", name(plan.reversibility)},
        {"risk", plan.risk},
        {"needs", {{"approvals", plan.needs.approvals}, {"assurance", name(plan.needs.assurance)}}},
        {"policy_digest", plan.policy_digest},
        {"policy_verdict", plan.policy_verdict},
        {"pending_lifetime_s", plan.pending_lifetime_s},
        {"approval_lifetime_s", plan.approval_lifetime_s},
        {"attempt", plan.attempt},
    };
}

// Reading ------------------------------------------------------------------------------------

bool is_integer(const std::string& text) {
    const std::size_t sign = text.starts_with('-') ? 1 : 0;
    return text.size() > sign && text.size() <= 18 + sign &&
           text.find_first_not_of("0123456789", sign) == std::string::npos;
}

BoundStatement read_statement(StrictObject in) {
    BoundStatement out;
    out.sql = in.text("sql");
    for (auto& entry : in.objects("parameters")) {
        out.parameters.push_back({entry.text("name"), entry.text("type"), entry.text("value")});
    }
    return out;
}

Check read_check(StrictObject in) {
    Check out;
    out.id = in.text("id");
    out.about = in.text("about");
    out.statement = read_statement(in.object("statement"));
    if (const auto comparison = comparison_from_name(in.text("comparison"))) {
        out.comparison = *comparison;
    } else {
        in.fail("comparison", "equals, at_least or at_most");
    }
    out.expected = in.text("expected");
    if (out.comparison != Comparison::equals && !is_integer(out.expected)) {
        in.fail("expected", "an integer");
    }
    return out;
}

std::vector<Check> read_checks(std::vector<StrictObject> in) {
    std::vector<Check> out;
    for (auto& entry : in) {
        out.push_back(read_check(entry));
    }
    return out;
}

Inverse read_inverse(StrictObject in) {
    Inverse out;
    out.exists = in.boolean("exists");
    if (auto statement = in.object_or_null("statement")) {
        out.statement = read_statement(*statement);
    }
    out.absence_reason = in.text("absence_reason");
    out.bounded = in.boolean("bounded");
    if (out.exists != out.statement.has_value()) {
        in.fail("statement", "present exactly when the inverse exists");
    }
    return out;
}

Step read_step(StrictObject in) {
    Step out;
    out.id = in.text("id");
    out.about = in.text("about");
    if (const auto step_class = step_class_from_name(in.text("class"))) {
        out.step_class = *step_class;
    } else {
        in.fail("class", "transactional or readback");
    }
    out.statement = read_statement(in.object("statement"));
    out.expected_lock = in.text("expected_lock");
    out.lock_timeout_ms = in.integer("lock_timeout_ms", 0, int_max);
    out.statement_timeout_ms = in.integer("statement_timeout_ms", 0, int_max);
    out.rows_expected = in.integer("rows_expected", 0, number_max);
    if (auto probe = in.object_or_null("probe")) {
        out.probe = read_check(*probe);
    }
    out.inverse = read_inverse(in.object("inverse"));
    return out;
}

TargetFingerprint read_target(StrictObject in) {
    TargetFingerprint out;
    out.target = in.text("target");
    out.system_identifier = in.text("system_identifier");
    out.database = in.text("database");
    out.timeline = static_cast<int>(in.integer("timeline", 0, int_max));
    out.in_recovery = in.boolean("in_recovery");
    out.server_major = static_cast<int>(in.integer("server_major", 0, int_max));
    return out;
}

Verification read_verification(StrictObject in) {
    Verification out;
    out.recovery = read_checks(in.objects("recovery"));
    out.guardrails = read_checks(in.objects("guardrails"));
    out.interval_ms = in.integer("interval_ms", 0, int_max);
    out.hold_ms = in.integer("hold_ms", 0, int_max);
    out.deadline_ms = in.integer("deadline_ms", 0, int_max);
    return out;
}

Requirement read_requirement(StrictObject in) {
    Requirement out;
    out.approvals = static_cast<int>(in.integer("approvals", 1, int_max));
    if (const auto assurance = assurance_from_name(in.text("assurance"))) {
        out.assurance = *assurance;
    } else {
        in.fail("assurance", "a known assurance level");
    }
    return out;
}

Plan read_plan(StrictObject in) {
    Plan out;
    out.schema_version =
        static_cast<int>(in.integer("schema_version", schema_version, schema_version));
    out.runbook = in.text("runbook");
    out.runbook_version = static_cast<int>(in.integer("runbook_version", 1, int_max));
    out.runbook_digest = in.text("runbook_digest");
    out.target = read_target(in.object("target"));
    out.lease_key = in.text("lease_key");
    out.preconditions = read_checks(in.objects("preconditions"));
    for (auto& entry : in.objects("steps")) {
        out.steps.push_back(read_step(entry));
    }
    out.verification = read_verification(in.object("verification"));
    if (const auto reversibility = reversibility_from_name(in.text("reversibility"))) {
        out.reversibility = *reversibility;
    } else {
        in.fail("reversibility", "a known reversibility");
    }
    out.risk = in.text("risk");
    out.needs = read_requirement(in.object("needs"));
    out.policy_digest = in.text("policy_digest");
    out.policy_verdict = in.text("policy_verdict");
    out.pending_lifetime_s = in.integer("pending_lifetime_s", 0, int_max);
    out.approval_lifetime_s = in.integer("approval_lifetime_s", 0, int_max);
    out.attempt = static_cast<int>(in.integer("attempt", 1, int_max));
    return out;
}

} // namespace

std::string plan_bytes(const Plan& plan) {
    return canonical_json(plan_json(plan));
}

base::Result<Plan> parse_plan(std::string_view bytes) {
    INTERLOCK_TRY(const auto document, base::parse_json(bytes, base::limits::plan_bytes_max));
    std::string problem;
    auto plan = read_plan(StrictObject(document, "", problem));
    if (!problem.empty()) {
        return base::Error{
            base::Errc::invalid_input,
            "The plan cannot be read: " + problem + ".",
            "Propose the plan again.",
        };
    }
    if (plan_bytes(plan) != bytes) {
        return base::Error{
            base::Errc::changed,
            "The plan's bytes are not the canonical bytes of any plan: something was added or "
            "rewritten.",
            "Propose the plan again; do not edit stored plans.",
        };
    }
    return plan;
}

base::Digest plan_digest(std::string_view bytes) {
    return base::sha256(base::pre_authentication_encoding(payload_type, bytes));
}

} // namespace interlock::runbooks
