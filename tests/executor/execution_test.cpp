#include "base/json.hpp"
#include "executor/execution.hpp"
#include "tests/executor/scene.hpp"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {
namespace {

using approval::PlanState;

base::Json outcome_of(Scene& scene, const std::string& id) {
    return must(base::parse_json(scene.plan(id).outcome));
}

/// Runs one pass over one approved plan and checks how it ended.
std::string run_to(Scene& scene, const runbooks::Plan& plan, PlanState expected) {
    const auto id = scene.approved(plan);
    const auto machine = scene.machine();
    (void)machine->pass();
    const auto stored = scene.plan(id);
    CAPTURE(stored.state_reason);
    CHECK(std::string(approval::name(stored.state)) == approval::name(expected));
    CHECK_FALSE(stored.state_reason.empty());
    CHECK(executor::verify_outcome(stored.outcome, machine->key().public_key).ok());
    CHECK(scene.audit_holds());
    return id;
}

void expect_clean(Scene& scene, const runbooks::Plan& plan, const std::string& reason) {
    const auto id = run_to(scene, plan, PlanState::aborted_clean);
    CHECK_THAT(scene.plan(id).state_reason, Catch::Contains(reason));
    CHECK(scene.script.effects.empty());
}

} // namespace

TEST_CASE("an approved plan is run once and verified over the hold window", "[executor]") {
    Scene scene;
    const auto id = run_to(scene, bounded_plan(), PlanState::succeeded);
    CHECK(scene.script.effects == std::vector<std::string>{check_sql("end_it")});
    const auto outcome = outcome_of(scene, id);
    CHECK(outcome["verdict"] == "recovered");
    CHECK(outcome["state"] == "SUCCEEDED");
    CHECK(outcome["approvers"] == base::Json::array({"alice"}));
    CHECK(outcome["steps"][0]["known_by"] == "commit");
    CHECK(outcome["baseline"].size() == 2);
    CHECK(outcome["verification"]["samples_taken"] == 6);
    CHECK(outcome["plan_digest"] == scene.plan(id).digest);
    REQUIRE(scene.script.names.size() == 1);
    CHECK(scene.script.names[0] == "interlock-exec/" + id + "/1");
    CHECK(must(scene.queue.steps(id)).at(0).state == "DONE");
}

TEST_CASE("one trace goes on from the proposing call to the verdict", "[executor]") {
    Scene scene;
    const auto id = scene.approved(undoable_plan());
    const auto machine = scene.machine();
    scene.script.answers["unharmed"] = series({"1", "1", "0"});
    (void)machine->pass();
    const auto stored = scene.plan(id);
    const auto parent = telemetry::parse_traceparent(stored.trace_parent);
    REQUIRE(parent);
    const auto whole = machine->spans().find("execute_plan");
    REQUIRE(whole);
    CHECK(whole->parent_span_id == parent->span_id);
    CHECK(text_of(*whole, "plan.digest") == stored.digest);
    CHECK(text_of(*whole, "approval.id") == stored.decisions.at(0).statement.nonce);
    CHECK(number_of(*whole, "exec.fence") == 1);
    const auto leaves = must(telemetry::read_audit(*scene.store, 0, 1'000, stored.digest));
    for (const auto& span : machine->spans().all()) {
        CAPTURE(span.name);
        CHECK(span.context.trace_id == parent->trace_id);
        if (const auto leaf = number_of(span, "audit.leaf_index")) {
            CHECK(std::any_of(leaves.begin(), leaves.end(), [&](const auto& record) {
                return record.index == static_cast<std::uint64_t>(*leaf);
            }));
        }
    }
    for (const char* name : {"check_target", "run_step", "verify", "roll_back"}) {
        CAPTURE(name);
        const auto span = machine->spans().find(name);
        REQUIRE(span);
        CHECK(span->parent_span_id == whole->context.span_id);
        if (span->kind == telemetry::SpanKind::client) {
            CHECK(text_of(*span, "interlock.db.role") == "shop_executor");
            CHECK(number_of(*span, "interlock.db.backend_pid") > 4200);
        }
    }
    CHECK(number_of(*machine->spans().find("run_step"), "db.response.returned_rows") == 1);
    for (const auto& step : must(scene.queue.steps(id))) {
        CHECK(step.detail.find(R"("database_role":"shop_executor")") != std::string::npos);
    }
    CHECK(text_of(*machine->spans().find("run_step"), "step.direction") == "back");
    CHECK(number_of(*machine->spans().find("run_step"), "audit.leaf_index"));
    CHECK(text_of(*machine->spans().find("roll_back"), "plan.state") == "ROLLED_BACK");
}

TEST_CASE("several steps run in order, each once", "[executor]") {
    Scene scene;
    run_to(scene, undoable_plan(), PlanState::succeeded);
    CHECK(
        scene.script.effects == std::vector<std::string>{check_sql("first"), check_sql("second")}
    );
}

TEST_CASE("what fails before the first step ends clean, with its reason", "[executor]") {
    Scene scene;
    SECTION("the target cannot be reached") {
        scene.script.connect_error =
            base::Error{base::Errc::target_unreachable, "Nobody answers.", "Start it."};
        expect_clean(scene, bounded_plan(), "Nobody answers. Start it.");
    }
    SECTION("the lock of the target is not obtained") {
        scene.script.locks_refused = 1'000;
        expect_clean(scene, bounded_plan(), "Another execution holds the lock");
    }
    SECTION("an earlier session of the plan is alive") {
        scene.script.orphans = 1;
        expect_clean(scene, bounded_plan(), "An earlier session of this plan is still alive");
    }
    SECTION("it is another server") {
        scene.script.fingerprint.timeline = 2;
        scene.script.fingerprint.system_identifier = "1";
        expect_clean(scene, bounded_plan(), "its system identifier, timeline differ(s)");
    }
    SECTION("the ledger is missing") {
        scene.script.ledger =
            base::Error{base::Errc::not_supported, "No ledger.", "Run `interlock init`."};
        expect_clean(scene, bounded_plan(), "interlock init");
    }
    SECTION("a precondition is false") {
        scene.script.answers["ready"] = always("0");
        expect_clean(scene, bounded_plan(), "A precondition does not hold. Check ready is '0'");
    }
    SECTION("a precondition gives no data") {
        scene.script.answers["ready"] = [] {
            return base::Error{base::Errc::permission_denied, "Not allowed.", ""};
        };
        expect_clean(scene, bounded_plan(), "Not allowed.");
    }
    SECTION("the statement fails and nothing happened") {
        scene.script.acts = {Act::deny};
        scene.script.answers["probe_end_it"] = always("0");
        expect_clean(scene, bounded_plan(), "The server said no.");
    }
    SECTION("the statement matches nothing, and no probe is needed to know") {
        scene.script.acts = {Act::match_nothing};
        scene.script.answers["probe_end_it"] = always("1");
        expect_clean(scene, bounded_plan(), "The server said no.");
    }
    SECTION("a transactional first step fails") {
        scene.script.acts = {Act::deny};
        expect_clean(scene, undoable_plan(), "Step first failed.");
    }
}

TEST_CASE("the target's lock is waited for, but not for ever", "[executor]") {
    Scene scene;
    scene.script.locks_refused = 3;
    run_to(scene, bounded_plan(), PlanState::succeeded);
}

TEST_CASE("an effect that outlived its rollback is found by the probe", "[executor]") {
    Scene scene;
    scene.script.acts = {Act::act_then_fail};
    SECTION("at once") {}
    SECTION("after the signalled session has had time to end") {
        scene.script.answers["probe_end_it"] = series({"0", "0", "1"});
    }
    const auto id = run_to(scene, bounded_plan(), PlanState::succeeded);
    CHECK(outcome_of(scene, id)["steps"][0]["known_by"] == "probe");
    CHECK(scene.script.effects.size() == 1);
}

TEST_CASE("a later step that fails is answered by undoing the earlier ones", "[executor]") {
    Scene scene;
    scene.script.acts = {Act::commit, Act::deny};
    const auto id = run_to(scene, undoable_plan(), PlanState::rolled_back);
    CHECK(
        scene.script.effects ==
        std::vector<std::string>{check_sql("first"), check_sql("undo_first")}
    );
    CHECK(outcome_of(scene, id)["after_rollback"].size() == 2);
}

TEST_CASE("harm is undone in reverse order", "[executor]") {
    Scene scene;
    scene.script.answers["unharmed"] = series({"1", "1", "0"});
    const auto id = run_to(scene, undoable_plan(), PlanState::rolled_back);
    CHECK(
        scene.script.effects ==
        std::vector<std::string>{
            check_sql("first"),
            check_sql("second"),
            check_sql("undo_second"),
            check_sql("undo_first")}
    );
    CHECK(outcome_of(scene, id)["verdict"] == "harm");
}

TEST_CASE("harm that cannot be undone calls a person", "[executor]") {
    Scene scene;
    scene.script.answers["unharmed"] = series({"1", "0"});
    const auto id = run_to(scene, bounded_plan(), PlanState::needs_human);
    CHECK_THAT(scene.plan(id).state_reason, Catch::Contains("what ended stays ended"));
    CHECK(scene.script.effects.size() == 1);
}

TEST_CASE("an inverse that fails calls a person", "[executor]") {
    Scene scene;
    scene.script.answers["unharmed"] = series({"1", "0"});
    scene.script.acts = {Act::commit, Act::commit, Act::deny};
    const auto id = run_to(scene, undoable_plan(), PlanState::needs_human);
    CHECK_THAT(scene.plan(id).state_reason, Catch::Contains("Undoing step second failed."));
}

TEST_CASE("without data there is no success, and a person decides", "[executor]") {
    Scene scene;
    scene.script.answers["recovered"] = [] {
        return base::Error{base::Errc::timeout, "Too slow.", ""};
    };
    const auto id = run_to(scene, undoable_plan(), PlanState::hold);
    CHECK(outcome_of(scene, id)["verdict"] == "inconclusive");
    CHECK(must(scene.queue.abandoned()).empty());
}

TEST_CASE("criteria that are not met by the deadline are told as that", "[executor]") {
    Scene scene;
    scene.script.answers["recovered"] = always("0");
    SECTION("what could be undone waits for a person's choice") {
        run_to(scene, undoable_plan(), PlanState::hold);
    }
    SECTION("what cannot be undone needs a person") {
        run_to(scene, bounded_plan(), PlanState::needs_human);
    }
}

TEST_CASE("a session lost in a step leaves the plan to a successor", "[executor]") {
    Scene scene;
    const auto [act, transactional, probe, expected] =
        GENERATE(table<Act, bool, std::string, PlanState>({
            {Act::lose_after, true, "", PlanState::succeeded},      // the ledger knows
            {Act::lose_before, true, "", PlanState::aborted_clean}, // its absence is proof
            {Act::lose_after, false, "0", PlanState::succeeded},    // ledger before probe
            {Act::lose_before, false, "1", PlanState::succeeded},   // the probe says it happened
            {Act::lose_before, false, "0", PlanState::aborted_clean},
            {Act::lose_before, false, "NULL", PlanState::needs_human},
        }));
    scene.script.acts = {act};
    if (probe == "NULL") {
        scene.script.answers["probe_only"] = [] {
            return base::Error{base::Errc::timeout, "Too slow.", ""};
        };
    } else {
        scene.script.answers["probe_only"] = always(probe);
    }
    using runbooks::StepClass;
    const auto step_class = transactional ? StepClass::transactional : StepClass::readback;
    const auto id = scene.approved(test_plan({step("only", step_class, Undo::bounded)}));
    const auto first = scene.machine();
    CHECK(first->pass().left == 1);
    CHECK(scene.plan(id).state == PlanState::executing);
    CHECK(first->pass().left == 0); // not before the lease has run out

    scene.let_leases_lapse();
    const auto second = scene.machine();
    (void)second->pass();
    const auto stored = scene.plan(id);
    CAPTURE(static_cast<int>(act), transactional, probe, stored.state_reason);
    CHECK(std::string(approval::name(stored.state)) == approval::name(expected));
    CHECK(scene.script.effects.size() == (act == Act::lose_after ? 1U : 0U));
    CHECK(outcome_of(scene, id)["resumed"] == true);
    CHECK(outcome_of(scene, id)["fence"] == 2);
    CHECK(scene.audit_holds());
}

TEST_CASE("an interruption between two steps is undone, not continued", "[executor]") {
    Scene scene;
    scene.script.acts = {Act::commit, Act::lose_before};
    const auto id = scene.approved(undoable_plan());
    CHECK(scene.machine()->pass().left == 1);
    scene.let_leases_lapse();
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::rolled_back);
    CHECK(
        scene.script.effects ==
        std::vector<std::string>{check_sql("first"), check_sql("undo_first")}
    );
}

TEST_CASE("an interrupted rollback is completed, each inverse once", "[executor]") {
    Scene scene;
    scene.script.answers["unharmed"] = series({"1", "0"});
    const auto lost = GENERATE(Act::lose_before, Act::lose_after);
    scene.script.acts = {Act::commit, Act::commit, lost};
    const auto id = scene.approved(undoable_plan());
    CHECK(scene.machine()->pass().left == 1);
    CHECK(scene.plan(id).state == PlanState::rolling_back);
    scene.let_leases_lapse();
    (void)scene.machine()->pass();
    CHECK(scene.plan(id).state == PlanState::rolled_back);
    CHECK(
        scene.script.effects ==
        std::vector<std::string>{
            check_sql("first"),
            check_sql("second"),
            check_sql("undo_second"),
            check_sql("undo_first")}
    );
}

TEST_CASE("a lease lost during a step stops it before its commit", "[executor]") {
    Scene scene;
    scene.script.on_step = [&] { scene.let_leases_lapse(); };
    const auto id =
        scene.approved(test_plan({step("only", runbooks::StepClass::transactional, Undo::bounded)})
        );
    CHECK(scene.machine()->pass().left == 1);
    CHECK(scene.script.effects.empty());
    scene.script.on_step = nullptr;
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::aborted_clean);
    CHECK(scene.script.effects.empty());
}

TEST_CASE("who was replaced records nothing more", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    scene.script.on_step = [&] {
        scene.let_leases_lapse();
        must(scene.queue.take_over(id, "somebody else"));
    };
    CHECK(scene.machine()->pass().left == 1);
    CHECK(scene.plan(id).state == PlanState::in_doubt);
    CHECK(scene.script.effects.empty());
    CHECK(scene.plan(id).outcome.empty());
}

TEST_CASE("an orphan of the plan is ended before its fate is judged", "[executor]") {
    Scene scene;
    scene.script.acts = {Act::lose_before};
    scene.script.answers["probe_end_it"] = always("0");
    const auto id = scene.approved(bounded_plan());
    (void)scene.machine()->pass();
    scene.let_leases_lapse();
    scene.script.orphans = 1;
    SECTION("it goes") {
        CHECK(scene.machine()->pass().ended == 1);
        CHECK(scene.plan(id).state == PlanState::aborted_clean);
    }
    SECTION("it does not go, so nothing is judged yet") {
        scene.script.orphans_obey = false;
        CHECK(scene.machine()->pass().left == 1);
        CHECK(scene.plan(id).state == PlanState::in_doubt);
        scene.script.orphans_obey = true;
        scene.let_leases_lapse();
        CHECK(scene.machine()->pass().ended == 1);
    }
}

TEST_CASE("after a failover the absence of a ledger row proves nothing", "[executor]") {
    Scene scene;
    scene.script.acts = {Act::lose_before};
    const auto id =
        scene.approved(test_plan({step("only", runbooks::StepClass::transactional, Undo::bounded)})
        );
    (void)scene.machine()->pass();
    scene.let_leases_lapse();
    scene.script.fingerprint.timeline = 2;
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::needs_human);
    CHECK_THAT(scene.plan(id).state_reason, Catch::Contains("timeline"));
}

TEST_CASE("a stop request during verification leaves the plan to be verified again", "[executor]") {
    Scene scene;
    scene.script.answers["recovered"] = [&] {
        scene.stop = !scene.script.effects.empty();
        return one_value("1");
    };
    const auto id = scene.approved(bounded_plan());
    CHECK(scene.machine()->pass().left == 1);
    CHECK(scene.plan(id).state == PlanState::verifying);
    scene.stop = false;
    scene.script.answers.clear();
    scene.let_leases_lapse();
    CHECK(scene.machine()->pass().succeeded == 1);
    CHECK(scene.plan(id).state == PlanState::succeeded);
    CHECK(scene.script.effects.size() == 1);
    CHECK(outcome_of(scene, id)["baseline"].size() == 2); // kept with the first step
}

TEST_CASE("a session reopened during verification must be with the same server", "[executor]") {
    Scene scene;
    int samples = 0;
    const bool failover = GENERATE(false, true);
    scene.script.answers["unharmed"] = [&]() -> base::Result<db::Table> {
        if (++samples == 3) { // the baseline, a sample, then the connection goes
            scene.script.sever();
            scene.script.fingerprint.timeline += failover ? 1 : 0;
            return base::Error{base::Errc::target_unreachable, "It broke.", ""};
        }
        return one_value("1");
    };
    const auto id =
        run_to(scene, undoable_plan(), failover ? PlanState::hold : PlanState::succeeded);
    CHECK(scene.script.sessions == 2);
    CHECK(scene.script.effects.size() == 2);
    CHECK(scene.script.ended_up_to == 1); // our own fence and below
    if (failover) {
        CHECK_THAT(scene.plan(id).state_reason, Catch::Contains("its timeline differ(s)"));
        CHECK(outcome_of(scene, id)["verdict"] == "inconclusive");
    }
}

TEST_CASE("a session lost while the baseline is read is not replaced", "[executor]") {
    Scene scene;
    const std::string check = GENERATE("recovered", "unharmed");
    scene.script.answers[check] = [&]() -> base::Result<db::Table> {
        scene.script.sever();
        return base::Error{base::Errc::target_unreachable, "It broke.", ""};
    };
    const bool answers_again = GENERATE(false, true);
    if (!answers_again) {
        scene.script.answers["ready"] = [&] {
            scene.script.connect_error =
                base::Error{base::Errc::target_unreachable, "Nobody answers.", ""};
            return one_value("1");
        };
    }
    expect_clean(scene, undoable_plan(), "lost before the first step");
    CHECK(scene.script.sessions == 1);
}

TEST_CASE("a step on a broken session is undone with the same server or not at all", "[executor]") {
    Scene scene;
    const bool failover = GENERATE(false, true);
    int steps = 0;
    scene.script.on_step = [&] {
        if (++steps == 2) {
            scene.script.sever();
            scene.script.fingerprint.timeline += failover ? 1 : 0;
        }
    };
    const auto id =
        run_to(scene, undoable_plan(), failover ? PlanState::needs_human : PlanState::rolled_back);
    CHECK(scene.script.sessions == 2);
    CHECK(scene.script.effects.size() == (failover ? 1U : 2U));
    if (failover) {
        CHECK_THAT(scene.plan(id).state_reason, Catch::Contains("its timeline differ(s)"));
        CHECK(must(scene.queue.steps(id)).size() == 2); // no INTENT of an inverse
    }
}

TEST_CASE(
    "a target that is away before an inverse leaves the rollback to a successor", "[executor]"
) {
    Scene scene;
    int steps = 0;
    scene.script.on_step = [&] {
        if (++steps == 2) {
            scene.script.sever();
            scene.script.connect_error =
                base::Error{base::Errc::target_unreachable, "Nobody answers.", ""};
        }
    };
    const auto id = scene.approved(undoable_plan());
    CHECK(scene.machine()->pass().left == 1);
    CHECK(scene.plan(id).state == PlanState::rolling_back);
    scene.script.connect_error.reset();
    scene.let_leases_lapse();
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::rolled_back);
}

TEST_CASE("an inverse on a session that broke meanwhile is begun again", "[executor]") {
    Scene scene;
    scene.script.answers["unharmed"] = series({"1", "0"});
    int steps = 0;
    scene.script.on_step = [&] {
        if (++steps == 4) { // the second inverse
            scene.script.sever();
        }
    };
    const auto id = scene.approved(undoable_plan());
    CHECK(scene.machine()->pass().left == 1);
    scene.let_leases_lapse();
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::rolled_back);
    CHECK(scene.script.effects.size() == 4);
}

TEST_CASE("a verdict of harm outlives the executor that gave it", "[executor]") {
    Scene scene;
    scene.script.answers["unharmed"] = [&]() -> base::Result<db::Table> {
        if (scene.script.effects.size() < 2) {
            return one_value("1");
        }
        // Harm, and the executor gets no further than recording it.
        scene.script.sever();
        scene.script.connect_error =
            base::Error{base::Errc::target_unreachable, "Nobody answers.", ""};
        return one_value("0");
    };
    const auto id = scene.approved(undoable_plan());
    CHECK(scene.machine()->pass().left == 1);
    REQUIRE(scene.plan(id).state == PlanState::rolling_back);
    REQUIRE(must(scene.queue.steps(id)).size() == 2); // no inverse was begun
    scene.script.connect_error.reset();
    scene.script.answers.clear(); // whatever the guardrails say by now
    scene.let_leases_lapse();
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::rolled_back);
    CHECK(scene.script.effects.size() == 4);
}

} // namespace interlock::test
