// What a column of an answer comes from, however the statement is turned.
#include "base/db/sql_origin.hpp"

#include <catch2/catch.hpp>

namespace db = interlock::db;

namespace {

/// One letter a column: o, s, v, c. A star's columns are given by name.
std::string origins(const std::string& sql, const std::vector<std::string>& columns = {"q"}) {
    const auto found = db::column_origins(sql, columns);
    if (!found) {
        return found.error().what;
    }
    std::string out;
    for (const db::Origin origin : *found) {
        out += "osvc"[static_cast<int>(origin)];
    }
    return out;
}

} // namespace

TEST_CASE("the text of a statement is known under any name", "[base]") {
    for (const char* sql :
         {"select query as q from pg_stat_activity",
          "select a.query as q from pg_catalog.pg_stat_activity a",
          "select left(query, 60) as q from pg_stat_statements",
          "select substring(query for 80) as q from pg_stat_statements",
          "select substring(query, 1, 80) as q from pg_stat_statements",
          "select btrim(query) || '...' as q from pg_stat_activity",
          "select '> ' || query as q from pg_stat_activity",
          "select coalesce(query, '') as q from pg_stat_activity",
          "select case when state = 'idle' then '' else query end as q from pg_stat_activity",
          "select regexp_replace(query, '\\s+', ' ', 'g') as q from pg_stat_activity",
          "select q from (select query as q from pg_stat_activity) s",
          "select * from (select query as q from pg_stat_activity) s",
          "with w as (select query from pg_stat_activity) select query as q from w",
          "with w(q) as (select query from pg_stat_activity) select q from w",
          "select s.q from (select query from pg_stat_activity) s(q)",
          "select application_name as q from pg_stat_activity union all "
          "select query from pg_stat_statements",
          "select (select query from pg_stat_activity limit 1) as q",
          "select max(query)::text as q from pg_stat_activity",
          "select pg_stat_get_backend_activity(1) as q",
          "select statement as q from pg_prepared_statements",
          "select a as q from (select b as a from (select query as b from pg_stat_activity) x) "
          "y"}) {
        INFO(sql);
        CHECK(origins(sql) == "s");
    }
    CHECK(origins("select * from pg_stat_activity", {"pid", "query", "state"}) == "oso");
    CHECK(origins("table pg_stat_activity", {"pid", "query"}) == "os");
    CHECK(origins("select pid, query from pg_stat_activity", {"pid", "query"}) == "os");
}

TEST_CASE("what hides a statement's text is hidden", "[base]") {
    for (const char* sql :
         {"select reverse(query) as q from pg_stat_activity",
          "select upper(query) as q from pg_stat_activity",
          "select substr(query, 20) as q from pg_stat_activity",
          "select right(query, 20) as q from pg_stat_activity",
          "select replace(query, '''', '') as q from pg_stat_activity",
          "select regexp_replace(query, '[^a-z]', '', 'g') as q from pg_stat_activity",
          "select '''' || query as q from pg_stat_activity",
          "select left(query, 20) || query as q from pg_stat_activity",
          "select string_agg(query, ';') as q from pg_stat_activity",
          "select array_agg(query) as q from pg_stat_activity",
          "select array(select query from pg_stat_activity) as q",
          "select (array_agg(query))[1] as q from pg_stat_activity",
          "select to_json(a) as q from pg_stat_activity a",
          "select row_to_json(a.*) ->> 'query' as q from pg_stat_activity a",
          "select a::text as q from pg_stat_activity a",
          "select pg_stat_activity as q from pg_stat_activity",
          "select row(query) as q from pg_stat_activity",
          "select query::bytea as q from pg_stat_activity",
          "select q from (select reverse(query) q from pg_stat_activity) s",
          "select reverse as q from (select reverse(query) from pg_stat_activity) s",
          "select * from pg_stat_activity a, lateral (select reverse(a.query) as q) s",
          "select value as q from pg_stat_activity a, json_each_text(row_to_json(a))",
          "select * from pg_stat_activity a, unnest(string_to_array(a.query, '''')) q",
          "select w as q from pg_stat_activity a, regexp_split_to_table(a.query, '''') w",
          "select mode() within group (order by query) as q from pg_stat_activity",
          "select encode(convert_to(query, 'UTF8'), 'base64') as q from pg_stat_activity",
          "select x as q from pg_stat_get_activity(null) t(x)",
          "with recursive w as (select query as a, 1 as n from pg_stat_activity union all "
          "select substr(a, 2), n + 1 from w where n < 9) select a as q from w",
          "select reverse(setting) as q from pg_settings",
          "select reverse(current_setting('primary_conninfo')) as q",
          "select md5(name) || query as x, overlay(query placing '' from 1) as q from t"}) {
        INFO(sql);
        CHECK(
            origins(
                sql,
                std::string{sql}.find(" as x,") != std::string::npos
                    ? std::vector<std::string>{"x", "q"}
                    : std::vector<std::string>{"q"}
            )
                .back() == 'c'
        );
    }
}

TEST_CASE("what tells no text is ordinary", "[base]") {
    for (const char* sql :
         {"select count(query) as q from pg_stat_activity",
          "select length(query) as q from pg_stat_activity",
          "select md5(query) as q from pg_stat_activity",
          "select query like 'a%' as q from pg_stat_activity",
          "select query is null as q from pg_stat_activity",
          "select exists (select query from pg_stat_activity) as q",
          "select application_name as q from pg_stat_activity where query ~ 'x'",
          "select datname || ':' || usename as q from pg_stat_activity",
          "select state as q, query from pg_stat_activity",
          "select setting::int * 8 as q from pg_settings",
          "select setting as q from app.preferences",
          "values (1)",
          "select max(state) as q from (select state, max(xact_start) from pg_stat_activity "
          "group by 1) s"}) {
        INFO(sql);
        CHECK(
            origins(
                sql,
                std::string{sql}.find("as q, query") != std::string::npos
                    ? std::vector<std::string>{"q", "query"}
                    : std::vector<std::string>{"q"}
            )
                .front() == 'o'
        );
    }
}

TEST_CASE("values of settings are known", "[base]") {
    CHECK(origins("select setting as q from pg_settings") == "v");
    CHECK(origins("select name, setting from pg_settings", {"name", "setting"}) == "ov");
    CHECK(origins("select current_setting('work_mem') as q") == "v");
    CHECK(origins("select name || '=' || setting as q from pg_settings") == "v");
    CHECK(origins("select * from pg_db_role_setting", {"setdatabase", "setconfig"}) == "ov");
    CHECK(origins("select unnest(setconfig) as q from pg_db_role_setting") == "v");
    CHECK(origins("show work_mem") == "c"); // no SELECT
}

TEST_CASE("settings that may hold secrets are told by name", "[base]") {
    for (const char* name :
         {"primary_conninfo",
          "restore_command",
          "ssl_passphrase_command",
          "app.jwt_secret",
          "app.API_TOKEN",
          "pgsodium.server_key",
          "my.password"}) {
        CHECK(db::is_secret_setting(name));
    }
    for (const char* name : {"work_mem", "password_encryption", "max_connections"}) {
        CHECK_FALSE(db::is_secret_setting(name));
    }
    for (const char* value :
         {"100", "on", "\"$user\", public", "ISO, MDY", "{search_path=app}", "/var/lib/x"}) {
        CHECK(db::is_plain_setting_value(value));
    }
    for (const char* value :
         {"host=a password=b", "echo hunter2", "{app.jwt_secret=abc}", "restore_command", "a@b"}) {
        CHECK_FALSE(db::is_plain_setting_value(value));
    }
}
