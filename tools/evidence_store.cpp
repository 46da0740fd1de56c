#include "tools/evidence_store.hpp"

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "tools/open_evidence.hpp"

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

namespace interlock::tools {
namespace {

namespace limits = base::limits;

constexpr std::string_view prefix = "ev_";
constexpr std::size_t id_letters = 26; // 128 bits in base32 (base/ids.hpp)
// Room made at once when the budget is used up, so that not every later put has to make some.
constexpr std::size_t budget_after_eviction = limits::evidence_store_bytes_max / 10 * 9;
constexpr std::size_t count_after_eviction = limits::evidence_kept_max / 10 * 9;
constexpr std::size_t recent_kept = 1'000; // ids to suggest; what is older is found by its id
// Other processes may share the store; what they add is counted at least this often.
constexpr int puts_between_counts = 1'000;
constexpr std::size_t bytes_between_counts = limits::evidence_store_bytes_max / 16;

constexpr std::string_view tables[] = {
    "create table if not exists evidence ("
    "id text primary key, subject text not null, tool text not null, target text not null, "
    "created text not null, used text not null, bytes bigint not null)",
    "create index if not exists evidence_by_use on evidence (used)",
    // Apart, so that marking a record as used and counting what there is move no bodies.
    "create table if not exists evidence_body (id text primary key, body text not null)",
};

bool is_id(std::string_view id) {
    return id.size() == prefix.size() + id_letters && id.substr(0, prefix.size()) == prefix &&
           id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", prefix.size()) ==
               std::string_view::npos;
}

/// new_id() of bytes that are given.
class GivenBytes final : public base::Random {
public:
    explicit GivenBytes(std::string bytes) : bytes_(std::move(bytes)) {}
    std::string bytes(std::size_t count) override { return bytes_.substr(0, count); }

private:
    std::string bytes_;
};

base::Error tampered(const std::string& id) {
    base::log_error("evidence.tampered", {{"evidence", id}});
    return {
        base::Errc::corrupt,
        "Evidence " + id + " is not what was kept under this id: its record was changed.",
        "Do not rely on it; tell the operator, and run the tool again."};
}

base::Error unknown(const std::string& id) {
    return {
        base::Errc::not_found,
        is_id(id) ? "No evidence " + id + " is kept for this identity."
                  : "That is not an evidence id.",
        "Run the tool again; evidence is kept for 7 days and only for who asked for it."};
}

/// What is kept at the moment.
struct Usage {
    std::size_t count = 0;
    std::size_t bytes = 0;

    bool takes(std::size_t coming, std::size_t count_max, std::size_t bytes_max) const {
        return count < count_max && bytes + coming <= bytes_max;
    }
};

base::Result<Usage> count_usage(db::StoreTransaction& transaction) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run("select count(*) as count, coalesce(sum(bytes), 0) as bytes from evidence")
    );
    return Usage{
        static_cast<std::size_t>(found.integer(0, "count").value_or(0)),
        static_cast<std::size_t>(found.integer(0, "bytes").value_or(0))};
}

base::Status drop(db::StoreTransaction& transaction, const std::string& id) {
    INTERLOCK_CHECK(transaction.run("delete from evidence_body where id = $1", {id}));
    INTERLOCK_CHECK(transaction.run("delete from evidence where id = $1", {id}));
    return base::done;
}

base::Status drop_unused_since(db::StoreTransaction& transaction, const std::string& time) {
    INTERLOCK_CHECK(transaction.run(
        "delete from evidence_body where id in (select id from evidence where used < $1)", {time}
    ));
    INTERLOCK_CHECK(transaction.run("delete from evidence where used < $1", {time}));
    return base::done;
}

/// The least recently used go until `coming` more bytes leave room to spare.
base::Status evict(db::StoreTransaction& transaction, std::size_t coming, Usage& usage) {
    // First what the subject keeps that keeps most, so that nobody can push out everybody's; few at
    // a time, because that subject may be another after them.
    constexpr std::string_view oldest =
        "select id, bytes from evidence order by case when subject = (select subject from evidence "
        "group by subject order by sum(bytes) desc, subject limit 1) then 0 else 1 end, used, id "
        "limit 50";
    while (usage.count > 0 && !usage.takes(coming, count_after_eviction, budget_after_eviction)) {
        INTERLOCK_TRY(const auto candidates, transaction.run(oldest));
        if (candidates.empty()) {
            return base::done;
        }
        for (std::size_t row = 0; row < candidates.rows.size(); ++row) {
            if (usage.takes(coming, count_after_eviction, budget_after_eviction)) {
                break;
            }
            INTERLOCK_CHECK(drop(transaction, candidates.text(row, "id")));
            const auto bytes = candidates.integer(row, "bytes").value_or(0);
            usage.bytes -= std::min(usage.bytes, static_cast<std::size_t>(bytes));
            --usage.count;
        }
    }
    return base::done;
}

} // namespace

std::string evidence_id(const StoredEvidence& evidence) {
    const std::string& body = evidence.body;
    std::string bytes;
    for (const auto* part :
         {&evidence.subject, &evidence.tool, &evidence.target, &evidence.created}) {
        bytes.append(std::to_string(part->size())).append(":").append(*part);
    }
    // Where the body names itself counts, and what stands there does not.
    std::string rest;
    rest.reserve(body.size());
    std::size_t begin = 0;
    if (is_id(evidence.id)) {
        for (auto at = body.find(evidence.id); at != std::string::npos;
             at = body.find(evidence.id, begin)) {
            bytes.append(std::to_string(at)).append(",");
            rest.append(body, begin, at - begin);
            begin = at + evidence.id.size();
        }
    }
    rest.append(body, begin);
    bytes.append("#").append(rest);
    GivenBytes digest{std::string{base::sha256(bytes).view()}};
    return base::new_id(digest, prefix.substr(0, 2));
}

namespace {

class EvidenceTable final : public EvidenceStore {
public:
    EvidenceTable(std::unique_ptr<db::Store> store, base::Clock& clock)
        : store_{std::move(store)}, clock_{clock} {}

    base::Status create() {
        return store_->transact([&](db::StoreTransaction& transaction) -> base::Status {
            for (const std::string_view sql : tables) {
                INTERLOCK_CHECK(transaction.run(sql));
            }
            return make_room(transaction, 0);
        });
    }

    base::Status put(const StoredEvidence& evidence) override {
        if (evidence.id != evidence_id(evidence)) {
            return base::Error{
                base::Errc::internal, "An evidence id does not follow from its record.", ""};
        }
        if (evidence.body.size() > limits::evidence_bytes_max) {
            return base::Error{
                base::Errc::limit_exceeded,
                "A result of " + std::to_string(evidence.body.size()) +
                    " bytes is larger than one stored result may be (" +
                    std::to_string(limits::evidence_bytes_max) + ").",
                "Narrow the question."};
        }
        const std::lock_guard lock{mutex_};
        INTERLOCK_CHECK(store_->transact([&](db::StoreTransaction& transaction) {
            return insert(transaction, evidence);
        }));
        recent_.push_front({evidence.id, evidence.subject, clock_.now()});
        if (recent_.size() > recent_kept) {
            recent_.pop_back();
        }
        return base::done;
    }

    base::Result<StoredEvidence> get(const std::string& id, const std::string& subject) override {
        StoredEvidence found;
        const auto read = [&](db::StoreTransaction& transaction) -> base::Status {
            constexpr std::string_view sql =
                "select e.tool, e.target, e.created, b.body from evidence e "
                "join evidence_body b on b.id = e.id "
                "where e.id = $1 and e.subject = $2 and e.created >= $3";
            INTERLOCK_TRY(
                const auto row, transaction.run(sql, {id, subject, oldest_allowed(transaction)})
            );
            if (row.empty()) {
                return unknown(id);
            }
            found = {
                id,
                subject,
                row.text(0, "tool"),
                row.text(0, "target"),
                row.text(0, "created"),
                row.text(0, "body")};
            return base::done;
        };
        INTERLOCK_CHECK(store_->read(read));
        if (evidence_id(found) != id) {
            return tampered(id);
        }
        mark_used(id);
        INTERLOCK_CHECK(store_->sync());
        return found;
    }

    bool owns(const std::string& id, const std::string& subject) override {
        bool found = false;
        const auto read = [&](db::StoreTransaction& transaction) -> base::Status {
            constexpr std::string_view sql =
                "select id from evidence where id = $1 and subject = $2 and created >= $3";
            INTERLOCK_TRY(
                const auto row, transaction.run(sql, {id, subject, oldest_allowed(transaction)})
            );
            found = !row.empty();
            return base::done;
        };
        return store_->read(read).ok() && found && store_->sync().ok();
    }

    std::vector<std::string> recent(
        const std::string& subject, const std::string& beginning, std::size_t count_max
    ) override {
        const std::lock_guard lock{mutex_};
        std::vector<std::string> out;
        for (const Recent& one : recent_) {
            if (out.size() < count_max && one.subject == subject && one.id.starts_with(beginning) &&
                one.stored + limits::evidence_lifetime >= clock_.now()) {
                out.push_back(one.id);
            }
        }
        return out;
    }

private:
    struct Recent {
        std::string id;
        std::string subject;
        base::Time stored;
    };

    /// By the store's clock, which is the same to all that share it.
    static std::string oldest_allowed(db::StoreTransaction& transaction) {
        return base::format_time(transaction.now() - limits::evidence_lifetime);
    }

    /// The caller holds the mutex.
    base::Status insert(db::StoreTransaction& transaction, const StoredEvidence& evidence) {
        const std::size_t size = evidence.body.size();
        if (!usage_.takes(size, limits::evidence_kept_max, limits::evidence_store_bytes_max) ||
            ++puts_since_count_ >= puts_between_counts ||
            bytes_since_count_ >= bytes_between_counts) {
            INTERLOCK_CHECK(make_room(transaction, size));
        }
        INTERLOCK_CHECK(transaction.run(
            "insert into evidence (id, subject, tool, target, created, used, bytes) "
            "values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing",
            {evidence.id,
             evidence.subject,
             evidence.tool,
             evidence.target,
             evidence.created,
             base::format_time(transaction.now()),
             std::to_string(size)}
        ));
        INTERLOCK_CHECK(transaction.run(
            "insert into evidence_body (id, body) values ($1, $2) on conflict (id) do nothing",
            {evidence.id, evidence.body}
        ));
        ++usage_.count;
        usage_.bytes += size;
        bytes_since_count_ += size;
        return base::done;
    }

    /// Counts anew, drops what is past its lifetime and, when `coming` bytes would not fit, the
    /// least recently used.
    base::Status make_room(db::StoreTransaction& transaction, std::size_t coming) {
        INTERLOCK_CHECK(drop_unused_since(transaction, oldest_allowed(transaction)));
        INTERLOCK_TRY(usage_, count_usage(transaction));
        puts_since_count_ = 0;
        bytes_since_count_ = 0;
        if (usage_.takes(coming, limits::evidence_kept_max, limits::evidence_store_bytes_max)) {
            return base::done;
        }
        return evict(transaction, coming, usage_);
    }

    /// A record that was just read and cannot be marked is only the sooner forgotten.
    void mark_used(const std::string& id) {
        const auto marked =
            store_->transact([&](db::StoreTransaction& transaction) -> base::Status {
                INTERLOCK_CHECK(transaction.run(
                    "update evidence set used = $2 where id = $1",
                    {id, base::format_time(transaction.now())}
                ));
                return base::done;
            });
        if (!marked) {
            base::log_warning("evidence.not_marked", {{"why", base::to_text(marked.error())}});
        }
    }

    std::unique_ptr<db::Store> store_;
    base::Clock& clock_;
    std::mutex mutex_;          // guards what follows
    std::deque<Recent> recent_; // newest first
    Usage usage_;
    int puts_since_count_ = 0;
    std::size_t bytes_since_count_ = 0;
};

} // namespace

base::Result<std::unique_ptr<EvidenceStore>>
open_evidence_directory(const std::string& directory, base::Clock& clock) {
    INTERLOCK_CHECK(base::make_private_directory(directory));
    // A call must not wait for the disk to keep what matters only once somebody reads or cites it.
    INTERLOCK_TRY(
        auto store,
        db::open_sqlite_store(
            directory + "/evidence.db", db::StoreMode::create, clock, db::Durability::sync
        )
    );
    return open_evidence_store(std::move(store), clock);
}

base::Result<std::unique_ptr<EvidenceStore>>
open_evidence_store(std::unique_ptr<db::Store> store, base::Clock& clock) {
    auto table = std::make_unique<EvidenceTable>(std::move(store), clock);
    INTERLOCK_CHECK(table->create());
    return std::unique_ptr<EvidenceStore>{std::move(table)};
}

} // namespace interlock::tools
