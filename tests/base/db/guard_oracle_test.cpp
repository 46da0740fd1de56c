// The guard against PostgreSQL's own opinion: what it allows is analysed by real servers, and no
// function in the tree that comes out is one that the guard would not have named.
#include "base/db/sql_guard.hpp"
#include "base/db/sql_guard_data.hpp"
#include "tests/base/db/guard/corpus.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/majors.hpp"
#include "tests/lab/session.hpp"

#include <set>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

namespace data = guard_data;

/// Tables that statements of the corpus speak of; functions and an operator that lie in wait.
constexpr const char* furniture = R"sql(
    create schema app;
    create table app.customers (id int primary key, name text, country text, email text,
                                created_at timestamptz);
    create table app.orders (id int primary key, customer_id int, total numeric, status text,
                             note text, meta jsonb, created_at timestamptz);
    create table app.events (id int, payload jsonb, created_at timestamptz);
    create function app.lower(text) returns text language sql volatile as 'select $1';
    create function app.count(text) returns text language sql volatile as 'select $1';
    create function public.length(text) returns int language sql volatile as 'select 1';
    create function public.never(int, int) returns bool language sql volatile as 'select true';
    create operator public.= (leftarg = int, rightarg = int, function = public.never);
    create schema oracle;
)sql";

/// The analysed tree of a view: functions (also behind operators, casts, aggregates, windows and
/// samples) with their schema and volatility, and relations.
constexpr const char* facts_sql = R"sql(
    with tree as (
        select ev_action::text as t from pg_catalog.pg_rewrite
        where ev_class = 'oracle.v'::pg_catalog.regclass
    ), ids as (
        select distinct m[1] as what, m[2]::oid as id
        from tree, pg_catalog.regexp_matches(
            t, ':(funcid|opfuncid|aggfnoid|winfnoid|tsmhandler|relid|resulttype) (\d+)', 'g') m
    )
    select 'function', p.proname, n.nspname, p.provolatile::text
    from ids join pg_catalog.pg_proc p on p.oid = id
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where what not in ('relid', 'resulttype')
    union all
    select 'type', t.typname, n.nspname, ''
    from ids join pg_catalog.pg_type t on t.oid = id
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace where what = 'resulttype'
    union all
    select 'relation', c.relname, n.nspname, ''
    from ids join pg_catalog.pg_class c on c.oid = id
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where what = 'relid' and n.nspname <> 'oracle')sql";

bool known_home(const std::string& schema) {
    return schema == "pg_catalog" || schema == "information_schema";
}

TEST_CASE(
    "what is allowed holds nothing else when PostgreSQL has analysed it", "[db][guard][live]"
) {
    for (const int major : lab::majors()) {
        lab::Database database{lab::primary(major)};
        lab::Session session{database.conninfo()};
        session.run(furniture);
        session.run("set search_path = pg_catalog");
        std::size_t analysed = 0;
        for (const auto& sql : test::allowed_statements()) {
            const auto answer = guard_sql(sql);
            if (!answer.statement || answer.statement->kind() != StatementKind::select ||
                answer.statement->has_parameters()) {
                continue;
            }
            db::Table facts;
            try {
                facts = session.run(
                    "drop view if exists oracle.v; create view oracle.v as select 1 as one from (" +
                    answer.statement->text() + "\n) as q; " + facts_sql
                );
            } catch (const std::runtime_error&) {
                continue; // of another version, or about objects that are not here
            }
            ++analysed;
            for (const auto& row : facts.rows) {
                const auto what = row[0].value_or("");
                const auto name = row[1].value_or("");
                const auto schema = row[2].value_or("");
                INFO(major << ": " << sql << "\n" << what << " " << schema << "." << name);
                if (what == "relation") {
                    CHECK(data::secret_relation(schema, name).empty());
                    continue;
                }
                CHECK(known_home(schema));
                CHECK((row[3] != "v" || test::changes_nothing(name)));
            }
        }
        INFO(major);
        CHECK(analysed > 300);
    }
}

TEST_CASE("no function of an allowed name does more than look", "[db][guard][live]") {
    for (const int major : lab::majors()) {
        lab::Database database{lab::primary(major)};
        const auto functions = database.sql(
            "select distinct proname, pg_catalog.quote_ident(proname), pronargs > 0 and pronargs - "
            "pronargdefaults <= 1 and proargtypes[0] not in ('internal'::regtype, "
            "'cstring'::regtype) "
            "from pg_proc where pronamespace = 'pg_catalog'::regnamespace and provolatile = 'v'"
        );
        CHECK(functions.rows.size() > 100);
        for (const auto& row : functions.rows) {
            const auto name = row[0].value_or("");
            INFO(major << ": " << name);
            if (data::allowed_function(name)) {
                CHECK(test::changes_nothing(name));
            } else if (row[2] == "t") { // written as a field, it is called as well
                CHECK_FALSE(guard_sql("select (1)." + row[1].value_or("")).verdict.allowed);
            }
        }
    }
}

TEST_CASE(
    "PostgreSQL's own views are classified, and what is allowed only reads", "[db][guard][live]"
) {
    const std::set<std::string> reasons{"secret_catalog", "fn_file"};
    for (const int major : lab::majors()) {
        lab::Database database{lab::primary(major)};
        lab::Session session{database.conninfo()};
        session.run("set search_path = ''; set default_transaction_read_only = on");
        const auto views = session.run(
            "select oid::regclass, pg_get_viewdef(oid) from pg_class where relkind = 'v' "
            "and relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        );
        std::size_t allowed = 0;
        for (const auto& view : views.rows) {
            const auto answer = guard_sql(view[1].value_or(""));
            INFO(major << ": " << view[0].value_or("") << "\n" << answer.verdict.reason);
            if (!answer.statement) {
                // They show less of these than whoever reads the tables themselves. Statistics have
                // values of any type.
                CHECK(
                    (reasons.contains(answer.verdict.family) ||
                     answer.verdict.reason.find("anyarray") != std::string::npos)
                );
                continue;
            }
            ++allowed;
            CHECK(session.try_run("explain " + answer.statement->text()).empty());
        }
        INFO(major);
        CHECK(views.rows.size() > 120);
        CHECK(allowed > 90);
    }
}

} // namespace
} // namespace interlock::db
