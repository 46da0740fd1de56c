#include "cli/plan_outcome.hpp"
#include "cli/plans.hpp"
#include "tests/cli/audit_story.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

approval::StepRun step(const std::string& state, const std::string& detail) {
    return {"plan_a", 0, true, state, 7, detail, "2026-11-21T03:00:00.000000Z"};
}

} // namespace

TEST_CASE("steps and outcome of a plan are told in words", "[cli]") {
    approval::StoredPlan plan;
    CHECK(outcome_text(plan, {}).empty());
    const std::vector<approval::StepRun> steps{
        step("DONE", R"({"database_role":"interlock_exec","problem":"slow\u001b[2J"})"),
        step("IN_DOUBT", "no JSON")};
    auto text = outcome_text(plan, steps);
    CHECK_THAT(
        text,
        Catch::Contains("Step        0 forward  DONE  2026-11-21T03:00:00.000000Z  fence 7  as "
                        "interlock_exec: slow\n") &&
            Catch::Contains("IN_DOUBT")
    );
    CHECK(text.find("Outcome") == std::string::npos);
    plan.outcome = R"({"state":"SUCCEEDED","verdict":"recovered","reason":"All is well.",)"
                   R"("executor":{"name":"executor_a"},"started_at":"T1","finished_at":"T2"})";
    CHECK_THAT(
        outcome_text(plan, steps),
        Catch::Contains("Outcome     SUCCEEDED, verification recovered  (T1 to T2, by executor_a)\n"
                        "            All is well.\n")
    );
    plan.outcome = "[]";
    CHECK_THAT(outcome_text(plan, {}), Catch::Contains("unreadable"));
    const auto document = steps_document(steps);
    CHECK(document[0]["detail"]["database_role"] == "interlock_exec");
    CHECK(document[1]["detail"].empty());
    CHECK(document[1]["direction"] == "forward");
}

TEST_CASE("a plan that ran is shown with what became of it", "[cli]") {
    test::Story story;
    PlansOptions options;
    options.state_directory = story.state;
    options.plan_id = story.run_a_plan();
    const auto shown = [&] {
        const auto [exit, text] = test::printed([&] { return show_plan(options); });
        CHECK(exit == Exit::ok);
        return text;
    };
    const auto text = shown();
    CHECK_THAT(text, Catch::Contains("\nOutcome     SUCCEEDED, verification "));
    CHECK_THAT(text, Catch::Contains("\nStep        0 forward  DONE  "));
    options.json = true;
    const auto document = base::parse_json(shown());
    REQUIRE(document.ok());
    CHECK((*document)["steps"].size() == 1);
    CHECK((*document)["steps"][0]["state"] == "DONE");
    CHECK((*document)["outcome"]["state"] == "SUCCEEDED");
}

} // namespace interlock::cli
