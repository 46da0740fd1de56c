#include "telemetry/log_memory.hpp"

#include "base/file.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <filesystem>

namespace interlock::telemetry {

namespace {

using base::Errc;
using base::Error;

constexpr std::size_t note_bytes_max = 4096;     // three short lines and a signature
constexpr std::size_t frontier_bytes_max = 8192; // 64 hashes at most

Error corrupt(std::string what) {
    return {
        Errc::corrupt,
        std::move(what),
        "Nothing goes on until a person has compared the queue with its backups, run `interlock "
        "audit verify`, and moved this program's checkpoint away on purpose."};
}

std::string beside(const std::string& note_path, const char* extension) {
    return std::filesystem::path(note_path).replace_extension(extension).string();
}

base::Digest chained(const base::Digest& before, const base::Digest& leaf) {
    return node_hash(before, leaf);
}

} // namespace

LogMemory::LogMemory(std::string note_path, std::string name, base::SigningKey key)
    : note_path_(std::move(note_path)), name_(std::move(name)), key_(std::move(key)) {}

base::Result<std::optional<Checkpoint>> LogMemory::read_note() const {
    const auto note = base::read_file(note_path_, note_bytes_max);
    if (!note && note.error().code == Errc::not_found)
        return std::optional<Checkpoint>();
    if (!note)
        return note.error();
    const auto checkpoint = verify_checkpoint(*note, name_, key_.public_key);
    if (!checkpoint)
        return corrupt(
            "The program's own checkpoint " + note_path_ +
            " does not verify: " + checkpoint.error().what
        );
    return std::optional(*checkpoint);
}

base::Result<LogMemory::Head> LogMemory::head(db::Store& store) const {
    Head found;
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(
            const auto table,
            transaction.run("select origin, frontier, (select max(leaf_index) from audit_log) "
                            "as last from audit_state where id = 1")
        );
        if (table.rows.size() != 1)
            return corrupt("The audit log has no state row.");
        const auto frontier = Frontier::parse(table.text(0, "frontier"));
        if (!frontier)
            return corrupt(frontier.error().what);
        // Cheap, and sees records taken off the end under a state that still counts them.
        const auto leaves = table.integer(0, "last").value_or(-1) + 1;
        if (static_cast<std::uint64_t>(leaves) != frontier->size())
            return corrupt(
                "The audit log counts " + std::to_string(frontier->size()) +
                " leaves, and its last record is number " + std::to_string(leaves) + "."
            );
        found = {table.text(0, "origin"), *frontier};
        return base::done;
    }));
    return found;
}

void LogMemory::remember_plan(const std::string& plan_digest, const base::Digest& leaf) {
    if (plan_digest.empty() || !plans_complete_)
        return;
    auto& plan = plans_[plan_digest];
    plan = chained(plan, leaf);
    if (plans_.size() > base::limits::audit_plans_followed) {
        plans_.clear();
        plans_complete_ = false; // each check reads the whole log from now on
    }
}

base::Status LogMemory::read_records(db::Store& store, const std::vector<Checkpoint>& known) {
    AuditScope scope;
    scope.from = tree_;
    scope.problems_max = 1;
    scope.on_leaf = [this](std::uint64_t, const std::string& plan, const base::Digest& leaf) {
        remember_plan(plan, leaf);
    };
    auto found = verify_audit(store, known, std::move(scope));
    if (found && found->problems.empty()) {
        tree_ = found->tree;
        return base::done;
    }
    // Some of what was told may be wrong: the next look starts from the first record.
    seen_.reset();
    plans_complete_ = false;
    if (!found)
        return found.error();
    return corrupt(
        "The audit log is damaged, or does not continue what was seen of it before: " +
        found->problems.front()
    );
}

base::Status LogMemory::verify_all(db::Store& store) {
    INTERLOCK_TRY(const auto note, read_note());
    std::vector<Checkpoint> known;
    if (note)
        known.push_back(*note);
    if (seen_) // what is in memory may be newer than what was written
        known.push_back(*seen_);
    INTERLOCK_TRY(const Head now, head(store));
    tree_ = Frontier{};
    plans_.clear();
    plans_complete_ = true;
    INTERLOCK_CHECK(read_records(store, known));
    seen_ = Checkpoint{now.origin, tree_.size(), tree_.root()};
    return base::done;
}

base::Status LogMemory::walk_hashes(db::Store& store, std::uint64_t size) {
    while (tree_.size() < size) {
        // One short transaction a batch: nobody who appends waits long, and leaves do not change.
        INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
            const auto next = tree_.size();
            INTERLOCK_TRY(
                const auto table,
                transaction.run(
                    "select leaf_index, leaf_hash from audit_log where leaf_index >= $1 and "
                    "leaf_index < $2 order by leaf_index limit " +
                        std::to_string(base::limits::audit_walk_rows),
                    {std::to_string(next), std::to_string(size)}
                )
            );
            for (std::size_t row = 0; row < table.rows.size(); ++row) {
                const auto hash = base::digest_from_hex(table.text(row, "leaf_hash"));
                if (!hash || table.text(row, "leaf_index") != std::to_string(tree_.size()))
                    break;
                tree_.append(*hash);
            }
            if (tree_.size() < std::min(next + std::max<std::uint64_t>(table.rows.size(), 1), size))
                return corrupt(
                    "Leaf " + std::to_string(tree_.size()) +
                    " of the audit log is missing or "
                    "cannot be read."
                );
            return base::done;
        }));
    }
    return base::done;
}

base::Status LogMemory::start_from_files(db::Store& store) {
    tree_ = Frontier{};
    plans_.clear();
    plans_complete_ = false;
    INTERLOCK_TRY(const auto note, read_note());
    if (!note)
        return base::done; // nothing was seen yet: from the first leaf on
    const auto text = base::read_file(beside(note_path_, ".frontier"), frontier_bytes_max);
    const auto kept = text ? Frontier::parse(base::trim(*text)) : text.error();
    if (kept && kept->size() == note->size && kept->root() == note->root) {
        tree_ = *kept;
    } else { // lost, or one of the two files is older: leaf hashes give it back, or show a cut
        INTERLOCK_TRY(const Head now, head(store));
        if (now.frontier.size() < note->size)
            return corrupt(
                "The audit log holds " + std::to_string(now.frontier.size()) +
                " leaves, and the last checkpoint was signed over " + std::to_string(note->size) +
                "."
            );
        INTERLOCK_CHECK(walk_hashes(store, note->size));
        if (!(tree_.root() == note->root))
            return corrupt(
                "The first " + std::to_string(note->size) +
                " leaves of the audit log are not those over which the last checkpoint was signed."
            );
    }
    seen_ = *note;
    return base::done;
}

base::Status LogMemory::follow(db::Store& store, Scrutiny scrutiny) {
    if (!seen_)
        INTERLOCK_CHECK(start_from_files(store));
    INTERLOCK_TRY(const Head now, head(store));
    if (seen_ && now.origin != seen_->origin)
        return corrupt(
            "The store holds the audit log " + base::sanitize(now.origin) +
            ", and the one seen "
            "before was " +
            base::sanitize(seen_->origin) + "."
        );
    if (now.frontier.size() < tree_.size())
        return corrupt(
            "The audit log holds " + std::to_string(now.frontier.size()) + " leaves, and " +
            std::to_string(tree_.size()) + " were seen before."
        );
    if (scrutiny == Scrutiny::records) {
        INTERLOCK_CHECK(read_records(store, {}));
    } else {
        const auto before = tree_;
        const auto walked = walk_hashes(store, now.frontier.size());
        if (!walked || tree_.to_text() != now.frontier.to_text()) {
            tree_ = before; // what could not be confirmed is not taken for seen
            return walked
                       ? corrupt(
                             "The leaves of the audit log from " + std::to_string(before.size()) +
                             " to " + std::to_string(now.frontier.size()) +
                             " do not lead to the root that it claims."
                         )
                       : walked;
        }
    }
    seen_ = Checkpoint{now.origin, tree_.size(), tree_.root()};
    return base::done;
}

base::Status LogMemory::still_says(db::Store& store, const std::string& plan_digest) {
    if (!plans_complete_)
        return verify_all(store);
    base::Digest chain;
    for (std::string after = "-1"; !after.empty();) {
        INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(
                const auto table,
                transaction.run(
                    "select leaf_index, header from audit_log "
                    "where plan_digest <> '' and plan_digest = $1 and "
                    "leaf_index > $2 and leaf_index < $3 order by leaf_index limit " +
                        std::to_string(base::limits::audit_walk_rows),
                    {plan_digest, after, std::to_string(tree_.size())}
                )
            );
            for (std::size_t row = 0; row < table.rows.size(); ++row)
                chain = chained(chain, leaf_hash(table.text(row, "header")));
            after = table.empty() ? "" : table.text(table.rows.size() - 1, "leaf_index");
            return base::done;
        }));
    }
    const auto known = plans_.find(plan_digest);
    if (chain == (known == plans_.end() ? base::Digest{} : known->second))
        return base::done;
    return corrupt(
        "The records of the plan " + base::sanitize(plan_digest) +
        " are not those that stood in the audit log when it was verified."
    );
}

base::Status LogMemory::keep() {
    if (!seen_)
        return Error{Errc::internal, "A checkpoint was to be signed over a log not seen.", ""};
    const auto vkey_path = beside(note_path_, ".vkey");
    const auto vkey = verifier_key(name_, key_.public_key) + "\n";
    const auto present = base::read_file(vkey_path, vkey.size());
    if (!present || *present != vkey)
        INTERLOCK_CHECK(base::write_file_atomically(vkey_path, vkey, 0644));
    // The note last: a frontier that is newer than the note costs one walk, and nothing else.
    INTERLOCK_CHECK(
        base::write_file_atomically(beside(note_path_, ".frontier"), tree_.to_text() + "\n", 0644)
    );
    return base::write_file_atomically(note_path_, sign_checkpoint(*seen_, name_, key_), 0644);
}

} // namespace interlock::telemetry
