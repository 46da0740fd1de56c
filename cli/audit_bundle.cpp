#include "cli/audit_bundle.hpp"

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/audit_erasures.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_scan.hpp"
#include "telemetry/index_ranges.hpp"
#include "telemetry/merkle.hpp"
#include "telemetry/tlog_proof.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
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

constexpr std::string_view records_prefix = "records/";
constexpr std::string_view witnesses_prefix = "witnesses/";
constexpr std::string_view plans_prefix = "plans/";
constexpr std::string_view checkpoints_prefix = "checkpoints/";
constexpr const char* executor_name = "interlock-executor";

Error no_bundle(const std::string& why) {
    return {
        Errc::invalid_input,
        "This is not an audit bundle: " + why + ".",
        "Use the file exactly as `interlock audit export` wrote it."};
}

std::string numbered(std::string_view prefix, std::uint64_t index, const char* part) {
    char number[24];
    std::snprintf(number, sizeof number, "%012llu", static_cast<unsigned long long>(index));
    return std::string(prefix) + number + "/" + part;
}

/// The number before the first slash; it may still be written in another way than ours.
std::optional<std::uint64_t> index_in(std::string_view path) {
    const auto slash = path.find('/');
    std::uint64_t index = 0;
    const auto* const end = path.data() + std::min(slash, path.size());
    const auto [stop, error] = std::from_chars(path.data(), end, index);
    return error == std::errc{} && stop == end ? std::optional(index) : std::nullopt;
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
        check_earlier();
        check_plans();
        check_manifest();
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
        if (view.starts_with(records_prefix)) {
            const auto index = index_in(view.substr(records_prefix.size()));
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
        if (view.starts_with(witnesses_prefix)) {
            const auto index = index_in(view.substr(witnesses_prefix.size()));
            const bool known = index && (path == bundle_witness(*index, "header.json") ||
                                         path == bundle_witness(*index, "proof.tlog-proof"));
            if (known)
                witness_indexes_.insert(*index);
            else
                problem("The file " + path + " belongs to no witness.");
            return;
        }
        const bool known = path == bundle_manifest || path == bundle_note || path == bundle_key ||
                           view.starts_with(plans_prefix) || view.starts_with(checkpoints_prefix);
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
        const bool period = !scope.from.empty() || !scope.to.empty();
        if ((scope.plan_id.empty() ? 0 : 1) + (scope.incident.empty() ? 0 : 1) + (period ? 1 : 0) !=
            1)
            return problem("The manifest does not say one thing that was asked for, so nothing "
                           "shows what is missing.");
        const auto counted = base::integer_member(manifest_, "records");
        if (counted != static_cast<long long>(indexes_.size()))
            problem(
                "The manifest counts " + std::to_string(counted.value_or(-1)) +
                " records, and the bundle holds " + std::to_string(indexes_.size()) + "."
            );
        if (period)
            return check_period();
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

    bool in_period(const std::string& time) const {
        const auto& scope = report_.scope;
        return time >= scope.from && (scope.to.empty() || time < scope.to);
    }
    bool held(std::uint64_t index) const { return times_.contains(index); }

    /// A period is whole when every record from its first to its last is here, and those beside
    /// them, which show that it begins and ends there; or the log itself begins or ends.
    void check_period() {
        auto& scope = report_.scope;
        for (const auto* time : {&scope.from, &scope.to}) {
            const auto parsed = base::parse_time(*time);
            if (!time->empty() && (!parsed || base::format_time(*parsed) != *time))
                return problem("The manifest's period is none, so nothing shows what is missing.");
        }
        for (const auto& [index, time] : times_) {
            if (!in_period(time))
                continue; // a witness, or of a plan whose story begins or ends outside
            if (!indexes_.contains(index))
                problem(
                    "Record " + std::to_string(index) +
                    " is of the period, and only its header is in the bundle."
                );
            scope.first = scope.first.value_or(index);
            scope.last = index;
        }
        if (!scope.first)
            return problem("The bundle holds no record of the period.");
        check_inside();
        check_begin();
        check_end();
    }

    void check_inside() {
        const auto& scope = report_.scope;
        auto last = *scope.first;
        for (auto at = times_.find(last); at != times_.end() && at->first <= scope.last; ++at) {
            if (at->first > last + 1)
                problem(
                    "Between the records " + std::to_string(last) + " and " +
                    std::to_string(at->first) + " of the period, " +
                    std::to_string(at->first - last - 1) + " are missing."
                );
            last = at->first;
        }
    }

    void check_begin() {
        const auto& scope = report_.scope;
        const auto first = *scope.first;
        if (first == 0)
            return; // with the log
        if (scope.from.empty()) {
            for (std::uint64_t index = 0; index < first; ++index)
                if (!held(index))
                    return problem(
                        "The period begins with the log, and of the records before " +
                        std::to_string(first) + " some are missing, the first of them " +
                        std::to_string(index) + "."
                    );
            return;
        }
        if (!held(first - 1))
            return problem(
                "Nothing shows that the period begins with record " + std::to_string(first) +
                ": the record before it is not in the bundle, so the first ones may be missing."
            );
        if (times_.at(first - 1) >= scope.from)
            clock_went_back(first - 1);
    }

    void check_end() {
        const auto& scope = report_.scope;
        const auto size = checkpoint_.size;
        if (scope.to.empty()) {
            for (auto index = scope.last + 1; index < size; ++index)
                if (!held(index))
                    return problem(
                        "The period ends with the checkpoint, over " + std::to_string(size) +
                        " records, and of those after " + std::to_string(scope.last) +
                        " some are missing, the first of them " + std::to_string(index) + "."
                    );
            return;
        }
        if (scope.last + 1 >= size)
            return not_known(
                "The checkpoint ends within the period, with record " + std::to_string(scope.last) +
                ": whether more of the period was recorded after it cannot be known from this "
                "bundle. Export it again when a later record is signed."
            );
        if (!held(scope.last + 1))
            return problem(
                "Nothing shows that the period ends with record " + std::to_string(scope.last) +
                ": the record after it is not in the bundle, so the last ones may be missing."
            );
        if (times_.at(scope.last + 1) < scope.to)
            clock_went_back(scope.last + 1);
    }

    void clock_went_back(std::uint64_t index) {
        not_known(
            "The time of record " + std::to_string(index) +
            ", beside the period, lies on its other side: a clock was set, so whether more records "
            "of the period stand beyond it cannot be known from this bundle."
        );
    }

    void check_erasures() {
        for (const auto& range : missing_.without(erasures_.ranges()).ranges())
            problem(
                "Records " + std::to_string(range.first) + " to " + std::to_string(range.last) +
                ": payloads are missing, and no record in the bundle tells of their erasure."
            );
    }

    void check_earlier() {
        for (const auto& [path, content] : files_) {
            if (!path.starts_with(checkpoints_prefix))
                continue;
            const auto beside = path.substr(0, path.rfind('.'));
            if (path != beside + ".note" && path != beside + ".vkey" &&
                path != beside + ".consistency")
                problem("The file " + path + " belongs to no checkpoint.");
            if (file(beside + ".note") == nullptr)
                problem("The file " + path + " belongs to no checkpoint.");
            if (!path.ends_with(".note"))
                continue;
            checkpoints_.push_back(beside.substr(checkpoints_prefix.size()));
            const auto* key_text = file(beside + ".vkey");
            const auto* proof = file(beside + ".consistency");
            const auto held = check_one_earlier(content, key_text, proof);
            if (held)
                ++report_.earlier_checkpoints;
            else
                problem("The earlier checkpoint " + path + ": " + held.error().what);
        }
        check_trusted_checkpoint();
    }

    Status check_one_earlier(
        const std::string& note, const std::string* key_text, const std::string* proof_text
    ) {
        if (key_text == nullptr || proof_text == nullptr)
            return no_bundle("its key or the proof of consistency is missing");
        INTERLOCK_TRY(const auto key, telemetry::parse_verifier_key(base::trim(*key_text)));
        INTERLOCK_TRY(const auto old, telemetry::verify_checkpoint(note, key.name, key.public_key));
        INTERLOCK_TRY(const auto proof, telemetry::parse_consistency_proof(*proof_text));
        if (proof.checkpoint != note_)
            return no_bundle("its proof leads to another checkpoint");
        INTERLOCK_CHECK(telemetry::verify_consistency_proof(proof, old, key_));
        if (key.name == executor_name) {
            executor_keys_.emplace_back(base::trim(*key_text));
        }
        return base::done;
    }

    /// The checkpoint that the reader kept: of the same size, or one that the bundle proves from.
    void check_trusted_checkpoint() {
        if (!trust_.earlier)
            return;
        const auto& kept = trust_.earlier->checkpoint;
        const bool same = kept.origin == checkpoint_.origin && kept.size == checkpoint_.size &&
                          kept.root == checkpoint_.root;
        if (same) {
            ++report_.earlier_checkpoints;
            return;
        }
        const auto* text = file(std::string(checkpoints_prefix) + "since.consistency");
        const auto proof = text != nullptr
                               ? telemetry::parse_consistency_proof(*text)
                               : Result<telemetry::ConsistencyProof>(no_bundle("there is none"));
        if (!proof || !telemetry::verify_consistency_proof(*proof, kept, key_))
            problem(
                "Nothing in the bundle proves that its log continues the checkpoint that you kept, "
                "of size " +
                std::to_string(kept.size) +
                "; ask for an export with --since-checkpoint, and if that fails, the log was cut."
            );
        else
            ++report_.earlier_checkpoints;
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
            if (!path.starts_with(plans_prefix))
                continue;
            const auto rest = path.substr(plans_prefix.size());
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

    /// The manifest is nobody's word until every member of it is that of what is here.
    void check_manifest() {
        const auto said = [&](const char* name) {
            return base::string_member(manifest_, name).value_or("");
        };
        const auto counted = [&](const char* name, std::uint64_t value) {
            const auto told = base::integer_member(manifest_, name);
            if (!told || *told < 0 || static_cast<std::uint64_t>(*told) != value)
                wrong(name);
        };
        if (said("origin") != checkpoint_.origin)
            wrong("origin");
        if (said("root") != base::hex(checkpoint_.root))
            wrong("root");
        if (said("signed_by") != base::trim(*file(bundle_key)) ||
            (report_.key_was_given && said("signed_by") != report_.verifier_key))
            wrong("signed_by");
        counted("size", checkpoint_.size);
        counted("erased", missing_.count());
        check_manifest_plans();
        if (!older_ &&
            (!manifest_.contains("checkpoints") || manifest_["checkpoints"] != Json(checkpoints_)))
            wrong("checkpoints");
        const auto& id = report_.scope.plan_id;
        if (!id.empty() && !report_.plans.empty() && report_.plans.front().plan_id != id)
            problem(
                "The manifest says that the plan " + id +
                " was asked for, and its records are of "
                "another."
            );
        const std::set<std::string> known{
            "format",
            "origin",
            "size",
            "root",
            "signed_by",
            "asked_for",
            "plans",
            "records",
            "erased",
            "checkpoints"};
        for (const auto& [name, value] : manifest_.items())
            if (!known.contains(name))
                problem("The manifest says something of " + name + ", which nothing shows.");
        const std::set<std::string> asked{"plan", "from", "to", "incident"};
        if (const auto* list = base::member(manifest_, "asked_for"); list != nullptr)
            for (const auto& [name, value] : list->items())
                if (!asked.contains(name))
                    problem("The manifest asks for " + name + ", which nothing shows.");
    }

    void wrong(const std::string& member) {
        problem("The manifest's " + member + " is not that of what the bundle holds.");
    }

    void check_manifest_plans() {
        Json expected = Json::array();
        for (const auto& plan : report_.plans)
            expected.push_back({{"digest", plan.digest}, {"plan_id", plan.plan_id}});
        if (!manifest_.contains("plans") || manifest_["plans"] != expected)
            wrong("plans");
    }

    /// What is neither what was asked for nor needed to tell it was not to be here; or what was
    /// asked for was more.
    void check_belonging() {
        const auto& scope = report_.scope;
        const bool period = scope.plan_id.empty() && scope.incident.empty();
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
                                (period && in_period(times_.at(index)));
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

std::string bundle_record(std::uint64_t index, const char* part) {
    return numbered(records_prefix, index, part);
}

std::string bundle_witness(std::uint64_t index, const char* part) {
    return numbered(witnesses_prefix, index, part);
}

std::string bundle_plan(const std::string& digest, const std::string& part) {
    return std::string(plans_prefix) + digest + "/" + part;
}

base::Result<BundleReport> check_bundle(const Files& files, const BundleTrust& trust) {
    return BundleCheck(files, trust).run();
}

} // namespace interlock::cli
