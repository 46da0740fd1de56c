#include "cli/audit.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/checkpoint.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;
using telemetry::Checkpoint;

namespace {

constexpr std::size_t note_bytes_max = 4096; // a checkpoint is about 200 bytes
constexpr std::size_t records_shown_max = 10'000;

struct KeptCheckpoint {
    std::string path;
    std::string verifier_key;
};

/// <state>/checkpoints/<program>.note beside <program>.vkey.
std::vector<KeptCheckpoint> checkpoints_of_state(const base::StateDirectory& state) {
    std::vector<KeptCheckpoint> found;
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator(state.checkpoints(), problem)) {
        if (entry.path().extension() != ".note") {
            continue;
        }
        auto key_path = entry.path();
        key_path.replace_extension(".vkey");
        auto key = base::read_file(key_path.string(), note_bytes_max);
        found.push_back({entry.path().string(), key ? std::string(base::trim(*key)) : ""});
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return a.path < b.path;
    });
    return found;
}

Result<std::vector<KeptCheckpoint>> wanted_checkpoints(const AuditOptions& options) {
    if (options.checkpoints.empty()) {
        return checkpoints_of_state(base::StateDirectory{options.state_directory});
    }
    if (options.checkpoints.size() != options.verifier_keys.size()) {
        return Error{
            Errc::invalid_arguments,
            "Every --checkpoint needs its --verifier-key.",
            "Give both, in the same order."};
    }
    std::vector<KeptCheckpoint> wanted;
    for (std::size_t i = 0; i < options.checkpoints.size(); ++i) {
        wanted.push_back({options.checkpoints[i], options.verifier_keys[i]});
    }
    return wanted;
}

/// The checkpoint, if its signature holds; what it says is compared with the log afterwards.
Result<Checkpoint> signed_checkpoint(const KeptCheckpoint& kept) {
    INTERLOCK_TRY(const std::string note, base::read_file(kept.path, note_bytes_max));
    INTERLOCK_TRY(const auto key, telemetry::parse_verifier_key(kept.verifier_key));
    return telemetry::verify_checkpoint(note, key.name, key.public_key);
}

Result<telemetry::AuditVerification> verify(const AuditOptions& options) {
    base::SystemClock clock;
    INTERLOCK_TRY(const auto kept, wanted_checkpoints(options));
    std::vector<Checkpoint> checkpoints;
    std::vector<std::string> problems;
    for (const KeptCheckpoint& each : kept) {
        auto checkpoint = signed_checkpoint(each);
        if (checkpoint) {
            checkpoints.push_back(checkpoint.value());
        } else {
            problems.push_back("Checkpoint " + each.path + ": " + checkpoint.error().what);
        }
    }
    const std::string path = base::StateDirectory{options.state_directory}.queue();
    INTERLOCK_TRY(const auto store, db::open_sqlite_store(path, db::StoreMode::read_only, clock));
    INTERLOCK_TRY(auto verification, telemetry::verify_audit(*store, checkpoints));
    verification.problems.insert(verification.problems.begin(), problems.begin(), problems.end());
    return verification;
}

} // namespace

Exit verify_audit_log(const AuditOptions& options) {
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
            " payloads erased"
        );
    }
    return whole ? Exit::ok : Exit::check_failed;
}

Exit show_audit_log(const AuditOptions& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    const std::string path = base::StateDirectory{options.state_directory}.queue();
    auto store = db::open_sqlite_store(path, db::StoreMode::read_only, clock);
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
