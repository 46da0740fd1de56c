#include "approval/queue_rows.hpp"
#include "base/limits.hpp"
#include "telemetry/audit_log.hpp"

#include <chrono>

namespace interlock::approval {

namespace {

constexpr std::string_view by_state = "select state, count(*) as plans from plans group by state";

// Only of what still waits for somebody: plans that ended are many, and their age says nothing.
constexpr std::string_view oldest_by_state =
    "select state, min(created_at) as oldest from plans where state in ('PENDING', 'APPROVED', "
    "'CLAIMED', 'EXECUTING', 'IN_DOUBT', 'ROLLING_BACK', 'VERIFYING', 'HOLD', 'NEEDS_HUMAN') "
    "group by state";

constexpr std::string_view decided_since =
    "select d.verdict as what, p.created_at as began, d.recorded_at as ended "
    "from decisions d join plans p on p.plan_id = d.plan_id where d.recorded_at > $1 "
    "order by d.recorded_at limit $2";

constexpr std::string_view executed_since =
    "select p.state as what, e.claimed_at as began, l.released_at as ended "
    "from target_leases l join executions e on e.plan_id = l.plan_id "
    "join plans p on p.plan_id = l.plan_id where l.released_at > $1 "
    "order by l.released_at limit $2";

double seconds_between(const std::string& began, base::Time ended) {
    const auto from = base::parse_time(began);
    return from ? std::chrono::duration<double>(ended - *from).count() : 0;
}

base::Result<std::vector<QueueSummary::Took>>
took(db::StoreTransaction& transaction, std::string_view sql, const std::string& since) {
    std::vector<QueueSummary::Took> out;
    INTERLOCK_TRY(
        const auto found,
        transaction.run(sql, {since, std::to_string(base::limits::plans_listed_max)})
    );
    for (std::size_t row = 0; row < found.rows.size(); ++row) {
        const auto ended = base::parse_time(found.text(row, "ended"));
        if (ended)
            out.push_back(
                {found.text(row, "what"), seconds_between(found.text(row, "began"), *ended)}
            );
    }
    return out;
}

base::Status count_states(db::StoreTransaction& transaction, QueueSummary& summary) {
    INTERLOCK_TRY(const auto counted, transaction.run(by_state));
    INTERLOCK_TRY(const auto oldest, transaction.run(oldest_by_state));
    for (std::size_t row = 0; row < counted.rows.size(); ++row) {
        const std::string state = counted.text(row, "state");
        const auto known = state_from_name(state);
        if (!known)
            return base::Error{
                base::Errc::corrupt,
                "A stored plan is in a state that does not exist.",
                "Verify the audit log with `interlock audit verify`."};
        QueueSummary::InState entry{
            *known, static_cast<std::size_t>(counted.integer(row, "plans").value_or(0)), 0};
        for (std::size_t other = 0; other < oldest.rows.size(); ++other)
            if (oldest.text(other, "state") == state)
                entry.oldest_seconds =
                    seconds_between(oldest.text(other, "oldest"), transaction.now());
        summary.states.push_back(entry);
    }
    return base::done;
}

} // namespace

base::Result<QueueSummary> Queue::summary(const std::string& since) {
    return rows::look<QueueSummary>(
        store_,
        [&](db::StoreTransaction& transaction) -> base::Result<QueueSummary> {
            QueueSummary summary;
            INTERLOCK_CHECK(count_states(transaction, summary));
            if (!since.empty()) {
                INTERLOCK_TRY(summary.decisions, took(transaction, decided_since, since));
                INTERLOCK_TRY(summary.executions, took(transaction, executed_since, since));
            }
            INTERLOCK_TRY(const auto head, telemetry::audit_head(transaction));
            summary.audit_leaves = head.size;
            summary.until = base::format_time(transaction.now());
            return summary;
        }
    );
}

} // namespace interlock::approval
