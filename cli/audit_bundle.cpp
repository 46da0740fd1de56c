#include "cli/audit_bundle.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/audit_bundle_checkpoints.hpp"
#include "cli/audit_bundle_manifest.hpp"
#include "cli/audit_bundle_period.hpp"
#include "cli/audit_erasures.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_scan.hpp"
#include "telemetry/index_ranges.hpp"
#include "telemetry/merkle.hpp"
#include "telemetry/tlog_proof.hpp"

#include <algorithm>
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

constexpr const char* executor_name = "interlock-executor";

Error no_bundle(const std::string& why) {
    return {
        Errc::invalid_input,
        "This is not an audit bundle: " + why + ".",
        "Use the file exactly as `interlock audit export` wrote it."};
}

class BundleCheck {
public:
    BundleCheck(const Files& files, const BundleTrust& trust) : files_(files), trust_(trust) {}

    Result<BundleReport> run() {
        INTERLOCK_CHECK(read_manifest());
        INTERLOCK_CHECK(read_checkpoint());
        for (const auto& [path, content] : files_)
            account_for(path);
        for (const auto index : indexes_)
            check_record(index);
        for (const auto index : witness_indexes_)
            check_witness(index);
        check_gaps();
        check_erasures();
        take_earlier();
        check_plans();
        take_over(
            check_manifest(
                manifest_,
                {checkpoint_,
                 base::trim(*file(bundle_key)),
                 report_.verifier_key,
                 report_.key_was_given,
                 older_,
                 missing_.count(),
                 checkpoints_,
                 report_.plans,
                 report_.scope.plan_id}
            ),
            {}
        );
        check_belonging();
        return std::move(report_);
    }

private:
    void problem(const std::string& sentence) {
        if (report_.problems.size() < base::limits::audit_problems_max)
            report_.problems.push_back(base::sanitize(sentence));
    }
    void not_known(const std::string& sentence) {
        if (report_.not_known.size() < base::limits::audit_problems_max)
            report_.not_known.push_back(base::sanitize(sentence));
    }
    const std::string* file(const std::string& path) const {
        const auto found = files_.find(path);
        return found == files_.end() ? nullptr : &found->second;
    }

    Status read_manifest() {
        const auto* text = file(bundle_manifest);
        if (text == nullptr)
            return no_bundle("it has no " + std::string(bundle_manifest));
        const auto parsed = base::parse_json(*text);
        const auto format = parsed ? base::string_member(*parsed, "format") : std::nullopt;
        older_ = format == bundle_format_older;
        if (format != bundle_format && !older_)
            return no_bundle("its manifest does not name the format " + std::string(bundle_format));
        manifest_ = *parsed;
        if (older_)
            not_known("The bundle is of an older form, without the calls that asked for its plans "
                      "and with less that could be held against its records. Export it again.");
        return base::done;
    }

    Status read_checkpoint() {
        const auto* note = file(bundle_note);
        const auto* own_key = file(bundle_key);
        if (note == nullptr || own_key == nullptr)
            return no_bundle("it has no signed checkpoint");
        report_.key_was_given = !trust_.verifier_key.empty();
        report_.verifier_key =
            report_.key_was_given ? trust_.verifier_key : std::string(base::trim(*own_key));
        INTERLOCK_TRY(key_, telemetry::parse_verifier_key(report_.verifier_key));
        const auto checkpoint = telemetry::verify_checkpoint(*note, key_.name, key_.public_key);
        if (!checkpoint)
            problem("The checkpoint that all proofs lead to: " + checkpoint.error().what);
        else
            checkpoint_ = *checkpoint;
        report_.origin = checkpoint_.origin;
        report_.log_size = checkpoint_.size;
        note_ = *note;
        return base::done;
    }

    /// Every file has its place: what stands elsewhere is not vouched for by anything.
    void account_for(const std::string& path) {
        const std::string_view view = path;
        if (view.starts_with(bundle_records)) {
            const auto index = bundle_index(view.substr(bundle_records.size()));
            const bool known = index && (path == bundle_record(*index, "header.json") ||
                                         path == bundle_record(*index, "payload.json") ||
                                         path == bundle_record(*index, "salt") ||
                                         path == bundle_record(*index, "proof.tlog-proof"));
            if (known)
                indexes_.insert(*index);
            else
                problem("The file " + path + " belongs to no record.");
            return;
        }
        if (view.starts_with(bundle_witnesses)) {
            const auto index = bundle_index(view.substr(bundle_witnesses.size()));
            const bool known = index && (path == bundle_witness(*index, "header.json") ||
                                         path == bundle_witness(*index, "proof.tlog-proof"));
            if (known)
                witness_indexes_.insert(*index);
            else
                problem("The file " + path + " belongs to no witness.");
            return;
        }
        const bool known = path == bundle_manifest || path == bundle_note || path == bundle_key ||
                           view.starts_with(bundle_plans) || view.starts_with(bundle_checkpoints);
        if (!known)
            problem("The file " + path + " is no part of a bundle.");
    }

    void check_record(std::uint64_t index) {
        ++report_.records;
        const auto problems = report_.problems.size();
        const auto header = proven_header(
            index, bundle_record(index, "header.json"), bundle_record(index, "proof.tlog-proof")
        );
        report_.proven += report_.problems.size() == problems ? 1 : 0;
        if (header)
            take(index, *header);
    }

    void check_witness(std::uint64_t index) {
        ++report_.witnesses;
        (void)proven_header(
            index, bundle_witness(index, "header.json"), bundle_witness(index, "proof.tlog-proof")
        );
    }

    /// nullopt, and told: there is none that the checkpoint could be about.
    std::optional<telemetry::LeafHeader> proven_header(
        std::uint64_t index, const std::string& header_path, const std::string& proof_path
    ) {
        const auto number = std::to_string(index);
        const auto* header_text = file(header_path);
        const auto* proof_text = file(proof_path);
        if (header_text == nullptr || proof_text == nullptr) {
            problem("Record " + number + ": its header or its proof is missing.");
            return std::nullopt;
        }
        const auto proof = telemetry::parse_tlog_proof(*proof_text);
        if (!proof) {
            problem("Record " + number + ": " + proof.error().what);
            return std::nullopt;
        }
        if (proof->index != index || proof->checkpoint != note_)
            problem(
                "Record " + number + ": its proof is of another record or of another checkpoint."
            );
        else if (!telemetry::verify_inclusion(
                     telemetry::leaf_hash(*header_text),
                     index,
                     checkpoint_.size,
                     proof->hashes,
                     checkpoint_.root
                 ))
            problem(
                "Record " + number +
                ": it is not the one over which the checkpoint was signed; it was changed."
            );
        auto header = telemetry::read_leaf_header(*header_text);
        if (!header || header->seq != index) {
            problem("Record " + number + ": its header is not that of a record at this place.");
            return std::nullopt;
        }
        times_[index] = header->time;
        return header;
    }

    void take(std::uint64_t index, const telemetry::LeafHeader& header) {
        PlanRecord record{index, header.time, header.type, header.actor, {}, {}};
        const auto* payload = file(bundle_record(index, "payload.json"));
        const auto* salt = file(bundle_record(index, "salt"));
        if (payload == nullptr || salt == nullptr) {
            ++report_.erased;
            missing_.add(index);
        } else if (salt->size() != telemetry::audit_salt_bytes ||
                   base::hex(telemetry::payload_hash(*salt, *payload)) != header.payload_hash) {
            problem(
                "Record " + std::to_string(index) +
                ": its payload is not what the record commits to; it was changed."
            );
        } else {
            record.payload = *payload;
        }
        if (header.type == telemetry::erasure_type && record.payload)
            erasures_.take(index, record.time, record.actor, *record.payload);
        types_[index] = header.type;
        if (!header.plan_digest.empty())
            plans_[header.plan_digest].push_back(std::move(record));
        else if (header.type == "tool.begin" || header.type == "tool.end")
            take_call(record);
    }

    void take_call(const PlanRecord& record) {
        const auto payload =
            base::parse_json(record.payload.value_or(""), base::limits::audit_payload_bytes_max);
        if (!payload)
            return; // erased: whose call it was is not known any more
        calls_.take(record.index, record.time, record.type, record.actor, *payload);
    }

    /// What was to be in the bundle, and whether it is.
    void check_gaps() {
        const auto* asked = base::member(manifest_, "asked_for");
        for (const char* part : {"plan", "from", "to", "incident"})
            if (older_ && std::string_view(part) == "incident")
                continue;
            else if (asked == nullptr || !base::string_member(*asked, part))
                return problem("The manifest does not say what was asked for, so nothing shows "
                               "what is missing.");
        auto& scope = report_.scope;
        scope.plan_id = *base::string_member(*asked, "plan");
        scope.from = *base::string_member(*asked, "from");
        scope.to = *base::string_member(*asked, "to");
        scope.incident = base::string_member(*asked, "incident").value_or("");
        const bool of_period = !scope.from.empty() || !scope.to.empty();
        if ((scope.plan_id.empty() ? 0 : 1) + (scope.incident.empty() ? 0 : 1) +
                (of_period ? 1 : 0) !=
            1)
            return problem("The manifest does not say one thing that was asked for, so nothing "
                           "shows what is missing.");
        const auto counted = base::integer_member(manifest_, "records");
        if (counted != static_cast<long long>(indexes_.size()))
            problem(
                "The manifest counts " + std::to_string(counted.value_or(-1)) +
                " records, and the bundle holds " + std::to_string(indexes_.size()) + "."
            );
        if (of_period)
            return check_period_of_scope();
        if (!scope.incident.empty()) {
            report_.not_shown.push_back(
                "Which records tell of the incident " + base::sanitize(scope.incident) +
                " stands in what they say, not in their headers: that none was left out is shown "
                "by no bundle of an incident. A period that spans it shows that."
            );
            return;
        }
        // The plan's own check looks for gaps; whatever else is in it may be part of anything.
        if (plans_.size() != 1)
            problem(
                "The manifest says that it is of one plan, and it holds records of " +
                std::to_string(plans_.size()) + " plans."
            );
    }

    Period period() const { return {report_.scope.from, report_.scope.to}; }

    void check_period_of_scope() {
        const auto found = check_period(period(), {times_, indexes_, checkpoint_.size});
        report_.scope.first = found.first;
        report_.scope.last = found.last;
        take_over(found.problems, found.not_known);
    }

    void take_over(
        const std::vector<std::string>& problems, const std::vector<std::string>& not_knowns
    ) {
        for (const auto& sentence : problems)
            problem(sentence);
        for (const auto& sentence : not_knowns)
            not_known(sentence);
    }

    bool held(std::uint64_t index) const { return times_.contains(index); }

    void check_erasures() {
        for (const auto& range : missing_.without(erasures_.ranges()).ranges())
            problem(
                "Records " + std::to_string(range.first) + " to " + std::to_string(range.last) +
                ": payloads are missing, and no record in the bundle tells of their erasure."
            );
    }

    void take_earlier() {
        auto found = check_earlier_checkpoints(files_, {note_, key_, checkpoint_}, trust_.earlier);
        report_.earlier_checkpoints = found.held;
        checkpoints_ = std::move(found.names);
        executor_keys_ = std::move(found.executor_keys);
        take_over(found.problems, {});
    }

    void check_plans() {
        const bool signs_itself = key_.name == executor_name;
        const bool given = !trust_.executor_keys.empty() || (signs_itself && report_.key_was_given);
        if (given)
            executor_keys_ = trust_.executor_keys; // and nobody else's word
        if (signs_itself && (report_.key_was_given || !given))
            executor_keys_.push_back(report_.verifier_key);
        const auto whole_from = held_to_the_end();
        std::map<std::string, Files> files;
        for (const auto& [path, content] : files_) {
            if (!path.starts_with(bundle_plans))
                continue;
            const auto rest = path.substr(bundle_plans.size());
            const auto slash = rest.find('/');
            const auto digest = rest.substr(0, slash);
            if (slash == std::string::npos || !plans_.contains(digest))
                problem("The file " + path + " belongs to no plan of which there is a record.");
            else
                files[digest][rest.substr(slash + 1)] = content;
        }
        for (auto& [digest, records] : plans_) {
            for (auto& record : records) {
                placed_.insert(record.index);
                record.erased = record.payload ? "" : erasures_.of(record.index);
            }
            PlanEvidence evidence;
            evidence.place = older_ ? Place::older_bundle : Place::bundle;
            evidence.calls = &calls_;
            evidence.digest = digest;
            evidence.files = std::move(files[digest]);
            evidence.nothing_follows = records.back().index + 1 >= whole_from;
            evidence.records = std::move(records);
            evidence.executor_keys = executor_keys_;
            evidence.executor_keys_given = given;
            evidence.allowed_signers = trust_.allowed_signers;
            auto checked = check_plan(evidence);
            for (const auto& sentence : checked.problems)
                problem(sentence);
            for (const auto* list : {&checked.not_known, &checked.erased})
                for (const auto& sentence : *list)
                    not_known(sentence);
            if (checked.asked) {
                placed_.insert(checked.asked->begin);
                placed_.insert(checked.asked->end.value_or(checked.asked->begin));
            }
            report_.plans.push_back(std::move(checked));
        }
    }

    /// What is neither what was asked for nor needed to tell it was not to be here; or what was
    /// asked for was more.
    void check_belonging() {
        const auto& scope = report_.scope;
        const bool of_period = scope.plan_id.empty() && scope.incident.empty();
        for (const auto& call : calls_.all()) {
            if (scope.incident.empty() || call.incident != scope.incident)
                continue;
            placed_.insert(call.begin);
            placed_.insert(call.end.value_or(call.begin));
        }
        for (const auto& plan : report_.plans)
            if (!scope.incident.empty() && plan.incident != scope.incident)
                problem(
                    "Plan " + plan.plan_id + " is in the bundle of the incident " + scope.incident +
                    ", and what was shown of it does not name that."
                );
        for (const auto& [index, type] : types_) {
            const bool wanted = placed_.contains(index) || type == telemetry::erasure_type ||
                                (of_period && period().holds(times_.at(index)));
            if (!wanted)
                problem(
                    "Record " + std::to_string(index) +
                    " belongs to nothing of what the manifest says was asked for."
                );
        }
    }

    /// From this record on, the bundle holds the whole log up to its checkpoint.
    std::uint64_t held_to_the_end() const {
        auto from = checkpoint_.size;
        while (from > 0 && held(from - 1))
            --from;
        return from;
    }

    const Files& files_;
    const BundleTrust& trust_;
    BundleReport report_;
    Json manifest_;
    std::string note_;
    telemetry::VerifierKey key_;
    telemetry::Checkpoint checkpoint_;
    std::set<std::uint64_t> indexes_; // of records, whole or erased
    std::set<std::uint64_t> witness_indexes_;
    std::map<std::uint64_t, std::string> times_; // of both, where there is a header
    std::map<std::string, std::vector<PlanRecord>> plans_;
    std::map<std::uint64_t, std::string> types_; // of records
    std::set<std::uint64_t> placed_;             // that belong to a plan or a call in question
    AskingCalls calls_;
    RecordedErasures erasures_;
    std::vector<std::string> checkpoints_; // names of the earlier ones
    bool older_ = false;
    telemetry::IndexRanges missing_;
    std::vector<std::string> executor_keys_; // of checkpoints in the bundle, or as they were given
};

} // namespace

base::Result<BundleReport> check_bundle(const Files& files, const BundleTrust& trust) {
    return BundleCheck(files, trust).run();
}

} // namespace interlock::cli
