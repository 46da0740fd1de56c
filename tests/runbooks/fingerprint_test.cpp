#include "base/db/reader_connection.hpp"
#include "runbooks/fingerprint.hpp"
#include "tests/lab/lab.hpp"
#include "tests/lab/topology.hpp"

#include <catch2/catch.hpp>

namespace interlock {
namespace {

db::Table row(std::vector<db::Cell> cells) {
    db::Table table;
    table.columns = {"system_identifier", "database", "timeline", "in_recovery", "server_major"};
    table.rows.push_back(std::move(cells));
    return table;
}

runbooks::TargetFingerprint read_fingerprint(const db::TargetAddress& address) {
    auto connection = db::ReaderConnection::open(address);
    REQUIRE(connection.ok());
    const auto results = (*connection)->read({}, {{runbooks::fingerprint_sql, {}}}, {});
    REQUIRE(results.ok());
    REQUIRE(results->at(0).ok());
    return runbooks::fingerprint_from(results->at(0)->table, address.name).value();
}

} // namespace

TEST_CASE("a fingerprint is read from the one row of its statement", "[runbooks]") {
    const auto read = runbooks::fingerprint_from(row({"731", "app", "3", "t", "15"}), "main");
    REQUIRE(read.ok());
    CHECK(*read == runbooks::TargetFingerprint{"main", "731", "app", 3, true, 15});
}

TEST_CASE("a fingerprint with anything missing or out of range is no fingerprint", "[runbooks]") {
    const std::vector<std::vector<db::Cell>> rows{
        {std::nullopt, "app", "1", "f", "15"},
        {"731", std::nullopt, "1", "f", "15"},
        {"731", "app", std::nullopt, "f", "15"},
        {"731", "app", "0", "f", "15"},
        {"731", "app", "4294967296", "f", "15"},
        {"731", "app", "1", std::nullopt, "15"},
        {"731", "app", "1", "f", "0"},
        {"731", "app", "1", "f", "x"},
    };
    for (const auto& cells : rows) {
        const auto read = runbooks::fingerprint_from(row(cells), "main");
        REQUIRE_FALSE(read.ok());
        CHECK(read.error().code == base::Errc::not_supported);
    }
    db::Table empty = row({"731", "app", "1", "f", "15"});
    empty.rows.clear();
    CHECK_FALSE(runbooks::fingerprint_from(empty, "main").ok());
    db::Table twice = row({"731", "app", "1", "f", "15"});
    twice.rows.push_back(twice.rows[0]);
    CHECK_FALSE(runbooks::fingerprint_from(twice, "main").ok());
}

TEST_CASE("the narrow role reads the server's identity as it is", "[live]") {
    lab::Database database;
    lab::apply_lane(database);
    const auto read = read_fingerprint(database.address("interlock_diag", "shop"));
    CHECK(read.target == "shop");
    CHECK(read.database == database.name());
    CHECK(
        read.system_identifier ==
        database.scalar("select system_identifier from pg_control_system()")
    );
    CHECK(read.timeline == 1);
    CHECK_FALSE(read.in_recovery);
    CHECK(
        std::to_string(read.server_major) ==
        database.scalar("select current_setting('server_version_num')::int / 10000")
    );
}

TEST_CASE("a standby differs from its primary, and differs again once promoted", "[live]") {
    lab::Replica replica;
    REQUIRE(replica.catch_up());
    const db::TargetAddress at_primary{"shop", lab::primary().conninfo("postgres", "postgres"), ""};
    const db::TargetAddress at_standby{
        "shop", replica.cluster().conninfo("postgres", "postgres"), ""};
    const auto primary = read_fingerprint(at_primary);
    const auto standby = read_fingerprint(at_standby);
    CHECK(standby.system_identifier == primary.system_identifier);
    CHECK(standby.in_recovery);
    CHECK_FALSE(standby == primary);

    lab::run_sql(replica.cluster(), "postgres", "select pg_promote(true, 60)");
    const auto promoted = read_fingerprint(at_standby);
    CHECK_FALSE(promoted.in_recovery);
    CHECK(promoted.timeline == primary.timeline + 1);
    CHECK_FALSE(promoted == primary);
}

} // namespace interlock
