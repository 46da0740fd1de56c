// The second fence, without the first: what happens when a text that is no read gets into a lane.
#include "base/db/connect.hpp"
#include "base/db/lane.hpp"
#include "base/db/pq_session.hpp"
#include "base/limits.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;

/// A connection as a superuser: nothing but the lane holds it back.
class Fixture {
public:
    Fixture() {
        database.sql("create table t (a int); create sequence s; insert into t values (1)");
        connect_again();
    }
    void connect_again() {
        auto made = connect(database.address(), "interlock", {}, clock);
        REQUIRE(made.ok());
        connection = std::move(made->connection);
        statements = {};
    }
    base::Result<LaneOutcome>
    run(const std::vector<std::string>& texts, LaneSettings settings = {}) {
        std::vector<Query> queries;
        for (const auto& text : texts) {
            queries.push_back({{"test", text}, {}});
        }
        std::vector<const Query*> pointers;
        for (const auto& query : queries) {
            pointers.push_back(&query);
        }
        LaneOutcome all;
        do {
            auto outcome = run_lane(
                connection.get(), statements, settings, pointers, {}, clock, false, timings, broken
            );
            if (!outcome) {
                return outcome;
            }
            pointers.erase(
                pointers.begin(), pointers.begin() + static_cast<long>(outcome->results.size())
            );
            for (auto& result : outcome->results) {
                all.results.push_back(std::move(result));
            }
            all.rerun = outcome->rerun;
            all.in_recovery = outcome->in_recovery;
            all.backend_pid = outcome->backend_pid;
            all.traces = outcome->traces;
            ++trips;
        } while (all.rerun);
        return all;
    }
    bool untouched() {
        return database.scalar("select count(*) || ',' || sum(a) from t") == "1,1" &&
               database.scalar("select count(*) from pg_class where relname = 'evil'") == "0" &&
               database.scalar("select count(*) from pg_roles where rolname = 'evil'") == "0" &&
               database.scalar("select count(*) from pg_prepared_xacts") == "0";
    }

    lab::Database database;
    base::SystemClock clock;
    PqConnection connection;
    Statements statements;
    std::vector<Timing> timings;
    int trips = 0;
    bool broken = false;
};

constexpr const char* where_am_i =
    "select current_user || ' ' || current_setting('transaction_read_only') || ' ' || "
    "current_setting('statement_timeout')";

TEST_CASE("no statement gets out of a lane", "[db][live]") {
    Fixture fixture;
    fixture.database.sql("do $$ begin if not exists (select from pg_roles where rolname = 'narrow')"
                         " then create role narrow; end if; end $$");
    LaneSettings settings;
    settings.role = "narrow";
    for (const auto* escape :
         {"commit",
          "rollback",
          "end",
          "abort",
          "commit and chain",
          "rollback and chain",
          "set transaction read write",
          "set session characteristics as transaction read write",
          "begin read write",
          "start transaction read write",
          "rollback to savepoint interlock_lane",
          "release savepoint interlock_lane",
          "savepoint interlock_lane",
          "set role none",
          "reset role",
          "reset all",
          "discard all",
          "set session authorization postgres",
          "set statement_timeout = 0",
          "set default_transaction_read_only = off",
          "select set_config('transaction_read_only', 'off', false)",
          "select set_config('role', 'postgres', false), set_config('statement_timeout', '0', "
          "false)",
          "select 1; commit; create role evil superuser"}) {
        const auto outcome = fixture.run(
            {escape,
             where_am_i,
             "create table public.evil ()",
             "insert into public.t values (2)",
             "create role evil superuser",
             where_am_i},
            settings
        );
        CAPTURE(escape);
        REQUIRE(outcome.ok());
        REQUIRE(outcome->results.size() == 6);
        // Either the rest runs in the lane as it was set, or it does not run.
        for (const std::size_t index : {1U, 5U}) {
            const auto& seen = outcome->results[index];
            if (seen) {
                CHECK(seen->table.rows[0][0] == "narrow on 5s");
            } else {
                CHECK(seen.error().code == Errc::refused_by_guard);
            }
        }
        for (const std::size_t index : {2U, 3U, 4U}) {
            CHECK_FALSE(outcome->results[index].ok());
        }
        CHECK(fixture.untouched());
        CHECK_FALSE(fixture.broken);
        // What the escape may have left in the session does not reach the next lane.
        const auto next = fixture.run({where_am_i}, settings);
        REQUIRE(next.ok());
        CHECK((*next).results[0]->table.rows[0][0] == "narrow on 5s");
        fixture.connect_again();
    }
}

TEST_CASE("a superuser in a lane cannot write rows", "[db][live]") {
    Fixture fixture;
    for (const auto* text :
         {"insert into public.t values (2)",
          "update public.t set a = 2",
          "delete from public.t",
          "truncate public.t",
          "create table public.evil ()",
          "create role evil",
          "drop table public.t",
          "vacuum public.t",
          "select 1 as a into public.evil",
          "with x as (delete from public.t returning 1) select * from x",
          "explain analyze delete from public.t",
          "select * from public.t for update",
          "select nextval('public.s')",
          "copy public.t from program 'true'",
          "alter system set work_mem = '1MB'"}) {
        const auto outcome = fixture.run({text, "select 1"});
        CAPTURE(text);
        if (outcome) {
            REQUIRE_FALSE(outcome->results[0].ok());
            const auto& error = outcome->results[0].error();
            CAPTURE(error.what);
            CHECK(error.code == Errc::refused_by_guard); // 25001 or 25006, nothing else
        } else {
            fixture.connect_again();
        }
        CHECK(fixture.untouched());
    }
}

TEST_CASE("a statement of COPY ends the connection, not the house", "[db][live]") {
    Fixture fixture;
    const auto outcome = fixture.run({"copy public.t to stdout", "select 1"});
    CHECK_FALSE(outcome.ok());
    CHECK(fixture.broken);
}

TEST_CASE("a role that cannot be taken stops the read before its statements", "[db][live]") {
    Fixture fixture;
    LaneSettings settings;
    settings.role = "no_such_role";
    const auto outcome = fixture.run({"select pg_notify('x', 'ran')", "select 1"}, settings);
    REQUIRE_FALSE(outcome.ok());
    CHECK_FALSE(fixture.broken);
    CHECK(fixture.run({"select 1"}).ok());
}

TEST_CASE("a lane reports the backend and whether it is in recovery", "[db][live]") {
    Fixture fixture;
    const auto outcome = fixture.run({"select pg_backend_pid()"});
    REQUIRE(outcome.ok());
    CHECK(std::to_string(outcome->backend_pid) == outcome->results[0]->table.rows[0][0]);
    CHECK_FALSE(outcome->in_recovery);
    CHECK(fixture.run({}).ok());
}

/// Names of the statements that the fixture's session holds prepared.
std::string prepared_names(Fixture& fixture) {
    const auto outcome =
        fixture.run({"select coalesce(string_agg(name, ' ' order by name), '') from "
                     "pg_prepared_statements where statement like 'select%twice%'"});
    REQUIRE(outcome.ok());
    REQUIRE((*outcome).results[0].ok());
    return (*outcome).results[0]->table.rows[0][0].value_or("NULL");
}

TEST_CASE("a text that comes again is prepared, where that is allowed", "[db][live]") {
    Fixture fixture;
    const std::string text = "select 'twice', $1::text";
    const auto ask = [&](const std::string& value) {
        std::vector<Query> queries{{{"test", text}, {value}}};
        auto outcome = run_lane(
            fixture.connection.get(),
            fixture.statements,
            {},
            {&queries[0]},
            {},
            fixture.clock,
            false,
            fixture.timings,
            fixture.broken
        );
        REQUIRE(outcome.ok());
        REQUIRE(outcome->results.at(0).ok());
        return outcome->results[0]->table.rows[0][1];
    };
    CHECK(ask("a") == "a");
    CHECK(ask("b") == "b");
    CHECK(prepared_names(fixture).empty());
    fixture.statements.allow_preparing(true);
    CHECK(ask("c") == "c");
    CHECK_FALSE(prepared_names(fixture).empty());
    CHECK(ask("d") == "d");
    CHECK(ask("e") == "e");
}

TEST_CASE("a lane is the same prepared as not", "[db][live]") {
    Fixture fixture;
    fixture.database.sql("do $$ begin if not exists (select from pg_roles where rolname = 'narrow')"
                         " then create role narrow; end if; end $$");
    fixture.statements.allow_preparing(true);
    LaneSettings narrow;
    narrow.role = "narrow";
    for (int i = 0; i < 4; ++i) {
        const auto first = fixture.run({where_am_i, "commit", where_am_i}, narrow);
        REQUIRE(first.ok());
        CHECK((*first).results[0]->table.rows[0][0] == "narrow on 5s");
        const auto second = fixture.run({where_am_i, "insert into public.t values (2)"});
        REQUIRE(second.ok());
        CHECK((*second).results[0]->table.rows[0][0] == "postgres on 5s");
        CHECK_FALSE((*second).results[1].ok());
        CHECK(fixture.untouched());
    }
}

TEST_CASE("a statement known to fail costs no second trip", "[db][live]") {
    Fixture fixture;
    const std::vector<std::string> texts{"select 1", "select 1 from missing", "select 2"};
    for (const int trips : {2, 1, 1}) {
        fixture.trips = 0;
        const auto outcome = fixture.run(texts);
        REQUIRE(outcome.ok());
        CHECK((*outcome).results[0]->table.rows[0][0] == "1");
        CHECK((*outcome).results[1].error().code == Errc::not_supported);
        CHECK((*outcome).results[2]->table.rows[0][0] == "2");
        CHECK(fixture.trips == trips);
        CHECK_FALSE(fixture.broken);
    }
}

TEST_CASE("a plan gone stale is made anew", "[db][live]") {
    Fixture fixture;
    fixture.statements.allow_preparing(true);
    for (int i = 0; i < 3; ++i) {
        const auto outcome = fixture.run({"select * from public.t", "select 1"});
        REQUIRE(outcome.ok());
        REQUIRE((*outcome).results[0].ok());
    }
    fixture.database.sql("alter table t add b text");
    const auto outcome = fixture.run({"select * from public.t", "select 1"});
    REQUIRE(outcome.ok());
    REQUIRE((*outcome).results.size() == 2);
    REQUIRE((*outcome).results[0].ok());
    CHECK((*outcome).results[0]->table.columns == std::vector<std::string>{"a", "b"});
    CHECK((*outcome).results[1]->table.rows[0][0] == "1");
}

TEST_CASE("what is prepared is bounded, here and on the server", "[db][live]") {
    Fixture fixture;
    fixture.statements.allow_preparing(true);
    for (int i = 0; i < 600; ++i) {
        const std::string text = "select " + std::to_string(i / 2);
        const auto outcome = fixture.run({text});
        REQUIRE(outcome.ok());
        CHECK((*outcome).results[0]->table.rows[0][0] == std::to_string(i / 2));
    }
    const auto count = fixture.run({"select count(*) from pg_prepared_statements"});
    REQUIRE(count.ok());
    CHECK((*count).results[0]->table.integer(0, "count").value_or(0) <= 64);
}

TEST_CASE("a lane tells what it left behind, and nothing when it cannot know", "[db][live]") {
    Fixture fixture;
    CHECK((*fixture.run({"select 1"})).traces == "0 none");
    CHECK((*fixture.run({"select pg_advisory_lock(1)"})).traces == "1 none");
    CHECK((*fixture.run({"select pg_advisory_unlock_all()"})).traces == "0 none");
    CHECK((*fixture.run({"commit"})).traces == std::nullopt);
    CHECK((*fixture.run({"select 1"})).traces == "0 none");
}

} // namespace
} // namespace interlock::db
