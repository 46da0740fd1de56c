#include "approval/brakes.hpp"
#include "approval/queue_rows.hpp"
#include "approval/spending.hpp"
#include "base/digest.hpp"
#include "base/limits.hpp"
#include "telemetry/audit_log.hpp"

#include <algorithm>

namespace interlock::approval {

namespace {

/// A plan whose time is up is shown as EXPIRED even before anybody recorded it.
void show_expiry(StoredPlan& plan, base::Time now) {
    if (!rows::is_past(plan, now))
        return;
    plan.state = PlanState::expired;
    plan.state_reason = "Its time was up.";
}

bool wants(const PlanFilter& filter, PlanState state) {
    return filter.states.empty() ||
           std::find(filter.states.begin(), filter.states.end(), state) != filter.states.end();
}

/// The end of the SQL that puts rows in `order`; `now` is a parameter's name. What stands as
/// PENDING or APPROVED and is past its time is shown as EXPIRED and waits for nobody.
std::string order_by(PlanOrder order, const std::string& now) {
    switch (order) {
    case PlanOrder::oldest_first:
        return " order by created_at, plan_id";
    case PlanOrder::waiting_first:
        return " order by case when state = 'PENDING' and expires_at > " + now +
               " then 0 when state = 'APPROVED' and expires_at > " + now +
               " then 1 when state in ('CLAIMED', 'EXECUTING', 'IN_DOUBT', 'ROLLING_BACK', "
               "'VERIFYING', 'HOLD', 'NEEDS_HUMAN') then 1 else 2 end, "
               "created_at desc, plan_id desc";
    case PlanOrder::newest_first:
        break;
    }
    return " order by created_at desc, plan_id desc";
}

} // namespace

Queue::Queue(db::Store& store, base::Random& random, std::chrono::milliseconds lease_lifetime)
    : store_(store), random_(random), lease_lifetime_(lease_lifetime) {}

base::Status Queue::create_tables() {
    return store_.transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(telemetry::create_audit_tables(transaction, random_));
        INTERLOCK_CHECK(create_brake_tables(transaction));
        INTERLOCK_CHECK(create_spending_table(transaction));
        return rows::create_tables(transaction);
    });
}

base::Result<StoredPlan> Queue::get(const std::string& plan_id) {
    return rows::look<StoredPlan>(
        store_,
        [&](db::StoreTransaction& transaction) -> base::Result<StoredPlan> {
            INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, plan_id));
            INTERLOCK_CHECK(rows::load_people(transaction, plan));
            show_expiry(plan, transaction.now());
            return plan;
        }
    );
}

base::Result<std::vector<StoredPlan>> Queue::list(const PlanFilter& filter) {
    return rows::look<std::vector<StoredPlan>>(
        store_,
        [&](db::StoreTransaction& transaction) -> base::Result<std::vector<StoredPlan>> {
            std::string sql =
                "select " + std::string(rows::plan_columns) + " from plans where 1 = 1";
            std::vector<db::Cell> parameters;
            const auto bind = [&](std::string value) {
                parameters.emplace_back(std::move(value));
                return "$" + std::to_string(parameters.size());
            };
            if (!filter.requester.empty())
                sql += " and plan_id in (select plan_id from plan_requesters where subject = " +
                       bind(filter.requester) + ")";
            if (!filter.states.empty()) {
                std::string names;
                for (const PlanState state : filter.states)
                    names += (names.empty() ? "" : ", ") + bind(name(state));
                // Those that expired unrecorded still stand as PENDING or APPROVED.
                if (wants(filter, PlanState::expired))
                    names += ", 'PENDING', 'APPROVED'";
                sql += " and state in (" + names + ")";
            }
            const bool by_time = filter.order == PlanOrder::waiting_first;
            sql +=
                order_by(filter.order, by_time ? bind(base::format_time(transaction.now())) : "");
            sql += " limit " + std::to_string(base::limits::plans_listed_max);
            INTERLOCK_TRY(const auto found, transaction.run(sql, parameters));
            std::vector<StoredPlan> plans;
            for (std::size_t row = 0; row < found.rows.size(); ++row) {
                if (plans.size() >= filter.count_max)
                    break;
                INTERLOCK_TRY(StoredPlan plan, rows::plan_from(found, row));
                show_expiry(plan, transaction.now());
                if (!wants(filter, plan.state))
                    continue;
                INTERLOCK_CHECK(rows::load_people(transaction, plan));
                plans.push_back(std::move(plan));
            }
            return plans;
        }
    );
}

base::Result<std::size_t> Queue::count() {
    return rows::look<std::size_t>(
        store_,
        [](db::StoreTransaction& transaction) -> base::Result<std::size_t> {
            INTERLOCK_TRY(const auto found, transaction.run("select count(*) as plans from plans"));
            return static_cast<std::size_t>(found.integer(0, "plans").value_or(0));
        }
    );
}

base::Result<int> Queue::expire_due() {
    return rows::settle<int>(store_, [&](db::StoreTransaction& transaction) {
        return rows::expire_due(transaction, random_);
    });
}

base::Result<std::string> Queue::log_position() {
    return rows::look<std::string>(
        store_,
        [](db::StoreTransaction& transaction) -> base::Result<std::string> {
            INTERLOCK_TRY(const auto head, telemetry::audit_head(transaction));
            return std::to_string(head.size) + ":" + base::hex(head.root);
        }
    );
}

base::Result<std::vector<StepRun>> Queue::steps(const std::string& plan_id) {
    return rows::look<std::vector<StepRun>>(
        store_,
        [&](db::StoreTransaction& transaction) -> base::Result<std::vector<StepRun>> {
            INTERLOCK_CHECK(rows::load(transaction, plan_id));
            INTERLOCK_TRY(
                const auto found,
                transaction.run(
                    "select step_index, forward, state, fence, detail, recorded_at from step_runs "
                    "where plan_id = $1 order by forward desc, step_index",
                    {plan_id}
                )
            );
            std::vector<StepRun> runs;
            for (std::size_t row = 0; row < found.rows.size(); ++row)
                runs.push_back(
                    {plan_id,
                     static_cast<int>(found.integer(row, "step_index").value_or(0)),
                     found.integer(row, "forward").value_or(0) == 1,
                     found.text(row, "state"),
                     found.integer(row, "fence").value_or(0),
                     found.text(row, "detail"),
                     found.text(row, "recorded_at")}
                );
            return runs;
        }
    );
}

base::Result<std::vector<std::string>> Queue::abandoned() {
    return rows::look<std::vector<std::string>>(
        store_,
        [](db::StoreTransaction& transaction) -> base::Result<std::vector<std::string>> {
            INTERLOCK_TRY(
                const auto found,
                transaction.run(
                    "select plan_id from target_leases where released_at is null "
                    "and lease_until <= $1 order by lease_until",
                    {base::format_time(transaction.now())}
                )
            );
            std::vector<std::string> plans;
            for (std::size_t row = 0; row < found.rows.size(); ++row)
                plans.push_back(found.text(row, "plan_id"));
            return plans;
        }
    );
}

} // namespace interlock::approval
