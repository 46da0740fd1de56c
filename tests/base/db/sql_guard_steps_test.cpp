#include "base/db/sql_guard.hpp"
#include "base/db/sql_guard_steps.hpp"
#include "base/limits.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string repeated(const std::string& piece, std::size_t bytes) {
    std::string text;
    while (text.size() + piece.size() <= bytes) {
        text += piece;
    }
    return text;
}

TEST_CASE("the steps of a statement are counted and end", "[db][guard]") {
    GuardSteps::begin();
    CHECK(GuardSteps::take(base::limits::sql_guard_steps_max));
    CHECK_FALSE(GuardSteps::spent());
    CHECK_FALSE(GuardSteps::take());
    CHECK(GuardSteps::spent());
    CHECK_FALSE(GuardSteps::take(SIZE_MAX)); // no overflow
    CHECK(GuardSteps::spent());
    GuardSteps::begin();
    CHECK(GuardSteps::taken() == 0);
}

TEST_CASE("no statement takes the guard more steps than it has", "[db][guard]") {
    constexpr std::size_t bytes = 15'000;
    std::string series = "relpages";
    for (int i = 0; i < 5; ++i) {
        series = "generate_series(1, " + series + repeated(" + 1 * 1", 700) + ")";
    }
    std::string calls = "relname";
    for (int i = 0; i < 200; ++i) {
        calls = "replace(" + calls + ", 'abc', 'de')";
    }
    std::string powers = "2";
    for (int i = 0; i < 200; ++i) {
        powers = "2 ^ (" + powers + ")";
    }
    const std::string statements[] = {
        "select " + series + " from pg_class",
        "select " + calls + " from pg_class",
        "select " + powers,
        "select 'a'" + repeated(" || 'a'", 7'000) + " from pg_settings",
        "select name" + repeated(" || 'a'", 7'000) + " from pg_settings",
        "select 1" + repeated(" + 1", 4'000),
        "select 1" + repeated("::int", 4'000),
        "select " + repeated("not ", 4'000) + "true",
        "select 1 where true" + repeated(" and relname = 'a'", bytes),
        "select 1 where relkind in ('a'" + repeated(", 'b'", bytes) + ")",
        "select 1 from pg_class a" + repeated(", pg_class b", bytes),
        "select 1 from pg_class a" + repeated(" join pg_class b on a.oid = b.oid", bytes),
        "with recursive r(n) as (select 1 union all select q.n" + repeated(" || q.n", 7'000) +
            " from r q where n < 9) select 1 from r",
        "select 1" + repeated(" union all select 1", bytes),
        "with a0 as (select 1 a)" + repeated(", a1 as (select * from a0)", bytes) + " select 1",
    };
    for (const auto& sql : statements) {
        INFO(sql.substr(0, 80));
        const auto verdict = guard_sql(sql).verdict;
        CHECK(GuardSteps::taken() <= base::limits::sql_guard_steps_max + 1'664);
        CHECK((verdict.allowed || !verdict.reason.empty()));
    }
}

TEST_CASE("long statements that people write are far from the limit", "[db][guard]") {
    std::string columns = "c0";
    std::string names = "'n0'";
    for (int i = 1; i < 900; ++i) {
        columns += ", c" + std::to_string(i);
        names += ", 'n" + std::to_string(i) + "'";
    }
    for (const auto& sql :
         {"select " + columns + " from app.wide where c1 = 1",
          "select * from app.wide where c1 in (" + names + ")"}) {
        CHECK(guard_sql(sql).verdict.family == "read");
        CHECK(GuardSteps::taken() < base::limits::sql_guard_steps_max / 2);
    }
}

} // namespace
} // namespace interlock::db
