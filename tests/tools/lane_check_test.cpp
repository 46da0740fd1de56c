#include "tests/lab/lab.hpp"
#include "tools/lane_check.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

namespace tools = interlock::tools;
namespace base = interlock::base;
namespace db = interlock::db;
namespace lab = interlock::lab;

namespace {

std::vector<tools::LaneCheck> checks_of(const lab::Database& database, const std::string& user) {
    auto connection = db::ReaderConnection::open(database.address(user));
    REQUIRE(connection.ok());
    auto checks = tools::check_lane(**connection);
    REQUIRE(checks.ok());
    return std::move(checks).value();
}

const tools::LaneCheck& find(const std::vector<tools::LaneCheck>& checks, const std::string& name) {
    const auto found = std::find_if(checks.begin(), checks.end(), [&](const auto& check) {
        return check.name == name;
    });
    REQUIRE(found != checks.end());
    return *found;
}

/// Names of the required checks that failed.
std::vector<std::string> failed(const std::vector<tools::LaneCheck>& checks) {
    std::vector<std::string> out;
    for (const tools::LaneCheck& check : checks) {
        if (check.required && !check.passed) {
            INFO(check.name << ": " << check.proof);
            out.push_back(check.name);
        }
    }
    return out;
}

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

using Strings = std::vector<std::string>;

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
