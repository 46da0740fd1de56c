#include "cli/audit.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/audit_bundle.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;
using telemetry::Checkpoint;
using telemetry::kept_checkpoints;
using telemetry::KeptCheckpoints;
using telemetry::read_checkpoint;
using telemetry::SignedNote;

namespace {

constexpr std::size_t records_shown_max = 10'000;

/// Those that were given, or those of the state directory. What does not hold is a problem.
Result<KeptCheckpoints> wanted_checkpoints(const AuditOptions& options) {
    if (options.checkpoints.empty()) {
        return kept_checkpoints(base::StateDirectory{options.state_directory}.checkpoints());
    }
    if (options.checkpoints.size() != options.verifier_keys.size()) {
        return Error{
            Errc::invalid_arguments,
            "Every --checkpoint needs its --verifier-key.",
            "Give both, in the same order."};
    }
    KeptCheckpoints wanted;
    for (std::size_t i = 0; i < options.checkpoints.size(); ++i) {
        auto note = read_checkpoint(options.checkpoints[i], options.verifier_keys[i]);
        if (note) {
            wanted.notes.push_back(std::move(note).value());
        } else {
            wanted.problems.push_back(
                "Checkpoint " + options.checkpoints[i] + ": " + note.error().what
            );
        }
    }
    return wanted;
}

Result<telemetry::AuditVerification> verify(const AuditOptions& options) {
    base::SystemClock clock;
    INTERLOCK_TRY(const auto kept, wanted_checkpoints(options));
    std::vector<Checkpoint> checkpoints;
    for (const SignedNote& note : kept.notes) {
        checkpoints.push_back(note.checkpoint);
    }
    const base::StateDirectory state{options.state_directory};
    INTERLOCK_TRY(const auto store, db::open_store(state, db::StoreMode::read_only, clock));
    INTERLOCK_TRY(auto verification, telemetry::verify_audit(*store, checkpoints));
    verification.problems.insert(
        verification.problems.begin(), kept.problems.begin(), kept.problems.end()
    );
    return verification;
}

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
    trust.executor_key = options.executor_key;
    if (!trust.executor_key.empty()) {
        INTERLOCK_CHECK(telemetry::parse_verifier_key(trust.executor_key));
    }
    if (!options.verifier_keys.empty()) {
        trust.verifier_key = options.verifier_keys.front();
    }
    if (!options.checkpoints.empty()) {
        INTERLOCK_TRY(
            trust.earlier, read_checkpoint(options.checkpoints.front(), trust.verifier_key)
        );
    }
    INTERLOCK_TRY(
        const auto bytes, base::read_file(options.bundle, base::limits::audit_bundle_bytes_max)
    );
    INTERLOCK_TRY(const auto files, read_tar(bytes));
    return check_bundle(files, trust);
}

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

const char* vouched_words(Vouched vouched) {
    switch (vouched) {
    case Vouched::by_reader:
        return "the key you gave";
    case Vouched::by_bundle:
        return "the executor's checkpoint in the bundle is signed by it, too: compare it with the "
               "key you know";
    case Vouched::nobody:
        break;
    }
    return "nobody vouches for it: compare it with the executor's";
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
            {"signature_holds", decision.signature},
            {"same_bytes", decision.same_bytes},
        });
    }
    const auto known = [](const std::optional<bool>& value) {
        return value ? Json(*value) : Json(nullptr);
    };
    return {
        {"plan_id", plan.plan_id},
        {"digest", plan.digest},
        {"runbook", plan.runbook},
        {"target", plan.target},
        {"requested_by", plan.requested_by},
        {"requested_at", plan.requested_at},
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
    };
}

/// Everything in a bundle was written by others.
std::string shown(std::string_view text) {
    return base::cut_middle(base::escape_non_ascii(base::sanitize(text)), 200);
}

std::string yes_or_no(const std::optional<bool>& value) {
    return !value ? "-" : *value ? "yes" : coloured(Colour::red, "NO");
}

void print_plan(const PlanReport& plan) {
    print_line(coloured(Colour::bold, "plan       " + shown(plan.plan_id)));
    print_line("digest     " + shown(plan.digest));
    print_line("what       " + shown(plan.runbook) + " on " + shown(plan.target));
    print_line("requested  " + shown(plan.requested_at) + "  " + shown(plan.requested_by));
    for (const DecisionReport& decision : plan.decisions) {
        print_line(
            "decided    " + shown(decision.recorded_at) + "  " + shown(decision.verdict) + " by " +
            shown(decision.approver) + "  key " + shown(decision.key) + " (" +
            shown(decision.assurance) + ")  signature holds: " + yes_or_no(decision.signature) +
            "  these bytes: " + yes_or_no(decision.same_bytes) + "  record " +
            std::to_string(decision.leaf)
        );
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
            vouched_words(plan.outcome_key_vouched) + ")"
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
    print_line(
        "asked for  " + (scope.from.empty() ? "the first record" : shown(scope.from)) + " to " +
        (scope.to.empty() ? "the checkpoint" : shown(scope.to)) +
        (scope.first
             ? ": records " + std::to_string(*scope.first) + " to " + std::to_string(scope.last)
             : "")
    );
}

Exit report_bundle(const AuditOptions& options) {
    const auto found = verify_bundle(options);
    if (!found) {
        return report(found.error(), options.json);
    }
    const bool whole = found->problems.empty() && found->not_known.empty();
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
            {"witnesses", found->witnesses},
            {"erased_payloads", found->erased},
            {"earlier_checkpoints", found->earlier_checkpoints},
            {"plans", std::move(plans)},
            {"problems", found->problems},
            {"not_known", found->not_known},
        });
        return whole ? Exit::ok : Exit::check_failed;
    }
    for (const PlanReport& plan : found->plans) {
        print_plan(plan);
    }
    print_scope(found->scope);
    for (const std::string& problem : found->problems) {
        print_line(coloured(Colour::red, "problem    ") + told(problem));
    }
    for (const std::string& sentence : found->not_known) {
        print_line(coloured(Colour::red, "not known  ") + told(sentence));
    }
    print_line(
        (whole                     ? coloured(Colour::green, "whole      ")
         : found->problems.empty() ? coloured(Colour::red, "NOT PROVEN ")
                                   : coloured(Colour::red, "NOT WHOLE  ")) +
        std::to_string(found->records) + " records, each proven in the log " +
        shown(found->origin) + " of " + std::to_string(found->log_size) + " records; " +
        std::to_string(found->earlier_checkpoints) + " earlier checkpoints continued, " +
        std::to_string(found->erased) + " payloads erased"
    );
    print_line(
        "signed by  " + shown(found->verifier_key) +
        (found->key_was_given
             ? " (the key you gave)"
             : " (the bundle's own word: compare it with the key you know, or give --verifier-key)")
    );
    return whole ? Exit::ok : Exit::check_failed;
}

} // namespace

Exit verify_audit_log(const AuditOptions& options) {
    if (!options.bundle.empty()) {
        return report_bundle(options);
    }
    const auto verification = verify(options);
    if (!verification) {
        return report(verification.error(), options.json);
    }
    const bool whole = verification->problems.empty();
    if (options.json) {
        print_json({
            {"whole", whole},
            {"size", verification->size},
            {"root", base::hex(verification->root)},
            {"erased_payloads", verification->erased_payloads},
            {"unrecorded_erasures", verification->unrecorded_erasures},
            {"erasure_records", verification->erasure_records},
            {"checkpoints_checked", verification->checkpoints_checked},
            {"problems", verification->problems},
        });
    } else {
        for (const std::string& problem : verification->problems) {
            print_line(coloured(Colour::red, "problem  ") + base::sanitize(problem));
        }
        print_line(
            (whole ? coloured(Colour::green, "whole    ") : coloured(Colour::red, "NOT WHOLE  ")) +
            std::to_string(verification->size) + " records, root " + base::hex(verification->root) +
            ", " + std::to_string(verification->checkpoints_checked) +
            " signed checkpoints agree, " + std::to_string(verification->erased_payloads) +
            " payloads erased, " + std::to_string(verification->unrecorded_erasures) +
            " of them without a record"
        );
    }
    return whole ? Exit::ok : Exit::check_failed;
}

Exit show_audit_log(const AuditOptions& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    const base::StateDirectory state{options.state_directory};
    auto store = db::open_store(state, db::StoreMode::read_only, clock);
    if (!store) {
        return report(store.error(), options.json);
    }
    std::string digest;
    if (!options.plan_id.empty()) {
        approval::Queue queue(**store, random);
        auto plan = queue.get(options.plan_id);
        if (!plan) {
            return report(plan.error(), options.json);
        }
        digest = plan->digest;
    }
    const auto records = telemetry::read_audit(**store, 0, records_shown_max, digest);
    if (!records) {
        return report(records.error(), options.json);
    }
    for (const auto& record : *records) {
        if (options.json) { // one object a line: a log may be long
            Json line = {{"index", record.index}, {"header", record.header}};
            line["payload"] = record.payload ? Json(*record.payload) : Json(nullptr);
            print_line(base::render_json(line));
            continue;
        }
        const auto header = base::parse_json(record.header);
        if (!header) {
            print_line(std::to_string(record.index) + "  (unreadable header)");
            continue;
        }
        print_line(
            std::to_string(record.index) + "  " +
            base::string_member(*header, "time").value_or("?") + "  " +
            base::sanitize(base::string_member(*header, "type").value_or("?")) + "  " +
            base::sanitize(base::string_member(*header, "actor").value_or("?"))
        );
    }
    return Exit::ok;
}

} // namespace interlock::cli
