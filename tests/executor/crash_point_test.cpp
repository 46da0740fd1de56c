// kill -9 of the executor between every two steps of its way: never two effects, never a lost plan.
#include "executor/crash_point.hpp"
#include "tests/executor/live.hpp"

#include <csignal>
#include <map>

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

constexpr int killed = 128 + SIGKILL;

/// What the successor must find and make of it.
struct Expected {
    std::string state;
    std::string ledger_rows;
};

const std::map<std::string, Expected>& expectations() {
    static const std::map<std::string, Expected> all{
        {"before_claim", {"SUCCEEDED", "1"}}, // nothing had begun: the successor does it all
        {"after_claim", {"ABORTED_CLEAN", "0"}},
        {"after_connect", {"ABORTED_CLEAN", "0"}},
        {"after_target_lock", {"ABORTED_CLEAN", "0"}},
        {"after_preconditions", {"ABORTED_CLEAN", "0"}},
        {"after_intent", {"ABORTED_CLEAN", "0"}},           // the probe says: did not happen
        {"before_effect", {"ABORTED_CLEAN", "0"}},          //
        {"after_effect_before_commit", {"SUCCEEDED", "0"}}, // the probe says: happened
        {"after_commit_before_done", {"SUCCEEDED", "1"}},   // the ledger says: happened
        {"after_done", {"SUCCEEDED", "1"}},
        {"during_verify", {"SUCCEEDED", "1"}},
        {"after_verify_before_finish", {"SUCCEEDED", "1"}},
        {"after_finish", {"SUCCEEDED", "1"}},
    };
    return all;
}

} // namespace

TEST_CASE("every crash point has an expected end", "[executor]") {
    REQUIRE(expectations().size() == executor::crash_points.size());
    for (const auto* name : executor::crash_points) {
        CHECK(expectations().contains(name));
    }
}

TEST_CASE("an executor killed anywhere has at most one effect and loses no plan", "[live]") {
    const std::string point = GENERATE(from_range(
        std::vector<std::string>(executor::crash_points.begin(), executor::crash_points.end())
    ));
    CAPTURE(point);
    Incident incident;
    const auto id = incident.approved_plan();

    const auto terminations = incident.terminations();

    auto first = must(base::Child::start(incident.executor(INTERLOCK_CRASHING_EXECUTOR, point)));
    CHECK(must(first.wait(std::chrono::seconds{60})) == killed);

    auto second = must(base::Child::start(incident.executor(INTERLOCK_EXECUTOR)));
    const bool ended = lab::wait_until(
        [&] {
            return incident.started() == 2 && incident.ended(id) &&
                   !incident.plan(id).outcome.empty();
        },
        std::chrono::seconds{60}
    );
    second.signal(SIGTERM);
    CHECK(must(second.wait(std::chrono::seconds{20})) == 0);
    INFO(incident.log());
    CHECK(ended);

    const auto& expected = expectations().at(point);
    const auto stored = incident.plan(id);
    CHECK(incident.state(id) == expected.state);
    CHECK_FALSE(stored.state_reason.empty());
    CHECK_FALSE(stored.outcome.empty());
    CHECK(incident.ledger_rows() == expected.ledger_rows);
    CHECK(incident.blocker_alive() == (expected.state == "ABORTED_CLEAN"));
    CHECK(incident.terminations() - terminations == (expected.state == "SUCCEEDED" ? 1U : 0U));
    CHECK(incident.waiter_alive());
    CHECK(incident.audit_holds());
}

} // namespace interlock::test
