#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;
using test::plan_to_approve;

TEST_CASE("a claim takes the approval, the lease and a fence in one step") {
    Office office;
    const std::string id = office.approved();
    const auto before = office.leaves();
    const Claim claim = must(office.claim(id));
    CHECK(claim.plan_id == id);
    CHECK(claim.executor == "exec-1");
    CHECK(claim.fence == 1);
    CHECK(claim.lease_until == "2026-11-21T03:00:30.000000Z");
    CHECK(office.state(id) == PlanState::claimed);
    CHECK(office.leaves() == before + 1);
    CHECK(office.records().back().header.find("\"plan.claimed\"") != std::string::npos);
    CHECK(office.records().back().header.find("\"actor\":\"exec-1\"") != std::string::npos);
    // An approval is spent once.
    CHECK(fails(office.claim(id, "exec-2"), base::Errc::invalid_transition, "CLAIMED"));
}

TEST_CASE("only what was approved, verified and is in time can be claimed") {
    Office office;
    SECTION("a pending plan") {
        CHECK(fails(office.claim(office.submitted()), base::Errc::invalid_transition));
    }
    SECTION("an unknown plan") {
        CHECK(fails(office.queue.claim("plan_nowhere", "", "exec-1"), base::Errc::not_found));
    }
    SECTION("other bytes than were verified") {
        const std::string id = office.approved();
        CHECK(fails(office.queue.claim(id, std::string(64, '0'), "exec-1"), base::Errc::changed));
        CHECK(office.state(id) == PlanState::approved);
    }
    SECTION("bytes changed after verification") {
        const std::string id = office.approved();
        const std::string digest = must(office.queue.get(id)).digest;
        office.tamper("update plans set plan_bytes = replace(plan_bytes, '4242', '4243')");
        CHECK(fails(office.queue.claim(id, digest, "exec-1"), base::Errc::changed));
    }
    SECTION("an approval whose time is up") {
        const std::string id = office.approved();
        office.clock.advance(std::chrono::hours{1});
        CHECK(fails(office.claim(id), base::Errc::expired));
        CHECK(office.cell("select state from plans") == "EXPIRED");
    }
    CHECK(office.cell("select count(*) from target_leases") == "0");
    CHECK(office.cell("select count(*) from executions") == "0");
    CHECK(office.cell("select value from queue_counters where name = 'fence'") == "0");
}

TEST_CASE("the same bytes never run twice, whatever a forged store says") {
    Office office;
    const Claim claim = office.claimed();
    must(office.queue.advance(claim, PlanEvent::abort_clean, "A check failed."));
    office.tamper("update plans set state = 'APPROVED', expires_at = '2030-01-01T00:00:00.000000Z'"
    );
    CHECK(fails(office.claim(claim.plan_id), base::Errc::corrupt, "made it ABORTED_CLEAN"));
    // Nor when the log is cut as well, which only checkpoints can tell.
    office.tamper("delete from audit_log where leaf_index >= 2");
    CHECK(fails(office.claim(claim.plan_id), base::Errc::conflict));
    CHECK(office.cell("select count(*) from executions") == "1");
    CHECK(office.cell("select value from queue_counters where name = 'fence'") == "1");
}

TEST_CASE("plans on one target wait for each other, also when one target contains the other") {
    Office office;
    const auto approved_on = [&](const std::string& lease_key) {
        runbooks::Plan plan = plan_to_approve();
        plan.lease_key = lease_key;
        const std::string id = office.submit(plan).id;
        must(office.decide("alice", id));
        return id;
    };
    const std::string database = approved_on("1/app");
    const std::string table = approved_on("1/app/public.orders");
    const std::string server = approved_on("1");
    const std::string neighbour = approved_on("1/apple");
    const Claim claim = must(office.claim(database));
    CHECK(fails(office.claim(table), base::Errc::conflict, database));
    CHECK(fails(office.claim(server), base::Errc::conflict, database));
    CHECK(office.claim(neighbour).ok());
    CHECK(office.state(table) == PlanState::approved);
    must(office.queue.advance(claim, PlanEvent::abort_clean, "Nothing done."));
    CHECK(office.claim(table).ok());
}

TEST_CASE("of many executors on one plan exactly one claims it") {
    Office office;
    for (int round = 0; round < 5; ++round) {
        runbooks::Plan plan = plan_to_approve();
        plan.steps[0].about = "Round " + std::to_string(round);
        plan.lease_key = "1/" + std::to_string(round);
        const auto submitted = office.submit(plan);
        must(office.decide("alice", submitted.id));
        std::vector<std::unique_ptr<db::Store>> stores;
        std::vector<test::CountingRandom> randoms(6);
        for (std::size_t i = 0; i < randoms.size(); ++i)
            stores.push_back(office.open_store());
        std::atomic<int> won{0};
        std::atomic<int> refused{0};
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < randoms.size(); ++i)
            threads.emplace_back([&, i] {
                Queue queue(*stores[i], randoms[i]);
                const auto claim =
                    queue.claim(submitted.id, submitted.digest, "exec-" + std::to_string(i));
                ++(claim.ok() ? won : refused);
            });
        for (auto& thread : threads)
            thread.join();
        CHECK(won == 1);
        CHECK(refused == 5);
    }
    CHECK(office.cell("select count(*) from executions") == "5");
    CHECK(office.cell("select count(distinct fence) from target_leases") == "5");
    CHECK(must(telemetry::verify_audit(*office.store, {})).problems.empty());
}

TEST_CASE("two plans on one target race for it and one wins") {
    Office office;
    std::vector<SubmitResult> plans;
    for (int i = 0; i < 2; ++i) {
        runbooks::Plan plan = plan_to_approve();
        plan.steps[0].about = "Plan " + std::to_string(i);
        plans.push_back(office.submit(plan));
        must(office.decide("alice", plans.back().id));
    }
    const auto other_store = office.open_store();
    test::CountingRandom other_random;
    Queue other(*other_store, other_random);
    std::atomic<int> won{0};
    std::thread first([&] { won += office.queue.claim(plans[0].id, plans[0].digest, "a").ok(); });
    std::thread second([&] { won += other.claim(plans[1].id, plans[1].digest, "b").ok(); });
    first.join();
    second.join();
    CHECK(won == 1);
    CHECK(office.cell("select count(*) from target_leases where released_at is null") == "1");
}

TEST_CASE("a lease lasts while it is renewed, and not after") {
    Office office;
    Claim claim = office.executing();
    for (int i = 0; i < 5; ++i) {
        office.clock.advance(std::chrono::seconds{20});
        REQUIRE(office.queue.renew(claim).ok());
    }
    CHECK(claim.lease_until == "2026-11-21T03:02:10.000000Z");
    CHECK(must(office.queue.abandoned()).empty());
    office.clock.advance(base::limits::lease_lifetime);
    CHECK(must(office.queue.abandoned()) == std::vector<std::string>{claim.plan_id});
    CHECK(fails(office.queue.renew(claim), base::Errc::expired, "lease"));
}

TEST_CASE("a running plan is taken over only once its lease has run out") {
    Office office;
    const Claim first = office.executing();
    CHECK(
        fails(office.queue.take_over(first.plan_id, "exec-2"), base::Errc::conflict, "lasts until")
    );
    office.clock.advance(base::limits::lease_lifetime);
    const Claim second = must(office.queue.take_over(first.plan_id, "exec-2"));
    CHECK(second.fence > first.fence);
    CHECK(office.state(first.plan_id) == PlanState::in_doubt);
    CHECK(must(office.queue.abandoned()).empty());
    CHECK(office.cell("select count(*) from target_leases where released_at is null") == "1");

    // The replaced executor may write nothing at all.
    Claim stale = first;
    CHECK(fails(office.queue.renew(stale), base::Errc::conflict, "taken over"));
    CHECK(fails(office.queue.advance(first, PlanEvent::step_done, "Late."), base::Errc::conflict));
    CHECK(fails(
        office.queue.record_step(first, {first.plan_id, 0, true, "DONE", first.fence, "", ""}),
        base::Errc::conflict
    ));
    CHECK(fails(office.queue.finish(first, "{}"), base::Errc::conflict));
    CHECK(office.state(first.plan_id) == PlanState::in_doubt);

    // A successor that dies too is succeeded.
    office.clock.advance(base::limits::lease_lifetime);
    const Claim third = must(office.queue.take_over(first.plan_id, "exec-1"));
    CHECK(third.fence > second.fence);
    CHECK(fails(
        office.queue.advance(first, PlanEvent::resolve_clean, "Same name, old fence."),
        base::Errc::conflict
    ));
    CHECK(
        must(office.queue.advance(third, PlanEvent::resolve_clean, "Nothing was done.")) ==
        PlanState::aborted_clean
    );
}

TEST_CASE("of many successors exactly one takes over") {
    Office office;
    const Claim first = office.executing();
    office.clock.advance(base::limits::lease_lifetime);
    std::vector<std::unique_ptr<db::Store>> stores;
    std::vector<test::CountingRandom> randoms(4);
    for (std::size_t i = 0; i < randoms.size(); ++i)
        stores.push_back(office.open_store());
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < randoms.size(); ++i)
        threads.emplace_back([&, i] {
            Queue queue(*stores[i], randoms[i]);
            won += queue.take_over(first.plan_id, "exec-" + std::to_string(i)).ok();
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(won == 1);
}

TEST_CASE("what was not begun or has ended cannot be taken over") {
    Office office;
    CHECK(fails(office.queue.take_over("plan_nowhere", "e"), base::Errc::not_found));
    CHECK(fails(office.queue.take_over(office.submitted(), "e"), base::Errc::invalid_transition));
    const Claim claim = office.claimed();
    must(office.queue.advance(claim, PlanEvent::abort_clean, "A check failed."));
    office.clock.advance(std::chrono::hours{1});
    CHECK(fails(office.queue.take_over(claim.plan_id, "e"), base::Errc::invalid_transition));
    CHECK(must(office.queue.abandoned()).empty());
}

TEST_CASE("a whole run goes through its states, each with its leaf") {
    Office office;
    const Claim claim = office.claimed();
    const auto before = office.leaves();
    must(office.queue.advance(claim, PlanEvent::start, "Checked."));
    must(office.queue.advance(claim, PlanEvent::step_done, "Step act is done."));
    must(office.queue.advance(claim, PlanEvent::steps_complete, "All done."));
    CHECK(
        must(office.queue.advance(claim, PlanEvent::recover, "Recovered.")) == PlanState::succeeded
    );
    CHECK(office.leaves() == before + 4);
    const auto stored = must(office.queue.get(claim.plan_id));
    CHECK(stored.state_reason == "Recovered.");
    CHECK(stored.expires_at.empty());
    must(office.queue.finish(claim, R"({"verdict":"recovered"})"));
    CHECK(must(office.queue.get(claim.plan_id)).outcome == R"({"verdict":"recovered"})");
    CHECK(office.records().back().header.find("\"plan.finished\"") != std::string::npos);
    CHECK(must(office.queue.advance(claim, PlanEvent::close, "Reported.")) == PlanState::closed);
}

TEST_CASE("an ended plan frees its target at once, even if its executor dies before finish") {
    Office office;
    const Claim claim = office.claimed();
    must(office.queue.advance(claim, PlanEvent::abort_clean, "A check failed."));
    CHECK(office.cell("select count(*) from target_leases where released_at is null") == "0");
    CHECK(must(office.queue.abandoned()).empty());
    CHECK(office.queue.finish(claim, "{}").ok());
}

TEST_CASE("a plan on hold keeps its target until its outcome is written, then waits for people") {
    Office office;
    const Claim claim = office.executing();
    must(office.queue.advance(claim, PlanEvent::steps_complete, "All done."));
    must(office.queue.advance(claim, PlanEvent::inconclusive, "No data."));
    CHECK(office.cell("select count(*) from target_leases where released_at is null") == "1");
    CHECK(fails(
        office.queue.advance(claim, PlanEvent::keep, "I like it."), base::Errc::refused, "person"
    ));
    CHECK(fails(
        office.queue.advance(claim, PlanEvent::roll_back, "I do not."),
        base::Errc::refused,
        "person"
    ));
    must(office.queue.finish(claim, "{}"));
    CHECK(office.state(claim.plan_id) == PlanState::hold);
    CHECK(office.cell("select count(*) from target_leases where released_at is null") == "0");
    office.clock.advance(std::chrono::hours{1});
    CHECK(must(office.queue.abandoned()).empty());
    CHECK(fails(office.queue.take_over(claim.plan_id, "e"), base::Errc::conflict, "people"));
}

TEST_CASE("finish takes one JSON document, after the end only") {
    Office office;
    const Claim claim = office.executing();
    CHECK(fails(office.queue.finish(claim, "{}"), base::Errc::invalid_transition, "EXECUTING"));
    must(office.queue.advance(claim, PlanEvent::abort_clean, "A step failed."));
    CHECK(fails(office.queue.finish(claim, "not json"), base::Errc::invalid_input));
    CHECK(fails(
        office.queue.finish(claim, "\"" + std::string(base::limits::outcome_bytes_max, 'x') + "\""),
        base::Errc::limit_exceeded
    ));
    CHECK(must(office.queue.get(claim.plan_id)).outcome.empty());
    CHECK(office.queue.finish(claim, "{}").ok());
}

TEST_CASE("an executor records its own events and nobody else's") {
    Office office;
    const Claim claim = office.claimed();
    for (const auto event :
         {PlanEvent::approve_counted,
          PlanEvent::approve_final,
          PlanEvent::reject,
          PlanEvent::expire,
          PlanEvent::supersede,
          PlanEvent::withdraw,
          PlanEvent::revoke,
          PlanEvent::claim,
          PlanEvent::keep}) {
        INFO(name(event));
        CHECK(fails(office.queue.advance(claim, event, ""), base::Errc::refused));
    }
    CHECK(fails(office.queue.advance(claim, PlanEvent::recover, ""), base::Errc::invalid_transition)
    );
    Claim forged = claim;
    forged.fence = 2;
    CHECK(fails(office.queue.advance(forged, PlanEvent::start, ""), base::Errc::conflict));
    forged = claim;
    forged.executor = "exec-2";
    CHECK(fails(office.queue.advance(forged, PlanEvent::start, ""), base::Errc::conflict));
    CHECK(office.state(claim.plan_id) == PlanState::claimed);
}

TEST_CASE("execution starts neither on a lapsed lease nor on a lapsed approval") {
    Office office;
    SECTION("lease") {
        const Claim claim = office.claimed();
        office.clock.advance(base::limits::lease_lifetime);
        CHECK(fails(office.queue.advance(claim, PlanEvent::start, ""), base::Errc::expired, "lease")
        );
        CHECK(office.state(claim.plan_id) == PlanState::claimed);
    }
    SECTION("approval") {
        runbooks::Plan plan = plan_to_approve();
        plan.approval_lifetime_s = 10;
        const std::string id = office.submit(plan).id;
        must(office.decide("alice", id));
        const Claim claim = must(office.claim(id));
        office.clock.advance(std::chrono::seconds{10});
        CHECK(fails(office.queue.advance(claim, PlanEvent::start, ""), base::Errc::expired, "plan")
        );
        CHECK(office.state(id) == PlanState::claimed);
        CHECK(office.queue.advance(claim, PlanEvent::abort_clean, "Too late.").ok());
    }
}

} // namespace interlock::approval
