// Proof that a credential is narrow: what interlock-server demands before it starts, what
// `interlock doctor` prints, and the SQL `interlock init` shows for making such a role.
#pragma once

#include "base/db/reader_connection.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <vector>

namespace interlock::tools {

struct LaneCheck {
    std::string name; // "not_superuser", "owns_nothing", "cannot_write_tables", ...
    bool passed = false;
    bool required = true; // a failing required check stops the server
    std::string proof;    // what was asked and what came back
    std::string remedy;   // SQL or step that mends it
    /// Why it could not be asked; then it has not passed, and nothing is known.
    std::optional<base::Error> unanswered = {};
};

/// Catalog checks only; used at every server start and on reconnect.
base::Result<std::vector<LaneCheck>> check_lane(db::ReaderConnection& connection);
/// check_lane plus tried writes that must be refused (`interlock doctor`).
base::Result<std::vector<LaneCheck>> check_lane_by_trying(const db::TargetAddress& address);
/// The first failing required check as permission_denied; else the error of one that could not be
/// asked; else done.
base::Status require_narrow(const std::string& target, const std::vector<LaneCheck>& checks);

struct InitOptions {
    std::string database;
    std::string diag_role = "interlock_diag";
    std::string read_role; // "" = not wanted
    std::string executor_role = "interlock_exec";
    int connection_limit = 10; // two servers of 4, while one takes over from the other; doctor
};
/// The SQL that makes the lane and the executor's role and ledger. Printed, never run.
std::string init_sql(const InitOptions& options);

} // namespace interlock::tools
