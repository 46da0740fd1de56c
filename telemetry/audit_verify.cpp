#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/index_ranges.hpp"
#include "telemetry/merkle.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::telemetry {

namespace {

/// Walks the log once, in order, with a few rows in memory at a time.
class Verification {
public:
    Verification(std::vector<Checkpoint> checkpoints, AuditScope scope)
        : checkpoints_(std::move(checkpoints)),
          scope_(std::move(scope)),
          tree_(scope_.from),
          next_(scope_.from.size()) {
        std::erase_if(checkpoints_, [this](const auto& checkpoint) {
            return checkpoint.size < scope_.from.size();
        });
        std::sort(
            checkpoints_.begin(),
            checkpoints_.end(),
            [](const auto& left, const auto& right) { return left.size < right.size; }
        );
    }

    base::Status run(db::StoreTransaction& transaction) {
        INTERLOCK_CHECK(load_state(transaction));
        compare_checkpoints();
        INTERLOCK_CHECK(walk(transaction));
        if (!enough())
            INTERLOCK_CHECK(look_for_orphans(transaction));
        if (!enough())
            compare_erasures();
        if (!enough())
            finish();
        found_.size = tree_.size();
        found_.root = tree_.root();
        found_.tree = tree_;
        if (problems_ > scope_.problems_max)
            found_.problems.push_back(
                std::to_string(problems_ - scope_.problems_max) + " more problems are not listed."
            );
        return base::done;
    }

    AuditVerification take() { return std::move(found_); }

private:
    void problem(std::string sentence) {
        ++problems_;
        if (problems_ <= scope_.problems_max)
            found_.problems.push_back(std::move(sentence));
    }
    /// Asked for less than everything, and found it. A whole verification counts on.
    bool enough() const {
        return scope_.problems_max < base::limits::audit_problems_max &&
               problems_ >= scope_.problems_max;
    }
    void problem(std::uint64_t leaf, const std::string& what) {
        problem("Leaf " + std::to_string(leaf) + ": " + what + ".");
    }

    base::Status load_state(db::StoreTransaction& transaction) {
        INTERLOCK_TRY(
            const auto table, transaction.run("select origin, frontier from audit_state")
        );
        if (table.rows.size() != 1) {
            problem(
                "The log has " + std::to_string(table.rows.size()) +
                " state rows instead of one, so its recorded size and root are unknown."
            );
            return base::done;
        }
        origin_ = table.text(0, "origin");
        auto frontier = Frontier::parse(table.text(0, "frontier"));
        if (frontier)
            recorded_ = std::move(frontier).value();
        else
            problem(frontier.error().what);
        return base::done;
    }

    base::Status walk(db::StoreTransaction& transaction) {
        // Nothing stands below 0: a verification of everything counts what is not an index, too.
        const auto first = std::to_string(scope_.from.size());
        INTERLOCK_TRY(
            const auto total,
            scope_.from.size() == 0
                ? transaction.run("select count(*) as records from audit_log")
                : transaction.run(
                      "select count(*) as records from audit_log where leaf_index >= $1", {first}
                  )
        );
        for (auto after = std::to_string(static_cast<long long>(next_) - 1); !enough();) {
            INTERLOCK_TRY(
                const auto table,
                transaction.run(
                    "select l.leaf_index, l.leaf_hash, l.plan_digest, l.header, p.salt, p.payload "
                    "from audit_log l left join audit_payload p on p.leaf_index = l.leaf_index "
                    "where l.leaf_index > $1 order by l.leaf_index limit " +
                        std::to_string(base::limits::audit_verify_rows),
                    {after}
                )
            );
            if (table.empty())
                break;
            for (std::size_t row = 0; row < table.rows.size() && !enough(); ++row)
                check_row(table, row);
            after = table.text(table.rows.size() - 1, "leaf_index");
        }
        const auto counted = tree_.size() - scope_.from.size();
        const auto records = total.text(0, "records");
        if (!enough() && records != std::to_string(counted))
            problem(
                "The log has " + records + " records, of which " + std::to_string(counted) +
                " stand at the index of a leaf."
            );
        return base::done;
    }

    void check_row(const db::Table& table, std::size_t row) {
        const auto index = table.integer(row, "leaf_index");
        if (!index)
            return; // not the index of a leaf; walk() counts it
        const auto leaf = static_cast<std::uint64_t>(*index);
        if (leaf < next_)
            problem(leaf, "it is recorded twice");
        else if (leaf == next_ + 1)
            problem(next_, "it is missing from the log");
        else if (leaf > next_)
            problem(
                next_,
                "it and all before leaf " + std::to_string(leaf) + " are missing from the log"
            );
        next_ = leaf + 1;
        const auto hash = leaf_hash(table.text(row, "header"));
        check_header(leaf, hash, table, row);
        tree_.append(hash);
        if (scope_.on_leaf)
            scope_.on_leaf(leaf, table.text(row, "plan_digest"), hash);
        compare_checkpoints();
    }

    void check_header(
        std::uint64_t leaf, const base::Digest& hash, const db::Table& table, std::size_t row
    ) {
        const auto header_text = table.text(row, "header");
        if (base::hex(hash) != table.text(row, "leaf_hash"))
            problem(leaf, "its header does not hash to the recorded leaf hash");
        const auto header = base::parse_json(header_text);
        if (!header || !header->is_object()) {
            problem(leaf, "its header is not a JSON object");
            return;
        }
        const auto sequence = base::integer_member(*header, "seq");
        if (!sequence || *sequence < 0 || static_cast<std::uint64_t>(*sequence) != leaf)
            problem(
                leaf,
                "its header carries the sequence number " +
                    (sequence ? std::to_string(*sequence) : std::string("of no leaf"))
            );
        if (base::string_member(*header, "plan_digest") != table.at(row, "plan_digest"))
            problem(leaf, "its plan column names another plan than its header");
        check_payload(leaf, base::string_member(*header, "payload_hash"), table, row);
        if (base::string_member(*header, "type") == erasure_type)
            read_erasure(leaf, table.at(row, "payload"));
    }

    /// A record that tells which payloads before it were erased.
    void read_erasure(std::uint64_t leaf, const db::Cell& payload) {
        ++found_.erasure_records;
        if (!payload)
            return; // nothing accounts for it, nor for those it told of
        const auto content = base::parse_json(*payload, base::limits::audit_payload_bytes_max);
        const auto* list = content ? base::member(*content, erasure_ranges) : nullptr;
        const auto ranges = list != nullptr ? IndexRanges::from_json(*list) : std::nullopt;
        if (!ranges || ranges->empty() || ranges->ranges().back().last >= leaf) {
            problem(leaf, "it does not say which payloads before it were erased");
            return;
        }
        for (const auto& range : ranges->ranges())
            recorded_erasures_.add(range);
    }

    void check_payload(
        std::uint64_t leaf,
        const std::optional<std::string>& expected,
        const db::Table& table,
        std::size_t row
    ) {
        const auto& payload = table.at(row, "payload");
        if (!payload) {
            ++found_.erased_payloads;
            missing_.add(leaf);
            return;
        }
        const auto salt = base::from_hex(table.text(row, "salt"));
        if (!salt || salt->size() != audit_salt_bytes)
            problem(leaf, "the salt of its payload was changed");
        else if (!expected || base::hex(payload_hash(*salt, *payload)) != *expected)
            problem(leaf, "its payload does not hash to what the leaf commits to");
    }

    /// Compares every checkpoint of the size reached so far.
    void compare_checkpoints() {
        for (; next_checkpoint_ < checkpoints_.size(); ++next_checkpoint_) {
            const auto& checkpoint = checkpoints_[next_checkpoint_];
            if (checkpoint.size > tree_.size())
                return;
            ++found_.checkpoints_checked;
            const auto size = std::to_string(checkpoint.size);
            if (checkpoint.origin != origin_)
                problem(
                    "The checkpoint of size " + size + " belongs to the log " +
                    base::sanitize(checkpoint.origin) + ", and this is " + base::sanitize(origin_) +
                    "."
                );
            if (!(checkpoint.root == tree_.root()))
                problem(
                    "The first " + size + " leaves are not those of the checkpoint of size " +
                    size + ": a leaf below " + size +
                    " was changed, removed or added after it was signed."
                );
        }
    }

    void compare_erasures() {
        const auto unrecorded = missing_.without(recorded_erasures_);
        found_.unrecorded_erasures = unrecorded.count();
        const auto told = [this](const IndexRange& range, const std::string& what) {
            problem(
                range.first == range.last
                    ? "Leaf " + std::to_string(range.first) + ": its payload " + what + "."
                    : "Leaves " + std::to_string(range.first) + " to " +
                          std::to_string(range.last) + ": their payloads " + what + "."
            );
        };
        for (const auto& range : unrecorded.ranges())
            told(
                range,
                range.first == range.last ? "is missing, and no record tells of its erasure"
                                          : "are missing, and no record tells of their "
                                            "erasure"
            );
        IndexRanges read;
        if (tree_.size() > scope_.from.size())
            read.add({scope_.from.size(), tree_.size() - 1});
        for (const auto& range : recorded_erasures_.within(read).without(missing_).ranges())
            told(
                range,
                range.first == range.last ? "is recorded as erased and is still there"
                                          : "are recorded as erased and are still there"
            );
    }

    base::Status look_for_orphans(db::StoreTransaction& transaction) {
        std::string sql = "select p.leaf_index from audit_payload p where not exists "
                          "(select 1 from audit_log l where l.leaf_index = p.leaf_index)";
        std::vector<db::Cell> parameters;
        if (scope_.from.size() > 0) {
            sql += " and p.leaf_index >= $1";
            parameters.emplace_back(std::to_string(scope_.from.size()));
        }
        sql += " order by p.leaf_index limit " + std::to_string(base::limits::audit_problems_max);
        INTERLOCK_TRY(const auto table, transaction.run(sql, parameters));
        for (std::size_t row = 0; row < table.rows.size(); ++row)
            problem("Leaf " + table.text(row, "leaf_index") + ": it has a payload and no record.");
        return base::done;
    }

    void finish() {
        if (recorded_ && recorded_->size() != tree_.size())
            problem(
                "The log holds " + std::to_string(tree_.size()) +
                " leaves, and its state row says " + std::to_string(recorded_->size()) + ": leaf " +
                std::to_string(std::min(recorded_->size(), tree_.size())) +
                " is the first that only one of them knows."
            );
        else if (recorded_ && recorded_->to_text() != tree_.to_text())
            problem(
                "The root over all " + std::to_string(tree_.size()) +
                " leaves is not the recorded one: a leaf at an index from 0 to " +
                std::to_string(tree_.size() - 1) + " was changed."
            );
        for (; next_checkpoint_ < checkpoints_.size(); ++next_checkpoint_) {
            ++found_.checkpoints_checked;
            problem(
                "Leaf " + std::to_string(tree_.size()) +
                ": it is missing with all that followed; a checkpoint of size " +
                std::to_string(checkpoints_[next_checkpoint_].size) +
                " was signed, and the log ends before it."
            );
        }
    }

    std::vector<Checkpoint> checkpoints_; // by size
    const AuditScope scope_;
    std::size_t next_checkpoint_ = 0;
    std::string origin_;
    std::optional<Frontier> recorded_;
    Frontier tree_;          // recomputed from the headers
    std::uint64_t next_ = 0; // the index that must come next
    IndexRanges missing_;    // payloads
    IndexRanges recorded_erasures_;
    std::size_t problems_ = 0;
    AuditVerification found_;
};

} // namespace

base::Result<AuditVerification>
verify_audit(db::Store& store, const std::vector<Checkpoint>& checkpoints, AuditScope scope) {
    Verification verification(checkpoints, std::move(scope));
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) {
        return verification.run(transaction);
    }));
    return verification.take();
}

} // namespace interlock::telemetry
