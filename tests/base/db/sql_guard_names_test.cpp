#include "base/db/sql_guard_data.hpp"
#include "tests/base/db/guard/corpus.hpp"
#include "tests/lab/lab.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db::guard_data {
namespace {

TEST_CASE("names are known exactly as pg_catalog writes them", "[db][guard]") {
    CHECK(allowed_function("lower"));
    CHECK_FALSE(allowed_function("LOWER"));
    CHECK_FALSE(allowed_function(""));
    CHECK(allowed_function("pg_stat_get_anything_new"));
    CHECK_FALSE(allowed_function("pg_stat_reset"));
    CHECK(allowed_type("int4"));
    CHECK(allowed_type("_int4"));
    CHECK_FALSE(allowed_type("xml"));
    CHECK_FALSE(allowed_type("cstring"));
    CHECK(allowed_operator("@>"));
    CHECK_FALSE(allowed_operator("###"));
    CHECK(extension_function("pg_stat_statements"));
    CHECK_FALSE(extension_function("pg_stat_statements_reset"));
    CHECK(secret_relation("", "pg_authid") == "secret_catalog");
    CHECK(secret_relation("pg_toast", "pg_toast_1260") == "secret_catalog");
    CHECK(secret_relation("app", "orders").empty());
    CHECK(allowed_explain_option("analyze"));
    CHECK_FALSE(allowed_explain_option("Analyze"));
}

TEST_CASE("what does harm has a class of its own", "[db][guard]") {
    CHECK(function_class("pg_read_file") == "fn_file");
    CHECK(function_class("dblink_exec") == "fn_remote");
    CHECK(function_class("pg_advisory_lock") == "fn_lock");
    CHECK(function_class("my_function") == "fn_user");
}

TEST_CASE("no allowed function of the server is volatile unless it is known", "[db][guard][live]") {
    const auto functions = lab::run_sql(
        lab::primary(),
        "postgres",
        "select proname, pg_catalog.bool_or(provolatile = 'v') as volatile, "
        "pg_catalog.bool_or(prorettype in ('trigger'::regtype, 'internal'::regtype, "
        "'cstring'::regtype, 'event_trigger'::regtype) or 'internal'::regtype = "
        "any(proargtypes::oid[]) or 'cstring'::regtype = any(proargtypes::oid[])) as internal "
        "from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace group by 1"
    );
    REQUIRE(functions.rows.size() > 2'000);
    std::size_t allowed = 0;
    for (std::size_t i = 0; i < functions.rows.size(); ++i) {
        const auto name = functions.text(i, "proname");
        if (!allowed_function(name)) {
            continue;
        }
        ++allowed;
        INFO(name);
        CHECK(function_class(name) != "fn_lo");
        if (functions.boolean(i, "volatile").value_or(true)) {
            CHECK(test::changes_nothing(name));
        }
        // Input and output functions of types, handlers, support functions; two make text of
        // anything, and a well-known estimate of bloat is written with them.
        const bool makes_text =
            name.ends_with("format") || name == "textin" || name == "int2vectorout";
        CHECK_FALSE((functions.boolean(i, "internal").value_or(true) && !makes_text));
    }
    CHECK(allowed > 600);
}

TEST_CASE("every operator and base type of the server is decided", "[db][guard][live]") {
    const auto operators = lab::run_sql(
        lab::primary(), "postgres", "select distinct oprname from pg_catalog.pg_operator"
    );
    for (std::size_t i = 0; i < operators.rows.size(); ++i) {
        INFO(operators.text(i, "oprname"));
        CHECK(allowed_operator(operators.text(i, "oprname")));
    }
}

} // namespace
} // namespace interlock::db::guard_data
