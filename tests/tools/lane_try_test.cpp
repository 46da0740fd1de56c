#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/tools/lane_checks.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace lab = interlock::lab;
using interlock::test::checks_of;
using interlock::test::failed;
using interlock::test::find;
using interlock::test::Strings;

TEST_CASE("what doctor tries is refused to the narrow role", "[tools][live]") {
    lab::Database database;
    database.sql("create table public.customers (id int)");
    lab::apply_lane(database);
    const auto checks = tools::check_lane_by_trying(database.address("interlock_diag"));
    REQUIRE(checks.ok());
    CHECK(failed(*checks) == Strings{});
    CHECK_THAT(find(*checks, "refuses_delete").proof, Catch::Contains("42501"));
    CHECK_THAT(find(*checks, "transaction_is_read_only").proof, Catch::Contains("refused"));
    CHECK_THAT(find(*checks, "transaction_stays_read_only").proof, Catch::Contains("25001"));
    CHECK_THAT(find(*checks, "refuses_ddl").proof, Catch::Contains("refused"));
    CHECK_THAT(find(*checks, "refuses_server_files").proof, Catch::Contains("42501"));
    CHECK(database.scalar("select count(*) from pg_largeobject_metadata") == "0");
    CHECK(database.scalar("select to_regclass('interlock_must_not_exist') is null") == "t");
}

TEST_CASE(
    "what doctor tries shows a credential that can write, and harms nothing", "[tools][live]"
) {
    lab::Database database;
    database.sql("create table public.t (a int); insert into t values (1); analyze t");
    const auto checks = tools::check_lane_by_trying(database.address("postgres"));
    REQUIRE(checks.ok());
    CHECK_THAT(find(*checks, "refuses_delete").proof, Catch::Contains("it was allowed"));
    CHECK(find(*checks, "transaction_is_read_only").passed);
    CHECK(database.scalar("select count(*) from t") == "1");
}

TEST_CASE("doctor leaves locked tables alone and calls a lock no defect", "[tools][live]") {
    lab::Database database;
    database.sql("create table public.orders (id int); insert into orders "
                 "select generate_series(1, 1000); analyze orders;"
                 "create table public.quiet (id int)");
    lab::apply_lane(database);
    lab::Session incident{database.conninfo()};
    incident.run("begin; lock table public.orders in access exclusive mode");
    const auto checks = tools::check_lane_by_trying(database.address("interlock_diag"));
    REQUIRE(checks.ok());
    CHECK(failed(*checks) == Strings{});
    for (const tools::LaneCheck& check : *checks) {
        INFO(check.name << ": " << check.proof);
        CHECK((check.name != "refuses_delete" || check.passed));
        CHECK(check.proof.find("orders") == std::string::npos);
    }
}
