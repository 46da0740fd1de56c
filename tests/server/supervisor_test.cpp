// The game day: agents that run away in every way there is, and those that only look as if.
#include "base/json.hpp"
#include "server/supervisor.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace limits = interlock::base::limits;
using interlock::base::Duration;
using interlock::server::Breach;
using interlock::server::Fault;
using interlock::server::fault_of;
using interlock::server::FinishedCall;
using interlock::server::Supervisor;
using interlock::server::SupervisorLimits;
using std::chrono::hours;
using std::chrono::seconds;

const std::string alice = "os\nos:alice";
const std::string bob = "os\nos:bob";

/// One supervisor and a clock; each call takes a second.
struct Day {
    explicit Day(SupervisorLimits given = {}) : supervisor(given) {}

    FinishedCall call(const std::string& tool, const std::string& outcome = "ok") const {
        FinishedCall made;
        made.identity = alice;
        made.fingerprint = tool;
        made.seen = outcome;
        made.line.tool = tool;
        made.line.outcome = outcome;
        made.line.result_bytes = 100;
        return made;
    }
    /// What the supervisor says, before or after it.
    std::optional<Breach> make(FinishedCall made) {
        const auto begun = supervisor.begin(made.identity, clock.ticks());
        REQUIRE(begun.ok());
        if (*begun) {
            return *begun;
        }
        made.began = clock.ticks();
        clock.advance(seconds(1));
        return supervisor.end(made, clock.ticks());
    }
    /// How many calls it took, at most `most`; 0: none was a breach.
    int breaks_at(const FinishedCall& made, int most, Duration between = Duration(0)) {
        for (int i = 1; i <= most; ++i) {
            if (make(made)) {
                return i;
            }
            clock.advance(between);
        }
        return 0;
    }
    interlock::test::ManualClock clock;
    Supervisor supervisor;
};

TEST_CASE("a tool that always fails stops its caller at the third call", "[server]") {
    Day day;
    const auto failing = day.call("get_blocking", "invalid_arguments");
    CHECK_FALSE(day.make(failing));
    CHECK_FALSE(day.make(failing));
    const auto breach = day.make(failing);
    REQUIRE(breach);
    CHECK(breach->cause == "failures");
    CHECK(breach->reason == "3 calls of `get_blocking` failed in a row with `invalid_arguments`.");
    CHECK(breach->transcript.size() == 3);
    CHECK(breach->transcript[0].tool == "get_blocking");
    CHECK(day.supervisor.identities() == 0); // reported once; the counters start anew
}

TEST_CASE("failures of another kind, and a success between, are no streak", "[server]") {
    Day day;
    CHECK_FALSE(day.make(day.call("get_blocking", "invalid_arguments")));
    CHECK_FALSE(day.make(day.call("get_blocking", "not_found")));
    CHECK_FALSE(day.make(day.call("get_activity", "not_found")));
    CHECK_FALSE(day.make(day.call("get_activity", "not_found")));
    CHECK_FALSE(day.make(day.call("get_activity", "ok")));
    CHECK_FALSE(day.make(day.call("get_activity", "not_found")));
    CHECK_FALSE(day.make(day.call("get_activity", "not_found")));
    CHECK(day.make(day.call("get_activity", "not_found")));
}

TEST_CASE("made-up tools are one kind of failure, whatever they are called", "[server]") {
    Day day;
    CHECK_FALSE(day.make(day.call("drop_table", "unknown_tool")));
    CHECK_FALSE(day.make(day.call("kill_backend", "unknown_tool")));
    const auto breach = day.make(day.call("run_shell", "unknown_tool"));
    REQUIRE(breach);
    CHECK(breach->reason.find("tools that do not exist") != std::string::npos);
}

TEST_CASE("an outage is nobody's fault, and forgives nothing either", "[server]") {
    for (const char* outcome :
         {"target_unreachable",
          "target_busy",
          "timeout",
          "internal",
          "io",
          "store_busy",
          "cancelled",
          "suspended",
          "budget_exhausted",
          "tool_killed",
          "input_required"}) {
        INFO(outcome);
        CHECK(fault_of(outcome) == Fault::nobody);
        Day day;
        CHECK(day.breaks_at(day.call("diagnose", outcome), 50) == 0);
    }
    for (const char* outcome :
         {"invalid_arguments",
          "refused_by_guard",
          "permission_denied",
          "not_found",
          "unknown_tool",
          "tool_error",
          "refused"}) {
        INFO(outcome);
        CHECK(fault_of(outcome) == Fault::caller);
    }
    CHECK(fault_of("ok") == Fault::none);
    CHECK(fault_of("not_supported") == Fault::none); // the answer says what is not there
    Day day;
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    CHECK_FALSE(day.make(day.call("get_plan", "target_unreachable")));
    CHECK(day.make(day.call("get_plan", "not_found")));
}

TEST_CASE("five identical calls with an identical result are a loop", "[server]") {
    Day day;
    const auto same = day.call("list_targets");
    CHECK(day.breaks_at(same, 4) == 0);
    const auto breach = day.make(same);
    REQUIRE(breach);
    CHECK(breach->cause == "loop");
    CHECK(breach->reason.find("5 times within a few calls") != std::string::npos);
}

TEST_CASE("a poll whose result changes is no loop", "[server]") {
    Day day;
    for (int i = 0; i < 100; ++i) {
        auto poll = day.call("get_activity");
        poll.seen = std::to_string(i / 4); // four times the same, then something new
        CHECK_FALSE(day.make(poll));
    }
}

TEST_CASE("taking turns with other calls is a loop all the same", "[server]") {
    for (const int different : {1, 2, 3, 4}) {
        Day day;
        int made = 0;
        std::optional<Breach> breach;
        while (!breach && made < 100) {
            breach = day.make(day.call("tool_" + std::to_string(made++ % different)));
        }
        INFO(different);
        REQUIRE(breach);
        CHECK(breach->cause == "loop");
        CHECK(made == 4 * different + 1);
    }
}

TEST_CASE("calls that come back now and then, or whose results change, are no loop", "[server]") {
    Day rare;
    for (int i = 0; i < 100; ++i) {
        CHECK_FALSE(rare.make(rare.call("list_targets")));
        for (int other = 0; other < 4; ++other) {
            CHECK_FALSE(rare.make(rare.call("run_query " + std::to_string(i * 4 + other))));
        }
    }
    Day polls;
    for (int i = 0; i < 100; ++i) {
        auto activity = polls.call("get_activity");
        activity.seen = std::to_string(i / 4);
        CHECK_FALSE(polls.make(activity));
        auto blocking = polls.call("get_blocking");
        blocking.seen = std::to_string(i % 2); // back and forth is change, too
        CHECK_FALSE(polls.make(blocking));
    }
}

TEST_CASE("a limit without end costs no memory without end", "[server]") {
    SupervisorLimits high;
    high.identical_calls = 1'000'000'000'000;
    high.calls = 1'000'000;
    Day day(high);
    CHECK(day.breaks_at(day.call("list_targets"), 2'000) == 0);
}

TEST_CASE("who waits between two calls watches and does not loop", "[server]") {
    Day day;
    const auto same = day.call("get_blocking");
    CHECK(day.breaks_at(same, 20, limits::supervised_pause) == 0);
    CHECK(day.breaks_at(same, 20, limits::supervised_pause / 2) > 0);
    Day patient;
    auto waiting = patient.call("get_plan");
    waiting.waits = true;
    CHECK(patient.breaks_at(waiting, 100, limits::supervised_wait) == 0);
    CHECK(patient.breaks_at(waiting, 100) > 0); // but not as fast as it can
}

TEST_CASE("a call too many is not made", "[server]") {
    SupervisorLimits few;
    few.calls = 10;
    Day day(few);
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(day.make(day.call("tool_" + std::to_string(i))));
    }
    const auto breach = day.make(day.call("another"));
    REQUIRE(breach);
    CHECK(breach->cause == "calls");
    CHECK(breach->transcript.size() == 10);
}

TEST_CASE("result bytes and database time have budgets", "[server]") {
    SupervisorLimits small;
    small.result_bytes = 1'000;
    small.database_time = seconds(10);
    Day bytes(small);
    auto large = bytes.call("a");
    large.line.result_bytes = 600;
    CHECK_FALSE(bytes.make(large));
    large.fingerprint = "b";
    CHECK(bytes.make(large)->cause == "result_bytes");
    Day time(small);
    auto slow = time.call("a");
    slow.database = seconds(6);
    CHECK_FALSE(time.make(slow));
    CHECK(time.make(slow)->cause == "database_time");
}

TEST_CASE("cost counts where outcomes are not judged", "[server]") {
    SupervisorLimits small;
    small.result_bytes = 1'000;
    Day day(small);
    auto reading = day.call("prompts/get", "refused");
    reading.judged = false;
    CHECK(day.breaks_at(reading, 10) == 0);
    CHECK(day.make(reading)->cause == "result_bytes");
}

TEST_CASE("budgets begin anew with their window, streaks do not", "[server]") {
    SupervisorLimits few;
    few.calls = 10;
    few.window = hours(1);
    Day day(few);
    for (int i = 0; i < 9; ++i) {
        CHECK_FALSE(day.make(day.call("tool_" + std::to_string(i))));
    }
    day.clock.advance(hours(1) - seconds(15));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    day.clock.advance(seconds(30));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found"))); // the first of a new window
    CHECK(day.make(day.call("get_plan", "not_found"))->cause == "failures");
}

TEST_CASE("a streak lapses when nothing has happened for a whole window", "[server]") {
    Day day;
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    day.clock.advance(limits::supervised_window);
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
}

TEST_CASE("two identities are independent", "[server]") {
    Day day;
    auto of_bob = day.call("get_plan", "not_found");
    of_bob.identity = bob;
    for (int i = 0; i < 2; ++i) {
        CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
        CHECK_FALSE(day.make(of_bob));
    }
    CHECK(day.make(of_bob));
    CHECK(day.supervisor.identities() == 1); // alice is still watched
    CHECK(day.make(day.call("get_plan", "not_found")));
}

TEST_CASE("incidents are counted apart, and making them up wins nothing", "[server]") {
    Day day;
    const auto of = [&](const std::string& incident) {
        auto made = day.call("propose_plan", "refused");
        made.line.incident = incident;
        return made;
    };
    CHECK_FALSE(day.make(of("one")));
    CHECK_FALSE(day.make(of("one")));
    CHECK_FALSE(day.make(of("two")));
    CHECK_FALSE(day.make(of("two")));
    CHECK(day.make(of("one")));
    int made = 0;
    std::optional<Breach> breach;
    while (!breach && made < 20) {
        breach = day.make(of("made up " + std::to_string(made++)));
    }
    REQUIRE(breach);
    CHECK(made == 3 * limits::supervised_across_incidents);
    CHECK(breach->transcript.back().incident == "made up 5");
}

TEST_CASE("a loop that names another incident each time is a loop", "[server]") {
    Day day;
    int made = 0;
    std::optional<Breach> breach;
    while (!breach && made < 50) {
        auto same = day.call("list_targets");
        same.line.incident = "made up " + std::to_string(made++);
        breach = day.make(same);
    }
    REQUIRE(breach);
    CHECK(breach->cause == "loop");
    CHECK(made == 5 * limits::supervised_across_incidents);
}

TEST_CASE("a budget is the identity's, whatever incidents it names", "[server]") {
    SupervisorLimits few;
    few.calls = 10;
    Day day(few);
    for (int i = 0; i < 10; ++i) {
        auto made = day.call("tool_" + std::to_string(i));
        made.line.incident = "INC-" + std::to_string(i);
        CHECK_FALSE(day.make(made));
    }
    CHECK(day.make(day.call("tool_10"))->cause == "calls");
}

TEST_CASE("a person's decision clears the counters", "[server]") {
    Day day;
    for (const char* issuer : {"os", ""}) {
        CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
        CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
        day.supervisor.forget("https://other.example", "os:alice");
        CHECK(day.supervisor.identities() == 1);
        day.supervisor.forget(issuer, "os:alice");
        CHECK(day.supervisor.identities() == 0);
    }
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
}

TEST_CASE("no crowd of identities makes it forget a counter", "[server]") {
    Day day;
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    const auto begin = [&](std::size_t number) {
        return day.supervisor.begin("x\n" + std::to_string(number), day.clock.ticks());
    };
    for (std::size_t i = 1; i < limits::supervised_identities_max; ++i) {
        REQUIRE(begin(i).ok());
    }
    const auto refused = begin(limits::supervised_identities_max);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == interlock::base::Errc::budget_exhausted);
    CHECK(day.make(day.call("get_plan", "not_found")));
    CHECK(begin(limits::supervised_identities_max).ok()); // there is room where alice was
}

TEST_CASE("who has been quiet for a window makes room", "[server]") {
    Day day;
    for (std::size_t i = 0; i < limits::supervised_identities_max; ++i) {
        auto call = day.call("a");
        call.identity = "x\n" + std::to_string(i);
        REQUIRE(day.supervisor.begin(call.identity, day.clock.ticks()).ok());
        if (i > 0) { // the first is still under way
            REQUIRE_FALSE(day.supervisor.end(call, day.clock.ticks()));
        }
    }
    day.clock.advance(limits::supervised_window);
    CHECK(day.supervisor.begin(alice, day.clock.ticks()).ok());
    CHECK(day.supervisor.identities() == 2);
}

TEST_CASE("a call that ends after its identity was stopped changes nothing", "[server]") {
    Day day;
    REQUIRE(day.supervisor.begin(alice, day.clock.ticks()).ok());
    day.supervisor.forget("", "os:alice");
    CHECK_FALSE(day.supervisor.end(day.call("a"), day.clock.ticks()));
    CHECK(day.supervisor.identities() == 0);
}

TEST_CASE("without limits nobody is watched", "[server]") {
    Day day;
    day.supervisor.use(std::nullopt);
    CHECK_FALSE(day.supervisor.watches());
    CHECK(day.breaks_at(day.call("get_plan", "not_found"), 50) == 0);
    CHECK(day.supervisor.identities() == 0);
    day.supervisor.use(SupervisorLimits{});
    CHECK(day.breaks_at(day.call("get_plan", "not_found"), 50) == 3);
}

TEST_CASE("a transcript keeps the last calls, as JSON", "[server]") {
    Day day;
    for (int i = 0; i < 30; ++i) {
        CHECK_FALSE(day.make(day.call("tool_" + std::to_string(i))));
    }
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    CHECK_FALSE(day.make(day.call("get_plan", "not_found")));
    const auto breach = day.make(day.call("get_plan", "not_found"));
    REQUIRE(breach);
    REQUIRE(breach->transcript.size() == limits::transcript_calls);
    const auto json =
        interlock::base::parse_json(interlock::server::render_transcript(breach->transcript));
    REQUIRE(json.ok());
    CHECK((*json)[0]["tool"] == "tool_13");
    CHECK((*json)[19]["outcome"] == "not_found");
    CHECK((*json)[19]["result_bytes"] == 100);
    CHECK((*json)[19]["incident"] == "");
}

} // namespace
