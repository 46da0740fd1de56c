#include "executor/executor.hpp"
#include "executor/outcome_journal.hpp"
#include "tests/executor/scene.hpp"

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

using approval::PlanState;

std::size_t leaves_of_type(Scene& scene, const std::string& type) {
    std::size_t count = 0;
    for (const auto& record : must(telemetry::read_audit(*scene.store, 0, 1'000))) {
        count += record.header.find("\"" + type + "\"") != std::string::npos ? 1 : 0;
    }
    return count;
}

/// Nothing was claimed, nothing was done, and the refusal stands in the audit once.
void expect_refused(Scene& scene, const std::string& id) {
    const auto machine = scene.machine();
    CHECK(machine->pass().refused == 1);
    CHECK(machine->pass().refused == 1);
    CHECK(scene.plan(id).state == PlanState::approved);
    CHECK(scene.script.sessions == 0);
    CHECK(leaves_of_type(scene, "execution.refused") == 1);
    CHECK(scene.audit_holds());
}

} // namespace

TEST_CASE("a plan that nobody approved is not looked at", "[executor]") {
    Scene scene;
    const auto id = scene.submit(bounded_plan());
    const auto pass = scene.machine()->pass();
    CHECK(pass.succeeded + pass.ended + pass.left + pass.refused + pass.failed == 0);
    CHECK(scene.plan(id).state == PlanState::pending);
}

TEST_CASE("a state set in the store without a signature is worth nothing", "[executor]") {
    Scene scene;
    const auto id = scene.submit(bounded_plan());
    scene.sql("update plans set state = 'APPROVED' where plan_id = $1", {id});
    expect_refused(scene, id);
}

TEST_CASE("a plan byte changed after the approval is refused", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    auto bytes = scene.plan(id).bytes;
    bytes.replace(bytes.find("end_it"), 6, "end_me");
    SECTION("the bytes alone") {
        scene.sql("update plans set plan_bytes = $1 where plan_id = $2", {bytes, id});
    }
    SECTION("the bytes and their recorded digest") {
        scene.sql(
            "update plans set plan_bytes = $1, plan_digest = $2 where plan_id = $3",
            {bytes, base::hex(runbooks::plan_digest(bytes)), id}
        );
    }
    expect_refused(scene, id);
}

TEST_CASE("a key revoked after its approval counts no more at the claim", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    auto keys = scene.approver.keys();
    keys.revoked_keys = scene.directory.file("revoked");
    must(base::write_file_atomically(keys.revoked_keys, scene.approver.public_key()));
    Machine machine(
        *scene.store,
        scene.clock,
        scene.random,
        scene.door,
        scene.directory.path(),
        keys,
        scene.library
    );
    CHECK(machine.pass().refused == 1);
    CHECK(scene.plan(id).state == PlanState::approved);
    CHECK(scene.script.sessions == 0);
}

TEST_CASE("a changed policy voids the approval and says so", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    auto& contract = scene.library.at("test-runbook");
    std::string reason;
    SECTION("the rules") {
        contract.allowed_functions = {"pg_catalog.count"};
        reason = "the policy has changed";
    }
    SECTION("the contract") {
        contract.digest = base::hex(base::sha256("another"));
        reason = "has changed since the plan was made";
    }
    SECTION("the contract is gone") {
        scene.library.clear();
        reason = "is not in this executor's library";
    }
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::aborted_clean);
    CHECK_THAT(scene.plan(id).state_reason, Catch::Contains(reason));
    CHECK(scene.script.sessions == 0);
    CHECK_FALSE(scene.plan(id).outcome.empty());
}

TEST_CASE("a plan for a target of another executor is left alone", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    scene.script.targets = {"elsewhere"};
    expect_refused(scene, id);
    scene.script.targets = {"main"};
    CHECK(scene.machine()->pass().succeeded == 1);
}

TEST_CASE("an approval that ran out is not run", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    scene.clock.advance(base::limits::approval_lifetime_strong + std::chrono::seconds{1});
    (void)scene.machine()->pass();
    CHECK(scene.plan(id).state == PlanState::expired);
    CHECK(scene.script.sessions == 0);
}

TEST_CASE("two executors on one queue have one effect", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    const auto first = scene.machine();
    const auto second = scene.machine();
    scene.script.on_step = [&] {
        scene.script.on_step = nullptr;
        const auto pass = second->pass(); // while the first is at work
        CHECK(pass.succeeded + pass.ended + pass.left + pass.failed == 0);
    };
    CHECK(first->pass().succeeded == 1);
    CHECK(second->pass().succeeded == 0);
    CHECK(scene.script.effects.size() == 1);
}

TEST_CASE("a second plan for a target waits until the first has ended", "[executor]") {
    Scene scene;
    const auto other = test_plan(shapes().at("signal"));
    const auto first = scene.approved(bounded_plan());
    scene.clock.advance(std::chrono::seconds{1}); // the one that waited longest goes first
    const auto second = scene.approved(other);
    const auto racer = scene.machine();
    scene.script.on_step = [&] {
        scene.script.on_step = nullptr;
        (void)racer->pass();
        CHECK(scene.plan(second).state == PlanState::approved);
    };
    CHECK(scene.machine()->pass().succeeded == 2);
    CHECK(scene.plan(first).state == PlanState::succeeded);
}

TEST_CASE("an outcome cut off from its final state is delivered by the next start", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    const auto claim = must(scene.queue.claim(id, scene.plan(id).digest, "gone"));
    executor::OutcomeJournal journal(scene.directory.file("outcomes"));
    must(journal.keep(claim, R"({"reason":"kept"})"));
    must(scene.queue.advance(claim, approval::PlanEvent::abort_clean, "For a test."));
    CHECK(scene.plan(id).outcome.empty());
    (void)scene.machine()->pass();
    CHECK(scene.plan(id).outcome == R"({"reason":"kept"})");
}

TEST_CASE("an interrupted plan whose approval does not verify goes to a person", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    must(scene.queue.claim(id, scene.plan(id).digest, "gone"));
    scene.let_leases_lapse();
    scene.sql("update decisions set signature = 'nonsense' where plan_id = $1", {id});
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::needs_human);
    CHECK(scene.script.sessions == 0);
}

TEST_CASE("a plan claimed by an executor that died before any step ends clean", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    must(scene.queue.claim(id, scene.plan(id).digest, "gone"));
    CHECK(scene.machine()->pass().ended == 0); // its lease still lasts
    scene.let_leases_lapse();
    CHECK(scene.machine()->pass().ended == 1);
    CHECK(scene.plan(id).state == PlanState::aborted_clean);
    CHECK(scene.script.sessions == 0); // no intent was recorded: there is nothing to ask
}

TEST_CASE("a log that lost entries freezes everything", "[executor]") {
    Scene scene;
    const auto machine = scene.machine();
    must(machine->executor().start());
    const auto id = scene.approved(bounded_plan());
    must(scene.machine()->executor().start()); // remembers the longer log
    scene.sql("delete from audit_log where leaf_index = (select max(leaf_index) from audit_log)");
    CHECK(machine->pass().frozen);
    CHECK(machine->pass().frozen);
    CHECK(machine->executor().frozen().has_value());
    CHECK(scene.plan(id).state == PlanState::approved);
    CHECK(scene.script.sessions == 0);
    CHECK_FALSE(scene.machine()->executor().start().ok());
}

TEST_CASE("a queue that cannot be read is told, and nothing is run", "[executor]") {
    Scene scene;
    scene.approved(bounded_plan());
    scene.sql("drop table target_leases");
    const auto pass = scene.machine()->pass();
    CHECK(pass.failed > 0);
    CHECK(scene.script.sessions == 0);
}

TEST_CASE("a requested stop begins nothing new", "[executor]") {
    Scene scene;
    const auto id = scene.approved(bounded_plan());
    scene.stop = true;
    (void)scene.machine()->pass();
    CHECK(scene.plan(id).state == PlanState::approved);
}

TEST_CASE("transitions are counted", "[executor]") {
    Scene scene;
    scene.approved(bounded_plan());
    const auto machine = scene.machine();
    (void)machine->pass();
    CHECK_THAT(machine->metrics().render(), Catch::Contains("SUCCEEDED"));
}

} // namespace interlock::test
