// Texts of a log without the values of users: what may be shown, what may be searched in, and the
// fingerprint that entries of one kind share. Messages of the server quote names and values alike;
// what looks like a name stays, anything else goes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace interlock::tools {

enum class LogMask {
    search,      // values go; names and numbers of prose stay
    fingerprint, // names and numbers go, too
};

inline constexpr std::size_t log_fingerprint_bytes_max = 240;

/// One pass, no parser: fast enough for every entry of a big file. Appends at most `bytes_max`
/// bytes to `out`, on one line. `sql`: the whole of `text` is SQL.
void mask_log_text(
    std::string_view text, LogMask mask, bool sql, std::size_t bytes_max, std::string& out
);
/// A message: prose, with SQL behind "statement: " and its like.
void mask_log_message(
    std::string_view message, LogMask mask, std::size_t bytes_max, std::string& out
);

/// As people and models may see them, on one line; SQL is masked by PostgreSQL's lexer. Secrets are
/// still to be redacted: publish() does it.
std::string shown_log_message(std::string_view message);
/// DETAIL, HINT and CONTEXT: may quote whole statements and rows.
std::string shown_log_detail(std::string_view detail);
std::string shown_log_statement(std::string_view statement);

} // namespace interlock::tools
