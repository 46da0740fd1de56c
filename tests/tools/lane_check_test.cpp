#include "tests/lab/lab.hpp"
#include "tests/tools/lane_checks.hpp"
#include "tools/lane_check.hpp"

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
namespace lab = interlock::lab;
using interlock::test::checks_of;
using interlock::test::failed;
using interlock::test::find;
using interlock::test::Strings;

namespace {

/// A role of the shared cluster, dropped at the end of the test.
class Role {
public:
    Role(const lab::Database& database, std::string name, const std::string& options = "login")
        : database_{database}, name_{std::move(name)} {
        database_.sql("create role " + name_ + " " + options);
    }
    Role(const Role&) = delete;
    Role& operator=(const Role&) = delete;
    ~Role() {
        try {
            database_.sql("drop owned by " + name_ + "; drop role " + name_);
        } catch (const std::exception&) {
            // The cluster goes away with the test program in any case.
        }
    }

private:
    const lab::Database& database_;
    std::string name_;
};

} // namespace

TEST_CASE("the first required check that fails is the reason to refuse", "[tools]") {
    std::vector<tools::LaneCheck> checks{
        {.name = "fine", .passed = true, .required = true, .proof = "", .remedy = ""},
        {.name = "advice", .passed = false, .required = false, .proof = "", .remedy = ""}};
    CHECK(tools::require_narrow("main", checks).ok());
    checks.push_back(
        {.name = "owns_nothing",
         .passed = false,
         .required = true,
         .proof = "2 objects owned",
         .remedy = "Give them away."}
    );
    const auto refused = tools::require_narrow("main", checks);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Errc::permission_denied);
    CHECK_THAT(refused.error().what, Catch::Contains("owns_nothing"));
    CHECK_THAT(refused.error().remedy, Catch::Contains("Give them away."));
}

TEST_CASE("a check that could not be asked refuses without blaming the credential", "[tools]") {
    std::vector<tools::LaneCheck> checks{
        {.name = "cannot_write_tables",
         .passed = false,
         .required = true,
         .proof = "could not be asked: the statement took too long.",
         .remedy = "Try again.",
         .unanswered = base::Error{base::Errc::timeout, "The statement took too long.", ""}}};
    const auto refused = tools::require_narrow("main", checks);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::Errc::timeout);
    CHECK_THAT(refused.error().what, Catch::Contains("cannot_write_tables) could not be asked"));
    CHECK_THAT(refused.error().what, !Catch::Contains(".."));
    // What is known to be wrong comes first.
    checks.push_back(
        {.name = "owns_nothing",
         .passed = false,
         .required = true,
         .proof = "2 objects owned",
         .remedy = "Give them away."}
    );
    CHECK(tools::require_narrow("main", checks).error().code == base::Errc::permission_denied);
}

TEST_CASE("a superuser is refused", "[tools][live]") {
    lab::Database database;
    const auto checks = checks_of(database, "postgres");
    CHECK_FALSE(find(checks, "not_superuser").passed);
    CHECK_FALSE(tools::require_narrow("lab", checks).ok());
}

TEST_CASE("each right that widens the lane is found", "[tools][live]") {
    lab::Database database;
    const Role role{database, "lane_probe"};
    database.sql(
        "revoke create on schema public from public;"
        "create table public.t (a int, b int); create sequence public.s;"
        "create function public.f() returns int language sql security definer as 'select 1';"
        "revoke execute on function public.f() from public"
    );
    REQUIRE(failed(checks_of(database, "lane_probe")) == Strings{});
    const auto widened = [&](const std::string& grant, const std::string& revoke) {
        database.sql(grant);
        const auto reasons = failed(checks_of(database, "lane_probe"));
        database.sql(revoke);
        INFO(grant);
        REQUIRE(failed(checks_of(database, "lane_probe")) == Strings{});
        return reasons;
    };
    CHECK(
        widened("alter role lane_probe createdb", "alter role lane_probe nocreatedb") ==
        Strings{"cannot_create_roles_or_databases"}
    );
    CHECK(
        widened("alter role lane_probe createrole", "alter role lane_probe nocreaterole") ==
        Strings{"cannot_create_roles_or_databases"}
    );
    CHECK(
        widened("alter role lane_probe replication", "alter role lane_probe noreplication") ==
        Strings{"cannot_replicate"}
    );
    CHECK(
        widened("alter role lane_probe bypassrls", "alter role lane_probe nobypassrls") ==
        Strings{"cannot_bypass_row_security"}
    );
    CHECK(
        widened("grant insert on t to lane_probe", "revoke insert on t from lane_probe") ==
        Strings{"cannot_write_tables"}
    );
    CHECK(
        widened("grant update (b) on t to lane_probe", "revoke update (b) on t from lane_probe") ==
        Strings{"cannot_write_tables"}
    );
    CHECK(
        widened("grant delete on t to public", "revoke delete on t from public") ==
        Strings{"cannot_write_tables"}
    );
    CHECK(
        widened("grant insert (a) on t to public", "revoke insert (a) on t from public") ==
        Strings{"cannot_write_tables"}
    );
    CHECK(
        widened(
            "grant usage on sequence s to lane_probe", "revoke usage on sequence s from lane_probe"
        ) == Strings{"cannot_write_sequences"}
    );
    CHECK(
        widened(
            "grant create on schema public to lane_probe",
            "revoke create on schema public from lane_probe"
        ) == Strings{"cannot_create_in_schemas"}
    );
    CHECK(
        widened(
            "grant create on database " + database.name() + " to lane_probe",
            "revoke create on database " + database.name() + " from lane_probe"
        ) == Strings{"cannot_create_in_databases"}
    );
    CHECK(
        widened("alter table t owner to lane_probe", "alter table t owner to postgres") ==
        Strings{"owns_nothing", "cannot_write_tables"}
    );
    CHECK(
        widened(
            "grant execute on function pg_catalog.pg_reload_conf() to lane_probe",
            "revoke execute on function pg_catalog.pg_reload_conf() from lane_probe"
        ) == Strings{"cannot_run_server_functions"}
    );
    for (const char* power :
         {"pg_signal_backend",
          "pg_read_server_files",
          "pg_write_server_files",
          "pg_execute_server_program"}) {
        const auto reasons = widened(
            std::string{"grant "} + power + " to lane_probe",
            std::string{"revoke "} + power + " from lane_probe"
        );
        INFO(power);
        CHECK(std::find(reasons.begin(), reasons.end(), "no_powerful_membership") != reasons.end());
    }
    database.sql("grant execute on function public.f() to lane_probe");
    const auto checks = checks_of(database, "lane_probe");
    CHECK(failed(checks) == Strings{});
    CHECK_FALSE(find(checks, "cannot_run_with_owner_rights").passed);
}

TEST_CASE("rights of a role that could be taken by SET ROLE count", "[tools][live]") {
    lab::Database database;
    const Role owner{database, "lane_owner", "nologin"};
    const Role role{database, "lane_noinherit", "login noinherit"};
    database.sql("revoke create on schema public from public; create table public.t (a int);"
                 "grant insert on t to lane_owner; grant lane_owner to lane_noinherit");
    CHECK(failed(checks_of(database, "lane_noinherit")) == Strings{"cannot_write_tables"});
    database.sql("revoke insert on t from lane_owner; alter role lane_owner createdb");
    CHECK(
        failed(checks_of(database, "lane_noinherit")) == Strings{"cannot_create_roles_or_databases"}
    );
}
