#include "approval/queue_rows.hpp"
#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;
using test::plan_to_approve;

TEST_CASE("tables are made once and kept") {
    Office office;
    const std::string id = office.approved();
    const std::string position = must(office.queue.log_position());
    must(office.queue.create_tables());
    CHECK(office.state(id) == PlanState::approved);
    CHECK(must(office.queue.log_position()) == position);
}

TEST_CASE("a queue of another version is refused") {
    Office office;
    office.tamper("update queue_counters set value = 99 where name = 'schema'");
    CHECK(fails(office.queue.create_tables(), base::Errc::not_supported, "another version"));
}

TEST_CASE("a transaction that fails after its transition leaves neither state nor leaf") {
    Office office;
    const std::string id = office.submitted();
    const auto before = office.leaves();
    const auto status =
        office.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, id));
            INTERLOCK_CHECK(rows::move(
                transaction, office.random, plan, {PlanEvent::reject, "alice", "No.", {}, {}}
            ));
            CHECK(plan.state == PlanState::rejected);
            return base::Error{base::Errc::io, "The lights went out.", ""};
        });
    CHECK(fails(status, base::Errc::io));
    CHECK(office.state(id) == PlanState::pending);
    CHECK(office.leaves() == before);
    CHECK(must(telemetry::verify_audit(*office.store, {})).problems.empty());
}

TEST_CASE("no transition without its leaf: a log that cannot be written stops the queue") {
    Office office;
    const std::string id = office.submitted();
    office.tamper("drop table audit_payload");
    CHECK_FALSE(office.decide("alice", id).ok());
    CHECK(office.cell("select state from plans") == "PENDING");
    CHECK(office.cell("select count(*) from decisions") == "0");
}

TEST_CASE("who moves on an old version is told that somebody else was first") {
    Office office;
    const std::string id = office.submitted();
    const auto status =
        office.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, id));
            StoredPlan stale = plan;
            INTERLOCK_CHECK(rows::move(
                transaction,
                office.random,
                plan,
                {PlanEvent::approve_counted, "a", "", "2030-01-01T00:00:00.000000Z", {}}
            ));
            // The same state, an older version.
            CHECK(fails(
                rows::move(transaction, office.random, stale, {PlanEvent::reject, "b", "", {}, {}}),
                base::Errc::conflict
            ));
            return base::done;
        });
    CHECK(status.ok());
    CHECK(office.state(id) == PlanState::pending);
}

TEST_CASE("an arrow that does not exist is not walked") {
    Office office;
    const std::string id = office.submitted();
    const auto status =
        office.store->transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(StoredPlan plan, rows::load(transaction, id));
            return rows::move(
                       transaction, office.random, plan, {PlanEvent::claim, "a", "", {}, {}}
                   ).ok()
                       ? base::Status(base::done)
                       : base::Status(base::Error{base::Errc::invalid_transition, "", ""});
        });
    CHECK(fails(status, base::Errc::invalid_transition));
}

TEST_CASE("stored reasons are harmless and bounded") {
    CHECK(rows::plain("a\x1b[2Jb\nc") == "ab c");
    CHECK(rows::plain(std::string(100'000, 'x')).size() < 2'200);
}

TEST_CASE("a read-only queue says so and loses nothing") {
    Office office;
    const std::string id = office.submitted();
    const SignedDecision decision = office.signed_by("alice", id);
    const auto store = must(db::open_sqlite_store(
        office.directory.file("queue.db"), db::StoreMode::read_only, office.clock
    ));
    Queue queue(*store, office.random);
    CHECK(must(queue.get(id)).state == PlanState::pending);
    CHECK(must(queue.list({})).size() == 1);
    CHECK(fails(queue.decide(decision, office.keys), base::Errc::store_read_only));
    CHECK(fails(queue.claim(id, "", "e"), base::Errc::store_read_only));
    CHECK(fails(queue.expire_due(), base::Errc::store_read_only));
    CHECK(fails(queue.create_tables(), base::Errc::store_read_only));
    CHECK(office.queue.decide(decision, office.keys).ok());
}

TEST_CASE("a full disk is told apart, and what was there before is still there") {
    // The store's file may not grow by one page: to SQLite that is a full disk.
    Office office;
    const std::string id = office.submitted();
    DecisionStatement statement = office.statement(id, "alice");
    statement.reason = std::string(base::limits::decision_reason_chars_max, 'x');
    const SignedDecision decision = office.sign(statement, "alice");
    const auto leaves = office.leaves();
    office.tamper("pragma max_page_count = 1");
    CHECK(fails(office.queue.decide(decision, office.keys), base::Errc::store_full, "space"));
    CHECK(office.state(id) == PlanState::pending);
    CHECK(office.leaves() == leaves);
    CHECK(office.cell("select count(*) from decisions") == "0");
    // With space again the same decision counts.
    office.tamper("pragma max_page_count = 1000000");
    CHECK(office.queue.decide(decision, office.keys).ok());
    CHECK(must(telemetry::verify_audit(*office.store, {})).problems.empty());
}

} // namespace interlock::approval
