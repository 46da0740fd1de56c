// What the two kinds of connection share of libpq: waiting with a way to stop, and turning results
// into cells and errors (connect.hpp makes the connections). Prefer reader_connection.hpp and
// writer_connection.hpp; nothing else needs this.
#pragma once

#include "base/clock.hpp"
#include "base/db/table.hpp"
#include "base/result.hpp"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace interlock::db {

struct CloseConnection {
    void operator()(pg_conn* connection) const;
};
struct ClearResult {
    void operator()(pg_result* result) const;
};
using PqConnection = std::unique_ptr<pg_conn, CloseConnection>;
using PqResult = std::unique_ptr<pg_result, ClearResult>;

/// libpq's text for people: without the source location and its indented hints, on one line, its
/// head where it is long.
std::string readable_message(std::string_view message);
/// For poll(): until `deadline`, and at least 0.
int milliseconds_until(base::Clock& clock, base::Ticks deadline);

/// libpq takes C strings: a NUL would silently end one. invalid_input if there is any.
base::Status refuse_nul(const Sql& sql, const std::vector<Cell>& parameters);
/// Pointers into `parameters`, as libpq wants them.
std::vector<const char*> pointers(const std::vector<Cell>& parameters);
/// Sends one statement by itself. False: PQerrorMessage() says why not.
bool send_statement(pg_conn* connection, std::string_view sql, const std::vector<Cell>& parameters);

/// SQLSTATE of a failed result; "" when libpq itself failed.
std::string sqlstate(const pg_result* result);
/// True when the server ended the session with this error.
bool is_fatal(const pg_result* result);
base::Error result_error(const pg_result* result, std::string_view statement_name);
base::Error lost(pg_conn* connection, std::string_view doing);

/// All rows of a result; `affected` counts those of a select, too.
Table to_table(const pg_result* result);

/// What a row past limits::reader_row_bytes_max is refused with; its connection is not used again.
base::Error row_too_large();

/// Waits for results of one exchange. A stop request cancels whatever runs on the server, again and
/// again until all statements in flight have come back; past its deadline, or past
/// limits::cancel_grace after a stop, it gives up, and the connection is of no more use.
class PqWait {
public:
    PqWait(pg_conn* connection, std::stop_token stop, base::Clock& clock, base::Duration deadline);
    PqWait(const PqWait&) = delete;
    PqWait& operator=(const PqWait&) = delete;
    ~PqWait();

    /// Returns when PQgetResult will not block.
    base::Status until_result();
    /// Asks the server to cancel what runs now (PQcancel); the answer comes with the results.
    void cancel();
    bool stopped() const { return stop_.stop_requested(); }
    /// A whole row has been read: the count of bytes towards limits::reader_row_bytes_max restarts.
    void row_read() { unread_ = 0; }
    /// For a result that is read as a whole: another limit than that of a row.
    void allow_unread(std::size_t bytes) { unread_max_ = bytes; }

private:
    struct Wake;
    base::Status follow_stop();
    base::Status exchange();
    int milliseconds_left() const;

    pg_conn* connection_;
    std::stop_token stop_;
    base::Clock& clock_;
    base::Ticks deadline_;
    std::optional<base::Ticks> stop_deadline_;
    base::Ticks next_cancel_{};
    std::size_t unread_ = 0;
    std::size_t unread_max_;
    std::unique_ptr<Wake> wake_;
};

} // namespace interlock::db
