// One lane transaction on one connection, in one round trip: what reader_connection.cpp sends and
// receives. The order of what is sent is the whole protection, and it is sent without waiting:
//
//   BEGIN ... READ ONLY; a query of ours; the settings; SAVEPOINT; statement 1;
//   ROLLBACK TO SAVEPOINT; statement 2;
//   ROLLBACK TO SAVEPOINT; statement 3; ...
//   ROLLBACK TO SAVEPOINT; ROLLBACK; what a read could leave behind                sync
//
// An error skips all that follows up to the sync. If the transaction never began or could not take
// its role, no statement runs. If a statement ended it, there is no savepoint, ROLLBACK TO fails,
// and the statement behind it is skipped: it can never run outside the lane. ROLLBACK TO also
// undoes the settings of the statement before it, so that they do not reach the next. (PREPARE
// TRANSACTION alone would leave something behind: an empty prepared transaction.
// reader_connection.cpp lets no such statement come here.)
//
// What a failing statement takes with it is sent again (LaneOutcome::rerun). A statement that is
// known to fail here has syncs around it, so that ROLLBACK TO undoes its failure in the same trip.
#pragma once

#include "base/clock.hpp"
#include "base/db/reader_connection.hpp"
#include "base/db/statements.hpp"

#include <cstddef>
#include <optional>
#include <stop_token>
#include <vector>

struct pg_conn;

namespace interlock::db {

struct LaneOutcome {
    ReadResults results; // of the first statements; fewer than asked for when `rerun` is set
    // A failed statement, a plan gone stale, or a cancel meant for a cut result that hit the next
    // statement took the rest with it: send that again.
    bool rerun = false;
    bool in_recovery = false;
    int backend_pid = 0;
    /// What the read could have left in the session, as lane_traces of lane.cpp tells it; nothing
    /// when it was not told, or when the transaction that ended is not proven to be the lane's own.
    std::optional<std::string> traces;
    /// The same at the beginning of the transaction; only behind a pooler.
    std::optional<std::string> traces_before;
};

/// Runs `queries` (their texts already proven to be reads). On an Error, `broken` says whether the
/// connection can still be used. `pooled`: the server's session may hold what other clients left in
/// it, and may be theirs again after this. Appended to `timings`, on an Error too: those of the
/// first statements, up to the last that was not skipped.
base::Result<LaneOutcome> run_lane(
    pg_conn* connection,
    Statements& statements,
    const LaneSettings& settings,
    const std::vector<const Query*>& queries,
    const std::stop_token& stop,
    base::Clock& clock,
    bool pooled,
    std::vector<Timing>& timings,
    bool& broken
);

} // namespace interlock::db
