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

TEST_CASE("a number that is put together of text counts as any number", "[db][guard]") {
    const std::string twice = "select x::numeric * x::numeric from (select ";
    CHECK(price(twice + "'1' || 'e' || '6' || '5' || '0' || '0' || '0' x) q") == "dos_cpu");
    CHECK(price(twice + "'1e' || 65000 x) q") == "dos_cpu");
    CHECK(price(twice + "replace('1x65000', 'x', 'e') x) q") == "dos_cpu");
    CHECK(price("select ('1' || '00')::numeric * ('2' || '00')::numeric").empty());
    CHECK(price("select split_part(a, '.', 1)::numeric * split_part(a, '.', 2)::numeric from t")
              .empty());
}

} // namespace
} // namespace interlock::db
