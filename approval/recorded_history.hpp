// What the audit log says about a plan, to hold the queue's rows against. Rows can be edited by
// whoever can write the store; the log can only grow unnoticed, for the executor keeps signed
// checkpoints of it elsewhere. Only types and actors are used: payloads may have been erased.
#pragma once

#include "approval/queue.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace interlock::approval {

/// More leaves than a plan gathers: one a transition, and one each time somebody asks for the same.
inline constexpr std::size_t history_leaves_max = 100'000;

struct RecordedHistory {
    PlanState state = PlanState::pending; // after the last recorded transition
    /// Who submitted it, and who asked for the same while it waited for people.
    std::vector<std::string> requesters;
};

/// corrupt when nothing is recorded under the digest, or what is recorded cannot have happened: two
/// beginnings, an end that was not the end, a second approval or claim.
base::Result<RecordedHistory> recorded_history(db::Store& store, const std::string& plan_digest);
base::Result<RecordedHistory>
recorded_history(db::StoreTransaction& transaction, const std::string& plan_digest);

/// corrupt when the row stands in another state than the log's last transition; changed when
/// somebody who is recorded as a requester is no longer one. Needs the plan's people loaded.
base::Status agrees_with_log(const StoredPlan& stored, const RecordedHistory& history);

} // namespace interlock::approval
