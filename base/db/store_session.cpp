#include "base/db/store_session.hpp"

#include "base/db/connect.hpp"
#include "base/db/pg_error.hpp"
#include "base/limits.hpp"

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

constexpr int version_min = 140'000;
/// Of one statement, and of a program that thinks in the middle of a transaction while others wait.
constexpr base::Duration statement_max = 6 * limits::statement_timeout;
/// A commit may wait for standbys; whether it is kept is not known when nobody waits any longer.
constexpr base::Duration answer_max = statement_max + limits::reader_grace;

struct Meaning {
    std::string_view state; // a SQLSTATE, or how it begins; the first that fits
    Errc code;
    std::string_view happened;
    std::string_view remedy;
};

constexpr std::string_view try_again = "Try again; if it lasts, look which program holds it.";
constexpr std::string_view kept_nothing = "Free disk space there; nothing of this change was kept.";
constexpr std::string_view away = "Try again when its server accepts connections.";

constexpr Meaning meanings[] = {
    {"53100", Errc::store_full, "has no space left", kept_nothing},
    {"53300", Errc::store_busy, "has no connection left", "Allow its role or server more."},
    {"53", Errc::limit_exceeded, "ran out of memory", "Ask for less at once."},
    {"54", Errc::limit_exceeded, "takes nothing of this size", "Ask for less at once."},
    {"25006",
     Errc::store_read_only,
     "cannot be written: its server is a standby or read-only",
     "Name the primary in its address."},
    {"55P03", Errc::store_busy, "stayed locked by another program", try_again},
    {"57014", Errc::store_busy, "did not answer in time", try_again},
    {"40", Errc::store_busy, "gave way to another change", "Try again."},
    {"42501",
     Errc::permission_denied,
     "does not let this role do that",
     "Let all programs log in as the role that owns the store's schemas."},
    {"23", Errc::conflict, "refused the change", ""},
    {"22021", Errc::invalid_input, "takes no text that is not UTF-8", "Correct the text."},
    {"57P", Errc::store_unreachable, "is starting, stopping or was restarted", away},
    {"25P03", Errc::store_unreachable, "waited too long for this program", "Try again."},
    {"08P01", Errc::internal, "refused a statement", ""},
    {"08", Errc::store_unreachable, "was lost", away},
    {"58", Errc::io, "could not be read or written", "Look at its server's log and disk."},
    {"XX001", Errc::corrupt, "is damaged", "Stop writing to it and restore it from a backup."},
    {"XX002", Errc::corrupt, "has a damaged index", "Look at its server's log at once."},
};

std::string milliseconds(base::Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

// Stronger than `on` stays; anything weaker could lose what was committed.
constexpr std::string_view prepare_session = R"sql(
select pg_catalog.set_config('search_path', $1 || ', pg_temp', false),
       pg_catalog.set_config('lock_timeout', $2, false),
       pg_catalog.set_config('statement_timeout', $3, false),
       pg_catalog.set_config('idle_in_transaction_session_timeout', $3, false),
       pg_catalog.set_config('client_connection_check_interval', '1s', false),
       pg_catalog.set_config('standard_conforming_strings', 'on', false),
       pg_catalog.set_config('synchronous_commit',
           case pg_catalog.current_setting('synchronous_commit')
           when 'remote_apply' then 'remote_apply' else 'on' end, false),
       pg_catalog.pg_backend_pid() as pid,
       pg_catalog.pg_is_in_recovery() as standby,
       pg_catalog.current_setting('fsync') as fsync,
       pg_catalog.current_setting('server_encoding') as encoding,
       'B' < 'a' and 'a' < 'b' as by_bytes,
       pg_catalog.to_regnamespace($1) is not null as has_schema,
       coalesce(pg_catalog.has_schema_privilege(
           pg_catalog.to_regnamespace($1)::oid, 'usage'), true) as may_use)sql";

constexpr const char* now_sql =
    "select (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint as now";

} // namespace

Error store_error(const std::string& store, std::string_view sqlstate, std::string_view message) {
    const auto said = " " + pg_error(sqlstate, message, "in it").what;
    for (const auto& [state, code, happened, remedy] : meanings) {
        if (sqlstate.starts_with(state)) {
            return {
                code,
                "The store " + store + " " + std::string{happened} + "." + said,
                std::string{remedy}};
        }
    }
    return {Errc::internal, "The store " + store + " refused a statement." + said, ""};
}

StoreSession::StoreSession(PqConnection connection, const StoreSchema& schema, std::string store)
    : connection_(std::move(connection)), schema_(schema), store_(std::move(store)) {}

base::Result<std::unique_ptr<StoreSession>> StoreSession::open(
    const TargetAddress& address, const StoreSchema& schema, const std::string& store, bool to_write
) {
    base::SystemClock clock;
    const Choice choice =
        to_write ? choice_to_write(address) : choice_of(address, Looks::at_server);
    auto connected = connect(address, "interlock:store", choice, clock);
    if (!connected) {
        auto error = std::move(connected).error();
        if (error.code == Errc::target_unreachable) {
            error.code = Errc::store_unreachable;
        }
        return error;
    }
    std::unique_ptr<StoreSession> session{
        new StoreSession(std::move(connected->connection), schema, store)};
    INTERLOCK_CHECK(session->prepare(to_write));
    return session;
}

base::Status StoreSession::prepare(bool to_write) {
    const auto unfit = [&](std::string_view why, std::string_view remedy) {
        return Error{
            Errc::not_supported,
            "The store " + store_ + " " + std::string{why} + ".",
            std::string{remedy}};
    };
    if (PQserverVersion(connection_.get()) < version_min) {
        return unfit("runs a PostgreSQL older than 14", "Upgrade the server.");
    }
    if (PQsetnonblocking(connection_.get(), 1) != 0) { // sending may not wait without a deadline
        return gone(PQerrorMessage(connection_.get()));
    }
    INTERLOCK_TRY(
        const auto found,
        run(prepare_session,
            {schema_.name, milliseconds(limits::store_busy_wait), milliseconds(statement_max)})
    );
    if (found.integer(0, "pid") != PQbackendPID(connection_.get())) {
        return unfit(
            "is reached through a connection pooler", "Give it the address of PostgreSQL itself."
        );
    }
    if (found.text(0, "encoding") != "UTF8" || found.boolean(0, "by_bytes") != true) {
        return unfit(
            "does not keep text as UTF-8 sorted by its bytes",
            "Make its database with: create database NAME template template0 encoding 'UTF8' "
            "locale 'C'."
        );
    }
    if (to_write && found.boolean(0, "standby") == true) {
        return Error{
            Errc::store_read_only,
            "The store " + store_ + " cannot be written: its server is a standby.",
            "Name the primary in its address."};
    }
    if (to_write && found.text(0, "fsync") != "on") {
        return unfit(
            "runs with fsync off: a crash could lose what was committed", "Set fsync = on there."
        );
    }
    if (found.boolean(0, "may_use") != true) {
        return Error{
            Errc::permission_denied,
            "The store " + store_ + " does not let this role use its schema " + schema_.name + ".",
            "Let all programs log in as the role that owns the store's schemas."};
    }
    has_schema_ = found.boolean(0, "has_schema") == true;
    return base::done;
}

/// A lock that belongs to the transaction puts all writers in a row: each sees all that those
/// before it committed (read committed: the snapshot is taken after the lock), nothing has to be
/// tried again, and it ends with its session, whatever becomes of the program.
base::Status StoreSession::begin(Access access) {
    const std::string begin =
        access == Access::write ? "begin isolation level read committed read write; "
                                  "select pg_catalog.pg_advisory_xact_lock(" +
                                      std::to_string(schema_.lock) + "); "
                                : std::string{"begin isolation level repeatable read read only; "};
    INTERLOCK_TRY(const auto result, command(begin + now_sql));
    const auto now = to_table(result.get()).integer(0, "now");
    began_ = base::Time{base::Duration{now.value_or(0)}};
    return base::done;
}

base::Result<Table> StoreSession::run(std::string_view sql, const std::vector<Cell>& parameters) {
    INTERLOCK_CHECK(refuse_nul({"in the store", sql}, parameters));
    if (!send_statement(connection_.get(), sql, parameters)) {
        return gone(PQerrorMessage(connection_.get()));
    }
    INTERLOCK_TRY(const auto result, receive());
    if (static_cast<std::size_t>(PQntuples(result.get())) > limits::store_rows_max) {
        return too_large();
    }
    auto table = to_table(result.get());
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): it changes nothing in it
    if (std::string_view{PQcmdStatus(const_cast<PGresult*>(result.get()))}.starts_with("SELECT")) {
        table.affected = 0;
    }
    return table;
}

base::Status StoreSession::commit() {
    // A commit that waits for a standby and is cancelled is told as done: the time-out must not.
    auto ended = command("set local statement_timeout = 0; commit");
    if (broken_) {
        return Error{
            Errc::io,
            "The store " + store_ +
                " was lost during a commit: whether the change was kept is not known.",
            "Look at what the store holds before this is done again."};
    }
    if (!ended) {
        return ended.error();
    }
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): it changes nothing in it
    if (std::string_view{PQcmdStatus(const_cast<PGresult*>(ended->get()))} != "COMMIT") {
        return Error{Errc::internal, "The store " + store_ + " did not commit.", ""};
    }
    return base::done;
}

void StoreSession::roll_back() {
    if (in_transaction() || PQtransactionStatus(connection_.get()) == PQTRANS_INERROR) {
        (void)command("rollback"); // what fails leaves a session that is not usable()
    }
}

bool StoreSession::in_transaction() const {
    return !broken_ && PQtransactionStatus(connection_.get()) == PQTRANS_INTRANS;
}

bool StoreSession::usable() const {
    return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK &&
           PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
}

base::Result<PqResult> StoreSession::command(const std::string& statements) {
    if (PQsendQuery(connection_.get(), statements.c_str()) == 0) {
        broken_ = true;
        return gone(PQerrorMessage(connection_.get()));
    }
    return receive();
}

/// The last result of what was sent, or its first error: after one that ended the session libpq
/// adds one of its own.
base::Result<PqResult> StoreSession::receive() {
    PqWait wait(connection_.get(), {}, clock_, answer_max);
    wait.allow_unread(limits::store_bytes_max);
    PqResult kept;
    while (true) {
        if (auto waited = wait.until_result(); !waited) {
            broken_ = true;
            return waited.error().code == Errc::limit_exceeded ? too_large()
                                                               : gone(waited.error().what);
        }
        PqResult next{PQgetResult(connection_.get())};
        if (!next) {
            break;
        }
        const auto status = PQresultStatus(next.get());
        if (!kept || PQresultStatus(kept.get()) != PGRES_FATAL_ERROR) {
            kept = std::move(next);
        }
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK &&
            status != PGRES_FATAL_ERROR) {
            broken_ = true; // COPY: it would come again for ever
            return Error{Errc::internal, "The store takes no statement of this kind.", ""};
        }
    }
    broken_ =
        broken_ || !kept || PQstatus(connection_.get()) != CONNECTION_OK || is_fatal(kept.get());
    if (!kept) {
        return gone("there was no answer");
    }
    if (PQresultStatus(kept.get()) != PGRES_FATAL_ERROR) {
        return kept;
    }
    const auto state = sqlstate(kept.get());
    const char* message = PQresultErrorField(kept.get(), PG_DIAG_MESSAGE_PRIMARY);
    return state.empty() ? gone(PQresultErrorMessage(kept.get()))
                         : store_error(store_, state, message != nullptr ? message : "");
}

Error StoreSession::too_large() const {
    return {
        Errc::limit_exceeded,
        "A read of the store " + store_ + " is larger than it may be.",
        "Read it in pages."};
}

Error StoreSession::gone(std::string_view why) const {
    return {
        Errc::store_unreachable,
        "The store " + store_ + " was lost: " + readable_message(why) + ".",
        std::string{away}};
}

} // namespace interlock::db
