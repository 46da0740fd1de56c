#include "base/db/sql_guard.hpp"
#include "base/db/sql_guard_spelling.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

/// What is sent of a statement; the class when nothing is.
std::string sent(const std::string& sql) {
    const auto answer = guard_sql(sql);
    return answer.statement ? answer.statement->text() : answer.verdict.family;
}

TEST_CASE("numbers of newer servers become plain ones", "[db][guard]") {
    CHECK(older_spelling("1_000 0xFF 0o17 0b1_0 1_0.5e1_0") == "1000 255 15 2 10.5e10");
    CHECK_FALSE(older_spelling("select 1000, 1.5, a1_000, $1").has_value());
    // In a text, a name or a comment there are no numbers.
    CHECK_FALSE(older_spelling("'1_0' \"1_0\" e'\\'1_0' $$1_0$$ $a$1_0$a$ -- 1_0").has_value());
    CHECK_FALSE(older_spelling("/* /* 1_0 */ 1_0 */").has_value());
    CHECK_FALSE(older_spelling("1__0 1_ 0xfg 0xfffffffffffffffff").has_value());
    CHECK(sent("select 1_000") == "select 1000");
    CHECK(sent("select count(*) from generate_series(1, 1_000_000_000)") == "dos_rows");
    CHECK(sent("select repeat('x', 0x7fffffff)") == "dos_memory");
}

TEST_CASE("a query in FROM is given the name that it lacks", "[db][guard]") {
    CHECK(
        sent("select * from (select ')' as a) where a = ''") ==
        "select * from (select ')' as a) as unnamed_subquery_1  where a = ''"
    );
    CHECK(
        sent("select * from (values (1)), (select 2 from (select 3))").find("unnamed_subquery_3") !=
        std::string::npos
    );
    CHECK(sent("select * from (select pg_sleep(5))") == "fn_sleep");
    CHECK(sent("select * from (delete from a returning 1)") == "malformed");
    CHECK_FALSE(with_alias("a)", 0, 1).has_value());
    CHECK_FALSE(with_alias("(a", 0, 1).has_value());
}

TEST_CASE("constructors of JSON and AT LOCAL have older words", "[db][guard]") {
    CHECK(
        sent("select json_object('a': x[1:2], 'b' value value) from t") ==
        "select json_build_object('a', x[1:2], 'b' , value) from t"
    );
    CHECK(older_spelling("json_objectagg(k: v returning jsonb)") == "jsonb_object_agg(k, v  )");
    CHECK_FALSE(older_spelling("json_object('{a,1}'), json_object(a, b)").has_value());
    CHECK_FALSE(older_spelling("json_object(a::text, b)").has_value());
    CHECK(sent("select json_object('a': 1 absent on null)") == "malformed");
    CHECK(sent("select json_object('a': pg_sleep(1))") == "fn_sleep");
    CHECK(
        sent("select now() at local") ==
        "select now() at time zone pg_catalog.current_setting('TimeZone')"
    );
    CHECK(sent("select at.local from x at") == "select at.local from x at");
}

} // namespace
} // namespace interlock::db
