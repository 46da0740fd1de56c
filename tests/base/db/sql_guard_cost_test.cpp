#include "base/db/sql_guard_cost.hpp"
#include "base/db/sql_tree.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

std::string price(const std::string& sql) {
    const auto tree = parse_sql_tree(sql).value();
    return std::string{GuardCost{sql}.judge(tree["stmts"][0]["stmt"])};
}

TEST_CASE("text is followed through columns", "[db][guard]") {
    const std::string made = " from (select repeat('a', 10000) x) q";
    CHECK(price("select repeat(x, 10)" + made).empty());
    CHECK(price("select repeat(x, 10000)" + made) == "dos_memory");
    CHECK(price("select repeat(q.x, 10000)" + made) == "dos_memory");
    CHECK(price("select repeat(q::text, 10000)" + made) == "dos_memory");
    CHECK(price("select (select repeat(x, 10000))" + made) == "dos_memory");
    CHECK(
        price("with c(y) as (select x" + made + ") select repeat(y, 10000) from c") == "dos_memory"
    );
    CHECK(price("select repeat(a, 10000) from (values (repeat('a', 10000))) v(a)") == "dos_memory");
    CHECK(price("select repeat(x, 10000) from t, (select 1 x) q").empty());
    CHECK(price("select repeat(relname, 9999) from pg_class").empty());
}

TEST_CASE("what a statement makes is summed", "[db][guard]") {
    std::string many = "select 1";
    for (int i = 0; i < 2'000; ++i) {
        many += ", repeat('x', 10000)";
    }
    CHECK(price(many) == "dos_memory");
    CHECK(price("select repeat('x', 10000), repeat('y', 10000)").empty());
}

TEST_CASE("text that is quoted again and again doubles", "[db][guard]") {
    std::string nested = "''''";
    for (int i = 0; i < 27; ++i) {
        nested = "quote_literal(" + nested + ")";
    }
    CHECK(price("select " + nested) == "dos_memory");
    CHECK(price("select quote_literal(quote_literal(a)) from t").empty());
}

TEST_CASE("digits multiply", "[db][guard]") {
    CHECK(price("select 2 ^ 1000, 10.0 ^ 300, 1e300::float8").empty());
    CHECK(price("select 1e1001") == "dos_cpu");
    CHECK(price("select (1e131 - 1) ^ 1000") == "dos_cpu");
    CHECK(price("select a * a from (select '1e65000'::numeric a) q") == "dos_cpu");
    CHECK(price("select a::numeric * b / c from t").empty());
}

TEST_CASE("an aggregate keeps its rows", "[db][guard]") {
    CHECK(price("select string_agg(g::text, ',') from generate_series(1, 10000) g").empty());
    CHECK(
        price("select string_agg(lpad('', 9999), '') from generate_series(1, 9999) g") ==
        "dos_memory"
    );
    CHECK(
        price("select jsonb_agg(g) @> jsonb_agg(g) from generate_series(1, 9999) g") == "dos_cpu"
    );
}

TEST_CASE("a pattern that functions made cannot be judged", "[db][guard]") {
    CHECK(price("select a ~ ('^' || b || '.{2}') from t").empty());
    CHECK(price("select a ~ lower(b) from t").empty());
    CHECK(price("select a ~ reverse('}9{b')") == "dos_regex");
    CHECK(price("select a ~ (c || d) from (values ('a{2', '}')) v(c, d)") == "dos_regex");
}

TEST_CASE("columns that stars repeat are bounded", "[db][guard]") {
    std::string sql = "with c0 as (select 1 a, 2 b)";
    for (int i = 0; i < 40; ++i) {
        const auto last = "c" + std::to_string(i);
        sql += ", c" + std::to_string(i + 1) + " as (select * from " + last + " x, " + last + " y)";
    }
    CHECK(price(sql + " select * from c40") == "dos_parser");
}

} // namespace
} // namespace interlock::db
