#include "base/db/pq_session.hpp"

#include "base/db/pg_error.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

/// True if a new connection to the server's address opens within a second. PQcancel makes one and
/// has no time-out of its own: a dead network must not hold its caller for minutes.
bool accepts_connections(pg_conn* connection) {
    const char* host = PQhostaddr(connection);
    if (host == nullptr || *host == '\0') {
        return true; // a local socket
    }
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host, PQport(connection), &hints, &found) != 0) {
        return false;
    }
    const int probe = ::socket(
        found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, found->ai_protocol
    );
    bool connected = false;
    if (probe >= 0) {
        connected = ::connect(probe, found->ai_addr, found->ai_addrlen) == 0;
        if (!connected && errno == EINPROGRESS) {
            pollfd item{probe, POLLOUT, 0};
            int reason = 0;
            socklen_t size = sizeof reason;
            connected = ::poll(&item, 1, static_cast<int>(limits::cancel_probe.count())) == 1 &&
                        ::getsockopt(probe, SOL_SOCKET, SO_ERROR, &reason, &size) == 0 &&
                        reason == 0;
        }
        ::close(probe);
    }
    freeaddrinfo(found);
    return connected;
}

} // namespace

void CloseConnection::operator()(pg_conn* connection) const {
    PQfinish(connection);
}
void ClearResult::operator()(pg_result* result) const {
    PQclear(result);
}

std::string readable_message(std::string_view message) {
    std::string text;
    while (!message.empty()) {
        const auto end = std::min(message.find('\n'), message.size());
        const auto line = message.substr(0, end);
        if (!line.empty() && line[0] != '\t' && !line.starts_with("LOCATION:")) {
            text.append(text.empty() ? "" : "; ").append(base::trim(line));
        }
        message.remove_prefix(std::min(end + 1, message.size()));
    }
    // The head stays: a secret cut at its front would not be recognised later.
    return std::string{base::cut_bytes(base::sanitize(text), limits::database_message_chars_max)};
}

int milliseconds_until(base::Clock& clock, base::Ticks deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.ticks()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

base::Status refuse_nul(const Sql& sql, const std::vector<Cell>& parameters) {
    bool found = sql.text.find('\0') != std::string_view::npos;
    for (const auto& cell : parameters) {
        found = found || (cell && cell->find('\0') != std::string::npos);
    }
    if (found) {
        return Error{
            Errc::invalid_input,
            "Statement " + std::string{sql.name} + " or one of its values holds a NUL character.",
            "Remove it."};
    }
    return base::done;
}

std::vector<const char*> pointers(const std::vector<Cell>& parameters) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const auto& cell : parameters) {
        values.push_back(cell ? cell->c_str() : nullptr);
    }
    return values;
}

bool send_statement(PGconn* connection, std::string_view sql, const std::vector<Cell>& parameters) {
    const std::string text{sql};
    const auto values = pointers(parameters);
    return PQsendQueryParams(
               connection,
               text.c_str(),
               static_cast<int>(values.size()),
               nullptr,
               values.data(),
               nullptr,
               nullptr,
               0
           ) == 1;
}

std::string sqlstate(const pg_result* result) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "";
}

bool is_fatal(const pg_result* result) {
    const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != nullptr &&
           (std::strcmp(severity, "FATAL") == 0 || std::strcmp(severity, "PANIC") == 0);
}

base::Error result_error(const pg_result* result, std::string_view statement_name) {
    const auto state = sqlstate(result);
    if (state.empty()) {
        return {
            Errc::internal,
            "Statement " + std::string{statement_name} +
                " failed in libpq: " + readable_message(PQresultErrorMessage(result)) + ".",
            ""};
    }
    const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return pg_error(state, message != nullptr ? message : "", statement_name);
}

base::Error lost(pg_conn* connection, std::string_view doing) {
    return {
        Errc::target_unreachable,
        "The connection was lost while " + std::string{doing} + ": " +
            readable_message(PQerrorMessage(connection)) + ".",
        "Ask again; a new connection will be made."};
}

Table to_table(const pg_result* result) {
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
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
    table.affected = std::atoll(PQcmdTuples(const_cast<PGresult*>(result)));
    return table;
}

/// Makes a stop request wake poll(). The callback goes before the file it writes to.
struct PqWait::Wake {
    struct File {
        int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        File() = default;
        File(const File&) = delete;
        File& operator=(const File&) = delete;
        ~File() { ::close(descriptor); }
    };

    explicit Wake(const std::stop_token& stop)
        : callback(stop, [this] {
              const std::uint64_t one = 1;
              (void)!::write(file.descriptor, &one, sizeof one);
          }) {}

    File file;
    std::stop_callback<std::function<void()>> callback;
};

PqWait::PqWait(
    pg_conn* connection, std::stop_token stop, base::Clock& clock, base::Duration deadline
)
    : connection_(connection),
      stop_(std::move(stop)),
      clock_(clock),
      deadline_(clock.ticks() + deadline),
      unread_max_(limits::reader_row_bytes_max),
      wake_(std::make_unique<Wake>(stop_)) {}

PqWait::~PqWait() = default;

base::Status PqWait::until_result() {
    while (PQisBusy(connection_) != 0) {
        INTERLOCK_CHECK(follow_stop());
        INTERLOCK_CHECK(exchange());
    }
    return base::done;
}

void PqWait::cancel() {
    if (!accepts_connections(connection_)) {
        return;
    }
    char reason[256];
    PGcancel* handle = PQgetCancel(connection_);
    if (handle != nullptr) {
        // A refused cancel changes nothing: the deadline still stands.
        (void)PQcancel(handle, reason, sizeof reason);
        PQfreeCancel(handle);
    }
}

base::Status PqWait::follow_stop() {
    if (!stopped()) {
        return base::done;
    }
    if (!stop_deadline_) {
        stop_deadline_ = clock_.ticks() + limits::cancel_grace;
    }
    if (clock_.ticks() >= *stop_deadline_) {
        return Error{
            Errc::cancelled, "The call was stopped and the server did not confirm it in time.", ""};
    }
    if (clock_.ticks() >= next_cancel_) {
        cancel();
        next_cancel_ = clock_.ticks() + limits::cancel_again;
    }
    return base::done;
}

int PqWait::milliseconds_left() const {
    return milliseconds_until(clock_, stopped() ? std::min(deadline_, next_cancel_) : deadline_);
}

Error row_too_large() {
    return {
        Errc::limit_exceeded,
        "A single row is larger than " + std::to_string(limits::reader_row_bytes_max) + " bytes.",
        "Ask for fewer or shorter columns."};
}

/// Sends what is left to send and takes in what has come, waiting for either once.
base::Status PqWait::exchange() {
    const int unsent = PQflush(connection_);
    if (unsent < 0) {
        return lost(connection_, "sending");
    }
    const short wanted = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
    pollfd items[2] = {{PQsocket(connection_), wanted, 0}, {wake_->file.descriptor, POLLIN, 0}};
    const nfds_t count = stopped() ? 1 : 2; // once stopped, the event stays readable
    const int ready = ::poll(items, count, milliseconds_left());
    if (clock_.ticks() >= deadline_) {
        cancel();
        return Error{
            Errc::target_unreachable,
            "The server did not answer in time, although its statements have time-outs.",
            "Check the server and the network; a new connection will be made."};
    }
    if (ready > 0 && items[0].revents != 0) {
        int waiting = 0;
        ::ioctl(items[0].fd, FIONREAD, &waiting);
        unread_ += static_cast<std::size_t>(std::max(waiting, 0));
        if (PQconsumeInput(connection_) == 0) {
            return lost(connection_, "reading");
        }
        if (unread_ > unread_max_) {
            cancel();
            return row_too_large();
        }
    }
    return base::done;
}

} // namespace interlock::db
