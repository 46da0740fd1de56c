#include "base/db/writer_connection.hpp"

#include "base/clock.hpp"
#include "base/db/pq_session.hpp"

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;

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
    explicit Writer(PqConnection connection) : connection_(std::move(connection)) {}

    base::Status prepare(const TargetAddress& address);
    int backend_pid() const override { return backend_pid_; }
    base::Result<Table> execute(const Sql& sql, const std::vector<Cell>& parameters) override;
    bool broken() const override { return broken_; }

private:
    PqConnection connection_;
    int backend_pid_ = 0;
    bool broken_ = false;
};

Table to_table(const PGresult* result) {
    Table table;
    const int columns = PQnfields(result);
    for (int i = 0; i < columns; ++i) {
        table.columns.emplace_back(PQfname(result, i));
    }
    for (int row = 0; row < PQntuples(result); ++row) {
        auto& cells = table.rows.emplace_back();
        for (int i = 0; i < columns; ++i) {
            if (PQgetisnull(result, row, i) != 0) {
                cells.emplace_back();
            } else {
                cells.emplace_back(std::string{
                    PQgetvalue(result, row, i),
                    static_cast<std::size_t>(PQgetlength(result, row, i))});
            }
        }
    }
    // PQcmdTuples wants a result that is not const and changes nothing in it.
    table.affected = std::atoll(PQcmdTuples(const_cast<PGresult*>(result)));
    return table;
}

/// PQexecParams waits without a deadline of ours: a step may rightly run for hours, its own
/// statement_timeout bounds it, and a dead network is noticed by tcp_user_timeout.
base::Result<Table> Writer::execute(const Sql& sql, const std::vector<Cell>& parameters) {
    if (broken_) {
        return Error{Errc::target_unreachable, "The connection is broken.", "Connect again."};
    }
    INTERLOCK_CHECK(refuse_nul(sql, parameters));
    const std::string text{sql.text};
    const auto values = pointers(parameters);
    const PqResult result{PQexecParams(
        connection_.get(),
        text.c_str(),
        static_cast<int>(values.size()),
        nullptr,
        values.data(),
        nullptr,
        nullptr,
        0
    )};
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
    base::SystemClock clock;
    INTERLOCK_TRY(auto connection, connect(address, application_name, clock));
    if (PQserverVersion(connection.get()) < version_min) {
        return Error{
            Errc::not_supported,
            "Target " + describe(address) + " runs a PostgreSQL older than 14.",
            "Upgrade the server."};
    }
    auto writer = std::make_unique<Writer>(std::move(connection));
    INTERLOCK_CHECK(writer->prepare(address));
    return std::unique_ptr<WriterConnection>{std::move(writer)};
}

} // namespace interlock::db
