#include "base/db/lane.hpp"

#include "base/db/pq_session.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <cstdlib>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

constexpr Sql begin{"lane_begin", "begin isolation level read committed read only"};

// After any query PostgreSQL refuses to make the transaction read-write again.
constexpr Sql first{
    "lane_first", "select pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery()"};

// All of it local to the transaction. The formats make every target answer in the same text; the
// plan settings keep one read on one process without compiling.
constexpr Sql settle{"lane_settings", R"sql(
select pg_catalog.set_config('application_name', $1, true),
       pg_catalog.set_config('statement_timeout', $2, true),
       pg_catalog.set_config('lock_timeout', $3, true),
       pg_catalog.set_config('idle_in_transaction_session_timeout', $4, true),
       pg_catalog.set_config('search_path', 'pg_catalog', true),
       pg_catalog.set_config('work_mem', '8MB', true),
       pg_catalog.set_config('jit', 'off', true),
       pg_catalog.set_config('max_parallel_workers_per_gather', '0', true),
       pg_catalog.set_config('standard_conforming_strings', 'on', true),
       pg_catalog.set_config('TimeZone', 'UTC', true),
       pg_catalog.set_config('DateStyle', 'ISO, YMD', true),
       pg_catalog.set_config('IntervalStyle', 'postgres', true),
       pg_catalog.set_config('bytea_output', 'hex', true),
       pg_catalog.set_config('role', $5, true))sql"};

constexpr Sql savepoint{"lane_savepoint", "savepoint interlock_lane"};
constexpr Sql back{"lane_back", "rollback to savepoint interlock_lane"};
constexpr Sql rollback{"lane_rollback", "rollback"};
constexpr Sql forget{"lane_forget", "deallocate all"};

// What a prepared statement would do for values that are not known yet.
constexpr Sql generic{
    "lane_generic", "select pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)"};

// What a rolled back transaction could leave behind: a statement prepared by SQL, an open cursor, a
// channel listened to, an advisory lock, another role. Settings it cannot: ROLLBACK undoes them,
// where ROLLBACK TO before it proves that it ends the transaction in which they were made.
constexpr Sql traces{"lane_traces", R"sql(
select (select pg_catalog.count(*) from pg_catalog.pg_prepared_statements where from_sql)
     + (select pg_catalog.count(*) from pg_catalog.pg_cursors where is_holdable)
     + (select pg_catalog.count(*) from pg_catalog.pg_listening_channels())
     + (select pg_catalog.count(*) from pg_catalog.pg_locks
         where pid = pg_catalog.pg_backend_pid() and locktype = 'advisory')
    || ' ' || pg_catalog.current_setting('role'))sql"};

std::string milliseconds(std::chrono::milliseconds duration) {
    return std::to_string(duration.count()) + "ms";
}

/// What PostgreSQL would make of it anyway, done where it can be seen: ASCII, at most 63 bytes.
std::string plain_name(std::string_view name) {
    constexpr std::size_t bytes_max = 63;
    std::string plain;
    for (const char c : name.substr(0, bytes_max)) {
        plain += c >= ' ' && c <= '~' ? c : '?';
    }
    return plain;
}

std::vector<Cell> setting_values(const LaneSettings& settings) {
    return {
        plain_name(settings.application_name),
        milliseconds(settings.statement_timeout),
        milliseconds(settings.lock_timeout),
        milliseconds(settings.idle_timeout),
        settings.role.empty() ? "none" : settings.role};
}

/// What came back for one statement sent.
struct Reply {
    Rows rows;
    std::optional<Error> error;
    std::string state;    // SQLSTATE of the error
    bool skipped = false; // by an earlier error before the same sync
};

class Lane {
public:
    Lane(
        pg_conn* connection,
        Statements& statements,
        const LaneSettings& settings,
        const std::vector<const Query*>& queries,
        const std::stop_token& stop,
        base::Clock& clock,
        bool pooled,
        std::vector<Timing>& timings
    )
        : connection_(connection),
          statements_(statements),
          settings_(settings),
          queries_(queries),
          clock_(clock),
          pooled_(pooled),
          timings_(timings),
          wait_(connection, stop, clock, time_allowed()) {}

    base::Status send();
    base::Result<LaneOutcome> receive();
    bool leave();
    bool stopped() const { return wait_.stopped(); }

private:
    /// One statement on its way: what is to be received for it.
    struct Sent {
        Statements::Known* known;
        bool prepares = false;     // its preparation was sent before it
        bool was_prepared = false; // by an earlier read
    };

    base::Duration time_allowed() const {
        const auto statements = static_cast<long>(queries_.size()) + 1;
        return settings_.statement_timeout * statements + limits::reader_grace;
    }
    bool send_one(const Sql& sql, const std::vector<Cell>& parameters = {});
    bool send_generic(const Query& query);
    bool send_sync() { return PQpipelineSync(connection_) == 1; }
    bool send_flush();
    base::Result<Reply> reply(const Sql& sql, std::size_t rows_max);
    base::Status receive_results(const Sql& sql, std::size_t rows_max, Reply& reply);
    base::Status take(const PGresult* result, const Sql& sql, std::size_t rows_max, Reply& reply);
    base::Status take_row(const PGresult* result, std::size_t rows_max, Rows& rows);
    base::Status sync();
    base::Status receive_head(LaneOutcome& outcome, std::optional<Error>& failed);
    base::Status receive_query(std::size_t index, LaneOutcome& outcome);
    base::Status receive_end(LaneOutcome& outcome);

    pg_conn* connection_;
    Statements& statements_;
    const LaneSettings& settings_;
    const std::vector<const Query*>& queries_;
    base::Clock& clock_;
    bool pooled_;
    std::vector<Timing>& timings_;
    PqWait wait_;
    std::vector<Sent> sent_;
    std::size_t received_ = 0;     // of sent_
    bool segmented_ = false;       // a sync behind every statement of queries_
    bool forgets_ = false;         // begins by forgetting what is prepared
    std::size_t discarded_ = 0;    // bytes of rows past rows_max
    bool cut_cancel_sent_ = false; // for the statement being received
    bool skipped_ = false;         // the last of queries_ that was received
    // Sent for an earlier one. PostgreSQL signals the process and its group, so that even a cancel
    // that hit its statement may hit another.
    bool cut_cancel_may_stray_ = false;
};

bool Lane::send_one(const Sql& sql, const std::vector<Cell>& parameters) {
    const std::string text{sql.text};
    const auto values = pointers(parameters);
    const int count = static_cast<int>(values.size());
    Statements::Known& known = statements_[sql.text];
    statements_.send(known);
    Sent& sent = sent_.emplace_back(Sent{.known = &known, .was_prepared = known.prepared});
    if (known.name.empty()) {
        return PQsendQueryParams(
                   connection_, text.c_str(), count, nullptr, values.data(), nullptr, nullptr, 0
               ) == 1;
    }
    if (!known.prepared) {
        sent.prepares = true;
        known.prepared = true; // taken back if it fails
        if (PQsendPrepare(connection_, known.name.c_str(), text.c_str(), 0, nullptr) != 1) {
            return false;
        }
    }
    return PQsendQueryPrepared(
               connection_, known.name.c_str(), count, values.data(), nullptr, nullptr, 0
           ) == 1;
}

/// The text is prepared alone, never put together with EXPLAIN: only its name is.
bool Lane::send_generic(const Query& query) {
    if (!send_one(generic)) {
        return false;
    }
    const std::string text{query.sql.text};
    Statements::Known& known = statements_[query.sql.text];
    const std::string& name = statements_.name(known);
    Sent& sent = sent_.emplace_back(Sent{.known = &known, .was_prepared = known.prepared});
    if (!known.prepared) {
        sent.prepares = true;
        known.prepared = true; // taken back if it fails
        if (PQsendPrepare(connection_, name.c_str(), text.c_str(), 0, nullptr) != 1) {
            return false;
        }
    }
    std::string explain = "explain (format json) execute " + name;
    for (std::size_t i = 0; i < query.explain_generic.value_or(0); ++i) {
        explain += i == 0 ? "(null" : ", null";
    }
    explain += query.explain_generic.value_or(0) > 0 ? ")" : "";
    return PQsendQueryParams(
               connection_, explain.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0
           ) == 1;
}

/// PostgreSQL keeps results back until a sync, or until it is asked not to. The request travels
/// with the statements: it costs no trip.
bool Lane::send_flush() {
    return !settings_.timed || PQsendFlushRequest(connection_) == 1;
}

base::Status Lane::send() {
    // Behind a pooler nothing was prepared, and what others prepared is theirs.
    forgets_ = statements_.make_room() && !pooled_;
    for (const auto* query : queries_) {
        segmented_ = segmented_ || statements_[query->sql.text].failed;
    }
    bool sent = PQenterPipelineMode(connection_) == 1 &&
                (!forgets_ || (send_one(forget) && send_sync())) && send_one(begin) &&
                send_one(first) && (!pooled_ || send_one(traces)) &&
                send_one(settle, setting_values(settings_)) && send_one(savepoint) && send_flush();
    for (std::size_t i = 0; i < queries_.size(); ++i) {
        const Query& query = *queries_[i];
        sent =
            sent && (i == 0 || send_one(back)) &&
            (query.explain_generic ? send_generic(query) : send_one(query.sql, query.parameters)) &&
            (segmented_ ? send_sync() : send_flush());
    }
    sent = sent && send_one(back) && send_one(rollback) && send_one(traces) && send_sync();
    if (!sent) {
        return lost(connection_, "sending a read");
    }
    return base::done;
}

/// A row is refused by its size whatever became of it: libpq may have read all of it at once before
/// the count of bytes on their way could stop it.
base::Status Lane::take_row(const PGresult* result, std::size_t rows_max, Rows& rows) {
    const int columns = PQnfields(result);
    std::size_t bytes = 0;
    for (int i = 0; i < columns; ++i) {
        bytes += static_cast<std::size_t>(PQgetlength(result, 0, i));
    }
    if (bytes > limits::reader_row_bytes_max) {
        wait_.cancel();
        return row_too_large();
    }
    if (rows.cut || rows.table.rows.size() >= rows_max ||
        rows.bytes >= limits::evidence_bytes_max) {
        rows.cut = true;
        discarded_ += bytes + 1;
        if (discarded_ > limits::reader_discard_bytes_max && !cut_cancel_sent_) {
            cut_cancel_sent_ = true;
            wait_.cancel();
        }
        return base::done;
    }
    auto& row = rows.table.rows.emplace_back();
    row.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) {
        if (PQgetisnull(result, 0, i) != 0) {
            row.emplace_back();
            continue;
        }
        const std::string_view whole{
            PQgetvalue(result, 0, i), static_cast<std::size_t>(PQgetlength(result, 0, i))};
        const auto kept = base::cut_bytes(whole, limits::reader_cell_bytes_max);
        rows.cut = rows.cut || kept.size() < whole.size();
        rows.bytes += kept.size();
        row.emplace_back(kept);
    }
    return base::done;
}

base::Status
Lane::take(const PGresult* result, const Sql& sql, std::size_t rows_max, Reply& reply) {
    auto& table = reply.rows.table;
    const auto status = PQresultStatus(result);
    if (table.columns.empty() && (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)) {
        for (int i = 0; i < PQnfields(result); ++i) {
            table.columns.emplace_back(PQfname(result, i));
        }
    }
    switch (status) {
    case PGRES_SINGLE_TUPLE:
        wait_.row_read();
        return take_row(result, rows_max, reply.rows);
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        return base::done;
    case PGRES_PIPELINE_ABORTED:
        reply.skipped = true;
        return base::done;
    case PGRES_FATAL_ERROR:
        if (PQstatus(connection_) != CONNECTION_OK || is_fatal(result)) {
            return sqlstate(result).empty() ? lost(connection_, "reading")
                                            : result_error(result, sql.name);
        }
        reply.state = sqlstate(result);
        reply.error = result_error(result, sql.name);
        return base::done;
    default:
        return Error{
            Errc::internal,
            "Statement " + std::string{sql.name} + " gave a result that a read cannot have.",
            ""};
    }
}

base::Status Lane::receive_results(const Sql& sql, std::size_t rows_max, Reply& reply) {
    for (;;) {
        INTERLOCK_CHECK(wait_.until_result());
        const PqResult result{PQgetResult(connection_)};
        if (!result) {
            return base::done;
        }
        INTERLOCK_CHECK(take(result.get(), sql, rows_max, reply));
    }
}

/// Everything one statement returns. An Error is one of the connection, not of the statement.
base::Result<Reply> Lane::reply(const Sql& sql, std::size_t rows_max) {
    const Sent& sent = sent_.at(received_++);
    Reply reply;
    discarded_ = 0;
    cut_cancel_sent_ = false;
    if (sent.prepares) {
        INTERLOCK_CHECK(receive_results(sql, rows_max, reply));
        if (reply.error || reply.skipped) {
            sent.known->prepared = false;
        }
    }
    // Returns 0 where a statement was skipped; its rows then come as one empty result anyway.
    (void)PQsetSingleRowMode(connection_);
    INTERLOCK_CHECK(receive_results(sql, rows_max, reply));
    wait_.row_read();
    if (PQstatus(connection_) != CONNECTION_OK) {
        return lost(connection_, "reading");
    }
    return reply;
}

base::Status Lane::sync() {
    INTERLOCK_CHECK(wait_.until_result());
    const PqResult result{PQgetResult(connection_)};
    if (!result || PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) {
        return lost(connection_, "ending a read");
    }
    return base::done;
}

/// `failed`: why the lane could not be entered. The connection is still good then.
base::Status Lane::receive_head(LaneOutcome& outcome, std::optional<Error>& failed) {
    if (forgets_) {
        INTERLOCK_CHECK(reply(forget, 1));
        INTERLOCK_CHECK(sync());
    }
    for (const auto* sql : {&begin, &first, &traces, &settle, &savepoint}) {
        if (sql == &traces && !pooled_) {
            continue;
        }
        INTERLOCK_TRY(auto reply, this->reply(*sql, 1));
        if (reply.error && !failed) {
            failed = std::move(reply.error);
        }
        if (sql == &first && !reply.rows.table.empty()) {
            const auto& row = reply.rows.table.rows[0];
            outcome.backend_pid = std::atoi(row[0].value_or("0").c_str());
            outcome.in_recovery = row[1] == "t";
        }
        if (sql == &traces && !reply.rows.table.empty()) {
            outcome.traces_before = reply.rows.table.rows[0][0];
        }
    }
    return base::done;
}

/// A prepared statement may go bad: its result's columns changed with an upgraded extension, or
/// somebody else on this session deallocated it.
bool went_stale(const std::string& state) {
    return state == "0A000" || state == "26000";
}

base::Status Lane::receive_query(std::size_t index, LaneOutcome& outcome) {
    const Query& query = *queries_[index];
    Reply returned;
    if (index > 0) {
        INTERLOCK_TRY(returned, reply(back, 1));
    }
    if (query.explain_generic) {
        INTERLOCK_CHECK(reply(generic, 1));
    }
    const Sent& sent = sent_.at(received_);
    INTERLOCK_TRY(auto answer, reply(query.sql, query.rows_max));
    skipped_ = answer.skipped;
    if (segmented_) {
        INTERLOCK_CHECK(sync());
    }
    if (outcome.rerun) {
        return base::done; // only received, to get past it
    }
    const auto& state = returned.error ? returned.state : answer.state;
    if (cut_cancel_may_stray_ && state == "57014" && !stopped()) {
        outcome.rerun = true;
        return base::done;
    }
    if (sent.was_prepared && went_stale(answer.state)) {
        sent.known->stale = true;
        sent.known->prepared = false;
        sent.known->name.clear();
        outcome.rerun = true;
        return base::done;
    }
    const bool cut_short = cut_cancel_sent_ && answer.state == "57014";
    const bool failed = returned.error || answer.error;
    sent.known->failed = answer.error && !cut_short;
    cut_cancel_may_stray_ = cut_cancel_may_stray_ || cut_cancel_sent_;
    outcome.rerun = failed && !segmented_ && index + 1 < queries_.size();
    if (cut_short) {
        answer.error.reset(); // the cancel we sent: what we have is what was wanted
    }
    if (answer.error) {
        outcome.results.emplace_back(std::move(*answer.error));
    } else if (answer.skipped) {
        outcome.results.emplace_back(Error{
            Errc::refused_by_guard,
            "Statement " + std::string{query.sql.name} +
                " was not run: the read's transaction had ended before it.",
            "Look at the statement before it."});
    } else {
        outcome.results.emplace_back(std::move(answer.rows));
    }
    return base::done;
}

/// After an error the end was skipped with the rest: then it is sent again, alone.
base::Status Lane::receive_end(LaneOutcome& outcome) {
    INTERLOCK_TRY(const auto same, reply(back, 1));
    INTERLOCK_TRY(const auto ended, reply(rollback, 1));
    INTERLOCK_TRY(const auto left, reply(traces, 1));
    INTERLOCK_CHECK(sync());
    if (!same.error && !same.skipped && !left.rows.table.empty()) {
        outcome.traces = left.rows.table.rows[0][0];
    }
    if (ended.error || ended.skipped) {
        if (!send_one(rollback) || !send_sync()) {
            return lost(connection_, "ending a read");
        }
        INTERLOCK_CHECK(reply(rollback, 1));
        INTERLOCK_CHECK(sync());
    }
    return base::done;
}

base::Result<LaneOutcome> Lane::receive() {
    LaneOutcome outcome;
    std::optional<Error> failed;
    INTERLOCK_CHECK(receive_head(outcome, failed));
    for (std::size_t i = 0; i < queries_.size(); ++i) {
        skipped_ = false;
        const auto began = clock_.ticks();
        const auto received = receive_query(i, outcome);
        if (!skipped_) {
            timings_.push_back({began, clock_.ticks()});
        }
        INTERLOCK_CHECK(received);
    }
    INTERLOCK_CHECK(receive_end(outcome));
    if (failed) {
        return *failed;
    }
    return outcome;
}

/// Back to an ordinary idle connection; false if that is not what it is.
bool Lane::leave() {
    return PQexitPipelineMode(connection_) == 1 && PQtransactionStatus(connection_) == PQTRANS_IDLE;
}

} // namespace

base::Result<LaneOutcome> run_lane(
    pg_conn* connection,
    Statements& statements,
    const LaneSettings& settings,
    const std::vector<const Query*>& queries,
    const std::stop_token& stop,
    base::Clock& clock,
    bool pooled,
    std::vector<Timing>& timings,
    bool& broken
) {
    Lane lane{connection, statements, settings, queries, stop, clock, pooled, timings};
    broken = true;
    INTERLOCK_CHECK(lane.send());
    auto outcome = lane.receive();
    broken = !lane.leave();
    if (lane.stopped()) {
        return Error{Errc::cancelled, "The call was stopped.", ""};
    }
    return outcome;
}

} // namespace interlock::db
