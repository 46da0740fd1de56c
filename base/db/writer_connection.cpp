#include "base/db/writer_connection.hpp"

#include "base/clock.hpp"
#include "base/db/connect.hpp"
#include "base/db/pq_session.hpp"
#include "base/db/writer_deadline.hpp"
#include "base/limits.hpp"

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;

/// The longest any statement may rightly take: the largest time-outs a plan may have, and the way
/// there and back.
constexpr base::Duration answer_max = base::limits::step_statement_timeout_max +
                                      base::limits::step_lock_timeout_max +
                                      base::limits::reader_grace;

constexpr int version_min = 140'000; // client_connection_check_interval came with it

constexpr Sql prepare_session{"writer_session", R"sql(
select pg_catalog.set_config('client_connection_check_interval', '1s', false),
       pg_catalog.set_config('search_path', 'pg_catalog', false),
       pg_catalog.set_config('standard_conforming_strings', 'on', false),
       pg_catalog.set_config('TimeZone', 'UTC', false),
       pg_catalog.set_config('DateStyle', 'ISO, YMD', false),
       pg_catalog.set_config('IntervalStyle', 'postgres', false),
       pg_catalog.set_config('bytea_output', 'hex', false),
       pg_catalog.pg_backend_pid() as pid)sql"};

class Writer final : public WriterConnection {
public:
    Writer(PqConnection connection, base::Duration deadline)
        : connection_(std::move(connection)), deadline_(deadline) {}

    base::Status prepare(const TargetAddress& address);
    int backend_pid() const override { return backend_pid_; }
    base::Result<Table> execute(const Sql& sql, const std::vector<Cell>& parameters) override;
    bool broken() const override { return broken_; }

private:
    base::Result<PqResult> exchange(const Sql& sql, const std::vector<Cell>& parameters);

    base::SystemClock clock_;
    PqConnection connection_;
    base::Duration deadline_;
    int backend_pid_ = 0;
    bool broken_ = false;
};

/// The results of one statement, the first of them: after an error that ended the session libpq
/// adds one of its own.
base::Result<PqResult> Writer::exchange(const Sql& sql, const std::vector<Cell>& parameters) {
    const auto late = clock_.ticks() + deadline_;
    PqWait wait(connection_.get(), {}, clock_, deadline_);
    if (!send_statement(connection_.get(), sql.text, parameters)) {
        return lost(connection_.get(), "executing " + std::string{sql.name});
    }
    PqResult first;
    while (true) {
        if (auto waited = wait.until_result(); !waited.ok()) {
            if (first) {
                return first; // what the server said last before the session ended
            }
            if (clock_.ticks() < late) {
                return waited.error();
            }
            return Error{
                Errc::timeout,
                "The server did not answer statement " + std::string{sql.name} +
                    " in time, although it has a time-out.",
                "Check the server and the network; whether it acted is found out later."};
        }
        PqResult next{PQgetResult(connection_.get())};
        if (!next) {
            return first;
        }
        const auto status = PQresultStatus(next.get());
        const bool copies = status == PGRES_COPY_IN || status == PGRES_COPY_OUT;
        if (!first) {
            first = std::move(next);
        }
        if (copies) {
            return first; // it would come again for ever
        }
    }
}

/// The statement's own time-out bounds it; the deadline is for a server that does not keep it,
/// whose connection is given up: what it did is then unknown here.
base::Result<Table> Writer::execute(const Sql& sql, const std::vector<Cell>& parameters) {
    if (broken_) {
        return Error{Errc::target_unreachable, "The connection is broken.", "Connect again."};
    }
    INTERLOCK_CHECK(refuse_nul(sql, parameters));
    auto exchanged = exchange(sql, parameters);
    if (!exchanged.ok()) {
        broken_ = true;
        return exchanged.error();
    }
    const PqResult result = std::move(exchanged).value();
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
        broken_ = true;
        return sqlstate(result.get()).empty()
                   ? lost(connection_.get(), "executing " + std::string{sql.name})
                   : result_error(result.get(), sql.name);
    }
    switch (PQresultStatus(result.get())) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        return to_table(result.get());
    case PGRES_FATAL_ERROR:
        broken_ = is_fatal(result.get());
        return result_error(result.get(), sql.name);
    default:
        broken_ = true; // COPY or an empty text: never a step
        return Error{
            Errc::invalid_input,
            "Statement " + std::string{sql.name} + " is of a kind that cannot be executed here.",
            "Use a statement that returns rows or a command tag."};
    }
}

/// A pooler gives out a process id of its own and may change the backend between transactions: the
/// session lock, the settings and the pid in the ledger would then belong to somebody else.
base::Status Writer::prepare(const TargetAddress& address) {
    INTERLOCK_TRY(const auto session, execute(prepare_session, {}));
    backend_pid_ = static_cast<int>(session.integer(0, "pid").value_or(0));
    if (backend_pid_ != PQbackendPID(connection_.get())) {
        return Error{
            Errc::not_supported,
            "Target " + describe(address) + " is reached through a connection pooler.",
            "Give the executor an address of PostgreSQL itself."};
    }
    return base::done;
}

} // namespace

base::Result<std::unique_ptr<WriterConnection>>
WriterConnection::open(const TargetAddress& address, const std::string& application_name) {
    return open_writer(address, application_name, answer_max);
}

base::Result<std::unique_ptr<WriterConnection>> open_writer(
    const TargetAddress& address, const std::string& application_name, base::Duration deadline
) {
    base::SystemClock clock;
    INTERLOCK_TRY(
        auto connected, connect(address, application_name, choice_to_write(address), clock)
    );
    PqConnection connection = std::move(connected.connection);
    if (PQserverVersion(connection.get()) < version_min) {
        return Error{
            Errc::not_supported,
            "Target " + describe(address) + " runs a PostgreSQL older than 14.",
            "Upgrade the server."};
    }
    if (PQsetnonblocking(connection.get(), 1) != 0) { // sending may not wait without a deadline
        return lost(connection.get(), "preparing it");
    }
    auto writer = std::make_unique<Writer>(std::move(connection), deadline);
    INTERLOCK_CHECK(writer->prepare(address));
    return std::unique_ptr<WriterConnection>{std::move(writer)};
}

} // namespace interlock::db
