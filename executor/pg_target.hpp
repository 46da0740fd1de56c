// Targets that are PostgreSQL servers, reached with the executor's own credentials.
#pragma once

#include "base/db/conninfo.hpp"
#include "executor/target.hpp"

#include <memory>
#include <vector>

namespace interlock::executor {

std::unique_ptr<TargetDoor> make_pg_targets(std::vector<db::TargetAddress> addresses);

} // namespace interlock::executor
