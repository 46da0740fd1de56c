#include "cli/audit_store_check.hpp"

#include "approval/queue.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/audit_erasures.hpp"
#include "cli/audit_plan_check.hpp"
#include "cli/audit_plan_files.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_scan.hpp"
#include "telemetry/merkle.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;
using telemetry::KeptCheckpoints;
using telemetry::SignedNote;

constexpr const char* executor_name = "interlock-executor";
constexpr std::size_t signers_bytes_max = std::size_t{1} << 20; // some thousand people

/// Lets several look at the store as it was at one moment.
class Snapshot : public db::Store {
public:
    explicit Snapshot(db::StoreTransaction& transaction) : transaction_(transaction) {}
    Status transact(const std::function<Status(db::StoreTransaction&)>&) override {
        return Error{
            Errc::internal, "A snapshot was to be written to.", "Report this as a defect."};
    }
    Status read(const std::function<Status(db::StoreTransaction&)>& body) override {
        return body(transaction_);
    }
    std::string describe() const override { return "a snapshot"; }

private:
    db::StoreTransaction& transaction_;
};

/// Follows the log's leaves, and says of each checkpoint by its name whether they lead to it.
class Comparison {
public:
    Comparison(const std::vector<SignedNote>& notes, const StoreTrust& trust) {
        for (const auto& note : notes) {
            HeldCheckpoint held{note.program, note.key, note.checkpoint.size, false, false};
            held.key_was_given =
                std::find(trust.verifier_keys.begin(), trust.verifier_keys.end(), note.key) !=
                trust.verifier_keys.end();
            held_.push_back({held, note.checkpoint, std::nullopt});
        }
        reach();
    }
    void leaf(const base::Digest& hash) {
        tree_.append(hash);
        reach();
    }
    /// Once all leaves were told of.
    std::vector<HeldCheckpoint>
    finish(const std::string& origin, std::vector<std::string>& problems) {
        std::vector<HeldCheckpoint> checkpoints;
        for (auto& [held, checkpoint, root] : held_) {
            const auto problem = difference(checkpoint, root, origin);
            held.agrees = problem.empty();
            if (!held.agrees)
                problems.push_back(
                    "The checkpoint of " + held.program + " over " + std::to_string(held.size) +
                    " records, signed by " + held.key + ": " + problem
                );
            checkpoints.push_back(held);
        }
        return checkpoints;
    }

private:
    struct Held {
        HeldCheckpoint held;
        telemetry::Checkpoint checkpoint;
        std::optional<base::Digest> root; // of as many leaves of this log
    };
    void reach() {
        for (auto& each : held_)
            if (each.checkpoint.size == tree_.size())
                each.root = tree_.root();
    }
    std::string difference(
        const telemetry::Checkpoint& checkpoint,
        const std::optional<base::Digest>& root,
        const std::string& origin
    ) const {
        if (checkpoint.origin != origin)
            return "it is of the log " + checkpoint.origin + ", and this is " + origin + ".";
        if (!root)
            return "the log ends before it, with " + std::to_string(tree_.size()) +
                   " records; what followed is missing.";
        if (!(*root == checkpoint.root))
            return "the log's first " + std::to_string(checkpoint.size) +
                   " records are not those that it was signed over; one was changed, removed or "
                   "added.";
        return {};
    }

    telemetry::Frontier tree_;
    std::vector<Held> held_;
};

class StoreCheck {
public:
    StoreCheck(db::Store& store, const KeptCheckpoints& kept, const StoreTrust& trust)
        : store_(store), kept_(kept), trust_(trust) {}

    Result<StoreReport> run() {
        report_.problems = kept_.problems;
        check_keys();
        INTERLOCK_CHECK(check_log());
        INTERLOCK_CHECK(read_erasures());
        INTERLOCK_CHECK(check_plans());
        for (const auto& digest : recorded_)
            problem("Plan " + digest + ": the log tells of it, and the store holds no such plan.");
        return std::move(report_);
    }

private:
    static void add(std::vector<std::string>& list, const std::string& sentence) {
        if (list.size() < base::limits::audit_problems_max)
            list.push_back(base::sanitize(sentence));
    }
    void problem(const std::string& sentence) { add(report_.problems, sentence); }

    /// Files can be replaced, and keys beside them: a key that the reader knows cannot.
    void check_keys() {
        for (const auto& key : trust_.verifier_keys) {
            const bool signed_one =
                std::any_of(kept_.notes.begin(), kept_.notes.end(), [&](const SignedNote& note) {
                    return note.key == key;
                });
            if (!signed_one)
                problem(
                    "No checkpoint kept here is signed by the key you gave, " + key +
                    ": whoever signed those that are here, it was not its owner."
                );
        }
        if (kept_.notes.empty())
            report_.not_known.emplace_back(
                "No signed checkpoint was given or is kept here, so records that were cut off the "
                "log's end, or a log that was rewritten as a whole, would not be seen."
            );
    }

    Status check_log() {
        Comparison comparison(kept_.notes, trust_);
        telemetry::AuditScope scope;
        scope.on_leaf = [&](std::uint64_t, const std::string& plan, const base::Digest& hash) {
            comparison.leaf(hash);
            if (!plan.empty() && recorded_.size() < base::limits::audit_plans_followed)
                recorded_.insert(plan);
        };
        INTERLOCK_TRY(report_.log, telemetry::verify_audit(store_, {}, std::move(scope)));
        std::string origin;
        INTERLOCK_CHECK(store_.read([&](db::StoreTransaction& transaction) -> Status {
            const auto head = telemetry::audit_head(transaction);
            origin = head ? head->origin : ""; // or the verification has told of it
            return base::done;
        }));
        report_.checkpoints = comparison.finish(origin, report_.problems);
        for (const auto& sentence : report_.log.problems)
            problem(sentence);
        return base::done;
    }

    Status read_erasures() {
        telemetry::AuditScan of_type;
        of_type.type = telemetry::erasure_type;
        of_type.payloads = true;
        return telemetry::scan_audit(
            store_,
            of_type,
            [&](telemetry::ScannedRecord& record) -> Result<telemetry::Scan> {
                const auto header = telemetry::read_leaf_header(record.header);
                if (header && record.payload)
                    erasures_.take(record.index, header->time, header->actor, *record.payload);
                return telemetry::Scan::go_on;
            }
        );
    }

    Status check_plans() {
        for (std::string after;;) {
            std::vector<std::string> ids;
            INTERLOCK_CHECK(store_.read([&](db::StoreTransaction& transaction) -> Status {
                INTERLOCK_TRY(
                    const auto table,
                    transaction.run(
                        "select plan_id from plans where plan_id > $1 order by plan_id limit " +
                            std::to_string(base::limits::audit_read_max),
                        {after}
                    )
                );
                for (std::size_t row = 0; row < table.rows.size(); ++row)
                    ids.push_back(table.text(row, "plan_id"));
                return base::done;
            }));
            for (const auto& id : ids)
                INTERLOCK_CHECK(check_plan_of(id));
            if (ids.size() < base::limits::audit_read_max)
                return base::done;
            after = ids.back();
        }
    }

    Status check_plan_of(const std::string& id) {
        ++report_.plans;
        PlanEvidence evidence;
        std::string unreadable;
        INTERLOCK_CHECK(store_.read([&](db::StoreTransaction& transaction) -> Status {
            Snapshot snapshot(transaction);
            const auto gathered = gather(snapshot, id, evidence);
            if (gathered.ok())
                return base::done;
            if (gathered.error().code != Errc::corrupt && gathered.error().code != Errc::not_found)
                return gathered.error();
            unreadable = gathered.error().what;
            return base::done;
        }));
        recorded_.erase(evidence.digest);
        if (!unreadable.empty()) {
            problem("Plan " + id + ": " + unreadable);
            return base::done;
        }
        const auto found = check_plan(evidence);
        if (found.outcome_signed) {
            auto& key = report_.outcome_keys[found.outcome_key];
            key.vouched = found.outcome_key_vouched;
            ++key.plans;
        }
        for (const auto& sentence : found.problems)
            problem(sentence);
        for (const auto& sentence : found.not_known)
            add(report_.not_known, sentence);
        for (const auto& sentence : found.erased)
            add(report_.erased, sentence);
        return base::done;
    }

    Status gather(db::Store& snapshot, const std::string& id, PlanEvidence& evidence) {
        base::SystemRandom random;
        approval::Queue queue(snapshot, random);
        INTERLOCK_TRY(const auto plan, queue.get(id));
        evidence.digest = plan.digest;
        INTERLOCK_TRY(const auto steps, queue.steps(id));
        std::map<std::string, std::string> signers;
        telemetry::AuditScan of_plan;
        of_plan.plan_digest = plan.digest;
        of_plan.payloads = true;
        INTERLOCK_CHECK(telemetry::scan_audit(
            snapshot,
            of_plan,
            [&](telemetry::ScannedRecord& record) -> Result<telemetry::Scan> {
                take(record, evidence, signers);
                return telemetry::Scan::go_on;
            }
        ));
        evidence.place = Place::store;
        evidence.nothing_follows = true;
        evidence.files = plan_files(plan, steps, signers);
        evidence.allowed_signers = trust_.allowed_signers;
        evidence.executor_keys_given = !trust_.executor_keys.empty();
        evidence.executor_keys =
            evidence.executor_keys_given ? trust_.executor_keys : kept_executors();
        return base::done;
    }

    void take(
        const telemetry::ScannedRecord& record,
        PlanEvidence& evidence,
        std::map<std::string, std::string>& signers
    ) const {
        const auto header = telemetry::read_leaf_header(record.header);
        if (!header)
            return; // the verification of the log has told of it
        evidence.records.push_back(
            {record.index,
             header->time,
             header->type,
             header->actor,
             record.payload,
             record.payload ? "" : erasures_.of(record.index)}
        );
        const auto payload =
            base::parse_json(record.payload.value_or(""), base::limits::audit_payload_bytes_max);
        if (const auto statement =
                payload ? base::string_member(*payload, "statement") : std::nullopt)
            signers[*statement] = base::string_member(*payload, "allowed_signers").value_or("");
    }

    std::vector<std::string> kept_executors() const {
        std::vector<std::string> keys;
        for (const auto& note : kept_.notes) {
            const auto key = telemetry::parse_verifier_key(note.key);
            if (key && key->name == executor_name)
                keys.push_back(note.key);
        }
        return keys;
    }

    db::Store& store_;
    const KeptCheckpoints& kept_;
    const StoreTrust& trust_;
    StoreReport report_;
    std::set<std::string> recorded_; // digests of plans of which the log tells, and no row yet
    RecordedErasures erasures_;
};

} // namespace

Result<StoreReport>
check_store(db::Store& store, const KeptCheckpoints& kept, const StoreTrust& trust) {
    return StoreCheck(store, kept, trust).run();
}

Status check_signers_file(const std::string& path) {
    if (path.empty())
        return base::done;
    const auto lines = base::read_file(path, signers_bytes_max);
    if (lines)
        return base::done;
    return Error{
        Errc::invalid_arguments,
        "The file of --allowed-signers cannot be used: " + lines.error().what,
        "Name the file in which the approvers' keys stand."};
}

} // namespace interlock::cli
