// What the parts of the queue share: its tables, reading a plan's row, and the one function through
// which every change of state goes. Only approval/queue_*.cpp include this.
#pragma once

#include "approval/queue.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::approval::rows {

base::Status create_tables(db::StoreTransaction& transaction);

/// Columns of `plans` that plan_from() reads.
extern const std::string_view plan_columns;
base::Result<StoredPlan> plan_from(const db::Table& table, std::size_t row);
/// A plan without its decisions; not_found when there is none.
base::Result<StoredPlan> load(db::StoreTransaction& transaction, const std::string& plan_id);
/// Decisions and requesters of a loaded plan.
base::Status load_people(db::StoreTransaction& transaction, StoredPlan& plan);

/// PENDING or APPROVED, and its time is up by the store's clock.
bool is_past(const StoredPlan& plan, base::Time now);
base::Error expired_error(const StoredPlan& plan);
/// load(), and then EXPIRED is recorded and returned as an `expired` Error when the plan's time is
/// up. Use within settle(), which commits that.
base::Result<StoredPlan>
load_unexpired(db::StoreTransaction& transaction, base::Random& random, const std::string& plan_id);

struct Change {
    PlanEvent event = PlanEvent::close;
    std::string actor;
    std::string reason;
    std::string expires_at;                                   // of the new state, "" = none
    std::vector<std::pair<std::string, std::string>> details; // more for the audit leaf
};
/// One arrow of the state machine: compare-and-set on state and version, and the audit leaf. `plan`
/// is brought up to date. conflict when somebody else was first.
base::Result<PlanState> move(
    db::StoreTransaction& transaction, base::Random& random, StoredPlan& plan, const Change& change
);
/// A leaf about a plan that does not change its state; `plan.leaf` is its index.
base::Status note(
    db::StoreTransaction& transaction,
    base::Random& random,
    StoredPlan& plan,
    const std::string& type,
    const std::string& actor,
    const std::vector<std::pair<std::string, std::string>>& details
);

/// Moves everything past its time to EXPIRED; returns how many.
base::Result<int> expire_due(db::StoreTransaction& transaction, base::Random& random);

/// Text for a stored reason: harmless, and of bounded length.
std::string plain(std::string_view text);

/// Runs `body` in a write transaction and returns what it returns. An `expired` Error commits: it
/// comes before any other write of the body, and that the time was up is itself recorded. Every
/// other Error rolls back.
template <class T, class Body>
base::Result<T> settle(db::Store& store, const Body& body) {
    std::optional<base::Result<T>> result;
    const base::Status stored =
        store.transact([&](db::StoreTransaction& transaction) -> base::Status {
            result.emplace(body(transaction));
            if (!result->ok() && result->error().code != base::Errc::expired)
                return result->error();
            return base::done;
        });
    if (!stored.ok())
        return stored.error();
    return std::move(*result);
}

/// The same for a snapshot that is only read.
template <class T, class Body>
base::Result<T> look(db::Store& store, const Body& body) {
    std::optional<base::Result<T>> result;
    const base::Status read = store.read([&](db::StoreTransaction& transaction) -> base::Status {
        result.emplace(body(transaction));
        return base::done;
    });
    if (!read.ok())
        return read.error();
    return std::move(*result);
}

} // namespace interlock::approval::rows
