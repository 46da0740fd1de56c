#include "base/db/connect.hpp"

#include "base/db/conninfo_options.hpp"
#include "base/db/password.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <optional>
#include <poll.h>
#include <utility>
#include <vector>

#include <libpq-fe.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

/// By its name where it has one: a tunnel's end is here, and the server elsewhere.
bool is_this_machine(std::string_view host) {
    return host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost" ||
           host == "::1" || host.starts_with("127.");
}

/// libpq's defaults encrypt if the server offers it, and believe any certificate.
constexpr std::string_view unsaid = "prefer";

/// What is to be connected to, and how.
struct Attempt {
    const TargetAddress& address;
    const ServerAddress& server;
    const std::string& application_name;
    bool of_several;

    std::string subject() const {
        const std::string who = address.name.empty() ? "The store" : "Target ";
        return who + (of_several ? address.name + " at " + server.name : describe(address));
    }
};

/// What conninfo says, or else libpq's environment and defaults. A service that conninfo names is
/// known only once a connection has begun.
struct Settings {
    ConninfoOptions said;
    ConninfoOptions defaults = ConninfoOptions::defaults();

    explicit Settings(const TargetAddress& address)
        : said(ConninfoOptions::parse(address.conninfo).value_or(ConninfoOptions{})) {}

    std::string value(std::string_view keyword) const {
        const auto given = said.value(keyword);
        return given.empty() ? defaults.value(keyword) : given;
    }
};

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

struct Remedy {
    std::string_view said; // by libpq, OpenSSL or a pooler
    std::string_view remedy;
};

// Why a server was not trusted, or does not trust us. The first that is said.
constexpr Remedy tls_remedies[] = {
    {"root certificate file",
     "Name the file of the authority that signed the server's certificate in sslrootcert of "
     "conninfo; Debian keeps the public ones in /etc/ssl/certs/ca-certificates.crt."},
    {"certificate verify failed",
     "Another authority signed the server's certificate than those of sslrootcert, or it has "
     "expired: name the right file, or renew the certificate. It may also be another server."},
    {"does not match host name",
     "Write host as the server's certificate names it (and hostaddr, if that name leads "
     "elsewhere), or give the server a certificate for this name. It may also be another server."},
    {"server does not support SSL",
     "Set ssl = on at the server. For a network that may read along, say sslmode=disable in "
     "conninfo; a host elsewhere is verified (verify-full) unless conninfo says otherwise."},
    {"private key file", "Give the key of sslkey to this program's user, with mode 0600."},
    {"certificate file", "Check the files of sslcert and sslkey."},
    {"could not read certificate", "Check the files of sslcert and sslkey."},
    {"alert", "The server does not accept our certificate: check sslcert and its ssl_ca_file."},
};

constexpr Remedy pooler_remedy{
    "unsupported startup parameter",
    "A connection pooler stands there and does not pass it on: take it out of conninfo (or "
    "PGOPTIONS), or name it in the pooler's ignore_startup_parameters."};

std::string_view tls_remedy_for(std::string_view message) {
    for (const auto& [said, remedy] : tls_remedies) {
        if (message.find(said) != std::string_view::npos) {
            return remedy;
        }
    }
    return {};
}

Error connect_error(pg_conn* connection, const Attempt& attempt) {
    const std::string_view message = PQerrorMessage(connection);
    const auto state = find_sqlstate(message);
    const bool credentials =
        state.starts_with("28") || state == "42501" || PQconnectionNeedsPassword(connection) != 0;
    const auto tls = state.empty() ? tls_remedy_for(message) : std::string_view{};
    const char* outcome = credentials    ? " refuses the credentials: "
                          : !tls.empty() ? " is not trusted: "
                                         : " cannot be reached: ";
    Error error;
    error.code = credentials ? Errc::permission_denied : Errc::target_unreachable;
    error.what = attempt.subject() + outcome + readable_message(message) + ".";
    if (message.find(pooler_remedy.said) != std::string_view::npos) {
        error.remedy = pooler_remedy.remedy;
    } else if (credentials && message.find("client certificate") != std::string_view::npos) {
        error.remedy = "Name a client certificate and its key in sslcert and sslkey of conninfo.";
    } else if (credentials) {
        error.remedy = "Check the user, its password (password_file, password_env, "
                       "password_command or PGPASSFILE) and pg_hba.conf.";
    } else if (state == "53300") {
        error.remedy = "Every connection of the server, database or role is in use; free some.";
    } else if (state == "57P03") {
        error.remedy = "The server is starting, stopping or recovering; wait for it.";
    } else if (state == "3D000") {
        error.remedy = "Check dbname.";
    } else if (!tls.empty()) {
        error.remedy = tls;
    } else {
        error.remedy = "Check that PostgreSQL runs there and that the network lets us through.";
    }
    return error;
}

Error connect_late(const Attempt& attempt, base::Ticks::duration took) {
    const auto waited = std::chrono::ceil<std::chrono::milliseconds>(took).count();
    return {
        Errc::target_unreachable,
        attempt.subject() + " did not answer within " + std::to_string(waited) + " ms.",
        "Check that PostgreSQL runs there and that the network lets us through."};
}

/// What follows dbname wins over what the connection string says; "" changes nothing.
PqConnection begin(const Attempt& attempt, const std::string& password, const char* sslmode) {
    const auto dead_after = std::to_string(limits::tcp_user_timeout.count());
    const std::pair<const char*, std::string> settings[] = {
        {"dbname", attempt.address.conninfo},
        {"client_encoding", "UTF8"},
        {"application_name", attempt.application_name},
        {"tcp_user_timeout", dead_after},
        {"keepalives_idle", "15"},
        {"password", password},
        {"sslmode", sslmode},
        {"host", attempt.of_several ? attempt.server.host : ""},
        {"hostaddr", attempt.of_several ? attempt.server.hostaddr : ""},
        {"port", attempt.of_several ? attempt.server.port : ""},
        {"target_session_attrs", attempt.server.name.empty() ? "" : "any"}}; // chosen by us
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : settings) {
        keywords.push_back(keyword);
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    return PqConnection{PQconnectStartParams(keywords.data(), values.data(), 1)};
}

/// The connection begun, verifying who answers if that was left open for a host elsewhere.
PqConnection begin_verified(const Attempt& attempt, const std::string& password) {
    const Settings settings{attempt.address};
    const bool open = settings.said.value("sslmode").empty() && settings.value("sslmode") == unsaid;
    const auto& host = attempt.of_several ? attempt.server.host : settings.value("host");
    const auto& hostaddr =
        attempt.of_several ? attempt.server.hostaddr : settings.value("hostaddr");
    const bool elsewhere = !is_this_machine(host.empty() ? hostaddr : host);
    auto connection = begin(attempt, password, open && elsewhere ? "verify-full" : "");
    if (!connection || !open || elsewhere || settings.said.value("service").empty()) {
        return connection;
    }
    const auto found = ConninfoOptions::of(connection.get());
    const auto host_found = found.value("host");
    if (found.value("sslmode") != unsaid ||
        is_this_machine(host_found.empty() ? found.value("hostaddr") : host_found)) {
        return connection;
    }
    connection.reset(); // nothing was sent on it yet
    return begin(attempt, password, "verify-full");
}

base::Result<PqConnection> connect_once(
    const Attempt& attempt, const std::string& password, base::Clock& clock, base::Ticks deadline
) {
    const auto began = clock.ticks();
    auto connection = begin_verified(attempt, password);
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
            return connect_error(connection.get(), attempt);
        }
        const short wanted = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        pollfd item{PQsocket(connection.get()), wanted, 0};
        const int ready = ::poll(&item, 1, milliseconds_until(clock, deadline));
        if (ready == 0) {
            return connect_late(attempt, clock.ticks() - began);
        }
        if (ready > 0) {
            state = PQconnectPoll(connection.get());
        }
    }
    PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
    return connection;
}

/// `password` becomes the new one where the old is refused and the source has another by now.
base::Result<PqConnection> connect_to(
    const Attempt& attempt,
    std::optional<std::string>& password,
    base::Clock& clock,
    base::Ticks deadline
) {
    auto connection = connect_once(attempt, password.value_or(""), clock, deadline);
    if (connection || !password || connection.error().code != Errc::permission_denied) {
        return connection;
    }
    INTERLOCK_TRY(auto again, read_password(attempt.address));
    if (again == password) {
        return connection;
    }
    password = std::move(again);
    return connect_once(attempt, *password, clock, deadline);
}

/// A server tells it at connect; a pooler does not pass that on.
std::optional<bool> in_recovery(pg_conn* connection, base::Clock& clock) {
    if (const char* told = PQparameterStatus(connection, "in_hot_standby"); told != nullptr) {
        return std::string_view{told} == "on";
    }
    PqWait wait{connection, {}, clock, limits::statement_timeout};
    std::optional<bool> found;
    bool asked = PQsendQuery(connection, "select pg_catalog.pg_is_in_recovery()") == 1;
    while (asked && wait.until_result()) {
        const PqResult result{PQgetResult(connection)};
        asked = result != nullptr;
        if (result && PQntuples(result.get()) == 1) {
            found = std::string_view{PQgetvalue(result.get(), 0, 0)} == "t";
        }
    }
    return found;
}

Connected finished(PqConnection connection, const ServerAddress& server) {
    Connected out;
    const auto used = ConninfoOptions::of(connection.get());
    const auto mode = used.value("sslmode");
    const auto host = used.value("host");
    const bool encrypted = PQsslInUse(connection.get()) != 0;
    if (encrypted) {
        const char* protocol = PQsslAttribute(connection.get(), "protocol");
        out.transport = (protocol != nullptr ? protocol : "TLS") + (", sslmode=" + mode);
        out.verified = mode == "verify-full";
    } else if (PQgssEncInUse(connection.get()) != 0) {
        out.transport = "GSSAPI";
        out.verified = true;
    } else {
        const char* at = PQhost(connection.get());
        out.verified = at == nullptr || is_this_machine(at);
        out.transport = out.verified ? "local" : "not encrypted, sslmode=" + mode;
    }
    out.server = server.name;
    out.connection = std::move(connection);
    return out;
}

/// What each of several servers said.
struct Refusals {
    std::vector<std::string> said;
    std::optional<Error> first;

    void add(const Error& error) {
        said.push_back(error.what);
        first = first && first->code == Errc::permission_denied ? first : error;
    }
};

Error none_serves(const TargetAddress& address, const Choice& choice, const Refusals& refusals) {
    const std::string role = choice.strict ? std::string{name(choice.role)} : "server";
    Error error;
    error.code = refusals.first ? refusals.first->code : Errc::target_unreachable;
    error.what = "No " + role + " of " +
                 (address.name.empty() ? "the store" : "target " + address.name) + " answers:";
    for (const auto& said : refusals.said) {
        error.what += " " + said;
    }
    error.remedy = refusals.first
                       ? refusals.first->remedy
                       : "Change target_session_attrs of its conninfo, or bring up a " + role + ".";
    return error;
}

} // namespace

base::Result<Connected> connect(
    const TargetAddress& address,
    const std::string& application_name,
    const Choice& choice,
    base::Clock& clock
) {
    INTERLOCK_TRY(auto password, read_password(address));
    INTERLOCK_TRY(const auto servers, servers_of(address));
    const auto deadline = clock.ticks() + limits::connect_timeout;
    std::optional<Connected> other; // not what is wanted, and better than nothing
    Refusals refusals;
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const auto& server = servers[i];
        // One that is silent leaves the others their share of the time.
        const auto share = (deadline - clock.ticks()) / static_cast<long>(servers.size() - i);
        auto connection = connect_to(
            {address, server, application_name, servers.size() > 1},
            password,
            clock,
            clock.ticks() + share
        );
        if (!connection) {
            if (servers.size() == 1) {
                return std::move(connection).error();
            }
            refusals.add(connection.error());
            continue;
        }
        const auto standby = choice.role == Role::any ? std::optional<bool>{false}
                                                      : in_recovery(connection->get(), clock);
        if (standby && choice.takes(*standby)) {
            return finished(std::move(*connection), server);
        }
        refusals.said.push_back(
            (server.name.empty() ? "the server" : server.name) + (!standby
                                                                      ? " does not say what it is."
                                                                  : *standby ? " is a standby."
                                                                             : " is a primary.")
        );
        if (!other && !choice.strict) {
            other = finished(std::move(*connection), server);
        }
    }
    if (other) {
        return std::move(*other);
    }
    return none_serves(address, choice, refusals);
}

} // namespace interlock::db
