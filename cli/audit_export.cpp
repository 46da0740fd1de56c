#include "cli/audit_export.hpp"

#include "approval/queue.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/audit_bundle.hpp"
#include "cli/audit_bundle_report.hpp"
#include "cli/audit_incident.hpp"
#include "cli/audit_plan_files.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_scan.hpp"
#include "telemetry/index_ranges.hpp"
#include "telemetry/merkle_proofs.hpp"
#include "telemetry/tlog_proof.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;
using base::Status;
using telemetry::Scan;
using telemetry::ScannedRecord;
using telemetry::SignedNote;

/// How many records are looked through at once for the call that asked for a plan.
constexpr std::uint64_t search_step = 10'000;

/// Gathers a bundle's files, in the order of what depends on what.
class Export {
public:
    Export(const ExportOptions& options, db::Store& store, SignedNote note)
        : options_(options), store_(store), note_(std::move(note)) {}

    Result<Files> run(std::vector<SignedNote> others) {
        others_ = std::move(others);
        INTERLOCK_CHECK(
            !options_.plan_id.empty()    ? choose_plan()
            : !options_.incident.empty() ? choose_incident()
                                         : choose_period()
        );
        INTERLOCK_CHECK(take_records());
        INTERLOCK_CHECK(take_asking_calls());
        INTERLOCK_CHECK(take_erasures());
        INTERLOCK_CHECK(take_witnesses());
        INTERLOCK_CHECK(prove());
        for (const auto& [digest, plan_id] : plans_)
            INTERLOCK_CHECK(take_plan(digest, plan_id));
        write_manifest();
        return std::move(files_);
    }

    Json summary() const { return manifest_; }

private:
    std::uint64_t size() const { return note_.checkpoint.size; }

    Error not_covered(const std::string& what) const {
        return {
            Errc::refused,
            what + " is newer than the newest signed checkpoint, which covers " +
                std::to_string(size()) + " records, so it cannot be proven yet.",
            "Wait: the server signs every minute and when it stops, the executor after every "
            "plan."};
    }

    Status choose_plan() {
        base::SystemRandom random;
        approval::Queue queue(store_, random);
        INTERLOCK_TRY(const auto plan, queue.get(options_.plan_id));
        plans_[plan.digest] = plan.id;
        return choose_records_of(plan.digest);
    }

    Status choose_records_of(const std::string& digest) {
        telemetry::AuditScan of_plan;
        of_plan.plan_digest = digest;
        return telemetry::scan_audit(store_, of_plan, [&](ScannedRecord& record) -> Result<Scan> {
            if (record.index >= size())
                return not_covered("Record " + std::to_string(record.index) + " of the plan");
            return choose(record.index);
        });
    }

    /// The calls that name the incident, and the plans that were shown as of it.
    Status choose_incident() {
        std::set<std::string> calls;
        telemetry::AuditScan covered;
        covered.end = size();
        covered.payloads = true;
        INTERLOCK_CHECK(telemetry::scan_audit(
            store_,
            covered,
            [&](ScannedRecord& record) -> Result<Scan> {
                const auto header = telemetry::read_leaf_header(record.header);
                const auto payload = base::parse_json(
                    record.payload.value_or(""), base::limits::audit_payload_bytes_max
                );
                if (!header || !payload)
                    return Scan::go_on;
                const auto call = base::string_member(*payload, "call").value_or("");
                const bool begins =
                    header->type == "tool.begin" && incident_of(*payload) == options_.incident;
                if (begins)
                    calls.insert(call);
                if (begins || (header->type == "tool.end" && calls.erase(call) > 0))
                    return choose(record.index);
                return Scan::go_on;
            }
        ));
        INTERLOCK_TRY(plans_, plans_of_incident(store_, options_.incident, size()));
        for (const auto& [digest, id] : plans_)
            INTERLOCK_CHECK(choose_records_of(digest));
        return base::done;
    }

    Result<Scan> choose(std::uint64_t index) {
        chosen_.insert(index);
        INTERLOCK_CHECK(check_count());
        return Scan::go_on;
    }
    Status check_count() const {
        if (chosen_.size() + witnesses_.size() <= base::limits::audit_export_records_max)
            return base::done;
        return Error{
            Errc::limit_exceeded,
            "More than " + std::to_string(base::limits::audit_export_records_max) +
                " records would be exported.",
            "Export a shorter period, or one plan."};
    }

    /// The period's records, and for every plan in it all of that plan's: its story is whole.
    Status choose_period() {
        std::set<std::string> digests;
        std::optional<std::uint64_t> first;
        std::uint64_t last = 0;
        telemetry::AuditScan covered;
        covered.end = size();
        INTERLOCK_CHECK(telemetry::scan_audit(
            store_,
            covered,
            [&](ScannedRecord& record) -> Result<Scan> {
                const auto header = telemetry::read_leaf_header(record.header);
                if (!header || header->time < options_.from ||
                    (!options_.to.empty() && header->time >= options_.to))
                    return Scan::go_on;
                if (!header->plan_digest.empty())
                    digests.insert(header->plan_digest);
                first = first.value_or(record.index);
                last = record.index;
                return choose(record.index);
            }
        ));
        for (const auto& digest : digests) {
            INTERLOCK_CHECK(choose_records_of(digest));
            plans_[digest]; // the id is found in a payload
        }
        return first ? choose_witnesses(*first, last) : Status(base::done);
    }

    /// The neighbours of the period, without which nobody could tell that its first and last
    /// records are here; and what stands among its records with a time that says otherwise, after a
    /// clock was set back. Their headers only: what they say is not of the period.
    Status choose_witnesses(std::uint64_t first, std::uint64_t last) {
        const auto begin = options_.from.empty() ? 0 : first - std::min<std::uint64_t>(first, 1);
        const auto end = options_.to.empty() ? size() : std::min(last + 2, size());
        for (auto index = begin; index < end; ++index) {
            if (!chosen_.contains(index))
                witnesses_.insert(index);
            INTERLOCK_CHECK(check_count());
        }
        return base::done;
    }

    Status take_records() {
        if (chosen_.empty())
            return Error{
                Errc::not_found,
                "No record up to the newest signed checkpoint belongs to what was asked for.",
                "Name another plan, incident or period, or wait for the next checkpoint."};
        return take({chosen_.begin(), chosen_.end()}, true);
    }

    Status take_witnesses() {
        for (const auto index : chosen_) // an erasure's record may be one
            witnesses_.erase(index);
        return take({witnesses_.begin(), witnesses_.end()}, false);
    }

    Status take(const std::vector<std::uint64_t>& indexes, bool payloads) {
        // Stretches of neighbours are read at once.
        for (std::size_t at = 0; at < indexes.size();) {
            std::size_t last = at;
            while (last + 1 < indexes.size() && indexes[last + 1] == indexes[last] + 1)
                ++last;
            telemetry::AuditScan stretch;
            stretch.first = indexes[at];
            stretch.end = indexes[last] + 1;
            stretch.payloads = payloads;
            INTERLOCK_CHECK(telemetry::scan_audit(
                store_,
                stretch,
                [&](ScannedRecord& record) -> Result<Scan> {
                    if (payloads)
                        return keep(record);
                    files_[bundle_witness(record.index, "header.json")] = record.header;
                    return Scan::go_on;
                }
            ));
            at = last + 1;
        }
        return base::done;
    }

    Result<Scan> keep(const ScannedRecord& record) {
        files_[bundle_record(record.index, "header.json")] = record.header;
        if (!record.payload || !record.salt) {
            erased_.add(record.index);
            const auto header = telemetry::read_leaf_header(record.header);
            versions_.erase(header ? header->plan_digest : "");
        } else {
            INTERLOCK_TRY(
                files_[bundle_record(record.index, "salt")], base::from_hex(*record.salt)
            );
            files_[bundle_record(record.index, "payload.json")] = *record.payload;
            learn_plan(record);
        }
        bytes_ += record.header.size() + (record.payload ? record.payload->size() : 0);
        if (bytes_ > base::limits::audit_bundle_bytes_max)
            return Error{
                Errc::limit_exceeded,
                "The payloads alone are more than a bundle may hold.",
                "Export a shorter period, or one plan."};
        return Scan::go_on;
    }

    void learn_plan(const ScannedRecord& record) {
        const auto header = telemetry::read_leaf_header(record.header);
        const auto plan = header ? plans_.find(header->plan_digest) : plans_.end();
        if (plan == plans_.end())
            return;
        const auto payload =
            base::parse_json(*record.payload, base::limits::audit_payload_bytes_max);
        if (!payload)
            return;
        if (plan->second.empty())
            plan->second = base::string_member(*payload, "plan_id").value_or("");
        if (header->type == "plan.submitted" || header->type == "plan.blocked")
            submissions_.push_back(
                {record.index,
                 header->actor,
                 base::string_member(*payload, "trace_parent").value_or("")}
            );
        if (const auto statement = base::string_member(*payload, "statement"))
            signers_[*statement] = base::string_member(*payload, "allowed_signers").value_or("");
        if (const auto version = base::integer_member(*payload, "version"))
            versions_[plan->first] = *version;
    }

    /// On whose authority the plans were asked for: the calls stand beside their plans in the log,
    /// so the search for each goes back from its submission and on to the call's end.
    Status take_asking_calls() {
        std::vector<std::uint64_t> found;
        for (const auto& submission : submissions_) {
            AskingCalls calls;
            const AskingCall* asking = nullptr;
            for (auto end = submission.index; end > 0 && asking == nullptr;) {
                const auto first = end - std::min<std::uint64_t>(end, search_step);
                INTERLOCK_CHECK(read_calls(calls, "tool.begin", first, end, submission));
                asking = calls.that_asked(submission);
                end = first;
            }
            if (asking == nullptr)
                continue;
            found.push_back(asking->begin);
            for (auto first = submission.index + 1; first < size() && !asking->end;
                 first += search_step) {
                const auto end = std::min(first + search_step, size());
                INTERLOCK_CHECK(read_calls(calls, "tool.end", first, end, submission));
                asking = calls.that_asked(submission);
            }
            if (asking->end)
                found.push_back(*asking->end);
        }
        std::set<std::uint64_t> added;
        for (const auto index : found)
            if (chosen_.insert(index).second)
                added.insert(index);
        INTERLOCK_CHECK(check_count());
        return take({added.begin(), added.end()}, true);
    }

    Status read_calls(
        AskingCalls& calls,
        const char* type,
        std::uint64_t first,
        std::uint64_t end,
        const Submitted& submission
    ) {
        telemetry::AuditScan part;
        part.first = first;
        part.end = end;
        part.type = type;
        part.payloads = true;
        return telemetry::scan_audit(store_, part, [&](ScannedRecord& record) -> Result<Scan> {
            const auto header = telemetry::read_leaf_header(record.header);
            if (!header || header->actor != submission.requester)
                return Scan::go_on;
            const auto payload = base::parse_json(
                record.payload.value_or(""), base::limits::audit_payload_bytes_max
            );
            if (payload)
                calls.take(record.index, header->time, header->type, header->actor, *payload);
            return Scan::go_on;
        });
    }

    /// The records that tell of what is missing here. One that no checkpoint covers yet cannot be
    /// shown, and without it the bundle would accuse somebody of what was done on the record.
    Status take_erasures() {
        if (erased_.empty())
            return base::done;
        telemetry::AuditScan of_type;
        of_type.type = telemetry::erasure_type;
        of_type.payloads = true;
        std::vector<std::uint64_t> telling;
        INTERLOCK_CHECK(telemetry::scan_audit(
            store_,
            of_type,
            [&](ScannedRecord& record) -> Result<Scan> {
                const auto payload = base::parse_json(
                    record.payload.value_or(""), base::limits::audit_payload_bytes_max
                );
                const auto* list =
                    payload ? base::member(*payload, telemetry::erasure_ranges) : nullptr;
                const auto ranges =
                    list != nullptr ? telemetry::IndexRanges::from_json(*list) : std::nullopt;
                if (!ranges || erased_.within(*ranges).empty())
                    return Scan::go_on;
                if (record.index >= size())
                    return not_covered(
                        "Record " + std::to_string(record.index) + ", which tells of an erasure,"
                    );
                if (chosen_.insert(record.index).second)
                    telling.push_back(record.index);
                return Scan::go_on;
            }
        ));
        return take(telling, true);
    }

    /// One pass over all leaf hashes: every proof, and that the checkpoint is of this log.
    Status prove() {
        std::vector<std::uint64_t> old_sizes;
        for (const auto& other : others_)
            old_sizes.push_back(other.checkpoint.size);
        auto proven = chosen_;
        proven.insert(witnesses_.begin(), witnesses_.end());
        telemetry::ProofBuilder builder({proven.begin(), proven.end()}, std::move(old_sizes));
        telemetry::AuditScan covered;
        covered.end = size();
        INTERLOCK_CHECK(telemetry::scan_audit(
            store_,
            covered,
            [&](ScannedRecord& record) -> Result<Scan> {
                INTERLOCK_TRY(const auto hash, base::digest_from_hex(record.leaf_hash));
                if (record.index != builder.size())
                    return Scan::enough;
                builder.append(hash);
                return Scan::go_on;
            }
        ));
        builder.finish();
        if (builder.size() != size() || !(builder.root() == note_.checkpoint.root))
            return Error{
                Errc::corrupt,
                "The log does not lead to the checkpoint of " + note_.program + " over " +
                    std::to_string(size()) + " records, so nothing was exported.",
                "Run `interlock audit verify` and find out who changed the log."};
        for (const auto index : proven) {
            const auto place = chosen_.contains(index) ? bundle_record : bundle_witness;
            files_[place(index, "proof.tlog-proof")] =
                telemetry::render_tlog_proof({index, builder.inclusion(index), note_.note, {}});
        }
        for (const auto& other : others_) {
            const auto beside = "checkpoints/" + other.program;
            const auto& old = other.checkpoint;
            files_[beside + ".note"] = other.note;
            files_[beside + ".vkey"] = other.key + "\n";
            files_[beside + ".consistency"] = telemetry::render_consistency_proof(
                {old.size, builder.consistency(old.size), note_.note}
            );
        }
        files_[bundle_note] = note_.note;
        files_[bundle_key] = note_.key + "\n";
        return base::done;
    }

    Status take_plan(const std::string& digest, const std::string& plan_id) {
        if (plan_id.empty()) // every payload that names it is erased
            return base::done;
        base::SystemRandom random;
        approval::Queue queue(store_, random);
        INTERLOCK_TRY(const auto plan, queue.get(plan_id));
        const auto recorded = versions_.find(digest);
        if (recorded != versions_.end() && recorded->second != plan.version)
            return Error{
                Errc::conflict,
                "Plan " + plan_id +
                    " went on while it was exported, or its newest record is newer "
                    "than the checkpoint.",
                "Export it again in a minute, when the log has been signed."};
        INTERLOCK_TRY(const auto steps, queue.steps(plan_id));
        for (auto& [name, content] : plan_files(plan, steps, signers_))
            files_[bundle_plan(digest, name)] = content;
        return base::done;
    }

    void write_manifest() {
        Json plans = Json::array();
        for (const auto& [digest, plan_id] : plans_)
            plans.push_back({{"digest", digest}, {"plan_id", plan_id}});
        std::set<std::string> names;
        for (const auto& other : others_)
            names.insert(other.program);
        manifest_ = {
            {"format", bundle_format},
            {"origin", note_.checkpoint.origin},
            {"size", size()},
            {"root", base::hex(note_.checkpoint.root)},
            {"signed_by", note_.key},
            {"asked_for",
             {{"plan", options_.plan_id},
              {"incident", options_.incident},
              {"from", options_.from},
              {"to", options_.to}}},
            {"checkpoints", names},
            {"plans", plans},
            {"records", chosen_.size()},
            {"erased", erased_.count()},
        };
        files_[bundle_manifest] = base::render_json_pretty(manifest_) + "\n";
    }

    const ExportOptions& options_;
    db::Store& store_;
    const SignedNote note_;
    std::vector<SignedNote> others_;
    std::set<std::uint64_t> chosen_;
    std::set<std::uint64_t> witnesses_;
    std::map<std::string, std::string> plans_;   // digest -> id
    std::map<std::string, long long> versions_;  // digest -> as its last readable record says
    std::map<std::string, std::string> signers_; // of each statement, its lines
    std::vector<Submitted> submissions_;
    telemetry::IndexRanges erased_;
    Files files_;
    std::size_t bytes_ = 0;
    Json manifest_;
};

Status check_options(ExportOptions& options) {
    const bool period = !options.from.empty() || !options.to.empty();
    const int asked =
        (period ? 1 : 0) + (options.plan_id.empty() ? 0 : 1) + (options.incident.empty() ? 0 : 1);
    if (asked != 1)
        return Error{
            Errc::invalid_arguments,
            "Say what to export: one plan, one incident, or a period.",
            "Give --plan, or --incident, or --from and --to."};
    if (std::filesystem::exists(options.out))
        return Error{
            Errc::invalid_arguments,
            "The file " + options.out + " is there already, and a bundle overwrites nothing.",
            "Give another --out, or move the file away."};
    if (options.since_checkpoint.empty() != options.since_key.empty())
        return Error{
            Errc::invalid_arguments,
            "A checkpoint kept from before needs the key it was signed with.",
            "Give --since-checkpoint and --since-key together."};
    for (std::string* time : {&options.from, &options.to}) {
        if (time->empty())
            continue;
        INTERLOCK_TRY(const auto parsed, base::parse_time(*time));
        *time = base::format_time(parsed); // the form of the log, which sorts as text
    }
    if (!options.from.empty() && !options.to.empty() && options.from >= options.to)
        return Error{
            Errc::invalid_arguments,
            "The period ends before it begins: from " + options.from + " to " + options.to + ".",
            "Give --from before --to."};
    return base::done;
}

/// The newest first; of one size, the first by name.
Result<std::vector<SignedNote>> notes_of(const base::StateDirectory& state) {
    auto kept = telemetry::kept_checkpoints(state.checkpoints());
    for (const auto& problem : kept.problems)
        note("interlock: " + base::sanitize(problem));
    if (kept.notes.empty())
        return Error{
            Errc::not_found,
            "No signed checkpoint is kept in " + state.checkpoints() +
                ", so nothing could be proven.",
            "Start the server or the executor on this state directory; they sign and keep one."};
    std::stable_sort(kept.notes.begin(), kept.notes.end(), [](const auto& left, const auto& right) {
        return left.checkpoint.size > right.checkpoint.size;
    });
    return std::move(kept.notes);
}

struct Exported {
    Json summary;
    BundleReport report; // of the bundle as it was written
};

Result<Exported> run_export(ExportOptions options) {
    INTERLOCK_CHECK(check_options(options));
    base::SystemClock clock;
    const base::StateDirectory state{options.state_directory};
    INTERLOCK_TRY(const auto store, db::open_store(state, db::StoreMode::read_only, clock));
    INTERLOCK_TRY(auto notes, notes_of(state));
    const SignedNote newest = notes.front();
    notes.erase(notes.begin());
    if (!options.since_checkpoint.empty()) {
        INTERLOCK_TRY(
            auto since, telemetry::read_checkpoint(options.since_checkpoint, options.since_key)
        );
        since.program = "since";
        if (since.checkpoint.size > newest.checkpoint.size)
            return Error{
                Errc::corrupt,
                "The checkpoint kept from before covers " + std::to_string(since.checkpoint.size) +
                    " records, and the newest of this log " +
                    std::to_string(newest.checkpoint.size) + ".",
                "The log may have been cut; run `interlock audit verify` with that checkpoint."};
        notes.push_back(std::move(since));
    }
    Export exporting(options, *store, newest);
    INTERLOCK_TRY(const auto files, exporting.run(std::move(notes)));
    INTERLOCK_TRY(const auto tar, write_tar(files));
    INTERLOCK_CHECK(base::write_file_atomically(options.out, tar, 0600));
    Exported done;
    done.summary = exporting.summary();
    done.summary["out"] = options.out;
    done.summary["bytes"] = tar.size();
    done.summary["digest"] = base::hex(base::sha256(tar));
    INTERLOCK_TRY(done.report, check_bundle(files, {}));
    return done;
}

} // namespace

Exit export_audit(const ExportOptions& options) {
    auto done = run_export(options);
    if (!done) {
        return report(done.error(), options.json);
    }
    auto& summary = done->summary;
    if (options.json) {
        summary["whole"] = is_whole(done->report);
        summary["problems"] = done->report.problems;
        summary["not_known"] = done->report.not_known;
        summary["not_shown"] = done->report.not_shown;
        print_json(summary);
        return verdict(done->report);
    }
    print_line("exported  " + options.out + " (" + summary["bytes"].dump() + " bytes)");
    print_line("sha256    " + base::string_member(summary, "digest").value_or(""));
    print_verdict(done->report);
    return verdict(done->report);
}

} // namespace interlock::cli
