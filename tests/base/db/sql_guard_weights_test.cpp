#include "base/db/sql_guard.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string family(const std::string& sql) {
    return guard_sql(sql).verdict.family;
}

/// `column` AS a, over and over; `behind` stands behind each query.
std::string nested(const std::string& column, int levels, const std::string& behind = "") {
    std::string sql = "(select relname::text a from pg_class) q";
    for (int i = 0; i < levels; ++i) {
        sql = "(select " + column + " a from " + sql + behind + ") q";
    }
    return sql;
}

TEST_CASE("a column counts as often as queries in queries write it", "[db][guard]") {
    CHECK(family("select a from " + nested("a || a", 13)) == "read"); // 8,192
    CHECK(family("select a from " + nested("a || a", 14)) == "dos_memory");
    CHECK(family("explain select a from " + nested("a || a", 14)) == "dos_memory");
    CHECK(family("select length(a) from " + nested("a || a", 14, " offset 0")) == "dos_memory");
    CHECK(family("select a from " + nested("a || '.'", 40)) == "read");
    CHECK(family("select a from " + nested("upper(trim(a))", 40)) == "read");
    CHECK(family("select a from " + nested("replace(a, 'x', 'y')", 40)) == "read");
    CHECK(family("select a from " + nested("a", 60)) == "dos_parser");
    for (const auto* column :
         {"coalesce(a, a)",
          "case when a = '' then a end || a",
          "array[a]::text",
          "quote_literal(a)",
          "replace(a, 'x', 'xx')",
          "repeat(a, 2)",
          "(select a || a)",
          "case when a in (a, '') then '' end"}) {
        INFO(column);
        CHECK(family("select a from " + nested(column, 24)) == "dos_memory");
    }
}

TEST_CASE("a column is found under whatever name it has", "[db][guard]") {
    const auto heavy = nested("a || a", 13);
    CHECK(family("select b || b from (select * from " + heavy + ") x(b)") == "dos_memory");
    CHECK(family("select x.b || x.b from " + heavy + ", lateral (select q.a b) x") == "dos_memory");
    CHECK(
        family("select upper || upper from (select upper(a) from " + heavy + ") x") == "dos_memory"
    );
    CHECK(
        family("with c(b) as (select a from " + heavy + ") select b || b from c") == "dos_memory"
    );
    CHECK(
        family(
            "with recursive d as (select b || b from c), c(b) as (select a from " + heavy +
            ") select * from d"
        ) == "dos_memory"
    );
    CHECK(
        family("select b || b from (values ('')) v(b) union all select a || a from " + heavy) ==
        "dos_memory"
    );
    CHECK(
        family("select j::text || j::text from (" + heavy + " cross join pg_am) j") == "dos_memory"
    );
    CHECK(family("select relname || relname from pg_class, " + heavy) == "read");
    CHECK(family("select x.a || x.a from (select 1 a) x, " + heavy) == "read");
}

TEST_CASE("the step of a recursion is so many queries in queries", "[db][guard]") {
    const auto step = [](const std::string& x, const std::string& y) {
        return "with recursive r(n, x, y) as (select 1, 'x', 'y' union all select n + 1, " + x +
               ", " + y + " from r where n < 30) select count(*) from r";
    };
    CHECK(family(step("x || y", "y")) == "read");
    CHECK(family(step("x || y || n", "y || n")) == "read");
    CHECK(family(step("x || y", "y || x")) == "dos_memory");
    CHECK(family(step("y", "x || y")) == "dos_memory"); // Fibonacci
    CHECK(family(step("format('%s>%s', x, 'a')", "y")) == "read");
    CHECK(family(step("format('%L', x)", "y")) == "dos_memory");
    CHECK(family(step("case when length(x) > 5 then x else x || '.' end", "y")) == "read");
    CHECK(family(step("substr(x, length(x) / 2)", "coalesce(y, x)")) == "read");
    CHECK(family(step("row(x, y)::text", "y")) == "dos_memory");
    CHECK(
        family(step("(select string_agg(z, '') from (values (x), (x)) v(z))", "y")) == "dos_memory"
    );
    CHECK(
        family("with recursive f(a, b) as (select 0, 1 union all select b, a + b from f where b "
               "< 1000) select a from f") == "read"
    );
}

TEST_CASE("a reason names the limit and what to do", "[db][guard]") {
    const auto verdict = guard_sql("select a from " + nested("a || a", 20)).verdict;
    CHECK(verdict.reason.find("10,000") != std::string::npos);
    CHECK_FALSE(verdict.remedy.empty());
}

} // namespace
} // namespace interlock::db
