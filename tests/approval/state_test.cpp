#include "approval/state.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

namespace interlock::approval {

namespace {

// Written down a second time, by hand and by name, so that a slip in the table is seen.
const std::map<std::string, std::map<std::string, std::string>>& expected() {
    static const std::map<std::string, std::string> ended{{"close", "CLOSED"}};
    static const std::map<std::string, std::map<std::string, std::string>> arrows{
        {"PENDING",
         {{"approve_counted", "PENDING"},
          {"approve_final", "APPROVED"},
          {"reject", "REJECTED"},
          {"expire", "EXPIRED"},
          {"supersede", "SUPERSEDED"},
          {"withdraw", "WITHDRAWN"},
          {"revoke", "REVOKED"}}},
        {"APPROVED",
         {{"expire", "EXPIRED"},
          {"supersede", "SUPERSEDED"},
          {"withdraw", "WITHDRAWN"},
          {"revoke", "REVOKED"},
          {"stop", "REVOKED"},
          {"claim", "CLAIMED"}}},
        {"CLAIMED",
         {{"start", "EXECUTING"},
          {"abort_clean", "ABORTED_CLEAN"},
          {"stop", "ABORTED_CLEAN"},
          {"lose_contact", "IN_DOUBT"}}},
        {"EXECUTING",
         {{"step_done", "EXECUTING"},
          {"step_failed", "ROLLING_BACK"},
          {"abort_clean", "ABORTED_CLEAN"},
          {"steps_complete", "VERIFYING"},
          {"stop", "ROLLING_BACK"},
          {"lose_contact", "IN_DOUBT"}}},
        {"IN_DOUBT",
         {{"resolve_continue", "EXECUTING"},
          {"resolve_roll_back", "ROLLING_BACK"},
          {"resolve_clean", "ABORTED_CLEAN"},
          {"resolve_human", "NEEDS_HUMAN"},
          {"stop", "NEEDS_HUMAN"},
          {"lose_contact", "IN_DOUBT"}}},
        {"VERIFYING",
         {{"recover", "SUCCEEDED"},
          {"harm", "ROLLING_BACK"},
          {"roll_back", "ROLLING_BACK"},
          {"inconclusive", "HOLD"},
          {"stop", "ROLLING_BACK"},
          {"lose_contact", "IN_DOUBT"}}},
        {"HOLD",
         {{"keep", "SUCCEEDED"}, {"roll_back", "ROLLING_BACK"}, {"lose_contact", "IN_DOUBT"}}},
        {"ROLLING_BACK",
         {{"step_done", "ROLLING_BACK"},
          {"rolled_back", "ROLLED_BACK"},
          {"inverse_failed", "NEEDS_HUMAN"},
          {"lose_contact", "IN_DOUBT"}}},
        {"BLOCKED", ended},
        {"REJECTED", ended},
        {"EXPIRED", ended},
        {"SUPERSEDED", ended},
        {"WITHDRAWN", ended},
        {"REVOKED", ended},
        {"ABORTED_CLEAN", ended},
        {"ROLLED_BACK", ended},
        {"SUCCEEDED", ended},
        {"NEEDS_HUMAN", ended},
        {"CLOSED", {}},
    };
    return arrows;
}

} // namespace

TEST_CASE("every pair of state and event is an arrow of the table or an invalid transition") {
    REQUIRE(all_states().size() == 19);
    REQUIRE(all_events().size() == 27);
    REQUIRE(expected().size() == all_states().size());
    for (const auto state : all_states()) {
        const auto& arrows = expected().at(name(state));
        for (const auto event : all_events()) {
            INFO(name(state) << " + " << name(event));
            const auto next = next_state(state, event);
            const auto arrow = arrows.find(name(event));
            if (arrow != arrows.end()) {
                REQUIRE(next.ok());
                CHECK(name(*next) == arrow->second);
                continue;
            }
            REQUIRE_FALSE(next.ok());
            CHECK(next.error().code == base::Errc::invalid_transition);
            CHECK(next.error().what.find(name(state)) != std::string::npos);
            CHECK(next.error().what.find(name(event)) != std::string::npos);
        }
    }
}

TEST_CASE("names of states and events are distinct and read back") {
    std::set<std::string> names;
    for (const auto state : all_states()) {
        CHECK(names.insert(name(state)).second);
        CHECK(state_from_name(name(state)) == state);
    }
    std::set<std::string> events;
    for (const auto event : all_events())
        CHECK(events.insert(name(event)).second);
    CHECK_FALSE(state_from_name("pending"));
    CHECK_FALSE(state_from_name(""));
    CHECK_FALSE(state_from_name("?"));
}

TEST_CASE("a state is open, running or terminal, and nothing but CLOSED follows a terminal one") {
    for (const auto state : all_states()) {
        INFO(name(state));
        CHECK(is_open(state) + is_running(state) + is_terminal(state) == 1);
        for (const auto event : all_events()) {
            const auto next = next_state(state, event);
            if (!next.ok() || !is_terminal(state))
                continue;
            CHECK(*next == PlanState::closed);
        }
    }
}

TEST_CASE("nothing runs that was not approved and claimed") {
    // Every way into a running state from outside leads through APPROVED + claim.
    for (const auto state : all_states())
        for (const auto event : all_events()) {
            const auto next = next_state(state, event);
            if (!next.ok() || is_running(state) || !is_running(*next))
                continue;
            CHECK(state == PlanState::approved);
            CHECK(event == PlanEvent::claim);
        }
}

TEST_CASE("inconclusive verification never ends as success by itself") {
    CHECK(*next_state(PlanState::verifying, PlanEvent::inconclusive) == PlanState::hold);
    CHECK_FALSE(next_state(PlanState::hold, PlanEvent::recover).ok());
}

} // namespace interlock::approval
