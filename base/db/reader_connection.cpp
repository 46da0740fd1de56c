#include "base/db/reader_connection.hpp"

#include "base/db/connect.hpp"
#include "base/db/lane.hpp"
#include "base/db/pq_session.hpp"
#include "base/db/sql_text.hpp"
#include "base/db/statements.hpp"

#include <algorithm>
#include <optional>
#include <poll.h>
#include <utility>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

constexpr int version_min = 140'000; // the oldest major version PostgreSQL supports

constexpr Sql facts_sql{"server_facts", R"sql(
select pg_catalog.current_setting('server_version_num') as version_number,
       pg_catalog.current_setting('server_version') as version,
       pg_catalog.current_database() as database,
       session_user as login_role)sql"};

constexpr Sql identifier_sql{
    "system_identifier", "select system_identifier from pg_catalog.pg_control_system()"};

// Of a primary alone: a standby cannot tell where it would begin to write.
constexpr Sql timeline_sql{"server_timeline", R"sql(
select case when not pg_catalog.pg_is_in_recovery()
            then pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)
       end as timeline)sql"};

// Nothing of a read may outlive it: no setting made by SET, no statement prepared by SQL, no open
// cursor, no channel listened to, no advisory lock, no other role. A lane tells all of it but the
// settings, which are slow to read, in its own round trip; this is asked where that does not
// suffice.
constexpr Sql traces_sql{"session_traces", R"sql(
select (select count(*) from pg_catalog.pg_settings where source = 'session')
     + (select count(*) from pg_catalog.pg_prepared_statements where from_sql)
     + (select count(*) from pg_catalog.pg_cursors where is_holdable)
     + (select count(*) from pg_catalog.pg_listening_channels())
     + (select count(*) from pg_catalog.pg_locks
         where pid = pg_catalog.pg_backend_pid() and locktype = 'advisory')
    || ' ' || pg_catalog.current_setting('role'))sql"};

class Reader final : public ReaderConnection {
public:
    explicit Reader(Connected connected) : connection_(std::move(connected.connection)) {
        facts_.server = std::move(connected.server);
        facts_.transport = std::move(connected.transport);
        facts_.verified = connected.verified;
    }

    base::Status learn_facts();
    const ServerFacts& facts() const override { return facts_; }
    int backend_pid() const override { return backend_pid_; }
    base::Result<ReadResults> read(
        const LaneSettings& settings, const std::vector<Query>& queries, std::stop_token stop
    ) override;
    const std::vector<Timing>& timings() const override { return timings_; }
    bool broken() const override { return broken_; }
    bool clean() override;

private:
    base::Status prove_read(const Query& query);
    base::Result<Rows> ask(const Sql& sql);
    void learn_timeline();
    bool pooled() const { return facts_.pooler != Pooler::none; }
    void follow(const LaneOutcome& outcome);
    std::optional<std::string> exchange(const std::string& text);
    std::optional<std::string> traces();
    base::Status require_transactions();
    bool silent() const;
    base::Status
    run(const LaneSettings& settings,
        const std::vector<const Query*>& queries,
        const std::stop_token& stop,
        ReadResults& results);
    void keep_timings(const std::vector<base::Status>& proofs);

    base::SystemClock clock_;
    PqConnection connection_;
    ServerFacts facts_;
    int backend_pid_ = 0;
    bool broken_ = false;
    std::optional<std::string> traces_at_connect_;
    std::optional<std::string> lane_traces_at_connect_;
    std::optional<std::string> lane_traces_;        // of the last lane; nothing: ask
    std::optional<std::string> lane_traces_before_; // of the last lane behind a pooler
    Statements statements_;
    std::vector<Timing> timings_;
};

/// The first of two fences (the lane's transaction is the second): one statement, and one of the
/// kinds that return rows and leave transactions alone.
base::Status Reader::prove_read(const Query& query) {
    INTERLOCK_CHECK(refuse_nul(query.sql, query.parameters));
    if (query.explain_generic && pooled()) {
        return Error{
            Errc::not_supported,
            "Statement " + std::string{query.sql.name} +
                " would have to be prepared, and a connection pooler gives the session to others.",
            "Give values for its parameters, or let the target name an address of PostgreSQL "
            "itself."};
    }
    Statements::Known& known = statements_[query.sql.text];
    if (known.proven) {
        return base::done;
    }
    INTERLOCK_TRY(const auto facts, statement_facts(query.sql.text));
    const bool reads = facts.kind == "SelectStmt" || facts.kind == "ExplainStmt" ||
                       facts.kind == "VariableShowStmt";
    if (facts.statements != 1 || !reads) {
        return Error{
            Errc::refused_by_guard,
            "Statement " + std::string{query.sql.name} + " is not a single read.",
            "Send one SELECT, EXPLAIN or SHOW."};
    }
    known.proven = true;
    return base::done;
}

/// One lane transaction, or several when one statement took the next ones with it.
base::Status Reader::run(
    const LaneSettings& settings,
    const std::vector<const Query*>& queries,
    const std::stop_token& stop,
    ReadResults& results
) {
    auto rest = queries;
    for (;;) {
        lane_traces_.reset();
        INTERLOCK_TRY(
            auto outcome,
            run_lane(
                connection_.get(),
                statements_,
                settings,
                rest,
                stop,
                clock_,
                pooled(),
                timings_,
                broken_
            )
        );
        follow(outcome);
        lane_traces_ = std::move(outcome.traces);
        lane_traces_before_ = std::move(outcome.traces_before);
        for (auto& result : outcome.results) {
            results.push_back(std::move(result));
        }
        timings_.resize(std::min(timings_.size(), results.size()));
        if (!outcome.rerun) {
            return base::done;
        }
        rest.erase(rest.begin(), rest.begin() + static_cast<long>(outcome.results.size()));
    }
}

base::Result<ReadResults> Reader::read(
    const LaneSettings& settings, const std::vector<Query>& queries, std::stop_token stop
) {
    timings_.clear();
    if (broken_) {
        return Error{Errc::target_unreachable, "The connection is broken.", "Ask again."};
    }
    if (stop.stop_requested()) {
        return Error{Errc::cancelled, "The call was stopped.", ""};
    }
    if (queries.size() > limits::reader_queries_max) {
        return Error{Errc::limit_exceeded, "One read holds too many statements.", "Split it."};
    }
    std::vector<base::Status> proofs;
    std::vector<const Query*> proven;
    for (const auto& query : queries) {
        proofs.push_back(prove_read(query));
        if (proofs.back()) {
            proven.push_back(&query);
        }
    }
    const bool was_standby = facts_.in_recovery;
    ReadResults ran;
    const auto status = run(settings, proven, stop, ran);
    keep_timings(proofs);
    INTERLOCK_CHECK(status);
    if (was_standby && !facts_.in_recovery) {
        learn_timeline(); // it was promoted
    }

    ReadResults results;
    auto next = ran.begin();
    for (auto& proof : proofs) {
        if (proof) {
            results.push_back(std::move(*next++));
        } else {
            results.emplace_back(std::move(proof).error());
        }
    }
    return results;
}

/// A statement that was not sent took no time, between those that were.
void Reader::keep_timings(const std::vector<base::Status>& proofs) {
    const auto sent = std::exchange(timings_, {});
    auto next = sent.begin();
    for (const auto& proof : proofs) {
        if (next == sent.end()) {
            return;
        }
        timings_.push_back(proof ? *next++ : Timing{next->began, next->began});
    }
}

/// Outside a lane, and without parameters: the first cell that comes back, "" for none. Nothing
/// when the statement failed.
std::optional<std::string> Reader::exchange(const std::string& text) {
    auto* connection = connection_.get();
    PqWait wait{connection, {}, clock_, limits::statement_timeout};
    if (PQsendQueryParams(connection, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) !=
        1) {
        return std::nullopt;
    }
    std::optional<std::string> found;
    for (;;) {
        if (!wait.until_result()) {
            return std::nullopt;
        }
        const PqResult result{PQgetResult(connection)};
        if (!result) {
            return found;
        }
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_COMMAND_OK) {
            found = "";
        } else if (status == PGRES_TUPLES_OK && PQntuples(result.get()) == 1) {
            found = PQgetvalue(result.get(), 0, 0);
        }
    }
}

/// What the session carries beyond its login; nothing when it could not be asked.
std::optional<std::string> Reader::traces() {
    auto* connection = connection_.get();
    if (broken_ || PQstatus(connection) != CONNECTION_OK ||
        PQtransactionStatus(connection) != PQTRANS_IDLE) {
        return std::nullopt;
    }
    return exchange(std::string{traces_sql.text});
}

/// A lane is one exchange, or several where a statement is known to fail: a pooler in statement
/// mode would take the session away between them.
base::Status Reader::require_transactions() {
    if (exchange("begin read only") && exchange("rollback")) {
        return base::done;
    }
    return Error{
        Errc::not_supported,
        "A connection pooler in statement mode stands between: no read can be one transaction.",
        "Let the pooler use transaction or session mode for this user, or let the target name an "
        "address of PostgreSQL itself."};
}

/// Nothing came since the last answer: an end of the session or a message would lie there.
bool Reader::silent() const {
    pollfd item{PQsocket(connection_.get()), POLLIN, 0};
    return ::poll(&item, 1, 0) == 0;
}

/// A pooler's sessions hold what other clients left in them: what a read finds it must leave.
bool Reader::clean() {
    if (pooled()) {
        broken_ = broken_ || !lane_traces_ || lane_traces_ != lane_traces_before_ || !silent();
        return !broken_;
    }
    if (!broken_ && lane_traces_ && lane_traces_ == lane_traces_at_connect_ && silent()) {
        return true;
    }
    const auto found = traces();
    // What is not clean is not used again: the caller closes it.
    broken_ = !found || found != traces_at_connect_;
    return !broken_;
}

/// What a lane says about where it ran. Without a pooler that can change in one way only: a standby
/// is promoted under its sessions.
void Reader::follow(const LaneOutcome& outcome) {
    const bool moved = backend_pid_ != 0 && backend_pid_ != outcome.backend_pid;
    facts_.in_recovery = outcome.in_recovery;
    backend_pid_ = outcome.backend_pid;
    if (moved) {
        facts_.pooler = Pooler::transaction;
    } else if (facts_.pooler == Pooler::none && backend_pid_ != PQbackendPID(connection_.get())) {
        facts_.pooler = Pooler::session;
    }
}

base::Result<Rows> Reader::ask(const Sql& sql) {
    LaneSettings settings;
    settings.application_name = "interlock";
    INTERLOCK_TRY(auto results, read(settings, {{sql, {}}}, {}));
    return std::move(results[0]);
}

/// A role that may not ask it does without.
void Reader::learn_timeline() {
    const auto rows = ask(timeline_sql);
    facts_.timeline = rows && !rows->table.empty() ? rows->table.text(0, "timeline") : "";
}

base::Status Reader::learn_facts() {
    if (PQsetnonblocking(connection_.get(), 1) != 0) {
        return lost(connection_.get(), "connecting");
    }
    traces_at_connect_ = traces();
    LaneSettings settings;
    settings.application_name = "interlock";
    // What may fail comes first: the last lane then tells the traces of a session as it should be.
    INTERLOCK_TRY(
        auto results,
        read(settings, {{identifier_sql, {}}, {timeline_sql, {}}, {facts_sql, {}}}, {})
    );
    lane_traces_at_connect_ = lane_traces_;
    statements_.allow_preparing(!pooled());
    if (pooled()) {
        INTERLOCK_CHECK(require_transactions());
    }
    INTERLOCK_TRY(const auto facts, std::move(results[2]));
    facts_.version_number = static_cast<int>(facts.table.integer(0, "version_number").value_or(0));
    facts_.version = facts.table.text(0, "version");
    facts_.database = facts.table.text(0, "database");
    facts_.login_role = facts.table.text(0, "login_role");
    if (results[0] && !results[0]->table.empty()) {
        facts_.system_identifier = results[0]->table.text(0, "system_identifier");
    }
    if (results[1] && !results[1]->table.empty()) {
        facts_.timeline = results[1]->table.text(0, "timeline");
    }
    return base::done;
}

} // namespace

base::Result<std::unique_ptr<ReaderConnection>> ReaderConnection::open(const TargetAddress& address
) {
    return open(address, choice_of(address, Looks::at_server));
}

base::Result<std::unique_ptr<ReaderConnection>>
ReaderConnection::open(const TargetAddress& address, const Choice& choice) {
    base::SystemClock clock;
    INTERLOCK_TRY(auto connected, connect(address, "interlock", choice, clock));
    const int version = PQserverVersion(connected.connection.get());
    if (version < version_min) {
        return Error{
            Errc::not_supported,
            "Target " + describe(address) + " runs PostgreSQL " + std::to_string(version / 10'000) +
                "; the oldest supported is 14.",
            "Upgrade the server."};
    }
    auto reader = std::make_unique<Reader>(std::move(connected));
    INTERLOCK_CHECK(reader->learn_facts());
    return std::unique_ptr<ReaderConnection>{std::move(reader)};
}

} // namespace interlock::db
