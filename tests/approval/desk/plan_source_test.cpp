#include "approval/desk/plan_source.hpp"
#include "tests/approval/desk/watch.hpp"
#include "tests/approval/fixture.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::desk {

using test::fails;
using test::must;

TEST_CASE("plans are read from the queue's file and nothing is written") {
    test::Office office;
    const std::string id = office.submitted();
    const auto leaves = office.leaves();
    const auto watch = test::watch_of(office);
    const PlanSource source(office.directory.file("queue.db"), *watch, office.clock, office.random);
    CHECK(must(source.list()).size() == 1);
    CHECK(must(source.get(id)).id == id);
    CHECK(fails(source.get("plan_nowhere"), base::Errc::not_found));
    office.clock.advance(std::chrono::hours{1});
    CHECK(must(source.get(id)).state == approval::PlanState::expired);
    CHECK(office.cell("select state from plans") == "PENDING");
    CHECK(office.leaves() == leaves);
}

TEST_CASE("what waits for people comes first, however much has ended since") {
    test::Office office;
    const std::string waiting = office.submitted();
    office.clock.advance(std::chrono::seconds{1});
    const std::string ended = office.submit(test::plan_to_approve(2)).id;
    must(office.decide("alice", ended, approval::DecisionVerdict::reject));
    const auto watch = test::watch_of(office);
    const PlanSource source(office.directory.file("queue.db"), *watch, office.clock, office.random);
    CHECK(must(source.list())[0].id == waiting);
    CHECK(must(source.count()) == 2);
}

TEST_CASE("a queue that is not there yet is told, and found once it is") {
    test::Office office;
    const std::string path = office.directory.file("later.db");
    const auto watch = test::watch_of(office);
    const PlanSource source(path, *watch, office.clock, office.random);
    CHECK(fails(source.list(), base::Errc::io, "no queue"));
    CHECK(fails(source.get("plan_x"), base::Errc::io, "no queue"));
    const auto store = must(db::open_sqlite_store(path, db::StoreMode::create, office.clock));
    approval::Queue queue(*store, office.random);
    must(queue.create_tables());
    CHECK(must(source.list()).empty());
}

} // namespace interlock::desk
