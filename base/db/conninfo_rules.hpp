// What a connection string in a configuration may hold, and where its password comes from.
#pragma once

#include "base/db/conninfo.hpp"
#include "base/decode.hpp"
#include "base/result.hpp"

#include <string_view>

namespace interlock::db {

/// How one is written, for people.
inline constexpr std::string_view conninfo_form =
    "Write key=value pairs, as in host=db1 port=5432 dbname=app user=interlock_diag, with values "
    "that hold a space in single quotes, or a postgresql:// URI.";

/// invalid_input for a connection string that does not parse, holds a password, or names servers or
/// a rule for them that are none. `what` is what it does, without a subject: "holds a password".
base::Status check_conninfo(const TargetAddress& address);

/// Reads at most one of `password_file`, `password_env` and `password_command`.
void read_password_source(base::Decoder& entry, TargetAddress& address);

} // namespace interlock::db
