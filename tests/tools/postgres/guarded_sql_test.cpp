#include "tools/postgres/guarded_sql.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::tools {
namespace {

db::GuardedStatement guarded(const std::string& sql) {
    return db::guard_sql(sql).statement.value();
}

db::Rows facts(std::vector<std::vector<db::Cell>> rows) {
    db::Rows answer;
    answer.table.columns = {"what", "ord", "a", "b", "c"};
    answer.table.rows = std::move(rows);
    return answer;
}

TEST_CASE("names are asked about as data, never as SQL", "[tools]") {
    const auto query =
        names_query(guarded("select f.* from \"o'x\".\"\"\"t\" f, pgstattuple('a')"));
    REQUIRE(query.parameters.size() == 1);
    CHECK(
        query.parameters[0] ==
        R"([{"kind":"relation","name":"\"t","schema":"o'x"},{"kind":"function",)"
        R"("name":"pgstattuple","schema":null}])"
    );
}

TEST_CASE("only names without a schema are given one", "[tools]") {
    const auto statement = guarded("select * from t, app.u, pg_class c where t.a = u.a");
    const auto judged = judge_names(
        statement,
        facts(
            {{"found", "1", "\"My Schema\"", "r", "1"},
             {"found", "2", "app", "r", "2"},
             {"found", "3", "pg_catalog", "r", "3"}}
        )
    );
    REQUIRE(judged.ok());
    // The walk meets names in an order of its own; whichever is first, no other is changed.
    CHECK(judged->text().find("app.u, pg_class") != std::string::npos);
}

TEST_CASE("a problem, a bad body and a flood refuse", "[tools]") {
    const auto statement = guarded("select * from app.v");
    const auto code = [&](const db::Rows& rows) {
        const auto judged = judge_names(statement, rows);
        return judged ? base::Errc::internal : judged.error().code;
    };
    CHECK(
        code(facts({{"problem", "0", "fn_user", "app.v", "runs function app.f"}})) ==
        base::Errc::refused_by_guard
    );
    CHECK(
        code(facts({{"body", "0", "app.v", " SELECT pg_sleep(1);", std::nullopt}})) ==
        base::Errc::refused_by_guard
    );
    CHECK(
        code(facts({{"body", "0", "app.v", "not sql", std::nullopt}})) ==
        base::Errc::refused_by_guard
    );
    CHECK(
        code(facts({{"ambiguous", "1", "a, b", std::nullopt, std::nullopt}})) ==
        base::Errc::invalid_arguments
    );
    CHECK(judge_names(statement, facts({{"body", "0", "app.v", "SELECT app.t.a FROM app.t", {}}})));
    auto flood = facts({});
    flood.cut = true;
    CHECK(code(flood) == base::Errc::refused_by_guard);
    CHECK(same_names(facts({}), facts({})));
    CHECK_FALSE(same_names(facts({}), facts({{"found", "1", "a", "r", "1"}})));
    CHECK_FALSE(same_names(flood, flood));
}

} // namespace
} // namespace interlock::tools
