#include "base/db/pq_session.hpp"

#include "base/db/pg_error.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

/// The password file's content without its last newline. The file must be ours alone.
base::Result<std::string> read_password(const std::string& path) {
    const auto refuse = [&](std::string why, std::string remedy) {
        return Error{
            Errc::permission_denied,
            "The password file " + path + " " + std::move(why) + ".",
            std::move(remedy)};
    };
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        return refuse(std::string{"cannot be opened: "} + std::strerror(errno), "Check its path.");
    }
    struct stat info {};
    std::string content(limits::password_bytes_max + 1, '\0');
    const bool known = ::fstat(file, &info) == 0;
    const auto size = ::read(file, content.data(), content.size());
    ::close(file);
    if (!known || !S_ISREG(info.st_mode) || size < 0) {
        return refuse("is not a readable file", "Name a regular file.");
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse("can be read by others", "Run chmod 600 " + path + ".");
    }
    if (size == 0 || static_cast<std::size_t>(size) > limits::password_bytes_max) {
        return refuse("is empty or too long", "Put the password on one line.");
    }
    content.resize(static_cast<std::size_t>(size));
    while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) {
        content.pop_back();
    }
    return content;
}

/// With verbose errors libpq writes "FATAL:  28P01: message", in any language.
std::string find_sqlstate(std::string_view message) {
    const auto is_code = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
    for (std::size_t at = 0; at + 9 <= message.size(); ++at) {
        if (message.substr(at, 3) == ":  " && message[at + 8] == ':' &&
            std::all_of(
                message.begin() + static_cast<long>(at) + 3,
                message.begin() + static_cast<long>(at) + 8,
                is_code
            )) {
            return std::string{message.substr(at + 3, 5)};
        }
    }
    return {};
}

/// libpq's text for people: without the source location and its indented hints, on one line.
std::string readable(std::string_view message) {
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

Error connect_error(pg_conn* connection, const TargetAddress& address) {
    const std::string_view message = PQerrorMessage(connection);
    const auto state = find_sqlstate(message);
    const bool credentials =
        state.starts_with("28") || state == "42501" || PQconnectionNeedsPassword(connection) != 0;
    Error error;
    error.code = credentials ? Errc::permission_denied : Errc::target_unreachable;
    error.what = "Target " + describe(address) +
                 (credentials ? " refuses the credentials: " : " cannot be reached: ") +
                 readable(message) + ".";
    if (credentials) {
        error.remedy =
            "Check the user, its password (password_file or PGPASSFILE) and pg_hba.conf.";
    } else if (state == "53300") {
        error.remedy = "Every connection of the server, database or role is in use; free some.";
    } else if (state == "57P03") {
        error.remedy = "The server is starting, stopping or recovering; wait for it.";
    } else if (state == "3D000") {
        error.remedy = "Check dbname.";
    } else {
        error.remedy = "Check that PostgreSQL runs there and that the network lets us through.";
    }
    return error;
}

Error connect_late(const TargetAddress& address) {
    return {
        Errc::target_unreachable,
        "Target " + describe(address) + " did not answer within " +
            std::to_string(limits::connect_timeout.count()) + " ms.",
        "Check that PostgreSQL runs there and that the network lets us through."};
}

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

int until(base::Clock& clock, base::Ticks deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.ticks()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 3'600'000));
}

} // namespace

void CloseConnection::operator()(pg_conn* connection) const {
    PQfinish(connection);
}
void ClearResult::operator()(pg_result* result) const {
    PQclear(result);
}

base::Result<PqConnection>
connect(const TargetAddress& address, const std::string& application_name, base::Clock& clock) {
    std::string password;
    if (!address.password_file.empty()) {
        INTERLOCK_TRY(password, read_password(address.password_file));
    }
    const auto dead_after = std::to_string(limits::tcp_user_timeout.count());
    // What follows dbname wins over what the connection string says.
    std::vector<const char*> keywords{
        "dbname", "client_encoding", "application_name", "tcp_user_timeout", "keepalives_idle"};
    std::vector<const char*> values{
        address.conninfo.c_str(), "UTF8", application_name.c_str(), dead_after.c_str(), "15"};
    if (!password.empty()) {
        keywords.push_back("password");
        values.push_back(password.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);

    const auto deadline = clock.ticks() + limits::connect_timeout;
    PqConnection connection{PQconnectStartParams(keywords.data(), values.data(), 1)};
    if (!connection) {
        return Error{Errc::limit_exceeded, "There is no memory for a connection.", "Try again."};
    }
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQsetNoticeReceiver(
        connection.get(), [](void*, const PGresult*) {}, nullptr
    );
    auto state =
        PQstatus(connection.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) {
            return connect_error(connection.get(), address);
        }
        const short wanted = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        pollfd item{PQsocket(connection.get()), wanted, 0};
        const int ready = ::poll(&item, 1, until(clock, deadline));
        if (ready == 0) {
            return connect_late(address);
        }
        if (ready > 0) {
            state = PQconnectPoll(connection.get());
        }
    }
    PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
    return connection;
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
                " failed in libpq: " + readable(PQresultErrorMessage(result)) + ".",
            ""};
    }
    const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return pg_error(state, message != nullptr ? message : "", statement_name);
}

base::Error lost(pg_conn* connection, std::string_view doing) {
    return {
        Errc::target_unreachable,
        "The connection was lost while " + std::string{doing} + ": " +
            readable(PQerrorMessage(connection)) + ".",
        "Ask again; a new connection will be made."};
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
    return until(clock_, stopped() ? std::min(deadline_, next_cancel_) : deadline_);
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
        if (unread_ > limits::reader_row_bytes_max) {
            cancel();
            return row_too_large();
        }
    }
    return base::done;
}

} // namespace interlock::db
