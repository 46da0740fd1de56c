#include "cli/targets.hpp"
#include "tests/lab/lab.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("doctor and diagnose want a target, in its form", "[cli]") {
    CHECK(run_doctor({}) == Exit::usage);
    CHECK(run_diagnose({}) == Exit::usage);
    TargetsOptions nameless;
    nameless.targets = {"host=db1"};
    CHECK(run_doctor(nameless) == Exit::usage);
}

TEST_CASE("doctor tells a server that does not answer from one that is in order", "[cli][live]") {
    const lab::Database database;
    lab::apply_lane(database);
    TargetsOptions options;
    options.json = true;
    options.targets = {"lab=" + database.conninfo("interlock_diag")};
    CHECK(run_doctor(options) == Exit::ok);
    options.targets = {"lab=host=/nonexistent-directory dbname=shop user=interlock_diag"};
    CHECK(run_doctor(options) == Exit::unreachable);
}

TEST_CASE("doctor fails on a credential that can write", "[cli][live]") {
    const lab::Database database;
    TargetsOptions options;
    options.json = true;
    options.targets = {"lab=" + database.conninfo("postgres")};
    CHECK(run_doctor(options) == Exit::check_failed);
}

TEST_CASE("doctor looks as the roles that callers are mapped to", "[cli][live]") {
    const lab::Database database;
    lab::apply_lane(database);
    lab::run_sql(
        lab::primary(),
        "postgres",
        "do $$ begin create role doctor_mapped; exception when duplicate_object then null; end $$; "
        "grant doctor_mapped to interlock_diag"
    );
    TargetsOptions options;
    options.json = true;
    options.targets = {"lab=" + database.conninfo("interlock_diag")};
    options.roles = {"doctor_mapped"};
    CHECK(run_doctor(options) == Exit::ok);
    options.roles.push_back("doctor_unknown");
    CHECK(run_doctor(options) == Exit::check_failed);
    lab::run_sql(lab::primary(), "postgres", "revoke doctor_mapped from interlock_diag");
}

TEST_CASE("diagnose answers at a shell", "[cli][live]") {
    const lab::Database database;
    lab::apply_lane(database);
    test::TemporaryDirectory state;
    TargetsOptions options;
    options.state_directory = state.path();
    options.targets = {"lab=" + database.conninfo("interlock_diag")};
    CHECK(run_diagnose(options) == Exit::ok);
    options.targets = {"lab=host=/nonexistent-directory dbname=shop user=interlock_diag"};
    CHECK(run_diagnose(options) == Exit::unreachable);
}

} // namespace interlock::cli
