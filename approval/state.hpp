// The life of a plan: states and the only arrows between them. Terminal states are terminal.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace interlock::approval {

enum class PlanState {
    pending,
    blocked,
    approved,
    rejected,
    expired,
    superseded,
    withdrawn,
    revoked,
    claimed,
    aborted_clean,
    executing,
    in_doubt,
    rolling_back,
    rolled_back,
    verifying,
    hold,
    needs_human,
    succeeded,
    closed,
};

enum class PlanEvent {
    approve_counted, // a valid approval that is not the last needed
    approve_final,   // the last needed
    reject,
    expire,
    supersede,
    withdraw,
    revoke,
    claim,
    start,
    abort_clean,
    step_done,
    step_failed,
    lose_contact,
    resolve_continue,
    resolve_roll_back,
    resolve_clean,
    resolve_human,
    steps_complete,
    recover,
    harm,
    inconclusive,
    keep,
    roll_back,
    rolled_back,
    inverse_failed,
    stop,
    close,
};

const char* name(PlanState state);
const char* name(PlanEvent event);
std::optional<PlanState> state_from_name(std::string_view text);
const std::vector<PlanState>& all_states();
const std::vector<PlanEvent>& all_events();

/// The next state, or invalid_transition naming both.
base::Result<PlanState> next_state(PlanState state, PlanEvent event);
/// Nothing but CLOSED comes after it: no further effect, no further decision.
bool is_terminal(PlanState state);
/// PENDING, APPROVED: still waiting for people or the executor.
bool is_open(PlanState state);
/// CLAIMED, EXECUTING, IN_DOUBT, ROLLING_BACK, VERIFYING, HOLD: begun and not over. The target's
/// lease is held; in HOLD, which waits for people, until the executor calls Queue::finish.
bool is_running(PlanState state);

} // namespace interlock::approval
