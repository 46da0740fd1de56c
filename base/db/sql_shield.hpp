// Secrets among the settings stay on the target: a statement that reads pg_settings, or settings of
// roles and databases, gets a WITH in front whose queries have the same names and columns, and in
// the place of values that may be secret say so. Whatever the statement then does with a value, it
// compares, joins and reshapes what may be seen.
#pragma once

#include "base/db/sql_guard.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace interlock::db {

/// `select` as it is sent; itself when it reads no settings. A statement that writes the name of
/// their view in a way that cannot be taken apart is refused_by_guard.
base::Result<GuardedStatement> shielded(const GuardedStatement& select);

/// A parse tree without the queries that shielded() put in front: what is left to be judged.
base::Json without_shields(const base::Json& statement);

} // namespace interlock::db
