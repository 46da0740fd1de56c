#include "base/db/sql_guard.hpp"
#include "base/db/sql_guard_rows.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string family(const std::string& sql) {
    return guard_sql(sql).verdict.family;
}

TEST_CASE("relations are joined by what compares them", "[db][guard]") {
    const std::string three = "select count(*) from pg_class a, pg_class b, pg_class c where ";
    CHECK(family(three + "a.oid = b.oid and c.relname = 'x'") == "read");
    CHECK(family(three + "a.oid = b.oid and b.relam = c.relam") == "read");
    CHECK(family(three + "a.oid = b.oid or a.relname = b.relname") == "read");
    CHECK(family(three + "a.oid >= b.oid and a.oid < b.relam") == "read"); // a range
    CHECK(family(three + "a.oid > 0 and b.oid > 0") == "dos_rows");
    CHECK(family(three + "a.oid = a.oid and b.oid = b.oid") == "dos_rows");
    CHECK(family(three + "a.oid <> b.oid and b.oid <> c.oid") == "dos_rows");
    CHECK(family(three + "a.oid = b.oid or true") == "dos_rows");
    CHECK(family(three + "a.relpages + b.relpages + c.relpages = 5") == "dos_rows");
    // Columns that do not tell whose they are.
    const std::string plain = "select 1 from pg_class, pg_namespace, pg_constraint where ";
    CHECK(family(plain + "relnamespace = pg_namespace.oid and conname is not null") == "read");
    CHECK(family(plain + "relname is not null") == "dos_rows");
    CHECK(family("select * from a, b, c limit 1") == "read");
    CHECK(family("select * from a, b, c where a.x + b.x = 7 limit 1") == "dos_rows");
}

TEST_CASE("queries in FROM and WITH count as what they read", "[db][guard]") {
    CHECK(family("select 1 from (table pg_class) a, (table pg_proc) b, pg_type") == "dos_rows");
    CHECK(family("with a as (table pg_attribute) select count(*) from a, a b, a c") == "dos_rows");
    CHECK(
        family("with a as (select count(*) from pg_attribute) select * from a, a b, a c, pg_type"
        ) == "read"
    );
    CHECK(
        family("select 1 from pg_settings a, pg_settings b, pg_settings c where a.name = 'x' "
               "and b.name = 'y' and c.name = 'z'") == "read"
    );
    CHECK(
        family("select 1 where exists (select from pg_proc a, pg_proc b, pg_proc c)") == "dos_rows"
    );
    CHECK(
        family("select 1 from pg_class c, lateral (select 1 from pg_index i where i.indrelid = "
               "c.oid) x, lateral (select 1 from pg_attribute a where a.attrelid = c.oid) y"
        ) == "read"
    );
    CHECK(family("select array_agg(a) from pg_attribute a, pg_proc b") == "dos_memory");
    CHECK(family("select string_agg(repeat('x', 9999), '') from pg_attribute") == "dos_memory");
}

TEST_CASE("lists and moments of constants are counted", "[db][guard]") {
    const std::string list = "unnest(string_to_array(repeat(',', 9999), ','))";
    CHECK(family("select 1 from " + list + " a") == "read");
    CHECK(family("select 1 from " + list + " a, " + list + " b") == "dos_rows");
    CHECK(family("select unnest(array['a', 'b']) union all select unnest(array['c'])") == "read");
    const std::string days = "select generate_series(date '2026-01-01', '2026-12-31', ";
    CHECK(family(days + "'1 day')") == "read");
    CHECK(family(days + "'1 second')") == "dos_rows");
    CHECK(family(days + "make_interval(secs => 0.001))") == "dos_rows");
    CHECK(family("select generate_series(now() - interval '9 s', now(), '100 ms')") == "read");
    CHECK(family("select generate_series(1, x'7fffffff'::int)") == "dos_rows");
    CHECK(family("select generate_series(1, ('1' || '000000000')::int)") == "dos_rows");
    CHECK(family("select generate_series(1, (select 99999999))") == "dos_rows");
    CHECK(family("select generate_series(1, n) from (values (2000000000)) v(n)") == "dos_rows");
    CHECK(family("select generate_series(1, current_setting('max_connections')::int)") == "read");
}

TEST_CASE("a recursion neither multiplies nor doubles", "[db][guard]") {
    const auto step = [](const std::string& target, const std::string& from) {
        return "with recursive r(n, x) as (select 1, 'x' union all select n + 1, " + target +
               " from " + from + " where n < 30) select count(*) from r";
    };
    CHECK(family(step("x", "r")) == "read");
    CHECK(family(step("x || 'y'", "r")) == "read");
    CHECK(family(step("x || x", "r")) == "dos_memory");
    CHECK(family(step("concat(r.x, r.x)", "r")) == "dos_memory");
    CHECK(family(step("replace(x, 'x', 'xx')", "r")) == "dos_memory");
    CHECK(family(step("repeat(x, 2)", "r")) == "dos_memory");
    CHECK(family(step("x", "r, (values (1), (2)) v")) == "dos_recursion");
    CHECK(family(step("x", "r cross join pg_class")) == "dos_recursion");
    CHECK(family(step("unnest(array[x, x])", "r")) == "dos_recursion");
    CHECK(family(step("c.relname", "r join pg_class c on c.relpages = r.n")) == "read");
}

TEST_CASE("a series that a relation equals is not multiplied with it", "[db][guard]") {
    const std::string agg = "select json_agg(x) from generate_series(1, 1440) x ";
    CHECK(family(agg + "left join app.orders o on o.id = x") == "read");
    CHECK(family(agg + "left join app.orders o on date_trunc('day', o.at) = x") == "read");
    CHECK(family(agg + "(x) left join app.orders o using (x)") == "read");
    CHECK(family(agg + ", app.orders") == "dos_memory");
    CHECK(family(agg + "join app.orders o on o.id % 2 = x % 2") == "dos_memory");
    CHECK(family(agg + "join app.orders o on o.id > x") == "dos_memory");
    const std::string seconds = "select s, count(e.id) from generate_series(1, 90000) s ";
    CHECK(family(seconds + "left join app.events e on e.id = s group by s") == "read");
    CHECK(family(seconds + "left join app.events e on e.id > s group by s") == "dos_rows");
    CHECK(
        family("select json_agg(t) from (select g.m, count(e.id) from generate_series(1, 1440) "
               "g(m) left join app.events e on e.at >= m and e.at < m + 1 group by m) t") == "read"
    );
    CHECK(
        family("select json_agg(t) from (select e.id, g.m from generate_series(1, 1440) g(m), "
               "app.events e group by e.id, g.m) t") == "dos_memory"
    );
    CHECK(
        family("with g as (select generate_series(1, 1440) m) select json_agg(g.m) from g left "
               "join app.events e on e.id = g.m") == "read"
    );
    CHECK(
        family("with g as (select 1 m from generate_series(1, 1440)) select json_agg(g.m) from g "
               "join app.events e on e.id = g.m") == "dos_memory"
    );
}

TEST_CASE("relations of tens of rows may be kept multiplied", "[db][guard]") {
    CHECK(family("select json_agg(d.datname) from pg_database d, pg_roles r") == "read");
    CHECK(family("select json_agg(d.datname) from pg_database d, app.orders") == "read");
    CHECK(
        family("select json_agg(d.datname) from app.pg_database d, app.pg_roles r") == "dos_memory"
    );
    CHECK(family("select json_agg(1) from pg_database, pg_roles, pg_tablespace") == "dos_rows");
}

TEST_CASE("reasons name limits and remedies", "[db][guard]") {
    const auto rows = guard_sql("select 1 from pg_class, pg_proc, pg_attribute").verdict;
    CHECK(rows.reason.find("100,000") != std::string::npos);
    CHECK(rows.remedy.find("LIMIT") != std::string::npos);
    const auto memory = guard_sql("select repeat('x', 20000)").verdict;
    CHECK(memory.reason.find("10,000") != std::string::npos);
    CHECK_FALSE(memory.remedy.empty());
    for (const auto* newer :
         {"select '{}' is json",
          "select * from json_table('[]', '$[*]' columns (a int path '$'))",
          "select json_value ( '1', '$' returning int )"}) {
        const auto verdict = guard_sql(newer).verdict;
        INFO(verdict.reason);
        CHECK(verdict.family == "malformed");
        CHECK(verdict.reason.find("PostgreSQL 15") != std::string::npos);
    }
    CHECK(guard_sql("select from where").verdict.reason.find("15") == std::string::npos);
    CHECK(
        guard_sql("select\xc2\xa0"
                  "1")
            .verdict.reason ==
        "The statement holds a character that deceives its reader: U+00A0 at byte 7."
    );
}

} // namespace
} // namespace interlock::db
