#include "base/clock.hpp"
#include "base/db/sql_text.hpp"

#include <algorithm>
#include <array>
#include <pthread.h>
#include <thread>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
using Names = std::vector<std::string>;

StatementFacts facts_of(const std::string& sql) {
    auto facts = statement_facts(sql);
    INFO(sql);
    if (!facts) {
        FAIL(base::to_text(facts.error()));
    }
    return *facts;
}

Names sorted(Names names) {
    std::sort(names.begin(), names.end());
    return names;
}

bool holds(const Names& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string repeat(std::string_view piece, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) {
        text += piece;
    }
    return text;
}

TEST_CASE("a function is found wherever it can stand", "[db]") {
    const char* placements[] = {
        "select %",
        "select 1 from %",
        "select * from % as t(a)",
        "select * from rows from (%, g(1))",
        "select * from t, lateral % l",
        "select * from t join % u on true",
        "select * from t join u on % = 1",
        "select * from t where %",
        "select * from t where not %",
        "select * from t where a in (1, %)",
        "select * from t where a in (select %)",
        "select * from t where exists (select 1 where %)",
        "select * from t where a = any (array[%])",
        "select * from t where a between % and 2",
        "select * from t where a like %",
        "select * from t where (a, 1) = (select %, 2)",
        "select * from t where % is null",
        "select a from t group by %",
        "select a from t group by grouping sets ((a), (%))",
        "select a from t group by a having %",
        "select a from t order by %",
        "select a from t order by a limit %",
        "select a from t offset %",
        "select distinct on (%) a from t",
        "select count(*) filter (where %) from t",
        "select sum(a) over (partition by %) from t",
        "select sum(a) over w from t window w as (order by %)",
        "select sum(a) over (rows between % preceding and current row) from t",
        "select percentile_cont(0.5) within group (order by %) from t",
        "select string_agg(a, ',' order by %) from t",
        "select case when % then 1 else 2 end",
        "select case % when 1 then 2 end",
        "select case 1 when 2 then 3 else % end",
        "select coalesce(null, %)",
        "select nullif(1, %)",
        "select greatest(1, %)",
        "select row(1, %)",
        "select array[[1], [%]]",
        "select (array[1])[%]",
        "select (%).field",
        "select (%)::text",
        "select cast(% as text)",
        "select f(a => %)",
        "select f(variadic %)",
        "select % collate \"C\"",
        "select 1 union select %",
        "(select 1) except (select %)",
        "values (1), (%)",
        "select * from (values (%)) v",
        "select * from (select %) s",
        "with c as (select %) select * from c",
        "with c as materialized (select %) select 1",
        "with recursive c as (select 1 union all select % from c) select * from c",
        "explain select %",
        "explain (costs off) values (%)",
        "select -(%)",
        "select % is distinct from 1",
        "select % at time zone 'UTC'",
        "select extract(year from %)",
        "select (select (select (select %)))",
        "insert into t select %",
        "insert into t values (%)",
        "insert into t values (1) returning %",
        "insert into t values (1) on conflict (a) do update set b = % where true",
        "update t set a = %",
        "update t set (a, b) = (1, %)",
        "update t set a = 1 from % u",
        "delete from t using % u",
        "delete from t where % returning 1",
        "merge into t using u on % when matched then delete",
        "merge into t using u on true when matched and % then update set a = 1",
        "create index i on t (%)",
        "create index i on t (a) where %",
        "call %",
        "create table x as select %"};
    for (const std::string call :
         {"pg_sleep(1)",
          "PG_SLEEP(1)",
          "\"pg_sleep\"(1)",
          "U&\"\\0070g_sleep\"(1)",
          "pg_sleep /* */ (1)"}) {
        for (std::string sql : placements) {
            sql.replace(sql.find('%'), 1, call);
            const auto facts = facts_of(sql);
            INFO(sql);
            CHECK(holds(facts.functions, "pg_sleep"));
            CHECK(facts.unknown.empty());
        }
    }
}

TEST_CASE("names are given as written, and quoted where they could deceive", "[db]") {
    const auto facts =
        facts_of("select pg_catalog.lower(a), \"pg_catalog.lower\"(b), App.F(1), \"App\".f(2) "
                 "from pg_catalog.pg_class, \"pg_catalog.pg_class\", db.s.t, \"a\"\"b\"");
    CHECK(
        sorted(facts.functions) ==
        sorted({"pg_catalog.lower", "\"pg_catalog.lower\"", "app.f", "\"App\".f"})
    );
    CHECK(
        sorted(facts.relations) ==
        sorted({"pg_catalog.pg_class", "\"pg_catalog.pg_class\"", "db.s.t", "\"a\"\"b\""})
    );
}

TEST_CASE("operators and types outside pg_catalog count as code that runs", "[db]") {
    CHECK(facts_of("select 1 operator(app.+) 2").functions == Names{"operator(app.+)"});
    CHECK(facts_of("select 1 operator(pg_catalog.+) 2").functions.empty());
    CHECK(
        facts_of("select a from t order by a using operator(app.<)").functions ==
        Names{"operator(app.<)"}
    );
    CHECK(
        facts_of("select 1 operator(app.=) any (select 2)").functions == Names{"operator(app.=)"}
    );
    CHECK(
        facts_of("select 'x'::app.mood, cast(1 as app.mood)").functions == Names{"type(app.mood)"}
    );
    CHECK(facts_of("select app.mood 'x'").functions == Names{"type(app.mood)"});
    CHECK(facts_of("select * from f() as t(a app.mood)").functions == Names{"f", "type(app.mood)"});
    CHECK(facts_of("select 1::int, 'x'::pg_catalog.text, '{}'::text[]").functions.empty());
}

TEST_CASE("names of WITH are not relations, exactly where they can be seen", "[db]") {
    const std::pair<const char*, Names> expected[] = {
        {"with x as (select * from a) select * from x", {"a"}},
        {"with x as (select * from x) select * from x", {"x"}},
        {"with recursive x as (select * from x) select * from x", {}},
        {"with x as (select 1), y as (select * from x) select * from y", {}},
        {"with y as (select * from x), x as (select 1) select * from y", {"x"}},
        {"select * from x, (with x as (select 1) select * from x) q", {"x"}},
        {"with x as (select 1) select * from s.x", {"s.x"}},
        {"with x as (select 1) select * from (select * from x) q where exists (select from x)", {}},
        {"with x as (select 1) insert into x select * from x", {"x"}},
        {"with x as (select 1) (select * from x) union (select * from z)", {"z"}},
        {"with x as (select 1) select * from t for update of x", {"t"}}};
    for (const auto& [sql, relations] : expected) {
        CAPTURE(sql);
        CHECK(sorted(facts_of(sql).relations) == sorted(relations));
    }
}

TEST_CASE("every way to change rows is seen", "[db]") {
    for (const auto* sql :
         {"insert into t values (1)",
          "update t set a = 1",
          "delete from t",
          "merge into t using u on true when matched then delete",
          "truncate t",
          "with x as (delete from t returning 1) select * from x",
          "select * from (with x as (update t set a = 1 returning 1) select * from x) q",
          "select 1 into t",
          "create table t as select 1",
          "explain analyze delete from t",
          "(select 1 into t) union select 2"}) {
        CAPTURE(sql);
        CHECK(facts_of(sql).writes_rows);
    }
    for (const auto* sql : {"select 1", "vacuum t", "explain select 1", "select 'delete from t'"}) {
        CAPTURE(sql);
        CHECK_FALSE(facts_of(sql).writes_rows);
    }
}

TEST_CASE("row locks are seen anywhere", "[db]") {
    CHECK(facts_of("select * from t for update").locks_rows);
    CHECK(facts_of("select * from (select * from t for key share) q").locks_rows);
    CHECK(facts_of("with x as (select * from t for no key update) select 1 from x").locks_rows);
    CHECK_FALSE(facts_of("select 'for update' from t").locks_rows);
}

TEST_CASE("the kind is that of the first statement, and all are counted", "[db]") {
    const std::pair<const char*, const char*> kinds[] = {
        {"select 1", "SelectStmt"},
        {"table t", "SelectStmt"},
        {"values (1)", "SelectStmt"},
        {"explain select 1", "ExplainStmt"},
        {"show all", "VariableShowStmt"},
        {"set x = 1", "VariableSetStmt"},
        {"commit", "TransactionStmt"},
        {"vacuum t", "VacuumStmt"},
        {"analyze t", "VacuumStmt"},
        {"reindex index concurrently i", "ReindexStmt"},
        {"alter system set a = 1", "AlterSystemStmt"},
        {"-- c\nselect 1", "SelectStmt"}};
    for (const auto& [sql, kind] : kinds) {
        CAPTURE(sql);
        const auto facts = facts_of(sql);
        CHECK(facts.kind == kind);
        CHECK(facts.statements == 1);
        CHECK(facts.unknown.empty());
    }
    const auto two = facts_of("select f(); ; drop table t; select g()");
    CHECK(two.statements == 3);
    CHECK(two.kind == "SelectStmt");
    CHECK(two.functions == Names{"f", "g"});
    CHECK(facts_of("").statements == 0);
    CHECK(facts_of("-- nothing").kind.empty());
}

TEST_CASE("what the walk does not know it says", "[db]") {
    const std::pair<const char*, const char*> unknown[] = {
        {"do 'begin end'", "DoStmt"},
        {"prepare p as select 1", "PrepareStmt"},
        {"execute p", "ExecuteStmt"},
        {"declare c cursor for select 1", "DeclareCursorStmt"},
        {"create function f() returns int language sql as 'select 1'", "CreateFunctionStmt"},
        {"drop table t", "DropStmt"},
        {"alter table t add a int", "AlterTableStmt"},
        {"create role a", "CreateRoleStmt"},
        {"grant a to b", "GrantRoleStmt"},
        {"copy t to stdout", "CopyStmt"},
        {"lock table t", "LockStmt"},
        {"listen a", "ListenStmt"},
        {"notify a", "NotifyStmt"},
        {"load 'a'", "LoadStmt"},
        {"discard all", "DiscardStmt"},
        {"create extension a", "CreateExtensionStmt"},
        {"select * from t tablesample system (1)", "RangeTableSample"},
        {"select xmlparse(document '<a/>')", "XmlExpr"},
        {"select * from xmltable('/' passing a columns b text)", "RangeTableFunc"}};
    for (const auto& [sql, type] : unknown) {
        CAPTURE(sql);
        CHECK(holds(facts_of(sql).unknown, type));
    }
}

TEST_CASE("a text that does not parse says why and where", "[db]") {
    const auto facts = statement_facts("select from where");
    REQUIRE_FALSE(facts.ok());
    CHECK(facts.error().code == Errc::invalid_input);
    CHECK(facts.error().what.find("syntax error") != std::string::npos);
    CHECK(facts.error().what.find("character 13") != std::string::npos);
}

TEST_CASE("deep and large statements are refused or answered, never a crash", "[db]") {
    base::SystemClock clock;
    for (const auto& sql :
         {"select " + repeat("(", 1'900) + "1" + repeat(")", 1'900),
          "select " + repeat("not ", 3'900) + "true",
          "select 1" + repeat("::int", 1'900),
          "select 1" + repeat("+1", 1'900),
          "select " + repeat("-", 3'900) + "1",
          repeat("select (", 1'300) + "1" + repeat(")", 1'300),
          "select 1" + repeat(" union select 1", 1'000),
          "select f" + repeat("(f", 1'900) + repeat(")", 1'900),
          "select " + repeat("a[", 1'900) + "1" + repeat("]", 1'900),
          repeat("(", 16'000),
          "select " + repeat("case when true then ", 900),
          "select '" + repeat("x", 16'000) + "'",
          "select 1 from " + repeat("(select * from ", 700) + "t" + repeat(") q", 700)}) {
        CAPTURE(sql.substr(0, 60));
        const auto began = clock.ticks();
        const auto facts = statement_facts(sql);
        CHECK(std::chrono::duration<double>(clock.ticks() - began).count() < 2.0);
        if (!facts) {
            CHECK(
                (facts.error().code == Errc::invalid_input ||
                 facts.error().code == Errc::limit_exceeded)
            );
        }
    }
}

TEST_CASE("the caps stand before the parser", "[db]") {
    CHECK(statement_facts(std::string(20'000, ' ')).error().code == Errc::limit_exceeded);
    CHECK(
        statement_facts(std::string("select 1\0; drop table t", 23)).error().code ==
        Errc::invalid_input
    );
}

TEST_CASE("any number of statements leaves the process its thread-specific keys", "[db]") {
    constexpr int more_than_there_are_keys = 1'200;
    for (int i = 0; i < more_than_there_are_keys; ++i) {
        REQUIRE(statement_facts("select 1").ok());
    }
    pthread_key_t key{};
    REQUIRE(pthread_key_create(&key, nullptr) == 0);
    pthread_key_delete(key);
}

TEST_CASE("statements of several threads are told apart", "[db]") {
    constexpr int threads = 8;
    std::array<int, threads> right{};
    {
        std::vector<std::jthread> callers;
        for (std::size_t i = 0; i < threads; ++i) {
            callers.emplace_back([i, &right] {
                const auto name = "app.t" + std::to_string(i);
                for (int round = 0; round < 50; ++round) {
                    const auto facts = statement_facts("select * from " + name);
                    right[i] += facts && facts->relations == std::vector<std::string>{name} ? 1 : 0;
                }
            });
        }
    }
    for (const int each : right) {
        CHECK(each == 50);
    }
}

} // namespace
} // namespace interlock::db
