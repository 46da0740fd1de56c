#include "approval/state.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace interlock::approval {

namespace {

using enum PlanState;

struct Arrow {
    PlanState from;
    PlanEvent event;
    PlanState to;
};

// Every arrow there is; what is not here is refused. A crash is lose_contact: from any state in
// which the executor may have acted it leads to IN_DOUBT, where facts are gathered before anything
// is done. STOP before the first effect is clean; afterwards it asks for the inverses. A rollback
// under way has no STOP: undoing is what STOP asks for, and inverse_failed calls people.
constexpr std::array arrows{
    Arrow{pending, PlanEvent::approve_counted, pending},
    Arrow{pending, PlanEvent::approve_final, approved},
    Arrow{pending, PlanEvent::reject, rejected},
    Arrow{pending, PlanEvent::expire, expired},
    Arrow{pending, PlanEvent::supersede, superseded},
    Arrow{pending, PlanEvent::withdraw, withdrawn},
    Arrow{pending, PlanEvent::revoke, revoked},

    Arrow{approved, PlanEvent::expire, expired},
    Arrow{approved, PlanEvent::supersede, superseded},
    Arrow{approved, PlanEvent::withdraw, withdrawn},
    Arrow{approved, PlanEvent::revoke, revoked},
    Arrow{approved, PlanEvent::stop, revoked},
    Arrow{approved, PlanEvent::claim, claimed},

    Arrow{claimed, PlanEvent::start, executing},
    Arrow{claimed, PlanEvent::abort_clean, aborted_clean},
    Arrow{claimed, PlanEvent::stop, aborted_clean},
    Arrow{claimed, PlanEvent::lose_contact, in_doubt},

    Arrow{executing, PlanEvent::step_done, executing},
    Arrow{executing, PlanEvent::step_failed, rolling_back},
    Arrow{executing, PlanEvent::abort_clean, aborted_clean},
    Arrow{executing, PlanEvent::steps_complete, verifying},
    Arrow{executing, PlanEvent::stop, rolling_back},
    Arrow{executing, PlanEvent::lose_contact, in_doubt},

    Arrow{in_doubt, PlanEvent::resolve_continue, executing},
    Arrow{in_doubt, PlanEvent::resolve_roll_back, rolling_back},
    Arrow{in_doubt, PlanEvent::resolve_clean, aborted_clean},
    Arrow{in_doubt, PlanEvent::resolve_human, needs_human},
    Arrow{in_doubt, PlanEvent::stop, needs_human},
    Arrow{in_doubt, PlanEvent::lose_contact, in_doubt},

    Arrow{verifying, PlanEvent::recover, succeeded},
    Arrow{verifying, PlanEvent::harm, rolling_back},
    Arrow{verifying, PlanEvent::roll_back, rolling_back},
    Arrow{verifying, PlanEvent::inconclusive, hold},
    Arrow{verifying, PlanEvent::stop, rolling_back},
    Arrow{verifying, PlanEvent::lose_contact, in_doubt},

    Arrow{hold, PlanEvent::keep, succeeded},
    Arrow{hold, PlanEvent::roll_back, rolling_back},
    Arrow{hold, PlanEvent::lose_contact, in_doubt},

    Arrow{rolling_back, PlanEvent::step_done, rolling_back},
    Arrow{rolling_back, PlanEvent::rolled_back, rolled_back},
    Arrow{rolling_back, PlanEvent::inverse_failed, needs_human},
    Arrow{rolling_back, PlanEvent::lose_contact, in_doubt},

    Arrow{blocked, PlanEvent::close, closed},
    Arrow{rejected, PlanEvent::close, closed},
    Arrow{expired, PlanEvent::close, closed},
    Arrow{superseded, PlanEvent::close, closed},
    Arrow{withdrawn, PlanEvent::close, closed},
    Arrow{revoked, PlanEvent::close, closed},
    Arrow{aborted_clean, PlanEvent::close, closed},
    Arrow{rolled_back, PlanEvent::close, closed},
    Arrow{succeeded, PlanEvent::close, closed},
    Arrow{needs_human, PlanEvent::close, closed},
};

} // namespace

const char* name(PlanState state) {
    switch (state) {
    case pending:
        return "PENDING";
    case blocked:
        return "BLOCKED";
    case approved:
        return "APPROVED";
    case rejected:
        return "REJECTED";
    case expired:
        return "EXPIRED";
    case superseded:
        return "SUPERSEDED";
    case withdrawn:
        return "WITHDRAWN";
    case revoked:
        return "REVOKED";
    case claimed:
        return "CLAIMED";
    case aborted_clean:
        return "ABORTED_CLEAN";
    case executing:
        return "EXECUTING";
    case in_doubt:
        return "IN_DOUBT";
    case rolling_back:
        return "ROLLING_BACK";
    case rolled_back:
        return "ROLLED_BACK";
    case verifying:
        return "VERIFYING";
    case hold:
        return "HOLD";
    case needs_human:
        return "NEEDS_HUMAN";
    case succeeded:
        return "SUCCEEDED";
    case closed:
        return "CLOSED";
    }
    return "?";
}

const char* name(PlanEvent event) {
    switch (event) {
    case PlanEvent::approve_counted:
        return "approve_counted";
    case PlanEvent::approve_final:
        return "approve_final";
    case PlanEvent::reject:
        return "reject";
    case PlanEvent::expire:
        return "expire";
    case PlanEvent::supersede:
        return "supersede";
    case PlanEvent::withdraw:
        return "withdraw";
    case PlanEvent::revoke:
        return "revoke";
    case PlanEvent::claim:
        return "claim";
    case PlanEvent::start:
        return "start";
    case PlanEvent::abort_clean:
        return "abort_clean";
    case PlanEvent::step_done:
        return "step_done";
    case PlanEvent::step_failed:
        return "step_failed";
    case PlanEvent::lose_contact:
        return "lose_contact";
    case PlanEvent::resolve_continue:
        return "resolve_continue";
    case PlanEvent::resolve_roll_back:
        return "resolve_roll_back";
    case PlanEvent::resolve_clean:
        return "resolve_clean";
    case PlanEvent::resolve_human:
        return "resolve_human";
    case PlanEvent::steps_complete:
        return "steps_complete";
    case PlanEvent::recover:
        return "recover";
    case PlanEvent::harm:
        return "harm";
    case PlanEvent::inconclusive:
        return "inconclusive";
    case PlanEvent::keep:
        return "keep";
    case PlanEvent::roll_back:
        return "roll_back";
    case PlanEvent::rolled_back:
        return "rolled_back";
    case PlanEvent::inverse_failed:
        return "inverse_failed";
    case PlanEvent::stop:
        return "stop";
    case PlanEvent::close:
        return "close";
    }
    return "?";
}

std::optional<PlanState> state_from_name(std::string_view text) {
    for (const PlanState state : all_states())
        if (text == name(state))
            return state;
    return std::nullopt;
}

const std::vector<PlanState>& all_states() {
    static const std::vector<PlanState> states = [] {
        std::vector<PlanState> all;
        for (int i = 0; i <= static_cast<int>(closed); ++i)
            all.push_back(static_cast<PlanState>(i));
        return all;
    }();
    return states;
}

const std::vector<PlanEvent>& all_events() {
    static const std::vector<PlanEvent> events = [] {
        std::vector<PlanEvent> all;
        for (int i = 0; i <= static_cast<int>(PlanEvent::close); ++i)
            all.push_back(static_cast<PlanEvent>(i));
        return all;
    }();
    return events;
}

base::Result<PlanState> next_state(PlanState state, PlanEvent event) {
    const auto* const arrow = std::find_if(arrows.begin(), arrows.end(), [&](const Arrow& each) {
        return each.from == state && each.event == event;
    });
    if (arrow != arrows.end())
        return arrow->to;
    return base::Error{
        base::Errc::invalid_transition,
        std::string("A plan in state ") + name(state) + " has no transition \"" + name(event) +
            "\".",
        is_terminal(state) ? "That state is final; propose a new plan."
                           : "Read the plan again: its state decides what may happen next."};
}

bool is_terminal(PlanState state) {
    return !is_open(state) && !is_running(state);
}

bool is_open(PlanState state) {
    return state == pending || state == approved;
}

bool is_running(PlanState state) {
    switch (state) {
    case claimed:
    case executing:
    case in_doubt:
    case rolling_back:
    case verifying:
    case hold:
        return true;
    default:
        return false;
    }
}

} // namespace interlock::approval
