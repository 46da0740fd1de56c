#include "approval/spending.hpp"

#include "approval/brake_rows.hpp"

#include <algorithm>
#include <chrono>

namespace interlock::approval {
namespace {

using base::Duration;

// Rows of ended windows are of no use; servers may differ in what they call a window, though.
constexpr Duration kept_at_least = std::chrono::hours(24);

struct Row {
    bool found = false;
    Spending spending;
    long long began = 0; // microseconds since 1970, store clock
};

base::Result<Row> read_row(db::StoreTransaction& transaction, const Spender& who) {
    INTERLOCK_TRY(
        const auto table,
        transaction.run(
            "select began_us, calls, result_bytes, database_us from spending "
            "where issuer = $1 and subject = $2",
            {who.issuer, who.subject}
        )
    );
    if (table.empty()) {
        return Row{};
    }
    return Row{
        .found = true,
        .spending =
            {.calls = table.integer(0, "calls").value_or(0),
             .result_bytes = table.integer(0, "result_bytes").value_or(0),
             .database = Duration(table.integer(0, "database_us").value_or(0))},
        .began = table.integer(0, "began_us").value_or(0)};
}

/// As the window stands at `now`. A clock that was set back ends no window and lengthens none by
/// more than one.
void roll_over(Row& row, long long now, Duration window) {
    if (!row.found || now - row.began >= window.count()) {
        row = {.found = row.found, .spending = {}, .began = now};
    } else {
        row.began = std::min(row.began, now);
    }
}

base::Result<WindowSpending>
add_one(db::StoreTransaction& transaction, const SpentBy& spent, long long now, Duration window) {
    INTERLOCK_TRY(Row row, read_row(transaction, spent.who));
    roll_over(row, now, window);
    row.spending = row.spending + spent.spending;
    INTERLOCK_CHECK(transaction.run(
        "insert into spending (issuer, subject, began_us, calls, result_bytes, database_us) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (issuer, subject) do update set "
        "began_us = excluded.began_us, calls = excluded.calls, "
        "result_bytes = excluded.result_bytes, database_us = excluded.database_us",
        {spent.who.issuer,
         spent.who.subject,
         std::to_string(row.began),
         std::to_string(row.spending.calls),
         std::to_string(row.spending.result_bytes),
         std::to_string(row.spending.database.count())}
    ));
    return WindowSpending{row.spending, Duration(now - row.began)};
}

} // namespace

Spending operator+(const Spending& left, const Spending& right) {
    return {
        left.calls + right.calls,
        left.result_bytes + right.result_bytes,
        left.database + right.database};
}

base::Status create_spending_table(db::StoreTransaction& transaction) {
    INTERLOCK_CHECK(transaction.run(
        "create table if not exists spending ("
        "issuer text not null, subject text not null, began_us bigint not null, "
        "calls bigint not null, result_bytes bigint not null, database_us bigint not null, "
        "primary key (issuer, subject))"
    ));
    return base::done;
}

base::Result<std::vector<WindowSpending>>
add_spending(db::Store& store, const std::vector<SpentBy>& spent, Duration window) {
    std::vector<WindowSpending> all;
    const auto added = store.transact([&](db::StoreTransaction& transaction) -> base::Status {
        all.clear();
        const long long now = base::microseconds_since_epoch(transaction.now());
        INTERLOCK_CHECK(transaction.run(
            "delete from spending where began_us < $1",
            {std::to_string(now - std::max(window, kept_at_least).count())}
        ));
        for (const SpentBy& each : spent) {
            INTERLOCK_TRY(const auto found, add_one(transaction, each, now, window));
            all.push_back(found);
        }
        return base::done;
    });
    INTERLOCK_CHECK(added);
    return all;
}

base::Result<WindowSpending> spent_so_far(db::Store& store, const Spender& who, Duration window) {
    WindowSpending found;
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
        const long long now = base::microseconds_since_epoch(transaction.now());
        INTERLOCK_TRY(Row row, read_row(transaction, who));
        roll_over(row, now, window);
        found = {row.spending, Duration(now - row.began)};
        return base::done;
    }));
    return found;
}

namespace rows {

base::Status forget_spending(
    db::StoreTransaction& transaction, const std::string& subject, const std::string& issuer
) {
    INTERLOCK_CHECK(transaction.run(
        "delete from spending where subject = $1 and ($2 = '' or issuer = $2)", {subject, issuer}
    ));
    return base::done;
}

} // namespace rows
} // namespace interlock::approval
