// Which server is this? Read by the server when a plan is made and by the executor before the first
// step, with the same statement, so that a failover or a wrong address is noticed.
#pragma once

#include "base/db/table.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <string>

namespace interlock::runbooks {

/// One row: system_identifier, database, timeline, in_recovery, server_major. Works for a role with
/// pg_monitor.
extern const db::Sql fingerprint_sql;
base::Result<TargetFingerprint> fingerprint_from(const db::Table& table, const std::string& target);

} // namespace interlock::runbooks
