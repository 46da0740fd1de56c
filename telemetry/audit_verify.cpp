#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/merkle.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace interlock::telemetry {

namespace {

/// Walks the log once, in order, with a few rows in memory at a time.
class Verification {
public:
    explicit Verification(std::vector<Checkpoint> checkpoints)
        : checkpoints_(std::move(checkpoints)) {
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
        INTERLOCK_CHECK(look_for_orphans(transaction));
        finish();
        return base::done;
    }

    AuditVerification take() { return std::move(found_); }

private:
    void problem(std::string sentence) {
        ++problems_;
        if (problems_ <= base::limits::audit_problems_max)
            found_.problems.push_back(std::move(sentence));
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
        INTERLOCK_TRY(
            const auto total, transaction.run("select count(*) as records from audit_log")
        );
        for (std::string after = "-1";;) {
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
            for (std::size_t row = 0; row < table.rows.size(); ++row)
                check_row(table, row);
            after = table.text(table.rows.size() - 1, "leaf_index");
        }
        const auto records = total.text(0, "records");
        if (records != std::to_string(tree_.size()))
            problem(
                "The log has " + records + " records, of which " + std::to_string(tree_.size()) +
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
        check_header(leaf, table, row);
        tree_.append(leaf_hash(table.text(row, "header")));
        compare_checkpoints();
    }

    void check_header(std::uint64_t leaf, const db::Table& table, std::size_t row) {
        const auto header_text = table.text(row, "header");
        if (base::hex(leaf_hash(header_text)) != table.text(row, "leaf_hash"))
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

    base::Status look_for_orphans(db::StoreTransaction& transaction) {
        INTERLOCK_TRY(
            const auto table,
            transaction.run(
                "select p.leaf_index from audit_payload p where not exists "
                "(select 1 from audit_log l where l.leaf_index = p.leaf_index) "
                "order by p.leaf_index limit " +
                std::to_string(base::limits::audit_problems_max)
            )
        );
        for (std::size_t row = 0; row < table.rows.size(); ++row)
            problem("Leaf " + table.text(row, "leaf_index") + ": it has a payload and no record.");
        return base::done;
    }

    void finish() {
        found_.size = tree_.size();
        found_.root = tree_.root();
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
        if (problems_ > base::limits::audit_problems_max)
            found_.problems.push_back(
                std::to_string(problems_ - base::limits::audit_problems_max) +
                " more problems are not listed."
            );
    }

    std::vector<Checkpoint> checkpoints_; // by size
    std::size_t next_checkpoint_ = 0;
    std::string origin_;
    std::optional<Frontier> recorded_;
    Frontier tree_;          // recomputed from the headers
    std::uint64_t next_ = 0; // the index that must come next
    std::size_t problems_ = 0;
    AuditVerification found_;
};

} // namespace

base::Result<AuditVerification>
verify_audit(db::Store& store, const std::vector<Checkpoint>& checkpoints) {
    Verification verification(checkpoints);
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) {
        return verification.run(transaction);
    }));
    return verification.take();
}

} // namespace interlock::telemetry
