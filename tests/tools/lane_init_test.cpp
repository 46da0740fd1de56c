#include "tests/lab/lab.hpp"
#include "tests/tools/lane_checks.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace lab = interlock::lab;
using interlock::test::checks_of;
using interlock::test::failed;
using interlock::test::find;
using interlock::test::Strings;

TEST_CASE("the lane's SQL quotes names and holds no password", "[tools]") {
    const std::string sql = tools::init_sql(
        {.database = "my\"db",
         .diag_role = "di'ag",
         .read_role = "",
         .executor_role = "ex\"ec",
         .connection_limit = 6}
    );
    CHECK_THAT(sql, Catch::Contains("\"my\"\"db\""));
    CHECK_THAT(sql, Catch::Contains("'di''ag'"));
    CHECK_THAT(sql, Catch::Contains("\"ex\"\"ec\""));
    CHECK(sql.find("password '") == std::string::npos);
}

TEST_CASE("the lane's SQL runs clean, twice, and makes a narrow role", "[tools][live]") {
    lab::Database database;
    const std::string sql = tools::init_sql(
        {.database = database.name(),
         .diag_role = "interlock_diag",
         .read_role = "interlock_read_test",
         .executor_role = "interlock_exec",
         .connection_limit = 6}
    );
    database.sql("create table public.customers (id int); create sequence public.numbers");
    database.sql(sql);
    database.sql(sql);
    const auto checks = checks_of(database, "interlock_diag");
    CHECK(failed(checks) == Strings{});
    CHECK(tools::require_narrow("lab", checks).ok());
    CHECK(find(checks, "sees_all_sessions").passed);
    CHECK(find(checks, "reads_no_user_tables").passed);
    for (const tools::LaneCheck& check : checks) {
        INFO(check.name << ": " << check.proof);
        CHECK_FALSE(check.proof.starts_with("could not be asked"));
        CHECK_FALSE(check.remedy.empty());
    }
    database.sql("drop owned by interlock_read_test; drop role interlock_read_test");
}

TEST_CASE("the executor keeps its ledger and is no reader's credential", "[tools][live]") {
    lab::Database database;
    lab::apply_lane(database);
    database.sql(
        "insert into interlock_exec.ledger (plan_digest, step, direction, fence, executor) "
        "values ('d', 1, 'forward', 1, 'e')",
        "interlock_exec"
    );
    CHECK(
        database.scalar("select at is not null from interlock_exec.ledger", "interlock_exec") == "t"
    );
    const auto checks = checks_of(database, "interlock_exec");
    const auto reasons = failed(checks);
    const auto has = [&](const char* name) {
        return std::find(reasons.begin(), reasons.end(), name) != reasons.end();
    };
    CHECK(has("no_powerful_membership"));
    CHECK(has("owns_nothing"));
    CHECK(has("cannot_write_tables"));
}
