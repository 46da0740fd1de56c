#include "base/db/sql_guard_settings.hpp"
#include "base/db/sql_origin.hpp"
#include "base/db/sql_shield.hpp"
#include "tests/base/db/guard/corpus.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace interlock::db {
namespace {

std::string sent(const std::string& sql) {
    const auto answer = guard_sql(sql);
    REQUIRE(answer.statement);
    const auto made = shielded(*answer.statement);
    REQUIRE(made.ok());
    return made->text();
}

TEST_CASE("a statement that reads no settings is sent as it is", "[db][guard]") {
    for (const std::string sql :
         {"select 1",
          "select * from pg_stat_activity",
          "select * from app.pg_settings",
          "with pg_settings as (select 1 as setting) select setting from pg_settings",
          "explain select * from pg_settings",
          "show all"}) {
        CHECK(sent(sql) == sql);
    }
}

TEST_CASE("settings are read through a query that leaves secrets out", "[db][guard]") {
    for (const std::string sql :
         {"select name from pg_settings",
          "select name from pg_catalog.pg_settings",
          "select name from PG_CATALOG . pg_settings",
          "select name from \"pg_catalog\".\"pg_settings\"",
          "table pg_catalog.pg_settings",
          "select 1 where exists (select from pg_catalog.pg_settings)",
          "with s as (select * from pg_catalog.pg_settings) select * from s"}) {
        const auto text = sent(sql);
        INFO(text);
        CHECK(text.starts_with("with pg_settings as ("));
        const auto own = text.substr(text.find("select * from ("));
        CHECK(own.find("pg_catalog") == std::string::npos);
        CHECK(own.find("PG_CATALOG") == std::string::npos);
    }
    const auto both = sent("select 1 from pg_roles r, pg_catalog.pg_db_role_setting s, "
                           "pg_catalog.pg_user u where r.oid = s.setrole and u.usesysid = r.oid");
    CHECK(both.starts_with("with pg_db_role_setting as ("));
    CHECK(both.find(", pg_roles as (") != std::string::npos);
    CHECK(both.find(", pg_user as (") != std::string::npos);
}

TEST_CASE("whatever the guard allows can be sent so", "[db][guard]") {
    std::size_t with_settings = 0;
    for (const auto& sql : test::allowed_statements()) {
        const auto answer = guard_sql(sql);
        if (!answer.statement || answer.statement->kind() != StatementKind::select) {
            continue;
        }
        INFO(sql);
        const auto made = shielded(*answer.statement);
        CHECK((made && cut_by_server(*made, 3, 100, 10)));
        with_settings += made && made->text() != answer.statement->text() ? 1 : 0;
    }
    CHECK(with_settings > 10);
}

TEST_CASE("names of settings are believed only where pg_settings gives them", "[db][guard]") {
    for (const auto* sql :
         {"select name, setting from pg_settings",
          "select * from pg_catalog.pg_settings where name like 'wal%'",
          "select s.name, s.setting as value from pg_settings s"}) {
        CHECK(names_settings_itself(sql));
    }
    for (const auto* sql :
         {"select 'x' as name, setting from pg_settings",
          "select context as name, setting from pg_settings",
          "select * from pg_settings as s(setting, name)",
          "select a.name, b.setting from pg_settings a, pg_settings b",
          "select * from (select 'x' as name, setting from pg_settings) s",
          "select 'x' as name, setconfig from pg_db_role_setting",
          "with s as (select * from pg_settings) select * from s",
          "select current_setting('work_mem') as setting, 'work_mem' as name"}) {
        INFO(sql);
        CHECK_FALSE(names_settings_itself(sql));
    }
}

TEST_CASE("current_setting of a made up name is denied", "[db][guard]") {
    for (const auto* sql :
         {"select current_setting(reverse('ofninnoc_yramirp'))",
          "select current_setting(category) from pg_settings",
          "select 'x' as name, current_setting(name) from pg_settings",
          "select current_setting(name) from (select reverse('a')::name) s, pg_settings",
          "select current_setting(s.name) from pg_class, (select reverse('a') as name) s",
          "select current_setting(s.name) from pg_settings as s(x, name), pg_class",
          "with pg_settings as (select reverse('a') as name) "
          "select current_setting(s.name) from pg_settings s, pg_class",
          "select (select current_setting(s.name) from (select 'a' || 'b' as name) s) "
          "from pg_settings s, pg_class",
          "select current_setting(n) from (select left('primary_conninfox', 16)) v(n)",
          "select current_setting(n) from (select left(format('%s', 'a.secretx'), 8)) v(n)",
          "select name, setting from pg_show_all_settings()"}) {
        INFO(sql);
        CHECK_FALSE(guard_sql(sql).verdict.allowed);
    }
    CHECK(guard_sql("select name, current_setting(name) from pg_settings").verdict.allowed);
    CHECK(guard_sql("select current_setting('work' || '_mem')").verdict.allowed);
    CHECK(guard_sql("select current_setting(s.name) from pg_settings s left join "
                    "pg_parameter_acl p on s.name = p.parname where s.name ~ '^(work_mem)$'")
              .verdict.allowed);
    const auto named = guard_sql("select n, current_setting(n) from unnest(array['jit', 'a']) n");
    REQUIRE(named.statement);
    CHECK(cut_by_server(*named.statement, 2, 100, 10).ok());
}

} // namespace
} // namespace interlock::db
