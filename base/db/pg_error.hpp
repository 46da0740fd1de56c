// PostgreSQL's SQLSTATE turned into our error codes: one table, one place.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::db {

/// 57014 is timeout or cancelled, 42501 permission_denied, 08xxx and 57Pxx target_unreachable,
/// 55P03 timeout, 0A000, 42883 and 42P01 not_supported, and so on. `message` is the server's
/// primary message only (DETAIL may hold row values). Values that it quotes (a number that is none,
/// a literal at a syntax error) become "...", and of a long message the head stays; secrets of
/// other kinds are taken out where the error is shown (telemetry/redaction.hpp).
base::Error
pg_error(std::string_view sqlstate, std::string_view message, std::string_view statement_name);

} // namespace interlock::db
