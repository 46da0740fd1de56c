#include "tests/lab/session.hpp"

#include "tests/lab/lab.hpp"

#include <memory>
#include <poll.h>
#include <stdexcept>

#include <libpq-fe.h>

namespace interlock::lab {
namespace {

db::Table to_table(const PGresult* result) {
    db::Table table;
    for (int i = 0; i < PQnfields(result); ++i) {
        table.columns.emplace_back(PQfname(result, i));
    }
    for (int row = 0; row < PQntuples(result); ++row) {
        auto& cells = table.rows.emplace_back();
        for (int i = 0; i < PQnfields(result); ++i) {
            cells.push_back(
                PQgetisnull(result, row, i) != 0 ? db::Cell{} : db::Cell{PQgetvalue(result, row, i)}
            );
        }
    }
    return table;
}

} // namespace

Session::Session(const std::string& conninfo, const std::string& application_name)
    : connection_(PQconnectdb((conninfo + " application_name='" + application_name + "'").c_str())
      ) {
    if (PQstatus(connection_) != CONNECTION_OK) {
        const std::string message = PQerrorMessage(connection_);
        PQfinish(connection_);
        throw std::runtime_error("a lab session cannot connect: " + message);
    }
    PQsetNoticeReceiver(
        connection_, [](void*, const PGresult*) {}, nullptr
    );
    pid_ = PQbackendPID(connection_);
    const auto start = run("select to_char(backend_start at time zone 'UTC', "
                           "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as s "
                           "from pg_stat_activity where pid = pg_backend_pid()");
    backend_start_ = start.text(0, "s");
}

Session::~Session() {
    PQfinish(connection_);
}

std::string Session::drain(db::Table* table) {
    std::string state;
    while (PGresult* raw = PQgetResult(connection_)) {
        const std::unique_ptr<PGresult, decltype(&PQclear)> result{raw, &PQclear};
        const auto status = PQresultStatus(raw);
        if (status == PGRES_FATAL_ERROR && state.empty()) {
            const char* code = PQresultErrorField(raw, PG_DIAG_SQLSTATE);
            state = code != nullptr ? code : "08006";
            message_ = PQresultErrorMessage(raw);
        }
        if (table != nullptr && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)) {
            *table = to_table(raw);
        }
    }
    return state;
}

db::Table Session::run(const std::string& sql) {
    start(sql);
    db::Table table;
    if (!drain(&table).empty()) {
        throw std::runtime_error(message_ + " in: " + sql);
    }
    return table;
}

std::string Session::try_run(const std::string& sql) {
    start(sql);
    return drain(nullptr);
}

void Session::start(const std::string& sql) {
    if (PQsendQuery(connection_, sql.c_str()) != 1) {
        throw std::runtime_error(
            std::string{"a lab session is gone: "} + PQerrorMessage(connection_)
        );
    }
}

bool Session::busy() {
    pollfd item{PQsocket(connection_), POLLIN, 0};
    if (::poll(&item, 1, 0) > 0) {
        (void)PQconsumeInput(connection_);
    }
    return PQisBusy(connection_) != 0;
}

std::string Session::finish() {
    if (!wait_until([this] { return !busy(); })) {
        throw std::runtime_error("a lab session's statement did not end in time");
    }
    return drain(nullptr);
}

bool Session::alive() {
    pollfd item{PQsocket(connection_), POLLIN, 0};
    if (PQsocket(connection_) >= 0 && ::poll(&item, 1, 0) > 0) {
        (void)PQconsumeInput(connection_);
    }
    return PQstatus(connection_) == CONNECTION_OK;
}

} // namespace interlock::lab
