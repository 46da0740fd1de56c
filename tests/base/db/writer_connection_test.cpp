#include "base/db/writer_connection.hpp"
#include "base/db/writer_deadline.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/session.hpp"
#include "tests/lab/topology.hpp"

#include <chrono>
#include <csignal>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

using base::Errc;

std::unique_ptr<WriterConnection> open(const lab::Database& database) {
    auto connection = WriterConnection::open(database.address(), "interlock-executor:plan");
    if (!connection) {
        FAIL(base::to_text(connection.error()));
    }
    return std::move(*connection);
}

Table run(WriterConnection& connection, std::string_view sql, std::vector<Cell> parameters = {}) {
    auto table = connection.execute({"test_step", sql}, parameters);
    if (!table) {
        FAIL(base::to_text(table.error()));
    }
    return std::move(*table);
}

TEST_CASE("a writer's session is prepared", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database);
    const auto table =
        run(*connection,
            "select current_setting('client_connection_check_interval') as check, "
            "current_setting('search_path') as path, current_setting('application_name') as name, "
            "current_setting('standard_conforming_strings') as strings, pg_backend_pid() as pid");
    CHECK(table.text(0, "check") == "1s");
    CHECK(table.text(0, "path") == "pg_catalog");
    CHECK(table.text(0, "name") == "interlock-executor:plan");
    CHECK(table.text(0, "strings") == "on");
    CHECK(table.integer(0, "pid") == connection->backend_pid());
}

TEST_CASE("a writer changes rows and counts them", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int, b text)");
    const auto connection = open(database);
    CHECK(
        run(*connection, "insert into public.t values ($1, $2), (2, null)", {"1", "'x"}).affected ==
        2
    );
    const auto rows = run(*connection, "select a, b from public.t order by a");
    CHECK(rows.text(0, "b") == "'x");
    CHECK(rows.at(1, "b") == std::nullopt);
    CHECK(run(*connection, "update public.t set b = 'y' where a > $1", {"9"}).affected == 0);
}

TEST_CASE("a writer runs transactions as it is told", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int)");
    const auto connection = open(database);
    run(*connection, "begin");
    run(*connection, "insert into public.t values (1)");
    CHECK(database.scalar("select count(*) from t") == "0");
    run(*connection, "rollback");
    run(*connection, "begin");
    run(*connection, "insert into public.t values (1)");
    run(*connection, "commit");
    CHECK(database.scalar("select count(*) from t") == "1");
}

TEST_CASE("one text is one statement", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int)");
    const auto connection = open(database);
    const auto stacked = connection->execute({"stacked", "select 1; drop table public.t"}, {});
    REQUIRE_FALSE(stacked.ok());
    CHECK(stacked.error().what.find("42601") != std::string::npos);
    CHECK(
        connection->execute({"nul", "select $1::text"}, {std::string("a\0b", 3)}).error().code ==
        Errc::invalid_input
    );
    CHECK(database.scalar("select count(*) from t") == "0");
    CHECK_FALSE(connection->broken());
}

TEST_CASE("a failing step says its SQLSTATE and leaves the connection usable", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database);
    const auto failed = connection->execute({"divide", "select 1/0"}, {});
    REQUIRE_FALSE(failed.ok());
    CHECK(failed.error().what.find("divide") != std::string::npos);
    CHECK(failed.error().what.find("22012") != std::string::npos);
    CHECK(run(*connection, "select 1").rows[0][0] == "1");
}

TEST_CASE("COPY and an empty text are no steps", "[db][live]") {
    const lab::Database database;
    database.sql("create table t (a int)");
    for (const auto* text : {"copy public.t to stdout", "copy public.t from stdin", ""}) {
        const auto connection = open(database);
        const auto result = connection->execute({"copy", text}, {});
        CAPTURE(text);
        CHECK_FALSE(result.ok());
        CHECK(connection->broken());
        CHECK(
            connection->execute({"after", "select 1"}, {}).error().code == Errc::target_unreachable
        );
    }
}

TEST_CASE("a writer that is terminated is broken and says so", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database);
    const auto pid = std::to_string(connection->backend_pid());
    database.sql("select pg_terminate_backend(" + pid + ")");
    CHECK(lab::wait_until([&] {
        return database.scalar("select count(*) from pg_stat_activity where pid = " + pid) == "0";
    }));
    const auto result = connection->execute({"step", "select 1"}, {});
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == Errc::target_unreachable);
    CHECK(connection->broken());
}

TEST_CASE("a writer may terminate itself and hear of it", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database);
    const auto result = connection->execute(
        {"self", "select pg_catalog.pg_terminate_backend($1::int)"},
        {std::to_string(connection->backend_pid())}
    );
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == Errc::target_unreachable);
    CHECK(connection->broken());
}

TEST_CASE("a server that stops answering is given up at the deadline", "[db][live]") {
    const lab::Database database;
    auto connection =
        open_writer(database.address(), "interlock-exec/p/1", std::chrono::milliseconds{500});
    REQUIRE(connection.ok());
    const auto pid = static_cast<pid_t>((*connection)->backend_pid()); // of this test's own session
    struct Resume {
        pid_t pid;
        ~Resume() { ::kill(pid, SIGCONT); }
    };
    REQUIRE(::kill(pid, SIGSTOP) == 0);
    const Resume resume{pid};
    const auto answer = (*connection)->execute({"step", "select 1"}, {});
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == Errc::timeout);
    CHECK((*connection)->broken());
    CHECK((*connection)->execute({"after", "select 1"}, {}).error().code != Errc::timeout);
}

TEST_CASE("a statement longer than any socket buffer is sent whole", "[db][live]") {
    const lab::Database database;
    const auto connection = open(database);
    const std::string large(std::size_t{4} << 20, 'x');
    CHECK(
        run(*connection, "select pg_catalog.length($1::text) as n", {large}).integer(0, "n") ==
        static_cast<long long>(large.size())
    );
}

TEST_CASE("of several servers a writer takes the primary alone", "[db][live]") {
    cli::ClusterOptions options;
    auto cluster = cli::Cluster::start(options);
    REQUIRE(cluster.ok());
    lab::Replica replica{**cluster};
    REQUIRE(replica.catch_up());
    const TargetAddress address{
        "shop",
        "host=" + replica.cluster().directory() + "," + (*cluster)->directory() + " port=" +
            std::to_string(replica.cluster().port()) + "," + std::to_string((*cluster)->port()) +
            " user=postgres dbname=postgres target_session_attrs=prefer-standby",
        {}};
    const auto writer = WriterConnection::open(address, "interlock-executor:plan");
    REQUIRE(writer.ok());
    CHECK(run(**writer, "select pg_is_in_recovery() as r").boolean(0, "r") == false);
    (*cluster)->stop();
    const auto none = WriterConnection::open(address, "interlock-executor:plan");
    REQUIRE_FALSE(none.ok());
    CHECK_THAT(none.error().what, Catch::Contains("No primary of target shop"));
}

TEST_CASE("a writer cannot be opened where nothing listens", "[db]") {
    const auto connection = WriterConnection::open({"shop", "host=127.0.0.1 port=1", {}}, "x");
    REQUIRE_FALSE(connection.ok());
    CHECK(connection.error().code == Errc::target_unreachable);
}

} // namespace
} // namespace interlock::db
