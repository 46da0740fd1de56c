#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::fails;
using test::must;
using test::Office;
using test::plan_to_approve;

namespace {

std::string submit_number(Office& office, int number, const std::string& requester = "requester") {
    runbooks::Plan plan = plan_to_approve();
    plan.steps[0].about = "Number " + std::to_string(number);
    plan.lease_key = "1/" + std::to_string(number);
    office.clock.advance(std::chrono::seconds{1});
    return office.submit(plan, requester).id;
}

std::vector<std::string> ids(const std::vector<StoredPlan>& plans) {
    std::vector<std::string> out;
    for (const auto& plan : plans)
        out.push_back(plan.id);
    return out;
}

} // namespace

TEST_CASE("plans are listed newest first, by state and by requester") {
    Office office;
    const std::string first = submit_number(office, 1);
    const std::string second = submit_number(office, 2, "other");
    const std::string third = submit_number(office, 3);
    must(office.decide("alice", second));
    using Ids = std::vector<std::string>;
    const auto list = [&](const PlanFilter& filter) {
        return ids(must(office.queue.list(filter)));
    };
    CHECK(list({}) == Ids{third, second, first});
    CHECK(list({{PlanState::approved}, "", 100}) == Ids{second});
    CHECK(list({{PlanState::pending}, "", 100}) == Ids{third, first});
    CHECK(list({{}, "os:other", 100}) == Ids{second});
    CHECK(list({{PlanState::pending}, "os:other", 100}).empty());
    CHECK(list({{PlanState::pending, PlanState::approved}, "", 2}) == Ids{third, second});
    CHECK(list({{}, "", 0}).empty());
    CHECK(must(office.queue.list({{PlanState::approved}, "", 1}))[0].decisions.size() == 1);
}

TEST_CASE("a list can begin with the oldest, or with what waits for people") {
    Office office;
    const std::string dead = submit_number(office, 1);
    office.clock.advance(base::limits::pending_lifetime - std::chrono::seconds{4});
    const std::string pending = submit_number(office, 2);
    const std::string approved = submit_number(office, 3);
    const std::string rejected = submit_number(office, 4);
    must(office.decide("alice", approved));
    must(office.decide("alice", rejected, DecisionVerdict::reject));
    office.clock.advance(std::chrono::seconds{1});
    using Ids = std::vector<std::string>;
    const auto list = [&](PlanOrder order, std::size_t count_max) {
        return ids(must(office.queue.list({{}, "", count_max, order})));
    };
    REQUIRE(office.state(dead) == PlanState::expired); // though nobody recorded it
    CHECK(office.cell("select state from plans where plan_id = '" + dead + "'") == "PENDING");
    CHECK(list(PlanOrder::oldest_first, 100) == Ids{dead, pending, approved, rejected});
    CHECK(list(PlanOrder::oldest_first, 1) == Ids{dead});
    CHECK(list(PlanOrder::waiting_first, 100) == Ids{pending, approved, rejected, dead});
    CHECK(list(PlanOrder::waiting_first, 1) == Ids{pending});
    CHECK(must(office.queue.count()) == 4);
}

TEST_CASE("a plan whose time is up is listed as expired before anybody recorded it") {
    Office office;
    const std::string id = submit_number(office, 1);
    office.clock.advance(base::limits::pending_lifetime);
    CHECK(must(office.queue.list({{PlanState::pending}, "", 100})).empty());
    CHECK(ids(must(office.queue.list({{PlanState::expired}, "", 100}))) == std::vector{id});
    CHECK(office.cell("select state from plans") == "PENDING");
    CHECK(must(office.queue.expire_due()) == 1);
    CHECK(must(office.queue.expire_due()) == 0);
    CHECK(office.cell("select state from plans") == "EXPIRED");
}

TEST_CASE("expiry moves exactly what is due") {
    Office office;
    const std::string early = submit_number(office, 1);
    office.clock.advance(std::chrono::minutes{10});
    const std::string late = submit_number(office, 2);
    const std::string approved = submit_number(office, 3);
    must(office.decide("alice", approved));
    office.clock.advance(std::chrono::minutes{20});
    CHECK(must(office.queue.expire_due()) == 1);
    CHECK(office.state(early) == PlanState::expired);
    CHECK(office.state(late) == PlanState::pending);
    CHECK(office.state(approved) == PlanState::approved);
    office.clock.advance(std::chrono::hours{2});
    CHECK(must(office.queue.expire_due()) == 2);
}

TEST_CASE("an unknown plan is named harmlessly") {
    Office office;
    const auto found =
        office.queue.get("plan_\x1b[31m\n'; drop table plans; --" + std::string(500, 'x'));
    REQUIRE(fails(found, base::Errc::not_found));
    CHECK(found.error().what.find('\x1b') == std::string::npos);
    CHECK(found.error().what.find('\n') == std::string::npos);
    CHECK(found.error().what.size() < 300);
    CHECK(fails(office.queue.get(""), base::Errc::not_found));
}

TEST_CASE("the log position is the size and root of the audit log") {
    Office office;
    const std::string empty = must(office.queue.log_position());
    CHECK(empty == "0:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    (void)office.submitted();
    const std::string one = must(office.queue.log_position());
    CHECK(one.starts_with("1:"));
    CHECK(one.size() == 66);
}

TEST_CASE("a stored state that does not exist is corruption, not a guess") {
    Office office;
    const std::string id = office.submitted();
    office.tamper("update plans set state = 'ALMOST'");
    CHECK(fails(office.queue.get(id), base::Errc::corrupt));
    office.tamper("update plans set state = 'PENDING'");
    must(office.decide("alice", id));
    office.tamper("update decisions set statement = '{}'");
    CHECK(fails(office.queue.get(id), base::Errc::corrupt));
}

} // namespace interlock::approval
