#include "base/db/sql_guard.hpp"
#include "base/db/sql_guard_settings.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string family(const std::string& sql) {
    return guard_sql(sql).verdict.family;
}

TEST_CASE("settings are read plainly, all of them", "[db][guard]") {
    for (const auto* sql :
         {"show all",
          "select * from pg_settings",
          "select name, setting || coalesce(unit, '') from pg_settings where source <> 'default'",
          "select name, left(setting, 60), left(short_desc, 80) from pg_settings",
          "select split_part(name, '_', 1), count(*) from pg_settings group by 1",
          "select name, current_setting(name) from pg_settings",
          "select sum(setting::bigint) from pg_settings where setting ~ '^[0-9]+$'"}) {
        INFO(sql);
        CHECK(family(sql) == "read");
    }
}

TEST_CASE("who reshapes a setting says which one it is", "[db][guard]") {
    for (const auto* sql :
         {"select string_to_array(setting, ',') from pg_settings where name = 'search_path'",
          "select split_part(setting, ':', 1) from pg_settings where name in ('a', 'b')",
          "select reverse(setting) from pg_settings where name like 'wal%' and unit is null",
          "select reverse(setting) from pg_settings where name <> 'primary_conninfo'"}) {
        INFO(sql);
        CHECK(family(sql) == "read");
    }
    for (const auto* sql :
         {"select reverse(setting) from pg_settings",
          "select reverse(setting) from pg_settings where name like 'primary%'",
          "select reverse(setting) from pg_settings where name = 'a' or name ~ 'conninfo'",
          "select md5(x.b) from (select name, setting from pg_settings) x(a, b)",
          "with s(n, v) as (select name, setting from pg_settings) select right(v, 20) from s",
          "select translate(v, 'a', 'b') from (select setting as v from pg_settings) x",
          "select reverse(s::text) from pg_settings s",
          "select reverse(current_setting(name)) from pg_settings",
          "select setting::bytea from pg_settings",
          "select substr(setting, 20) from pg_settings"}) {
        INFO(sql);
        CHECK(family(sql) == "secret_catalog");
    }
}

TEST_CASE("a setting with a password is not asked for by name", "[db][guard]") {
    for (const auto* sql :
         {"show primary_conninfo",
          "select current_setting('primary_' || 'conninfo')",
          "select setting from pg_settings where name = 'primary_conninfo'",
          "select setting from pg_settings where name in ('wal_level', 'primary_conninfo')",
          "select current_setting(n) from (values ('Primary_ConnInfo')) v(n)",
          "select current_setting('app.jwt_secret', true)"}) {
        INFO(sql);
        CHECK(family(sql) == "secret_catalog");
    }
    CHECK(family("select current_setting('password_encryption')") == "read");
    CHECK(family("show primary_slot_name") == "read");
}

} // namespace
} // namespace interlock::db
