#include "base/db/sql_guard.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string family(const std::string& sql) {
    return guard_sql(sql).verdict.family;
}

std::string splits(const std::string& step, const std::string& where) {
    return "with recursive t(rest, n) as (select 'a,b,c', 1 union all select " + step +
           ", n from t where " + where + ") select * from t";
}

TEST_CASE("a text that is taken apart comes to an end", "[db][guard]") {
    const std::string cut = "substring(rest from position(',' in rest) + 1)";
    CHECK(family(splits(cut, "rest like '%,%'")) == "read");
    CHECK(family(splits(cut, "rest <> ''")) == "read");
    CHECK(family(splits(cut, "n > 0 and position(',' in rest) > 0")) == "read");
    CHECK(family(splits(cut, "length(rest) > 10")) == "read");
    CHECK(family(splits("right(rest, -1)", "rest <> ''")) == "read");
    CHECK(family(splits("ltrim(substr(rest, 2))", "rest ~ '[a-z]'")) == "read");
    CHECK(family(splits(cut, "split_part(rest, ',', 1) <> ''")) == "read");
    CHECK(family(splits(cut, "rest <> '' or n > 0")) == "dos_recursion");
    CHECK(family(splits(cut, "rest is not null")) == "dos_recursion");
    CHECK(family(splits(cut, "rest like '%'")) == "dos_recursion");
    CHECK(family(splits(cut, "length(rest) >= 0")) == "dos_recursion");
    CHECK(family(splits("rest", "rest <> ''")) == "dos_recursion");
    CHECK(family(splits("substr(rest, 1)", "rest <> ''")) == "dos_recursion");
    CHECK(
        family("with recursive p as (select path, 1 i from app.c union all select path, i + 1 "
               "from p where split_part(path, '/', i + 1) <> '') select * from p") == "read"
    );
    CHECK(
        family("with recursive p as (select path, 1 i from app.c union all select path, i from p "
               "where split_part(path, '/', i + 1) <> '') select * from p") == "dos_recursion"
    );
}

TEST_CASE("a UNION of few values comes to an end", "[db][guard]") {
    const auto query = [](const std::string& all, const std::string& step) {
        return "with recursive x(pid) as (select 123 union " + all + step + ") select * from x";
    };
    const std::string blocking = "select unnest(pg_blocking_pids(x.pid)) from x";
    CHECK(family(query("", blocking)) == "read");
    CHECK(family(query("all ", blocking)) == "dos_recursion");
    CHECK(
        family(query("", "select b.pid from x cross join lateral (" + blocking + ") b(pid)")) ==
        "read"
    );
    CHECK(family(query("", "select (pid * 7) % 11 from x")) == "read");
    CHECK(family(query("", "select pid % pid from x")) == "dos_recursion");
    CHECK(family(query("", "select pid + 1 from x")) == "dos_recursion");
    CHECK(family(query("", "select random()::int from x")) == "dos_recursion");
}

TEST_CASE("what does not end is refused with what to write", "[db][guard]") {
    const auto verdict = guard_sql("with recursive t(n) as (select 1 union all select n + 1 from t)"
                                   " select n from t")
                             .verdict;
    CHECK(verdict.reason == "The recursion has no condition that the guard can see end it.");
    CHECK(verdict.remedy.find("WHERE n < 1000") != std::string::npos);
}

} // namespace
} // namespace interlock::db
