#include "tests/lab/lab.hpp"
#include "tests/lab/majors.hpp"

#include <catch2/catch.hpp>

namespace lab = interlock::lab;

TEST_CASE("a major that no test runs on is an error", "[lab]") {
    CHECK_THROWS_WITH(lab::programs_of(9), "No test runs on PostgreSQL 9.");
}

TEST_CASE("every major starts and is what it says, with its contrib modules", "[lab][live]") {
    REQUIRE(lab::majors().front() == 14);
    REQUIRE(lab::majors().back() == 18);
    for (const int major : lab::majors()) {
        INFO("PostgreSQL " << major);
        const lab::Database database{lab::primary(major)};
        CHECK(
            database.scalar("select current_setting('server_version_num')::int / 10000") ==
            std::to_string(major)
        );
        REQUIRE(lab::has_library("pg_stat_statements", major));
        database.sql("create extension pg_stat_statements; create extension pgstattuple");
        CHECK(database.scalar("select count(*) > 0 from pg_stat_statements") == "t");
    }
}
