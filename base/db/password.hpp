// A target's password, from where its configuration says it is. It is read anew for every
// connection and kept nowhere, so that a rotated one is found without a restart.
#pragma once

#include "base/db/conninfo.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>

namespace interlock::db {

/// nullopt: the target names no source, and libpq looks at its own (passfile, service, PGPASSWORD).
/// permission_denied says what is wrong with the source and never what it holds: a command's output
/// and its messages are shown nowhere.
base::Result<std::optional<std::string>> read_password(const TargetAddress& address);

} // namespace interlock::db
