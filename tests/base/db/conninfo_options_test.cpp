#include "base/db/conninfo_options.hpp"

#include <cstdlib>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

TEST_CASE("a connection string is read as pairs and as a URI", "[db][conninfo]") {
    for (const auto* text :
         {"host=db1,db2 port=5433 dbname='a b' user=diag",
          "postgresql://diag@db1,db2:5433/a%20b?host=db1,db2&port=5433"}) {
        CAPTURE(text);
        const auto options = ConninfoOptions::parse(text);
        REQUIRE(options);
        CHECK(options->value("host") == "db1,db2");
        CHECK(options->value("port") == "5433");
        CHECK(options->value("dbname") == "a b");
        CHECK(options->value("user") == "diag");
    }
}

TEST_CASE("what is not said and what is said as nothing are told apart", "[db][conninfo]") {
    const auto options = ConninfoOptions::parse("host='' dbname=a");
    REQUIRE(options);
    CHECK(options->find("host") == "");
    CHECK(options->find("port") == std::nullopt);
    CHECK(options->find("no_such_keyword") == std::nullopt);
    CHECK(options->value("port") == "");
    CHECK(ConninfoOptions{}.find("host") == std::nullopt);
}

TEST_CASE("a text that is no connection string is none", "[db][conninfo]") {
    CHECK_FALSE(ConninfoOptions::parse("host"));
    CHECK_FALSE(ConninfoOptions::parse("no_such_keyword=1"));
    CHECK_FALSE(ConninfoOptions::parse("postgresql://h:port/x%zz"));
    CHECK(ConninfoOptions::parse("")); // all of it left to libpq
}

TEST_CASE("of two values for one keyword the last stands", "[db][conninfo]") {
    CHECK(ConninfoOptions::parse("host=a host=b").value_or(ConninfoOptions{}).value("host") == "b");
}

TEST_CASE("libpq's environment is among the defaults and not in what is said", "[db][conninfo]") {
    REQUIRE(::setenv("PGAPPNAME", "from the environment", 1) == 0);
    CHECK(ConninfoOptions::defaults().value("application_name") == "from the environment");
    CHECK(
        ConninfoOptions::parse("host=a").value_or(ConninfoOptions{}).find("application_name") ==
        std::nullopt
    );
    ::unsetenv("PGAPPNAME");
}

TEST_CASE("a connection that is none says nothing", "[db][conninfo]") {
    CHECK(ConninfoOptions::of(nullptr).find("host") == std::nullopt);
}

} // namespace
} // namespace interlock::db
