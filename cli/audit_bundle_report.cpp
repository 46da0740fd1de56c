#include "cli/audit_bundle_report.hpp"

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/audit_keys.hpp"
#include "cli/audit_store_check.hpp"
#include "telemetry/checkpoint.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;

namespace {

Result<BundleReport> verify_bundle(const AuditOptions& options) {
    if (options.checkpoints.size() > 1 || options.verifier_keys.size() > 1 ||
        options.checkpoints.size() > options.verifier_keys.size()) {
        return Error{
            Errc::invalid_arguments,
            "A bundle is held against one --verifier-key, and against one --checkpoint with it.",
            "Verify it again for another."};
    }
    BundleTrust trust;
    trust.allowed_signers = options.allowed_signers;
    INTERLOCK_TRY(
        trust.executor_keys, read_executor_keys(options.executor_keys, options.executor_keys_file)
    );
    INTERLOCK_CHECK(check_signers_file(trust.allowed_signers));
    if (!options.verifier_keys.empty()) {
        trust.verifier_key = options.verifier_keys.front();
    }
    if (!options.checkpoints.empty()) {
        INTERLOCK_TRY(
            trust.earlier,
            telemetry::read_checkpoint(options.checkpoints.front(), trust.verifier_key)
        );
    }
    INTERLOCK_TRY(
        const auto bytes, base::read_file(options.bundle, base::limits::audit_bundle_bytes_max)
    );
    INTERLOCK_TRY(const auto files, read_tar(bytes));
    return check_bundle(files, trust);
}

Json asked_json(const AskingCall& call) {
    const auto claims = base::parse_json(call.claims);
    return {
        {"record", call.begin},
        {"end_record", call.end ? Json(*call.end) : Json(nullptr)},
        {"at", call.at},
        {"call", call.call},
        {"tool", call.tool},
        {"subject", call.subject},
        {"issuer", call.issuer},
        {"proof", call.proof},
        {"client", call.client},
        {"database_role", call.database_role},
        {"claims", claims ? *claims : Json::object()},
        {"transport", call.transport},
        {"trace", call.trace},
        {"outcome", call.outcome},
    };
}

Json known(const std::optional<bool>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json plan_json(const PlanReport& plan) {
    Json decisions = Json::array();
    for (const DecisionReport& decision : plan.decisions) {
        decisions.push_back({
            {"record", decision.leaf},
            {"verdict", decision.verdict},
            {"approver", decision.approver},
            {"recorded_at", decision.recorded_at},
            {"key", decision.key},
            {"assurance", decision.assurance},
            {"decided_at", decision.decided_at},
            {"reason", decision.reason},
            {"erased", decision.erased},
            {"signature_holds", known(decision.signature)},
            {"same_bytes", known(decision.same_bytes)},
        });
    }
    return {
        {"plan_id", plan.plan_id},
        {"digest", plan.digest},
        {"runbook", plan.runbook},
        {"target", plan.target},
        {"requested_by", plan.requested_by},
        {"requested_at", plan.requested_at},
        {"asked", plan.asked ? asked_json(*plan.asked) : Json(nullptr)},
        {"hypothesis", plan.hypothesis},
        {"incident", plan.incident},
        {"decisions", std::move(decisions)},
        {"approved_until", plan.approved_until},
        {"started_at", plan.started_at},
        {"executor", plan.executor},
        {"expiry_kept", known(plan.expiry_kept)},
        {"same_bytes_ran", known(plan.same_bytes_ran)},
        {"outcome_signed", plan.outcome_signed},
        {"outcome_key", plan.outcome_key},
        {"outcome_key_vouched_for_by", vouched_by(plan.outcome_key_vouched)},
        {"state", plan.state},
        {"problems", plan.problems},
        {"not_known", plan.not_known},
        {"erased", plan.erased},
    };
}

/// Everything in a bundle was written by others.
std::string shown(std::string_view text) {
    return base::cut_middle(base::escape_non_ascii(base::sanitize(text)), 200);
}

std::string yes_or_no(const std::optional<bool>& value) {
    return !value   ? coloured(Colour::red, "not known")
           : *value ? "yes"
                    : coloured(Colour::red, "NO");
}

/// On whose authority it was asked for.
void print_asked(const AskingCall& call) {
    print_line(
        "authority  " + shown(call.subject) + " by " + shown(call.issuer) + ", proven by " +
        shown(call.proof) + ", database role " +
        (call.database_role.empty() ? "of the login" : shown(call.database_role)) + ", client " +
        shown(call.client) + ", over " + shown(call.transport)
    );
    if (!call.claims.empty() && call.claims != "{}") {
        print_line("claims     " + shown(call.claims));
    }
    print_line(
        "asked in   " + shown(call.call) + " (" + shown(call.tool) + ", outcome " +
        shown(call.outcome) + ", trace " + shown(call.trace) + ")  records " +
        std::to_string(call.begin) + (call.end ? " and " + std::to_string(*call.end) : "")
    );
}

void print_decision(const DecisionReport& decision) {
    const auto line = "decided    " + shown(decision.recorded_at) + "  " + shown(decision.verdict) +
                      " by " + shown(decision.approver);
    const auto record = "  record " + std::to_string(decision.leaf);
    if (!decision.erased.empty()) {
        print_line(
            line + "  signature and bytes: not known (" + shown(decision.erased) + ")" + record
        );
        return;
    }
    print_line(
        line + "  key " + shown(decision.key) + " (" + shown(decision.assurance) +
        ")  signature holds: " + yes_or_no(decision.signature) +
        "  these bytes: " + yes_or_no(decision.same_bytes) + record
    );
    if (!decision.reason.empty()) {
        print_line("  because  " + shown(decision.reason));
    }
}

void print_plan(const PlanReport& plan) {
    const auto named = [](const std::string& text) {
        return text.empty() ? std::string("not known") : shown(text);
    };
    print_line(coloured(Colour::bold, "plan       " + named(plan.plan_id)));
    print_line("digest     " + shown(plan.digest));
    print_line("what       " + named(plan.runbook) + " on " + named(plan.target));
    print_line("requested  " + shown(plan.requested_at) + "  " + shown(plan.requested_by));
    if (!plan.hypothesis.empty()) {
        print_line("because    " + shown(plan.hypothesis));
    }
    if (!plan.incident.empty()) {
        print_line("incident   " + shown(plan.incident));
    }
    if (plan.asked) {
        print_asked(*plan.asked);
    }
    for (const DecisionReport& decision : plan.decisions) {
        print_decision(decision);
    }
    if (plan.started_at.empty()) {
        print_line("run        never");
    } else {
        print_line(
            "run        " + shown(plan.started_at) + "  by " + shown(plan.executor) +
            "  these bytes: " + yes_or_no(plan.same_bytes_ran) +
            "  outcome signed: " + yes_or_no(plan.outcome_signed)
        );
        print_line(
            "expiry     approved until " +
            (plan.approved_until.empty() ? "never" : shown(plan.approved_until)) +
            "  kept: " + yes_or_no(plan.expiry_kept)
        );
    }
    if (plan.outcome_signed) {
        print_line(
            "outcome by " + shown(plan.outcome_key) + " (" +
            vouched_words(plan.outcome_key_vouched, "in the bundle") + ")"
        );
    }
    print_line("state      " + shown(plan.state) + "\n");
}

/// A sentence of ours about what was written by others.
std::string told(std::string_view sentence) {
    return base::cut_middle(base::escape_non_ascii(base::sanitize(sentence)), 600);
}

Json scope_json(const BundleScope& scope) {
    const auto place = [&](std::uint64_t index) {
        return scope.first ? Json(index) : Json(nullptr);
    };
    return {
        {"plan", scope.plan_id},
        {"incident", scope.incident},
        {"from", scope.from},
        {"to", scope.to},
        {"first_record", place(scope.first.value_or(0))},
        {"last_record", place(scope.last)},
    };
}

void print_scope(const BundleScope& scope) {
    if (!scope.plan_id.empty()) {
        print_line("asked for  plan " + shown(scope.plan_id));
        return;
    }
    if (!scope.incident.empty()) {
        print_line("asked for  incident " + shown(scope.incident));
        return;
    }
    print_line(
        "asked for  " + (scope.from.empty() ? "the first record" : shown(scope.from)) + " to " +
        (scope.to.empty() ? "the checkpoint" : shown(scope.to)) +
        (scope.first
             ? ": records " + std::to_string(*scope.first) + " to " + std::to_string(scope.last)
             : "")
    );
}

} // namespace

const char* vouched_by(Vouched vouched) {
    switch (vouched) {
    case Vouched::by_reader:
        return "reader";
    case Vouched::by_bundle:
        return "bundle";
    case Vouched::nobody:
        break;
    }
    return "nobody";
}

std::string vouched_words(Vouched vouched, const char* place) {
    switch (vouched) {
    case Vouched::by_reader:
        return "a key you gave";
    case Vouched::by_bundle:
        return std::string("an executor's checkpoint ") + place +
               " is signed by it, too: compare it with the key you know";
    case Vouched::nobody:
        break;
    }
    return "nobody vouches for it: compare it with the executor's";
}

Exit report_bundle(const AuditOptions& options) {
    const auto found = verify_bundle(options);
    if (!found) {
        return report(found.error(), options.json);
    }
    const bool whole = is_whole(*found);
    if (options.json) {
        Json plans = Json::array();
        for (const PlanReport& plan : found->plans) {
            plans.push_back(plan_json(plan));
        }
        print_json({
            {"whole", whole},
            {"origin", found->origin},
            {"log_size", found->log_size},
            {"verifier_key", found->verifier_key},
            {"verifier_key_was_given", found->key_was_given},
            {"scope", scope_json(found->scope)},
            {"records", found->records},
            {"records_proven", found->proven},
            {"witnesses", found->witnesses},
            {"erased_payloads", found->erased},
            {"earlier_checkpoints", found->earlier_checkpoints},
            {"plans", std::move(plans)},
            {"problems", found->problems},
            {"not_known", found->not_known},
            {"not_shown", found->not_shown},
        });
        return verdict(*found);
    }
    for (const PlanReport& plan : found->plans) {
        print_plan(plan);
    }
    print_verdict(*found);
    return verdict(*found);
}

void print_verdict(const BundleReport& report) {
    print_scope(report.scope);
    for (const std::string& problem : report.problems) {
        print_line(coloured(Colour::red, "problem    ") + told(problem));
    }
    for (const std::string& sentence : report.not_known) {
        print_line(coloured(Colour::red, "not known  ") + told(sentence));
    }
    for (const std::string& sentence : report.not_shown) {
        print_line("not shown  " + told(sentence));
    }
    const auto records = std::to_string(report.records);
    const bool all = report.proven == report.records;
    print_line(
        (is_whole(report)          ? coloured(Colour::green, "whole      ")
         : report.problems.empty() ? coloured(Colour::red, "NOT PROVEN ")
                                   : coloured(Colour::red, "NOT WHOLE  ")) +
        (all ? records + " records, each proven"
             : std::to_string(report.proven) + " of " + records + " records proven") +
        " in the log " + shown(report.origin) + " of " + std::to_string(report.log_size) +
        " records; " + std::to_string(report.earlier_checkpoints) +
        " earlier checkpoints continued, " + std::to_string(report.erased) + " payloads erased"
    );
    print_line(
        "signed by  " + shown(report.verifier_key) +
        (report.key_was_given
             ? " (the key you gave)"
             : " (the bundle's own word: compare it with the key you know, or give --verifier-key)")
    );
}

} // namespace interlock::cli
