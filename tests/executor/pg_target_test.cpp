#include "executor/pg_target.hpp"
#include "tests/executor/scene.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"

#include <thread>

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

using executor::StepAttempt;
using executor::StepOrder;
using executor::TargetSession;

struct Bench {
    lab::Database database;
    std::unique_ptr<executor::TargetDoor> door;

    Bench() {
        lab::apply_lane(database);
        database.sql("create table effects (n int);"
                     "grant insert, select on effects to interlock_exec");
        door = executor::make_pg_targets({database.address("interlock_exec")});
    }
    std::unique_ptr<TargetSession> session(const std::string& name = "interlock-exec/p/1") {
        return must(door->connect("lab", name));
    }
    std::string effects() { return database.scalar("select count(*) from effects"); }
};

StepOrder order(const std::string& sql) {
    return {{"digest", 0, true, 1, "executor_1"}, {sql, {}}, 200, 2'000, 1};
}

base::Status allow() {
    return base::done;
}

constexpr auto insert_effect = "insert into public.effects values (1)";

} // namespace

TEST_CASE("an unknown target is an error of its own", "[executor]") {
    const auto door = executor::make_pg_targets({});
    CHECK_FALSE(door->knows("lab"));
    CHECK(door->connect("lab", "x").error().code == base::Errc::not_found);
}

TEST_CASE("effect and ledger row commit together, once", "[live]") {
    Bench bench;
    const auto session = bench.session();
    CHECK(session->run_step(order(insert_effect), allow).result == StepAttempt::Result::committed);
    CHECK(must(session->ledger_has(order("").ledger)));
    const auto again = session->run_step(order(insert_effect), allow);
    CHECK(again.result == StepAttempt::Result::already_done);
    CHECK(bench.effects() == "1");
    auto back = order(insert_effect);
    back.ledger.forward = false; // the other direction is another effect
    CHECK(session->run_step(back, allow).result == StepAttempt::Result::committed);
    CHECK(bench.effects() == "2");
}

TEST_CASE("a session says as which role it acts, as the target sees it", "[live]") {
    Bench bench;
    const auto session = bench.session();
    const auto seen =
        must(session->observe({"select current_user, pg_catalog.pg_backend_pid()", {}}));
    CHECK(session->acts_as().database_role == seen.rows.at(0).at(0));
    CHECK(std::to_string(session->acts_as().backend_pid) == seen.rows.at(0).at(1));
}

TEST_CASE("whatever stops a step before its commit leaves neither effect nor row", "[live]") {
    Bench bench;
    const auto session = bench.session();
    auto wanted = order(insert_effect);
    std::function<base::Status()> may_commit = allow;
    bool acted = true;
    SECTION("the statement fails") {
        wanted.statement.sql = "insert into public.effects values ('x'::int4)";
    }
    SECTION("it is not allowed") {
        wanted.statement.sql = "delete from public.effects";
    }
    SECTION("it takes too long") {
        wanted.statement.sql = "select pg_catalog.pg_sleep(60)";
        wanted.statement_timeout_ms = 50;
    }
    SECTION("it acts on more than was approved") {
        wanted.statement.sql = "insert into public.effects values (1), (2)";
    }
    SECTION("it acts on nothing") {
        wanted.statement.sql = "select 1 where false";
        acted = false;
    }
    SECTION("it says itself that it did not act") {
        wanted.statement.sql = "select false as ended";
    }
    SECTION("the authority is lost meanwhile") {
        may_commit = [] { return base::Status(base::Error{base::Errc::expired, "Too late.", ""}); };
    }
    const auto attempt = session->run_step(wanted, may_commit);
    CHECK(attempt.result == StepAttempt::Result::rolled_back);
    CHECK(attempt.acted == acted);
    CHECK_FALSE(attempt.error.what.empty());
    CHECK(bench.effects() == "0");
    CHECK_FALSE(must(session->ledger_has(wanted.ledger)));
    CHECK_FALSE(session->broken());
    CHECK(session->run_step(order(insert_effect), allow).result == StepAttempt::Result::committed);
}

TEST_CASE("a step waits for locks no longer than its plan says", "[live]") {
    Bench bench;
    lab::Session holder(bench.database.conninfo());
    holder.run("begin; lock table effects");
    const auto attempt = bench.session()->run_step(order(insert_effect), allow);
    CHECK(attempt.result == StepAttempt::Result::rolled_back);
    holder.run("rollback");
    CHECK(bench.effects() == "0");
}

TEST_CASE("a session that breaks before its commit has had no effect", "[live]") {
    Bench bench;
    const auto session = bench.session("interlock-exec/broken/1");
    const auto attempt = session->run_step(order(insert_effect), [&] {
        bench.database.sql("select pg_terminate_backend(pid) from pg_stat_activity "
                           "where application_name = 'interlock-exec/broken/1'");
        return base::Status(base::done);
    });
    CHECK(attempt.result != StepAttempt::Result::committed);
    CHECK(session->broken());
    CHECK(bench.effects() == "0");
    CHECK_FALSE(must(bench.session()->ledger_has(order("").ledger)));
}

TEST_CASE("four racing sessions have one effect", "[live]") {
    Bench bench;
    std::vector<std::unique_ptr<TargetSession>> sessions;
    for (int i = 0; i < 4; ++i) {
        sessions.push_back(bench.session("interlock-exec/race/" + std::to_string(i)));
    }
    std::vector<StepAttempt> attempts(sessions.size());
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < sessions.size(); ++i) {
            threads.emplace_back([&, i] {
                auto mine = order(insert_effect);
                mine.lock_timeout_ms = 5'000;
                attempts[i] = sessions[i]->run_step(mine, allow);
            });
        }
    }
    int committed = 0;
    for (const auto& attempt : attempts) {
        committed += attempt.result == StepAttempt::Result::committed ? 1 : 0;
    }
    CHECK(committed == 1);
    CHECK(bench.effects() == "1");
}

TEST_CASE("the target's lock is held by one session and ends with it", "[live]") {
    Bench bench;
    const auto key = executor::lock_key("7/app");
    auto first = bench.session();
    const auto second = bench.session("interlock-exec/q/2");
    CHECK(must(first->try_lock(key)));
    CHECK_FALSE(must(second->try_lock(key)));
    CHECK(must(second->try_lock(executor::lock_key("7/other"))));
    first.reset();
    CHECK(lab::wait_until([&] { return must(second->try_lock(key)); }));
}

TEST_CASE("orphans of a plan are seen and ended, those of others are not", "[live]") {
    Bench bench;
    const auto orphan = bench.session("interlock-exec/plan_a/1");
    const auto stranger = bench.session("interlock-exec/plan_b/1");
    lab::Session pretender(bench.database.conninfo(), "interlock-exec/plan_a/9");
    const auto successor = bench.session("interlock-exec/plan_a/2");
    const std::string prefix = "interlock-exec/plan_a/";
    CHECK(must(successor->count_orphans(prefix)) == 1);
    must(successor->terminate_orphans(prefix, 2));
    CHECK(lab::wait_until([&] { return must(successor->count_orphans(prefix)) == 0; }));
    CHECK_FALSE(orphan->ledger_has(order("").ledger).ok());
    CHECK(must(stranger->try_lock(executor::lock_key("x"))));
    CHECK(pretender.alive());
}

TEST_CASE("a session of a higher fence is never ended", "[live]") {
    Bench bench;
    const auto above = bench.session("interlock-exec/plan_a/10");
    const auto unnumbered = bench.session("interlock-exec/plan_a/9x");
    const auto earlier = bench.session("interlock-exec/plan_a/9");
    const auto replaced = bench.session("interlock-exec/plan_a/9");
    const std::string prefix = "interlock-exec/plan_a/";
    must(replaced->terminate_orphans(prefix, 9));
    CHECK(lab::wait_until([&] { return must(replaced->count_orphans(prefix)) == 2; }));
    CHECK_FALSE(earlier->ledger_has(order("").ledger).ok()); // ours, from before a reconnection
    CHECK(must(above->try_lock(executor::lock_key("x"))));
    CHECK(must(unnumbered->try_lock(executor::lock_key("y"))));
}

TEST_CASE("a session that breaks in the statement leaves it open what happened", "[live]") {
    Bench bench;
    const auto session = bench.session();
    const auto attempt = session->run_step(
        order("select pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())"), allow
    );
    CHECK(attempt.result == StepAttempt::Result::unknown);
    CHECK(session->broken());
    const auto next = session->run_step(order(insert_effect), allow);
    CHECK(next.result == StepAttempt::Result::rolled_back); // nothing was sent
    CHECK_FALSE(next.acted);
}

TEST_CASE("a check can read and can do nothing else", "[live]") {
    Bench bench;
    const auto session = bench.session();
    const auto read = session->observe({"select $1::int4 + 1", {{"n", "int4", "41"}}});
    REQUIRE(read.ok());
    CHECK(read->rows[0][0] == "42");
    CHECK_FALSE(session->observe({insert_effect, {}}).ok());
    CHECK_FALSE(session->observe({"set transaction read write", {}}).ok());
    CHECK(bench.effects() == "0");
    CHECK(must(session->fingerprint()).database == bench.database.name());
}

TEST_CASE("a ledger that cannot be used is told with its remedy", "[live]") {
    Bench bench;
    const auto session = bench.session();
    CHECK(session->check_ledger().ok());
    bench.database.sql("revoke insert on interlock_exec.ledger from interlock_exec");
    CHECK(session->check_ledger().error().code == base::Errc::permission_denied);
    bench.database.sql("drop table interlock_exec.ledger");
    const auto missing = session->check_ledger();
    REQUIRE_FALSE(missing.ok());
    CHECK(missing.error().code == base::Errc::not_supported);
    CHECK_THAT(missing.error().remedy, Catch::Contains("interlock init"));
}

} // namespace interlock::test
