#include "cli/audit.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/audit_bundle_report.hpp"
#include "cli/audit_keys.hpp"
#include "cli/audit_store_check.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;
using telemetry::kept_checkpoints;
using telemetry::KeptCheckpoints;
using telemetry::read_checkpoint;

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

/// Keys that were given must be keys: one that cannot be read would hold nothing.
base::Status check_options(const AuditOptions& options) {
    for (const auto& key : options.verifier_keys) {
        INTERLOCK_CHECK(telemetry::parse_verifier_key(key));
    }
    return check_signers_file(options.allowed_signers);
}

Result<StoreReport> verify(const AuditOptions& options) {
    base::SystemClock clock;
    INTERLOCK_CHECK(check_options(options));
    INTERLOCK_TRY(const auto kept, wanted_checkpoints(options));
    const base::StateDirectory state{options.state_directory};
    INTERLOCK_TRY(const auto store, db::open_store(state, db::StoreMode::read_only, clock));
    StoreTrust trust;
    if (options.checkpoints.empty()) {
        trust.verifier_keys = options.verifier_keys;
    }
    INTERLOCK_TRY(
        trust.executor_keys, read_executor_keys(options.executor_keys, options.executor_keys_file)
    );
    trust.allowed_signers = options.allowed_signers;
    auto found = check_store(*store, kept, trust);
    if (found && !options.checkpoints.empty()) {
        for (HeldCheckpoint& checkpoint : found->checkpoints) {
            checkpoint.key_was_given = true; // each came with its own
        }
    }
    return found;
}

std::uint64_t agreeing(const StoreReport& found) {
    std::uint64_t count = 0;
    for (const HeldCheckpoint& checkpoint : found.checkpoints) {
        count += checkpoint.agrees ? 1 : 0;
    }
    return count;
}

void print_store_json(const StoreReport& found, bool whole) {
    Json signed_by = Json::array();
    for (const HeldCheckpoint& checkpoint : found.checkpoints) {
        signed_by.push_back(
            {{"program", checkpoint.program},
             {"key", checkpoint.key},
             {"key_was_given", checkpoint.key_was_given},
             {"size", checkpoint.size},
             {"agrees", checkpoint.agrees}}
        );
    }
    Json outcomes = Json::array();
    for (const auto& [key, signed_by_it] : found.outcome_keys) {
        const bool kept = signed_by_it.vouched == Vouched::by_bundle;
        outcomes.push_back(
            {{"key", key},
             {"vouched_for_by", kept ? "checkpoint" : vouched_by(signed_by_it.vouched)},
             {"plans", signed_by_it.plans}}
        );
    }
    print_json({
        {"whole", whole},
        {"size", found.log.size},
        {"root", base::hex(found.log.root)},
        {"erased_payloads", found.log.erased_payloads},
        {"unrecorded_erasures", found.log.unrecorded_erasures},
        {"erasure_records", found.log.erasure_records},
        {"checkpoints_checked", found.checkpoints.size()},
        {"checkpoints_agreeing", agreeing(found)},
        {"checkpoints", std::move(signed_by)},
        {"plans_checked", found.plans},
        {"outcomes_signed_by", std::move(outcomes)},
        {"problems", found.problems},
        {"not_known", found.not_known},
        {"erased", found.erased},
    });
}

void print_store(const StoreReport& found, bool whole) {
    const auto told = [](const char* title, const std::string& sentence) {
        print_line(title + base::cut_middle(base::sanitize(sentence), 600));
    };
    for (const std::string& problem : found.problems) {
        told(coloured(Colour::red, "problem    ").c_str(), problem);
    }
    for (const std::string& sentence : found.not_known) {
        told(coloured(Colour::red, "not known  ").c_str(), sentence);
    }
    for (const std::string& sentence : found.erased) {
        told("erased     ", sentence);
    }
    print_line(
        (whole                    ? coloured(Colour::green, "whole      ")
         : found.problems.empty() ? coloured(Colour::red, "NOT PROVEN ")
                                  : coloured(Colour::red, "NOT WHOLE  ")) +
        std::to_string(found.log.size) + " records, root " + base::hex(found.log.root) + ", " +
        std::to_string(agreeing(found)) + " of " + std::to_string(found.checkpoints.size()) +
        " signed checkpoints agree, " + std::to_string(found.plans) +
        " plans held against the log, " + std::to_string(found.log.erased_payloads) +
        " payloads erased, " + std::to_string(found.log.unrecorded_erasures) +
        " of them without a record"
    );
    for (const HeldCheckpoint& checkpoint : found.checkpoints) {
        print_line(
            "signed by  " + base::sanitize(checkpoint.key) + "  (" +
            base::sanitize(checkpoint.program) + ", over " + std::to_string(checkpoint.size) +
            " records; " +
            (checkpoint.key_was_given ? "the key you gave)"
                                      : "the key kept beside it: compare it with the one you know)")
        );
    }
    for (const auto& [key, outcomes] : found.outcome_keys) {
        print_line(
            "outcomes   of " + std::to_string(outcomes.plans) + " plans signed by " +
            base::sanitize(key) + "  (" + vouched_words(outcomes.vouched, "kept here") + ")"
        );
    }
}

} // namespace

Exit verify_audit_log(const AuditOptions& options) {
    if (!options.bundle.empty()) {
        return report_bundle(options);
    }
    const auto found = verify(options);
    if (!found) {
        return report(found.error(), options.json);
    }
    const bool whole = found->problems.empty() && found->not_known.empty();
    if (options.json) {
        print_store_json(*found, whole);
    } else {
        print_store(*found, whole);
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
