#include "base/db/pg_error.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace interlock::db {
namespace {

using base::Errc;

struct Meaning {
    std::string_view state; // a SQLSTATE, or its class of two characters
    Errc code;
    std::string_view remedy;
};

// The longest match wins: five characters before two.
constexpr Meaning meanings[] = {
    {"57014", Errc::timeout, "Narrow the question, or ask again when the server is less busy."},
    {"55P03", Errc::timeout, "Another session holds the lock; look at get_blocking."},
    {"25P03", Errc::timeout, "Ask again."},
    {"57P05", Errc::target_unreachable, "Ask again; a new connection will be made."},
    {"42501", Errc::permission_denied, "Grant the right to the role, or do without this check."},
    {"28", Errc::permission_denied, "Check user, password and pg_hba.conf of the target."},
    {"08", Errc::target_unreachable, "Check that the server runs and the network is up."},
    {"57P", Errc::target_unreachable, "Ask again when the server accepts connections."},
    {"53300", Errc::target_unreachable, "Every connection of the server or role is in use."},
    {"53", Errc::limit_exceeded, "The server is out of memory, disk or another resource."},
    {"54", Errc::limit_exceeded, "Make the statement smaller."},
    {"0A", Errc::not_supported, "This server version or object cannot do it."},
    {"42883", Errc::not_supported, "The function is missing: another version or no extension."},
    {"42P01", Errc::not_supported, "The relation is missing: another version or no extension."},
    {"42703", Errc::not_supported, "The column is missing: another server or extension version."},
    {"42704", Errc::not_supported, "The object is missing on this server."},
    {"3F000", Errc::not_supported, "The schema is missing on this server."},
    {"3D000", Errc::not_found, "Check the database name."},
    {"55", Errc::not_supported, "The server is not in a state in which this works."},
    {"25P02", Errc::internal, "An earlier statement of the transaction failed."},
    {"25", Errc::refused_by_guard, "Reads are read-only; a standby accepts no change at all."},
    {"40", Errc::conflict, "Ask again."},
    {"23", Errc::conflict, ""},
    {"42", Errc::invalid_input, "Correct the statement."},
    {"22", Errc::invalid_input, "Correct the values."},
    {"P0", Errc::refused, "The target's own code raised this."},
    {"58", Errc::io, "Look at the server's log."},
    {"XX001", Errc::corrupt, "The server reports corrupt data; look at its log at once."},
    {"XX002", Errc::corrupt, "The server reports a corrupt index; look at its log at once."},
};

const Meaning* find(std::string_view sqlstate) {
    const Meaning* best = nullptr;
    for (const auto& meaning : meanings) {
        if (sqlstate.starts_with(meaning.state) &&
            (best == nullptr || meaning.state.size() > best->state.size())) {
            best = &meaning;
        }
    }
    return best;
}

/// Where the quoted part of a message begins and ends, in the quotes of several languages.
std::pair<std::size_t, std::size_t> quoted_part(std::string_view message) {
    std::size_t from = std::string_view::npos;
    std::size_t to = 0;
    for (const std::string_view open : {"\"", "\xE2\x80\x9E", "\xE2\x80\x9C", "\xC2\xAB"}) {
        const std::size_t at = message.find(open);
        from = at == std::string_view::npos ? from : std::min(from, at + open.size());
    }
    for (const std::string_view close : {"\"", "\xE2\x80\x9C", "\xE2\x80\x9D", "\xC2\xBB"}) {
        const std::size_t at = message.rfind(close);
        to = at == std::string_view::npos ? to : std::max(to, at);
    }
    return {from, to};
}

/// Data exceptions quote the value; a syntax error quotes the token, which may be a literal. Names
/// (of a column that does not exist, say) are what a reader needs and stay.
std::string without_values(std::string_view sqlstate, std::string message) {
    const bool value = sqlstate.starts_with("22");
    if (!value && sqlstate != "42601") {
        return message;
    }
    const auto [from, to] = quoted_part(message);
    if (from == std::string_view::npos) {
        return message;
    }
    const std::size_t end = to > from ? to : message.size(); // cut, or one quote only
    const std::string_view part = std::string_view{message}.substr(from, end - from);
    const bool literal = part.find_first_of("'$") != std::string_view::npos ||
                         (!part.empty() && part.front() >= '0' && part.front() <= '9');
    if (value || literal) {
        message.replace(from, end - from, "...");
    }
    return message;
}

/// The head: a secret cut at its front would not be recognised later.
std::string shortened(const std::string& message) {
    const std::string_view head =
        base::cut_bytes(message, base::limits::database_message_chars_max);
    return head.size() == message.size() ? message : std::string{head} + " [...]";
}

} // namespace

base::Error
pg_error(std::string_view sqlstate, std::string_view message, std::string_view statement_name) {
    const auto said = shortened(without_values(sqlstate, base::sanitize(base::trim(message))));
    base::Error error;
    error.what = "Statement " + std::string{statement_name} + " failed: " + said + " (SQLSTATE " +
                 std::string{sqlstate} + ").";
    const auto* meaning = find(sqlstate);
    error.code = meaning != nullptr ? meaning->code : Errc::internal;
    error.remedy = meaning != nullptr ? meaning->remedy : "Look at the server's log.";
    // One SQLSTATE for two events; the text tells them apart where the server speaks English.
    if (sqlstate == "57014" && message.find("user request") != std::string_view::npos) {
        error.code = Errc::cancelled;
        error.remedy = "Somebody cancelled the statement.";
    }
    return error;
}

} // namespace interlock::db
