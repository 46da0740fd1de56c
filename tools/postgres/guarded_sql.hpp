// What only a target's catalog can tell about SQL that the guard allowed: where its names lead, and
// whether something behind them (a foreign table, a view that calls somebody's function, a policy,
// a type with code of its own) would run in the caller's stead.
#pragma once

#include "base/db/reader_connection.hpp"
#include "base/db/sql_guard.hpp"
#include "base/result.hpp"
#include "tools/tool.hpp"

#include <string>

namespace interlock::tools {

/// Asks about the names of `statement`. To be sent with the statement in one lane transaction, in
/// front of it and behind it: what was judged then is what was there.
db::Query names_query(const db::GuardedStatement& statement);

/// The same as a declaration.
ToolStatement names_statement();

/// The statement with each name qualified that pg_catalog does not have, from what names_query
/// answered; or why it may not run.
base::Result<db::GuardedStatement>
judge_names(const db::GuardedStatement& statement, const db::Rows& answer);

/// An error of running or planning what a caller wrote: a name that the target has not got is the
/// caller's mistake, where in SQL of ours it would be a server of another version.
base::Error as_callers_mistake(base::Error error);

/// Whether two answers say the same.
bool same_names(const db::Rows& first, const db::Rows& second);

} // namespace interlock::tools
