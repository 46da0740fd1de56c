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
