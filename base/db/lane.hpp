// One lane transaction on one connection, in one round trip: what reader_connection.cpp sends and
// receives. The order of what is sent is the whole protection, and it is sent without waiting:
//
//   BEGIN ... READ ONLY; a query of ours; the settings; SAVEPOINT         sync
//   ROLLBACK TO SAVEPOINT; statement 1                                    sync
//   ROLLBACK TO SAVEPOINT; statement 2                                    sync ...
//   ROLLBACK                                                               sync
//
// An error skips to the next sync. If the transaction never began, was ended, or could not take its
// role, there is no savepoint, ROLLBACK TO fails, and the statement behind it is skipped: it can
// never run outside the lane. ROLLBACK TO also undoes the failure and the settings of the statement
// before it, so that neither reaches the next. (PREPARE TRANSACTION alone would leave something
// behind: an empty prepared transaction. reader_connection.cpp lets no such statement come here.)
#pragma once

#include "base/clock.hpp"
#include "base/db/reader_connection.hpp"

#include <cstddef>
#include <optional>
#include <stop_token>
#include <vector>

struct pg_conn;

namespace interlock::db {

struct LaneOutcome {
    ReadResults results; // of the first statements; fewer than asked for when `rerun` is set
    bool rerun =
        false; // a cancel meant for a cut result hit the next statement: send the rest again
    bool in_recovery = false;
    int backend_pid = 0;
};

/// Runs `queries` (their texts already proven to be reads). On an Error, `broken` says whether the
/// connection can still be used.
base::Result<LaneOutcome> run_lane(
    pg_conn* connection,
    const LaneSettings& settings,
    const std::vector<const Query*>& queries,
    const std::stop_token& stop,
    base::Clock& clock,
    bool& broken
);

} // namespace interlock::db
