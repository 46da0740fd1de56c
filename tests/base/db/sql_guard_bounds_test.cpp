#include "base/db/sql_guard.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string family(const std::string& sql) {
    return guard_sql(sql).verdict.family;
}

TEST_CASE("a size by constants is bounded, one by data is not", "[db][guard]") {
    CHECK(family("select repeat('x', 10000)") == "read");
    CHECK(family("select repeat('x', 10001)") == "dos_memory");
    CHECK(family("select repeat('x', 100 * 100 + 1)") == "dos_memory");
    CHECK(family("select repeat('x', 2 << 20)") == "dos_memory");
    CHECK(family("select repeat('x', '10001')") == "dos_memory");
    CHECK(family("select repeat('x', -3)") == "read");
    CHECK(family("select repeat('x', a + 2) from t") == "read");
    CHECK(family("select repeat('x', a * 1000000) from t") == "dos_memory");
    CHECK(family("select repeat('x')") == "dos_memory"); // no such function: unknown means no
    CHECK(family("select lpad(a, 80), rpad(a, 80, '.') from t") == "read");
}

TEST_CASE("series multiply", "[db][guard]") {
    CHECK(family("select generate_series(1, 100000)") == "read");
    CHECK(family("select generate_series(1, 100001)") == "dos_rows");
    CHECK(family("select generate_series(1, 10000000, 1000)") == "read");
    CHECK(family("select generate_series(-60000, 60000)") == "dos_rows");
    CHECK(family("select generate_series(- /* x */ 60000, 60000)") == "dos_rows");
    CHECK(family("select 1 from generate_series(1,300) a, generate_series(1,300) b") == "read");
    CHECK(family("select 1 from generate_series(1,400) a, generate_series(1,400) b") == "dos_rows");
    CHECK(family("select generate_series(1, array_upper(a, 1)) from t") == "read");
    CHECK(family("select generate_series(now() - interval '1 day', now(), '1 minute')") == "read");
}

TEST_CASE("relations that nothing joins are few", "[db][guard]") {
    CHECK(family("select 1 from a, b") == "read");
    CHECK(family("select 1 from a, b, c") == "dos_rows");
    CHECK(family("select 1 from a, b, c where a.x = b.x and b.x = c.x") == "read");
    CHECK(family("select 1 from a join b using (x) join c on c.y = b.y") == "read");
    CHECK(
        family("with a as (select 1), b as (select 2), c as (select 3) select 1 from a, b, c") ==
        "read"
    );
    CHECK(
        family("select 1 from pg_stat_bgwriter, pg_stat_archiver, pg_stat_wal, pg_class") == "read"
    );
}

TEST_CASE("a recursion has an end", "[db][guard]") {
    const std::string head = "with recursive r as (select 1 as n union all select n + 1 from r";
    CHECK(family(head + ") select * from r") == "dos_recursion");
    CHECK(family(head + " where n < 10) select * from r") == "read");
    CHECK(family(head + " where n < 10000000) select * from r") == "dos_recursion");
    CHECK(family(head + " join t on t.p = r.n) select * from r") == "read");
    CHECK(family("with recursive a as (select 1) select * from a") == "read");
}

TEST_CASE("patterns and formats do not unroll without bound", "[db][guard]") {
    CHECK(family("select a ~ '^[0-9]{1,3}(\\.[0-9]{1,3}){3}$' from t") == "read");
    CHECK(family("select a ~ '(x{1,200}){1,200}' from t") == "dos_regex");
    CHECK(family("select format('%-30s|%5$s', a) from t") == "read");
    CHECK(family("select format('%99999s', a) from t") == "dos_memory");
    CHECK(family("select 2 ^ 10, 2 ^ a from t") == "read");
    CHECK(family("select 2 ^ 1000000") == "dos_cpu");
}

} // namespace
} // namespace interlock::db
