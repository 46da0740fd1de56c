#include "executor/pg_target.hpp"

#include "base/db/writer_connection.hpp"
#include "base/limits.hpp"
#include "executor/crash_point.hpp"
#include "runbooks/fingerprint.hpp"

#include <algorithm>

namespace interlock::executor {

namespace {

namespace limits = base::limits;
using base::Errc;
using base::Error;
using base::Result;
using base::Status;
using db::Cell;
using db::Sql;
using db::Table;

constexpr Sql begin_sql{"begin", "BEGIN"};
constexpr Sql begin_read_only_sql{"begin_read_only", "BEGIN READ ONLY"};
constexpr Sql commit_sql{"commit", "COMMIT"};
constexpr Sql rollback_sql{"rollback", "ROLLBACK"};
// The first query of a READ ONLY transaction: after it PostgreSQL refuses to make it READ WRITE.
constexpr Sql time_outs_sql{"set_time_outs", R"sql(
    SELECT pg_catalog.set_config('lock_timeout', $1, true),
           pg_catalog.set_config('statement_timeout', $2, true),
           pg_catalog.set_config('idle_in_transaction_session_timeout', $3, true))sql"};
constexpr Sql role_sql{"role", "SELECT current_user AS database_role"};
constexpr Sql try_lock_sql{"try_target_lock", R"sql(
    SELECT pg_catalog.pg_try_advisory_lock($1::int4, $2::int4) AS locked)sql"};
// Only sessions of our own role: a name alone is something anybody may set.
constexpr Sql orphans_sql{"orphans", R"sql(
    SELECT count(*) AS orphans FROM pg_catalog.pg_stat_activity
    WHERE pg_catalog.starts_with(application_name, $1) AND usename = session_user
      AND pid <> pg_catalog.pg_backend_pid())sql"};
// CASE, because the order in which AND tests is the server's choice and the cast may not fail.
constexpr Sql terminate_orphans_sql{"terminate_orphans", R"sql(
    SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity,
           LATERAL (SELECT pg_catalog.substr(application_name, pg_catalog.length($1) + 1)) f (fence)
    WHERE pg_catalog.starts_with(application_name, $1) AND usename = session_user
      AND pid <> pg_catalog.pg_backend_pid()
      AND CASE WHEN fence ~ '^[0-9]{1,18}$' THEN fence::int8 <= $2::int8 ELSE false END)sql"};
constexpr Sql ledger_ready_sql{"ledger_ready", R"sql(
    SELECT pg_catalog.has_table_privilege(c.oid, 'INSERT') AS may_insert,
           pg_catalog.has_table_privilege(c.oid, 'SELECT') AS may_select,
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'interlock_exec' AND c.relname = 'ledger')sql"};
constexpr Sql ledger_insert_sql{"ledger_insert", R"sql(
    INSERT INTO interlock_exec.ledger (plan_digest, step, direction, fence, executor)
    VALUES ($1, $2::int4, $3, $4::int8, $5))sql"};
constexpr Sql ledger_has_sql{"ledger_has", R"sql(
    SELECT count(*) AS entries FROM interlock_exec.ledger
    WHERE plan_digest = $1 AND step = $2::int4 AND direction = $3)sql"};

const char* direction(const LedgerEntry& entry) {
    return entry.forward ? "forward" : "back";
}

std::vector<Cell> cells(const runbooks::BoundStatement& statement) {
    std::vector<Cell> values;
    for (const auto& parameter : statement.parameters) {
        values.emplace_back(parameter.value);
    }
    return values;
}

/// Rows the statement returned, or changed when it returns none.
long long rows_of(const Table& table) {
    return table.columns.empty() ? table.affected : static_cast<long long>(table.rows.size());
}

/// A statement that answers per row whether it acted says so in its only column.
bool denies_success(const Table& table) {
    if (table.columns.size() != 1) {
        return false;
    }
    return std::any_of(table.rows.begin(), table.rows.end(), [](const auto& row) {
        return !row.front() || *row.front() == "f";
    });
}

class PgSession final : public TargetSession {
public:
    PgSession(std::string target, std::unique_ptr<db::WriterConnection> connection, ActsAs acts_as)
        : target_(std::move(target)),
          connection_(std::move(connection)),
          acts_as_(std::move(acts_as)) {}

    const ActsAs& acts_as() const override { return acts_as_; }

    Result<bool> try_lock(const LockKey& key) override {
        INTERLOCK_TRY(
            const auto table,
            connection_->execute(try_lock_sql, {std::to_string(key.high), std::to_string(key.low)})
        );
        return table.boolean(0, "locked").value_or(false);
    }

    Result<int> count_orphans(const std::string& prefix) override {
        INTERLOCK_TRY(const auto table, connection_->execute(orphans_sql, {prefix}));
        return static_cast<int>(table.integer(0, "orphans").value_or(0));
    }

    Status terminate_orphans(const std::string& prefix, long long fence) override {
        INTERLOCK_CHECK(connection_->execute(terminate_orphans_sql, {prefix, std::to_string(fence)})
        );
        return base::done;
    }

    Result<runbooks::TargetFingerprint> fingerprint() override {
        INTERLOCK_TRY(const auto table, read(runbooks::fingerprint_sql, {}));
        return runbooks::fingerprint_from(table, target_);
    }

    Status check_ledger() override {
        constexpr auto remedy = "Run the SQL that `interlock init` prints for this target.";
        INTERLOCK_TRY(const auto table, read(ledger_ready_sql, {}));
        if (table.empty()) {
            return Error{
                Errc::not_supported,
                "Target " + target_ + " has no ledger table interlock_exec.ledger.",
                remedy};
        }
        for (const auto* right : {"may_use", "may_insert", "may_select"}) {
            if (!table.boolean(0, right).value_or(false)) {
                return Error{
                    Errc::permission_denied,
                    "The executor's role may not read and insert into interlock_exec.ledger on "
                    "target " +
                        target_ + ".",
                    remedy};
            }
        }
        return base::done;
    }

    Result<Table> observe(const runbooks::BoundStatement& statement) override {
        return read({"plan_check", statement.sql}, cells(statement));
    }

    StepAttempt
    run_step(const StepOrder& order, const std::function<Status()>& may_commit) override;

    Result<bool> ledger_has(const LedgerEntry& entry) override {
        INTERLOCK_TRY(
            const auto table,
            read(ledger_has_sql, {entry.plan_digest, std::to_string(entry.step), direction(entry)})
        );
        return table.integer(0, "entries").value_or(0) > 0;
    }

    bool broken() const override { return connection_->broken(); }

private:
    /// To PostgreSQL a time-out of 0 means for ever; here it means our own limit.
    Status begin(const Sql& how, long long lock_ms, long long statement_ms) {
        INTERLOCK_CHECK(connection_->execute(how, {}));
        const auto bounded = [](long long wanted_ms, std::chrono::milliseconds limit) {
            return std::to_string(wanted_ms > 0 ? wanted_ms : limit.count());
        };
        auto set = connection_->execute(
            time_outs_sql,
            {bounded(lock_ms, limits::lock_timeout),
             bounded(statement_ms, limits::statement_timeout),
             std::to_string(limits::idle_in_transaction_timeout.count())}
        );
        if (!set.ok()) {
            roll_back();
            return set.error();
        }
        return base::done;
    }

    /// A failing rollback leaves a broken connection, which whoever asks next will notice.
    void roll_back() { (void)connection_->execute(rollback_sql, {}); }

    Result<Table> read(const Sql& sql, const std::vector<Cell>& parameters) {
        INTERLOCK_CHECK(begin(begin_read_only_sql, 0, 0));
        auto table = connection_->execute(sql, parameters);
        roll_back();
        return table;
    }

    /// Ends the transaction without its effect. `acted`: see StepAttempt.
    StepAttempt give_up(Error error, bool acted, long long rows = 0) {
        roll_back();
        return {StepAttempt::Result::rolled_back, acted, rows, std::move(error)};
    }

    std::string target_;
    std::unique_ptr<db::WriterConnection> connection_;
    ActsAs acts_as_;
};

StepAttempt PgSession::run_step(const StepOrder& order, const std::function<Status()>& may_commit) {
    if (auto begun = begin(begin_sql, order.lock_timeout_ms, order.statement_timeout_ms);
        !begun.ok()) {
        return {StepAttempt::Result::rolled_back, false, 0, begun.error()};
    }
    const auto& entry = order.ledger;
    auto entered = connection_->execute(
        ledger_insert_sql,
        {entry.plan_digest,
         std::to_string(entry.step),
         direction(entry),
         std::to_string(entry.fence),
         entry.executor}
    );
    if (!entered.ok() && connection_->broken()) {
        return {StepAttempt::Result::unknown, false, 0, entered.error()};
    }
    if (!entered.ok()) {
        auto attempt = give_up(entered.error(), false);
        if (const auto has = ledger_has(entry); has.ok() && has.value()) {
            attempt.result = StepAttempt::Result::already_done;
        }
        return attempt;
    }
    crash_point("before_effect");
    auto effect = connection_->execute({"plan_step", order.statement.sql}, cells(order.statement));
    if (!effect.ok()) {
        if (connection_->broken()) {
            return {StepAttempt::Result::unknown, true, 0, effect.error()};
        }
        return give_up(effect.error(), true);
    }
    const long long rows = rows_of(effect.value());
    if (rows != order.rows_expected) {
        return give_up(
            {Errc::changed,
             "The statement must act on exactly " + std::to_string(order.rows_expected) +
                 " row(s) and matched " + std::to_string(rows) +
                 ": what the plan names is not there as it was approved.",
             "Diagnose again and propose a new plan."},
            rows > 0,
            rows
        );
    }
    if (denies_success(effect.value())) {
        return give_up(
            {Errc::refused,
             "The statement answered that it could not act.",
             "Check the executor role's privileges on the target."},
            true,
            rows
        );
    }
    crash_point("after_effect_before_commit");
    if (auto allowed = may_commit(); !allowed.ok()) {
        return give_up(allowed.error(), true, rows);
    }
    auto committed = connection_->execute(commit_sql, {});
    if (!committed.ok()) {
        if (connection_->broken()) {
            return {StepAttempt::Result::unknown, true, rows, committed.error()};
        }
        return give_up(committed.error(), true, rows);
    }
    return {StepAttempt::Result::committed, true, rows, {}};
}

class PgTargets final : public TargetDoor {
public:
    explicit PgTargets(std::vector<db::TargetAddress> addresses)
        : addresses_(std::move(addresses)) {}

    bool knows(const std::string& target) const override { return find(target) != nullptr; }

    Result<std::unique_ptr<TargetSession>>
    connect(const std::string& target, const std::string& application_name) override {
        const auto* address = find(target);
        if (address == nullptr) {
            return Error{
                Errc::not_found,
                "Target " + target + " is not configured here.",
                "Add it to the executor's targets."};
        }
        INTERLOCK_TRY(auto connection, db::WriterConnection::open(*address, application_name));
        INTERLOCK_TRY(const auto said, connection->execute(role_sql, {}));
        ActsAs acts_as{said.text(0, "database_role"), connection->backend_pid()};
        return std::unique_ptr<TargetSession>(
            std::make_unique<PgSession>(target, std::move(connection), std::move(acts_as))
        );
    }

private:
    const db::TargetAddress* find(const std::string& target) const {
        const auto found =
            std::find_if(addresses_.begin(), addresses_.end(), [&](const auto& address) {
                return address.name == target;
            });
        return found == addresses_.end() ? nullptr : &*found;
    }

    std::vector<db::TargetAddress> addresses_;
};

} // namespace

std::unique_ptr<TargetDoor> make_pg_targets(std::vector<db::TargetAddress> addresses) {
    return std::make_unique<PgTargets>(std::move(addresses));
}

} // namespace interlock::executor
