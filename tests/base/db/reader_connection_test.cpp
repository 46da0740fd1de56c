#include "base/clock.hpp"
#include "base/db/reader_connection.hpp"
#include "tests/lab/bouncer.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/majors.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/topology.hpp"
#include "tests/support/fakes.hpp"

#include <thread>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;
using std::chrono::milliseconds;
namespace limits = base::limits;

std::unique_ptr<ReaderConnection> open(const TargetAddress& address) {
    auto connection = ReaderConnection::open(address);
    if (!connection) {
        FAIL(base::to_text(connection.error()));
    }
    return std::move(*connection);
}

LaneSettings named(const std::string& name) {
    LaneSettings settings;
    settings.application_name = name;
    return settings;
}

Query query(std::string_view text, std::vector<Cell> parameters = {}) {
    return {{"test_query", text}, std::move(parameters)};
}

ReadResults
read(ReaderConnection& connection, const std::vector<Query>& queries, LaneSettings settings = {}) {
    auto results = connection.read(settings, queries, {});
    if (!results) {
        FAIL(base::to_text(results.error()));
    }
    REQUIRE(results->size() == queries.size());
    return std::move(*results);
}

std::string
scalar(ReaderConnection& connection, std::string_view text, LaneSettings settings = {}) {
    auto results = read(connection, {query(text)}, std::move(settings));
    if (!results[0]) {
        FAIL(base::to_text(results[0].error()));
    }
    return results[0]->table.rows.at(0).at(0).value_or("NULL");
}

TEST_CASE("the facts of a server are read at connect", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto& facts = connection->facts();
    CHECK(facts.version_number >= 140'000);
    CHECK(facts.version.find('.') != std::string::npos);
    CHECK(facts.database == database.name());
    CHECK(facts.login_role == "postgres");
    CHECK_FALSE(facts.in_recovery);
    CHECK(
        facts.system_identifier ==
        database.scalar("select system_identifier from pg_control_system()")
    );
    CHECK(
        database.scalar(
            "select application_name from pg_stat_activity where pid = " +
            std::to_string(connection->backend_pid())
        ) == "interlock"
    );
}

TEST_CASE("a statement is planned for parameters that nobody knows, and not run", "[db][live]") {
    for (const int major : lab::majors()) {
        INFO("PostgreSQL " << major);
        const lab::Database database{lab::primary(major)};
        database.sql("create table t (id int primary key, n text);"
                     "insert into t select i, 'n' from generate_series(1, 5000) i; analyze t");
        const auto connection = open(database.address());
        const auto generic = [](std::string_view text, std::size_t parameters) {
            auto asked = query(text);
            asked.explain_generic = parameters;
            return asked;
        };
        constexpr std::string_view by_key =
            "select * from public.t where id = $1 and n = $2 and pg_sleep(60) is null";
        for (int time = 0; time < 3; ++time) { // prepared once, planned each time
            auto results = read(
                *connection,
                {generic(by_key, 2),
                 generic("select * from public.nothing where id = $1", 1),
                 generic("select $1::int", 2), // a parameter too many
                 query("show plan_cache_mode")}
            );
            REQUIRE(results[0]);
            const auto plan = results[0]->table.rows.at(0).at(0).value_or("");
            CHECK_THAT(plan, Catch::Contains("Index Cond") && Catch::Contains("id = $1"));
            CHECK_THAT(plan, !Catch::Contains("One-Time Filter"));
            CHECK_FALSE(results[1]);
            CHECK_FALSE(results[2]);
            REQUIRE(results[3]);
            CHECK(results[3]->table.rows.at(0).at(0) == "auto"); // the setting went with it
            CHECK(connection->clean());
        }
    }
}

TEST_CASE("values come in the server's text, NULL apart from empty", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto results = read(
        *connection,
        {query(
            "select 1 as n, null as nothing, '' as empty, true as yes, 'é€𝄞' as wide, "
            "'{a,NULL}'::text[] as list, $1::text as bound, $2::int as number, $3::text as absent",
            {"'; drop table t --", "7", std::nullopt}
        )}
    );
    const auto& table = results[0]->table;
    CHECK(table.columns.size() == 9);
    CHECK(table.integer(0, "n") == 1);
    CHECK(table.at(0, "nothing") == std::nullopt);
    CHECK(table.at(0, "empty") == "");
    CHECK(table.boolean(0, "yes") == true);
    CHECK(table.text(0, "wide") == "é€𝄞");
    CHECK(table.text(0, "list") == "{a,NULL}");
    CHECK(table.text(0, "bound") == "'; drop table t --");
    CHECK(table.integer(0, "number") == 7);
    CHECK(table.at(0, "absent") == std::nullopt);
    CHECK_FALSE(results[0]->cut);
}

TEST_CASE("a statement without rows still names its columns", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto results = read(*connection, {query("select 1 as a, 2 as b where false")});
    CHECK(results[0]->table.columns == std::vector<std::string>{"a", "b"});
    CHECK(results[0]->table.empty());
}

TEST_CASE("text of a database in another encoding arrives as UTF-8", "[db][live]") {
    lab::run_sql(
        lab::primary(),
        "postgres",
        "create database latin encoding 'LATIN1' locale 'C' template template0"
    );
    {
        const auto connection = open({"latin", lab::primary().conninfo("postgres", "latin"), {}});
        CHECK(scalar(*connection, "select pg_catalog.chr(233)") == "é");
    }
    lab::run_sql(lab::primary(), "postgres", "drop database latin with (force)");
}

TEST_CASE("one failing statement does not hide the others", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto results = read(
        *connection,
        {query("select 1"),
         query("select 1/0"),
         query("select no_such_function()"),
         query("this is no sql"),
         query("select 5")}
    );
    CHECK(results[0].ok());
    CHECK(results[1].error().code == Errc::invalid_input);
    CHECK(results[1].error().what.find("22012") != std::string::npos);
    CHECK(results[2].error().code == Errc::not_supported);
    CHECK(results[3].error().code == Errc::invalid_input);
    REQUIRE(results[4].ok());
    CHECK(results[4]->table.rows[0][0] == "5");
    CHECK(connection->clean());
}

TEST_CASE("only single reads are sent", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int)");
    const auto connection = open(database.address());
    for (const auto* text :
         {"set transaction read write",
          "commit",
          "rollback",
          "commit; drop table t",
          "drop table t",
          "insert into t values (1)",
          "prepare transaction 'x'",
          "set role postgres",
          "vacuum",
          "listen x",
          "copy t to stdout",
          "do 'begin end'",
          "select 1; select 2",
          "",
          "discard all",
          "lock table t",
          "begin",
          "savepoint x"}) {
        CAPTURE(text);
        const auto results = read(*connection, {query(text)});
        REQUIRE_FALSE(results[0].ok());
        CHECK(results[0].error().code == Errc::refused_by_guard);
    }
    for (const auto* text :
         {"table public.t", "values (1)", "show work_mem", "explain select * from public.t"}) {
        CAPTURE(text);
        CHECK(read(*connection, {query(text)})[0].ok());
    }
}

TEST_CASE("a read that tries to write is refused by the server", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int); create sequence s; create function f() returns int "
                 "language sql volatile as 'insert into public.t values (1) returning a'");
    const auto connection = open(database.address());
    for (const auto* text :
         {"with x as (insert into public.t values (1) returning a) select * from x",
          "select public.f()",
          "explain analyze insert into public.t values (1)",
          "select nextval('public.s')",
          "select 1 as a into public.evil",
          "select * from public.t for update",
          "select set_config('transaction_read_only', 'off', true)",
          "select pg_catalog.set_config('transaction_read_only', 'off', false)"}) {
        CAPTURE(text);
        const auto results = read(*connection, {query(text), query("select public.f()")});
        CHECK_FALSE(results[0].ok());
        CHECK_FALSE(results[1].ok());
    }
    CHECK(database.scalar("select count(*) from t") == "0");
    CHECK(connection->clean());
}

TEST_CASE("the lane's settings hold during a read and are gone after it", "[db][live]") {
    const lab::Database database;
    database.sql("drop role if exists reader_role; create role reader_role");
    const auto connection = open(database.address());
    auto settings = named("interlock:get_activity:anna");
    settings.role = "reader_role";
    settings.statement_timeout = milliseconds{1'234};
    settings.lock_timeout = milliseconds{321};
    settings.idle_timeout = milliseconds{4'321};
    constexpr std::string_view text =
        "select concat_ws('|', current_user, current_setting('application_name'), "
        "current_setting('statement_timeout'), current_setting('lock_timeout'), "
        "current_setting('idle_in_transaction_session_timeout'), current_setting('search_path'), "
        "current_setting('jit'), current_setting('max_parallel_workers_per_gather'), "
        "current_setting('transaction_read_only'), current_setting('TimeZone'))";
    CHECK(
        scalar(*connection, text, settings) ==
        "reader_role|interlock:get_activity:anna|1234ms|321ms|4321ms|pg_catalog|off|0|on|UTC"
    );
    CHECK(scalar(*connection, text) == "postgres||5s|500ms|10s|pg_catalog|off|0|on|UTC");
    CHECK(
        database.scalar(
            "select application_name || ' ' || state from pg_stat_activity where pid = " +
            std::to_string(connection->backend_pid())
        ) == "interlock idle"
    );
    CHECK(connection->clean());
    database.sql("drop role reader_role");
}

TEST_CASE("a setting made by one statement does not reach the next", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto results = read(
        *connection,
        {query("select set_config('statement_timeout', '0', false), "
               "set_config('search_path', 'public', true), set_config('role', 'pg_monitor', true)"),
         query("select current_setting('statement_timeout') || current_setting('search_path') || "
               "current_user")}
    );
    CHECK(results[1]->table.rows[0][0] == "5spg_catalogpostgres");
    CHECK(connection->clean());
}

TEST_CASE("an application name is cut to what PostgreSQL keeps", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto name = scalar(
        *connection,
        "select current_setting('application_name')",
        named("a\n\xc3\xa9\x1b;" + std::string(100, 'x'))
    );
    CHECK(name == "a????;" + std::string(57, 'x'));
}

TEST_CASE("a role that may not be taken ends the read before its work", "[db][live]") {
    const lab::Database database;
    database.sql("drop role if exists plain_login; create role plain_login login");
    {
        const auto connection = open(database.address("plain_login"));
        auto settings = named("x");
        settings.role = "postgres";
        const auto refused = connection->read(settings, {query("select 1")}, {});
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.error().code == Errc::permission_denied);
        CHECK_FALSE(connection->broken());
        CHECK(scalar(*connection, "select current_user") == "plain_login");
    }
    database.sql("drop role plain_login");
}

TEST_CASE("a session lock makes a connection unclean", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    CHECK(connection->clean());
    CHECK(read(*connection, {query("select pg_catalog.pg_advisory_lock(42)")})[0].ok());
    CHECK_FALSE(connection->clean());
    CHECK(connection->broken());
}

TEST_CASE("too many rows are cut and told", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    auto many = query("select generate_series(1, 300)");
    auto exact = query("select generate_series(1, 3)");
    auto none = query("select generate_series(1, 3)");
    exact.rows_max = 3;
    none.rows_max = 0;
    const auto results = read(*connection, {many, exact, none, query("select 7")});
    CHECK(results[0]->table.rows.size() == limits::tool_rows_max);
    CHECK(results[0]->cut);
    CHECK(results[1]->table.rows.size() == 3);
    CHECK_FALSE(results[1]->cut);
    CHECK(results[2]->table.empty());
    CHECK(results[2]->cut);
    CHECK(results[3]->table.rows[0][0] == "7");
}

TEST_CASE("a result of millions of rows is stopped at the server", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto endless = query("select repeat('x', 200), generate_series(1, 100000000)");
    base::SystemClock clock;
    const auto began = clock.ticks();
    const auto results = read(
        *connection,
        {endless, query("select 1 as one"), endless, query("select 2 as two"), query("select 3")}
    );
    CHECK(clock.ticks() - began < std::chrono::seconds{10});
    CHECK(results[0]->cut);
    CHECK(results[0]->table.rows.size() == limits::tool_rows_max);
    CHECK(results[1]->table.rows[0][0] == "1");
    CHECK(results[2]->cut);
    CHECK(results[3]->table.rows[0][0] == "2");
    CHECK(results[4]->table.rows[0][0] == "3");
    CHECK(connection->clean());
}

TEST_CASE("a cancel for a cut result never costs the next statement", "[db][live]") {
    // About the size at which the cancel is sent: sometimes it comes too late and hits the next.
    const lab::Database database;
    const auto connection = open(database.address());
    for (int rows = 4'500; rows < 7'000; rows += 100) {
        const auto text =
            "select repeat('x', 250) from generate_series(1, " + std::to_string(rows) + ")";
        const auto results =
            read(*connection, {query(text), query("select 1"), query(text), query("select 2")});
        CAPTURE(rows);
        for (const auto& result : results) {
            INFO((result ? "" : base::to_text(result.error())));
            REQUIRE(result.ok());
        }
        CHECK(results[1]->table.rows[0][0] == "1");
        CHECK(results[3]->table.rows[0][0] == "2");
    }
    CHECK(connection->clean());
}

TEST_CASE("a long cell is cut on a character", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto results = read(*connection, {query("select repeat('é', 1000000) as a, 'b' as b")});
    const auto& cell = *results[0]->table.at(0, "a");
    CHECK(cell.size() <= limits::reader_cell_bytes_max);
    CHECK(cell.size() >= limits::reader_cell_bytes_max - 1);
    CHECK(results[0]->cut);
    CHECK(results[0]->table.text(0, "b") == "b");
}

TEST_CASE("a huge row is refused and costs the connection", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto results =
        connection->read({}, {query("select repeat('x', 200000000)"), query("select 1")}, {});
    REQUIRE_FALSE(results.ok());
    CHECK(results.error().code == Errc::limit_exceeded);
    CHECK(connection->broken());
}

TEST_CASE("a huge row is refused also where it would have been cut away", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    auto many = query("select repeat('x', case n when 2 then 20000000 else 1 end) as x "
                      "from generate_series(1, 2) as n");
    many.rows_max = 1;
    const auto results = connection->read({}, {many}, {});
    REQUIRE_FALSE(results.ok());
    CHECK(results.error().code == Errc::limit_exceeded);
}

TEST_CASE("a statement that runs too long is a timeout", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    LaneSettings settings;
    settings.statement_timeout = milliseconds{100};
    const auto results =
        read(*connection, {query("select pg_catalog.pg_sleep(30)"), query("select 1")}, settings);
    CHECK(results[0].error().code == Errc::timeout);
    CHECK(results[0].error().what.find("57014") != std::string::npos);
    CHECK(results[1].ok());
}

TEST_CASE("a lock not granted in time is a timeout of its own", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int)");
    lab::Session holder{database.conninfo()};
    holder.run("begin; lock table t in access exclusive mode");
    const auto connection = open(database.address());
    const auto results = read(*connection, {query("select * from public.t"), query("select 1")});
    CHECK(results[0].error().code == Errc::timeout);
    CHECK(results[0].error().what.find("55P03") != std::string::npos);
    CHECK(results[1].ok());
}

TEST_CASE("a stop request ends the statement on the server", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    std::stop_source source;
    auto settings = named("to-be-stopped");
    settings.statement_timeout = std::chrono::seconds{30};
    const auto running = [&] {
        return database.scalar(
            "select count(*) from pg_stat_activity where application_name = 'to-be-stopped' "
            "and state = 'active'"
        );
    };
    base::Result<ReadResults> results = ReadResults{};
    {
        const std::jthread caller{[&] {
            results = connection->read(
                settings,
                {query("select pg_catalog.pg_sleep(20)"),
                 query("select pg_catalog.pg_sleep(20)"),
                 query("select pg_catalog.pg_sleep(20)")},
                source.get_token()
            );
        }};
        CHECK(lab::wait_until([&] { return running() == "1"; }));
        source.request_stop();
        CHECK(lab::wait_until([&] { return running() == "0"; }, std::chrono::seconds{3}));
    }
    REQUIRE_FALSE(results.ok());
    CHECK(results.error().code == Errc::cancelled);
    CHECK_FALSE(connection->broken());
    CHECK(connection->clean());
    CHECK(scalar(*connection, "select 1") == "1");
}

TEST_CASE("each statement's time is its own", "[db][live]") {
    using std::chrono::milliseconds;
    const lab::Database database;
    const auto connection = open(database.address());
    auto settings = named("timed");
    settings.timed = true;
    const auto took = [&](std::size_t i) {
        const Timing& timing = connection->timings().at(i);
        return timing.ended - timing.began;
    };
    const auto in_order = [&] {
        const auto& timings = connection->timings();
        for (std::size_t i = 0; i < timings.size(); ++i) {
            CHECK(timings[i].began <= timings[i].ended);
            CHECK((i == 0 || timings[i - 1].ended <= timings[i].began));
        }
        return timings.size();
    };
    const auto quick = query("select 1");
    const auto slow = query("select pg_catalog.pg_sleep(1)");
    const auto none = query("delete from pg_class"); // is not sent
    // The second time the failing one has a sync of its own.
    for (int trip = 0; trip < 2; ++trip) {
        CAPTURE(trip);
        const auto results = connection->read(
            settings,
            {quick,
             slow,
             none,
             query("select 1 from pg_sleep(0.5) where 1 / (0 * random()) > 1"),
             quick},
            {}
        );
        REQUIRE(results.ok());
        CHECK_FALSE((*results)[3].ok());
        REQUIRE(in_order() == 5);
        // Waking up late gives some of a statement's time to the one before it.
        CHECK(took(0) < took(3));
        CHECK(took(2) == base::Duration{0});
        CHECK(took(4) < took(3));
        CHECK(took(3) > milliseconds{250});
        CHECK(took(1) > milliseconds{750});
        CHECK(took(1) > took(3));
    }
    // A read that did not come to its statements timed none.
    settings.role = "nobody_here";
    CHECK_FALSE(connection->read(settings, {quick}, {}).ok());
    CHECK(in_order() == 0);
}

TEST_CASE("the time of a stopped read belongs to the statement that was stopped", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    auto settings = named("timed-and-stopped");
    settings.timed = true;
    std::stop_source source;
    base::Result<ReadResults> results = ReadResults{};
    {
        const std::jthread caller{[&] {
            results = connection->read(
                settings,
                {query("select 1"), query("select pg_catalog.pg_sleep(20)"), query("select 2")},
                source.get_token()
            );
        }};
        CHECK(lab::wait_until([&] {
            return database.scalar("select count(*) from pg_stat_activity where application_name = "
                                   "'timed-and-stopped' and query like '%pg_sleep%' and "
                                   "clock_timestamp() - query_start > interval '500 ms'") == "1";
        }));
        source.request_stop();
    }
    REQUIRE_FALSE(results.ok());
    const auto& timings = connection->timings();
    REQUIRE(timings.size() == 2);
    CHECK(timings[0].ended - timings[0].began < timings[1].ended - timings[1].began);
    CHECK(timings[1].ended - timings[1].began >= std::chrono::milliseconds{500});
}

TEST_CASE("a call that is stopped before it begins sends nothing", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    std::stop_source source;
    source.request_stop();
    const auto results = connection->read({}, {query("select 1")}, source.get_token());
    CHECK(results.error().code == Errc::cancelled);
    CHECK(scalar(*connection, "select 1") == "1");
}

TEST_CASE("a statement cancelled by somebody else is told apart", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    base::Result<ReadResults> results = ReadResults{};
    {
        const std::jthread caller{[&] {
            results = connection->read(
                named("somebody"), {query("select pg_catalog.pg_sleep(4)"), query("select 1")}, {}
            );
        }};
        CHECK(lab::wait_until([&] {
            return database.scalar("select pg_cancel_backend(pid) from pg_stat_activity "
                                   "where application_name = 'somebody'") == "t";
        }));
    }
    REQUIRE(results.ok());
    CHECK((*results)[0].error().code == Errc::cancelled);
    CHECK((*results)[1].ok());
}

TEST_CASE("a connection ended from outside is broken and says so", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const auto pid = std::to_string(connection->backend_pid());

    SECTION("while it is idle") {
        database.sql("select pg_terminate_backend(" + pid + ")");
        CHECK(lab::wait_until([&] {
            return database.scalar("select count(*) from pg_stat_activity where pid = " + pid) ==
                   "0";
        }));
        const auto results = connection->read({}, {query("select 1")}, {});
        REQUIRE_FALSE(results.ok());
        CHECK(results.error().code == Errc::target_unreachable);
    }
    SECTION("while it works") {
        base::Result<ReadResults> results = ReadResults{};
        {
            const std::jthread caller{[&] {
                results = connection->read(
                    named("doomed"), {query("select 1"), query("select pg_catalog.pg_sleep(4)")}, {}
                );
            }};
            CHECK(lab::wait_until([&] {
                return database.scalar("select pg_terminate_backend(pid) from pg_stat_activity "
                                       "where application_name = 'doomed'") == "t";
            }));
        }
        REQUIRE_FALSE(results.ok());
        CHECK(results.error().code == Errc::target_unreachable);
    }
    CHECK(connection->broken());
    CHECK_FALSE(connection->clean());
    const auto after = connection->read({}, {query("select 1")}, {});
    CHECK(after.error().code == Errc::target_unreachable);
}

TEST_CASE("a read refuses what could not be bounded", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database.address());
    const std::vector<Query> many(limits::reader_queries_max + 1, query("select 1"));
    CHECK(connection->read({}, many, {}).error().code == Errc::limit_exceeded);
    const auto results = read(
        *connection,
        {query("select $1::text", {std::string("a\0b", 3)}),
         query(std::string_view("select 1\0", 9)),
         query("select 1")}
    );
    CHECK(results[0].error().code == Errc::invalid_input);
    CHECK(results[1].error().code == Errc::invalid_input);
    CHECK(results[2].ok());
    CHECK(read(*connection, {}).empty());
}

TEST_CASE("a standby is seen to be one, and seen when it no longer is", "[db][live]") {
    lab::Replica replica;
    const auto connection =
        open({"replica", replica.cluster().conninfo("postgres", "postgres"), {}});
    CHECK(connection->facts().in_recovery);
    CHECK(
        connection->facts().system_identifier ==
        lab::run_sql(
            lab::primary(), "postgres", "select system_identifier from pg_control_system()"
        )
            .rows[0][0]
    );
    lab::run_sql(replica.cluster(), "postgres", "select pg_promote(true, 30)");
    CHECK(scalar(*connection, "select 1") == "1");
    CHECK_FALSE(connection->facts().in_recovery);
}

/// A database that interlock_diag reads through a pooler.
struct Pooled {
    explicit Pooled(const std::string& mode, int size = 2)
        : bouncer{(lab::apply_lane(database), database.cluster()), mode, size} {}
    TargetAddress address(const std::string& more = "") const {
        return {"lab", bouncer.conninfo("interlock_diag", database.name()) + more, {}};
    }

    lab::Database database;
    lab::Bouncer bouncer;
};

TEST_CASE("a pooler in session mode is recognised, and reads stay clean", "[db][live]") {
    const Pooled pooled{"session"};
    const auto connection = open(pooled.address());
    CHECK(connection->facts().pooler == Pooler::session);
    for (int time = 0; time < 3; ++time) {
        CHECK(scalar(*connection, "select 41 + 1") == "42");
        CHECK(connection->clean());
    }
    CHECK(connection->facts().pooler == Pooler::session);
    CHECK(
        scalar(*connection, "select pg_backend_pid()") == std::to_string(connection->backend_pid())
    );
    const auto direct = open(pooled.database.address("interlock_diag"));
    CHECK(direct->facts().pooler == Pooler::none);
}

TEST_CASE("a pooler that changes the server's session is recognised by it", "[db][live]") {
    const Pooled pooled{"transaction", 1};
    const auto connection = open(pooled.address());
    CHECK(connection->facts().pooler == Pooler::session); // nothing else was seen yet
    const int first = connection->backend_pid();
    pooled.database.sql("select pg_terminate_backend(" + std::to_string(first) + ")");
    REQUIRE(lab::wait_until([&] {
        return pooled.database.scalar(
                   "select count(*) from pg_stat_activity where pid = " + std::to_string(first)
               ) == "0";
    }));
    CHECK(scalar(*connection, "select 1") == "1");
    CHECK(connection->backend_pid() != first);
    CHECK(connection->facts().pooler == Pooler::transaction);
    CHECK(connection->clean());
}

TEST_CASE("behind a pooler other clients' state is neither used nor harmed", "[db][live]") {
    const Pooled pooled{"transaction", 1};
    lab::Session other{pooled.bouncer.conninfo("interlock_diag", pooled.database.name())};
    other.run("prepare theirs as select 7; listen them; set work_mem = '2MB';"
              "set search_path = public; set statement_timeout = 1; set role none");
    other.run("set statement_timeout = 0; select pg_advisory_lock(4)");
    const auto connection = open(pooled.address());
    for (int time = 0; time < 3; ++time) {
        CHECK(scalar(*connection, "show search_path") == "pg_catalog");
        CHECK(scalar(*connection, "show statement_timeout") == "5s");
        CHECK(connection->clean());
    }
    // More texts than a connection remembers: what others prepared is not forgotten with them.
    for (int i = 0; i < 300; ++i) {
        (void)scalar(*connection, "select " + std::to_string(i));
    }
    CHECK(connection->clean());
    CHECK(other.run("execute theirs").rows.at(0).at(0) == "7");
    CHECK(other.run("show work_mem").rows.at(0).at(0) == "2MB");
    CHECK(
        other.run("select count(*) from pg_prepared_statements where not from_sql")
            .rows.at(0)
            .at(0) == "0"
    );
    // What a read itself would leave is still seen.
    (void)read(*connection, {query("select pg_advisory_lock(5)")});
    CHECK_FALSE(connection->clean());
}

TEST_CASE("behind a pooler a stop reaches the statement, and time-outs hold", "[db][live]") {
    for (const auto* mode : {"session", "transaction"}) {
        CAPTURE(mode);
        const Pooled pooled{mode};
        const auto connection = open(pooled.address());
        std::stop_source stop;
        base::Result<ReadResults> answer = base::Error{};
        {
            const std::jthread reader{[&] {
                answer = connection->read({}, {query("select pg_sleep(600)")}, stop.get_token());
            }};
            CHECK(lab::wait_until([&] {
                return pooled.database.scalar("select count(*) from pg_stat_activity where state = "
                                              "'active' and query like 'select pg_sleep(600)%'"
                       ) == "1";
            }));
            stop.request_stop();
        }
        REQUIRE_FALSE(answer.ok());
        CHECK(answer.error().code == Errc::cancelled);
        LaneSettings hasty;
        hasty.statement_timeout = milliseconds{200};
        const auto after = open(pooled.address());
        const auto results =
            read(*after, {query("select pg_sleep(600)"), query("select 1")}, hasty);
        REQUIRE_FALSE(results[0]);
        CHECK(results[0].error().code == Errc::timeout);
        CHECK(results[1]);
        CHECK(after->clean());
    }
}

TEST_CASE("behind a pooler nothing is prepared for parameters that nobody knows", "[db][live]") {
    const Pooled pooled{"transaction", 1};
    const auto connection = open(pooled.address());
    auto generic = query("select * from pg_class where oid = $1");
    generic.explain_generic = 1;
    const auto results = read(*connection, {generic, query("select 1")});
    REQUIRE_FALSE(results[0]);
    CHECK(results[0].error().code == Errc::not_supported);
    CHECK_THAT(results[0].error().remedy, Catch::Contains("PostgreSQL itself"));
    CHECK(results[1]);
}

TEST_CASE("what a pooler does not pass on is refused with its remedy", "[db][live]") {
    const Pooled pooled{"transaction"};
    const auto options =
        ReaderConnection::open(pooled.address(" options='-c statement_timeout=1'"));
    REQUIRE_FALSE(options.ok());
    CHECK_THAT(options.error().remedy, Catch::Contains("ignore_startup_parameters"));

    const lab::Bouncer statements{pooled.database.cluster(), "statement", 2};
    const auto refused = ReaderConnection::open(
        {"lab", statements.conninfo("interlock_diag", pooled.database.name()), {}}
    );
    REQUIRE_FALSE(refused.ok());
    CAPTURE(refused.error().what);
    CHECK_THAT(refused.error().what, Catch::Contains("statement mode"));
}

TEST_CASE("a target of several servers gives the one with the wanted role", "[db][live]") {
    cli::ClusterOptions options;
    options.settings = {{"wal_level", "replica"}};
    const auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    lab::Replica replica{**cluster};
    REQUIRE(replica.catch_up());
    const auto& standby = replica.cluster();
    const auto both = [&](const std::string& rule) {
        return TargetAddress{
            "shop",
            "host=/nonexistent," + standby.directory() + "," + (*cluster)->directory() +
                " port=1," + std::to_string(standby.port()) + "," +
                std::to_string((*cluster)->port()) + " user=postgres dbname=postgres" + rule,
            {}};
    };
    const auto role = [&](const std::string& rule, Looks looks) {
        const auto address = both(rule);
        const auto connection = ReaderConnection::open(address, choice_of(address, looks));
        if (!connection) {
            return base::to_text(connection.error());
        }
        const auto& facts = (*connection)->facts();
        CHECK(facts.server.starts_with(
            facts.in_recovery ? standby.directory() : (*cluster)->directory()
        ));
        CHECK(facts.timeline == (facts.in_recovery ? "" : "00000001"));
        return std::string{facts.in_recovery ? "standby" : "primary"};
    };
    for (const auto looks : {Looks::at_server, Looks::at_data}) {
        CHECK(role("", looks) == "primary");
        CHECK(role(" target_session_attrs=any", looks) == "standby"); // the first that answers
        CHECK(role(" target_session_attrs=primary", looks) == "primary");
        CHECK(role(" target_session_attrs=standby", looks) == "standby");
    }
    CHECK(role(" target_session_attrs=prefer-standby", Looks::at_server) == "primary");
    CHECK(role(" target_session_attrs=prefer-standby", Looks::at_data) == "standby");

    // A session sees that its server was promoted.
    const auto held = open({"shop", standby.conninfo("postgres", "postgres"), {}});
    CHECK(held->facts().in_recovery);
    (*cluster)->stop();
    CHECK(role("", Looks::at_server) == "standby"); // better than nothing
    const auto none = role(" target_session_attrs=primary", Looks::at_server);
    CHECK_THAT(
        none, Catch::Contains("No primary of target shop") && Catch::Contains("is a standby")
    );
    lab::run_sql(standby, "postgres", "select pg_promote()");
    CHECK(scalar(*held, "select pg_is_in_recovery()") == "f");
    CHECK_FALSE(held->facts().in_recovery);
    CHECK(held->facts().timeline == "00000002");
    CHECK(held->clean());
    const auto only_standby = role(" target_session_attrs=standby", Looks::at_server);
    CHECK_THAT(only_standby, Catch::Contains("is a primary"));
}

} // namespace
} // namespace interlock::db
