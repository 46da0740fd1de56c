// run_query on a real server: what it answers, what it refuses before and after asking the target,
// and that whatever it allows changes nothing.
#include "base/limits.hpp"
#include "tests/base/db/guard/corpus.hpp"
#include "tests/tools/shop.hpp"

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace lab = interlock::lab;
namespace limits = interlock::base::limits;
using interlock::test::not_examined;
using interlock::test::Shop;
using nlohmann::json;

std::string arguments(const std::string& sql, int limit = 50) {
    return json{{"sql", sql}, {"limit", limit}}.dump();
}

json ask(Shop& shop, const std::string& sql, int limit = 50) {
    return shop.bench().ask("run_query", arguments(sql, limit));
}

/// The error of a call that must fail.
json refused(Shop& shop, const std::string& sql) {
    const auto output = shop.bench().call("run_query", arguments(sql));
    INFO(sql << "\n" << output.structured);
    REQUIRE(output.is_error);
    return json::parse(output.structured)["error"];
}

std::string refusal_code(Shop& shop, const std::string& sql) {
    return refused(shop, sql)["code"];
}

/// Objects that a query may meet, readable for everybody.
void furnish(Shop& shop) {
    shop.database().sql(R"sql(
        create table app.big (id int primary key, doc text);
        insert into app.big select i, 'x' from generate_series(1, 5) i;
        create type app.mood as enum ('good', 'bad');
        create table app.moods (mood app.mood);
        insert into app.moods values ('good');
        create function app.noisy(int) returns int language plpgsql immutable as
            $$ begin raise notice 'ran'; perform set_config('app.ran', 'yes', false); return 1;
            end $$;
        create function app.secret_rows() returns setof int language sql as 'select 1';
        create view app.plain_view as select id, upper(note) as note from app.orders;
        create view app.mood_view as select mood from app.moods where mood = 'good';
        create view app.sleepy_view as select pg_sleep(3) is null as slept;
        create view app.noisy_view as select app.noisy(1) as n;
        create view app.nested_view as select * from app.noisy_view;
        create view app.role_view as select rolname from pg_authid;
        create view app.locking_view as select id from app.orders for update;
        create materialized view app.kept as select app.noisy(2) as n;
        create table app.guarded (id int);
        alter table app.guarded enable row level security;
        create policy p on app.guarded using (app.noisy(id) = 1);
        create domain app.small as int check (value < 10);
        create view app.domain_view as select 3::app.small as small;
        create extension if not exists postgres_fdw;
        create server far foreign data wrapper postgres_fdw;
        create foreign table app.far_table (a int) server far;
        create table app.parted (a int) partition by range (a);
        create foreign table app.far_part partition of app.parted
            for values from (0) to (10) server far;
        create table public.near (a int);
        insert into public.near values (7);
        create schema other;
        create table other.only_here (a int);
        create table other.twice (a int);
        create table app.twice (a int);
        grant usage on schema app, other, public to public;
        grant select on all tables in schema app, other, public to public;
    )sql");
}

TEST_CASE("a query is answered with its own columns as text", "[tools][postgres][live]") {
    Shop shop;
    const json packet = ask(shop, "select 1 as one, null as nothing, 'a' || chr(27) || 'b' as t;");
    const json& row = packet["rows"]["result"][0];
    CHECK(row["one"] == "1");
    CHECK_FALSE(row.contains("nothing"));
    CHECK(row["t"].get<std::string>().find('\x1b') == std::string::npos);
    CHECK(packet["rows"]["plan"].size() == 1);
    CHECK(packet["untrusted"].size() == 3);
    CHECK(packet["source"]["target"] == "shop");

    const json doubled = ask(shop, "select 1 as a, 2 as a, 3, 4");
    CHECK(doubled["rows"]["result"][0]["a"] == "1");
    CHECK(doubled["rows"]["result"][0]["a_2"] == "2");
    CHECK(doubled["rows"]["result"][0]["?column?_2"] == "4");
}

TEST_CASE("order, limit and cuts are honest", "[tools][postgres][live]") {
    Shop shop;
    const json packet = ask(shop, "select i from generate_series(1, 1000) i order by i desc", 3);
    CHECK(packet["rows"]["result"].size() == 3);
    CHECK(packet["rows"]["result"][0]["i"] == "1000");
    CHECK(not_examined(packet, "rows beyond the first 3"));
    const json all = ask(shop, "select i from generate_series(1, 3) i", 3);
    CHECK(all["rows"]["result"].size() == 3);
    CHECK(all["not_examined"].empty());
}

TEST_CASE("show, explain, values and table are reads too", "[tools][postgres][live]") {
    Shop shop;
    CHECK(ask(shop, "show max_connections")["rows"]["result"][0]["max_connections"] == "60");
    CHECK(ask(shop, "show all", 5)["rows"]["result"].size() == 5);
    CHECK(ask(shop, "values (1, 'a'), (2, 'b')")["rows"]["result"].size() == 2);
    CHECK(ask(shop, "table pg_catalog.pg_database")["rows"]["result"].size() >= 3);
    const json plan = ask(shop, "explain (format json) select * from pg_class");
    CHECK(
        plan["rows"]["result"][0]["QUERY PLAN"].get<std::string>().find("Seq Scan") !=
        std::string::npos
    );
}

TEST_CASE("a large cell is cut where it is", "[tools][postgres][live]") {
    Shop shop;
    furnish(shop);
    shop.database().sql("update app.big set doc = repeat('y', 20000000) where id = 1");
    const json packet = ask(shop, "select id, doc from app.big order by id");
    CHECK(packet["rows"]["result"].size() == 5);
    CHECK(packet["rows"]["result"][0]["doc"].get<std::string>().size() < 1'000);
    CHECK(not_examined(packet, "cells beyond their first 10000 characters"));
}

TEST_CASE("a name without a schema is found where the target has it", "[tools][postgres][live]") {
    Shop shop;
    furnish(shop);
    CHECK(ask(shop, "select a from near")["rows"]["result"][0]["a"] == "7");
    CHECK(ask(shop, "select count(*) from only_here as o")["rows"]["result"][0]["count"] == "0");
    const json twice = refused(shop, "select * from twice");
    CHECK(twice["code"] == "invalid_arguments");
    CHECK(twice["what"].get<std::string>().find("app, other") != std::string::npos);
    CHECK(refused(shop, "select * from nowhere")["code"] != "refused_by_guard");
    shop.database().sql("create schema ext; alter extension pg_stat_statements set schema ext;"
                        "grant usage on schema ext to public");
    CHECK(ask(shop, "select count(*) from pg_stat_statements")["rows"]["result"].size() == 1);
    CHECK(
        ask(shop, "select count(*) from pg_stat_statements(false)")["rows"]["result"].size() == 1
    );
}

TEST_CASE("what the guard denies never reaches the target", "[tools][postgres][live]") {
    Shop shop;
    for (const auto* sql :
         {"delete from app.orders",
          "select pg_sleep(1)",
          "commit; drop table app.orders",
          "select * from pg_authid",
          "explain analyze select 1",
          "select app.noisy(1)"}) {
        CHECK(refusal_code(shop, sql) == "refused_by_guard");
    }
    CHECK(shop.bench().spans().all().empty() == false);
    CHECK(refusal_code(shop, "select $1::int") == "invalid_arguments");
    CHECK(shop.database().scalar("select count(*) from app.orders") == "100");
}

TEST_CASE("what stands behind a name is judged as well", "[tools][postgres][live]") {
    Shop shop;
    furnish(shop);
    for (const auto* good :
         {"app.plain_view", "app.mood_view", "app.moods", "app.kept", "app.big"}) {
        INFO(good);
        CHECK(ask(shop, std::string{"select * from "} + good)["rows"]["result"].size() >= 1);
    }
    for (const auto* bad :
         {"app.sleepy_view",
          "app.noisy_view",
          "app.nested_view",
          "app.role_view",
          "app.locking_view",
          "app.guarded",
          "app.domain_view",
          "app.far_table",
          "app.parted"}) {
        INFO(bad);
        CHECK(refusal_code(shop, std::string{"select * from "} + bad) == "refused_by_guard");
        CHECK(
            refusal_code(shop, std::string{"explain select 1 from "} + bad) == "refused_by_guard"
        );
    }
}

TEST_CASE("a plan over budget is not run", "[tools][postgres][live]") {
    Shop shop;
    shop.database().sql("analyze app.orders; grant usage on schema app to interlock_diag;"
                        "grant select on app.orders to interlock_diag;"
                        "update pg_class set reltuples = 1e9 where oid = 'app.orders'::regclass");
    const json error = refused(shop, "select count(*) from app.orders where note = 'n'");
    CHECK(error["code"] == "budget_exhausted");
    CHECK(error["what"].get<std::string>().find("cost") != std::string::npos);
}

TEST_CASE("errors of the target are told, and the tool goes on", "[tools][postgres][live]") {
    Shop shop;
    CHECK(refusal_code(shop, "select nothing from pg_class") != "internal");
    CHECK(refusal_code(shop, "select 1 / 0") != "internal");
    CHECK(refusal_code(shop, "select * from app.orders") == "permission_denied");
    CHECK(ask(shop, "select 1 as a")["rows"]["result"][0]["a"] == "1");
}

TEST_CASE("statements that others ran come with their literals masked", "[tools][postgres][live]") {
    Shop shop;
    lab::Session other{shop.app(), "lab"};
    other.run("begin; update app.orders set note = 'hidden-literal' where id = 1");
    const json packet =
        ask(shop, "select pid, query from pg_stat_activity where state = 'idle in transaction'");
    CHECK(packet.dump().find("hidden-literal") == std::string::npos);
    CHECK(packet.dump().find("update app.orders") != std::string::npos);
}

/// What a read must leave as it was.
constexpr const char* state_sql = R"sql(
    select md5(concat_ws('|',
        (select string_agg(oid::text || relname || relfilenode || coalesce(relacl::text, ''), ','
                           order by oid) from pg_class),
        (select string_agg(oid::text || proname || md5(prosrc), ',' order by oid) from pg_proc),
        (select string_agg(schemaname || sequencename || coalesce(last_value, 0), ','
                           order by 1) from pg_sequences),
        (select string_agg(slot_name || coalesce(restart_lsn::text, ''), ',' order by 1)
         from pg_replication_slots),
        (select string_agg(setdatabase::text || setrole || setconfig::text, ',' order by 1)
         from pg_db_role_setting),
        (select count(*) from pg_largeobject_metadata),
        (select count(*) from pg_prepared_xacts),
        (select count(*) from pg_locks where locktype = 'advisory'),
        (select string_agg(rolname || rolsuper, ',' order by 1) from pg_roles),
        (select md5(string_agg(t::text, ',' order by id)) from app.orders t)))
)sql";

TEST_CASE("whatever is allowed changes nothing on the server", "[tools][postgres][live]") {
    Shop shop;
    furnish(shop);
    const auto next_xid = [&] {
        return shop.database().scalar("select pg_snapshot_xmax(pg_current_snapshot())");
    };
    const auto before = shop.database().scalar(state_sql);
    bool quiet = false;
    // The server's own maintenance takes transaction ids as well: one round without will do.
    for (int round = 0; round < 3 && !quiet; ++round) {
        const auto xid = next_xid();
        int ran = 0;
        for (const auto& sql : interlock::test::allowed_statements()) {
            const auto output = shop.bench().call("run_query", arguments(sql, 5));
            INFO(sql << "\n" << output.structured);
            ran += output.is_error ? 0 : 1;
            CHECK(output.error_code != "internal");
            CHECK(output.error_code != "refused_by_guard");
        }
        CHECK(ran > 150);
        quiet = next_xid() == xid;
    }
    CHECK(quiet);
    CHECK(shop.database().scalar(state_sql) == before);
    CHECK(ask(shop, "show statement_timeout")["rows"]["result"][0]["statement_timeout"] == "5s");
}

} // namespace

TEST_CASE(
    "literals of other sessions' statements are masked under any name", "[tools][postgres][live]"
) {
    Shop shop;
    lab::Session other{shop.app(), "the other"};
    other.run("select 'hunter2secret', 4711 as secret_number");
    const std::string from = " from pg_stat_activity where application_name = 'the other'";
    for (const char* select :
         {"select query as q",
          "select left(query, 40) as q",
          "select max(query) as q",
          "select coalesce(query, '') as q",
          "select query || '...' as q",
          "select regexp_replace(query, '\\s+', ' ', 'g') as q"}) {
        INFO(select);
        const json packet = ask(shop, select + from);
        const std::string shown = packet["rows"]["result"][0]["q"];
        CHECK(shown.find("select $1") == 0);
        CHECK(packet.dump().find("hunter2secret") == std::string::npos);
        CHECK(packet.dump().find("4711") == std::string::npos);
    }
    for (const char* select :
         {"select reverse(query) as q",
          "select substr(query, 9) as q",
          "select upper(query) as q",
          "select replace(query, '''', '') as q",
          "select array_agg(query) as q",
          "select to_json(pg_stat_activity) as q",
          "select query::bytea as q",
          "select string_to_array(query, '''') as q"}) {
        INFO(select);
        const json packet = ask(shop, select + from);
        CHECK(packet["rows"]["result"][0]["q"] == "(not shown)");
        CHECK(not_examined(packet, "column q"));
    }
    const json star = ask(shop, "select *" + from);
    CHECK(star["rows"]["result"][0]["application_name"] == "the other");
    CHECK(
        star["rows"]["result"][0]["query"] ==
        "select $1, $2 as secret_number /* literals masked from $1 on */"
    );
    CHECK(star["not_examined"].empty());
    const json counted = ask(shop, "select length(query) as n, state" + from);
    CHECK(counted["rows"]["result"][0]["n"] == "45");
    CHECK(counted["rows"]["result"][0]["state"] == "idle");
    const json failed = refused(shop, "select query::int as q" + from);
    CHECK(failed.dump().find("hunter2secret") == std::string::npos);
}

TEST_CASE("settings that hold secrets are shown to nobody", "[tools][postgres][live]") {
    Shop shop;
    lab::Database& database = shop.database();
    database.sql("alter database " + database.name() + " set app.jwt_secret = 'hunter2secret'");
    for (const char* setting : {"primary_conninfo", "restore_command"}) {
        database.sql(
            std::string{"alter system set "} + setting +
            (std::string_view{setting} == "primary_conninfo"
                 ? " = 'host=nowhere application_name=hunter2secret'"
                 : " = 'fetch hunter2secret'")
        );
    }
    database.sql("select pg_reload_conf()");
    REQUIRE(lab::wait_until([&] {
        return database.scalar("show restore_command") == "fetch hunter2secret";
    }));
    for (const char* sql :
         {"show all",
          "show primary_conninfo",
          "show restore_command",
          "show app.jwt_secret",
          "select * from pg_settings where name ~ 'conninfo|restore_command'",
          "select setting from pg_settings where name ~ 'conninfo|restore_command'",
          "select reverse(setting) as q from pg_settings where name = 'restore_command'",
          "select setting || '' as q from pg_settings where name = 'primary_conninfo'",
          "select current_setting('restore_command') as q",
          "select current_setting('app.jwt_secret') as q",
          "select setconfig from pg_db_role_setting",
          "select unnest(setconfig) as q from pg_db_role_setting",
          "select to_json(s) as q from pg_settings s where name = 'restore_command'",
          "select 'work_mem' as name, setting from pg_settings where name ~ 'restore'",
          "select t.name, s.setting from pg_timezone_names t, pg_catalog.pg_settings s "
          "where s.name ~ 'restore|jwt' and t.name = 'UTC'",
          "select 'x' as name, setconfig from pg_db_role_setting",
          "select 'x' as name, c from pg_db_role_setting, unnest(setconfig) c",
          "select 'work_mem' as name, current_setting(n) as setting "
          "from (values (reverse('terces_twj.ppa'))) v(n)"}) {
        INFO(sql);
        const auto output = shop.bench().call("run_query", arguments(sql, 100));
        CHECK(output.structured.find("hunter2secret") == std::string::npos);
        CHECK(output.structured.find("terces2retnuh") == std::string::npos);
        CHECK(output.text.find("hunter2secret") == std::string::npos);
    }
    // Nor told by guessing: whatever a value is compared with, it is not the secret.
    for (const char* sql :
         {"select name from pg_settings where setting like '%hunter2%'",
          "select name from pg_catalog . pg_settings where setting ~ 'hunter2' or boot_val ~ "
          "'hunter2'",
          "select s.name from \"pg_catalog\".pg_settings as s where s.reset_val like '%hunter2%'",
          "with pg_settings as (select * from pg_catalog.pg_settings) "
          "select name from pg_settings where setting like '%hunter2%'",
          "with s as (select * from pg_settings) select name from s where setting ^@ 'fetch h'",
          "select 1 from pg_db_role_setting where setconfig::text like '%hunter2%'",
          "select 1 from pg_roles, unnest(rolconfig) c where c like '%hunter2%'",
          "(select name from pg_settings where setting like '%hunter2%') union all "
          "table pg_timezone_names limit 0"}) {
        INFO(sql);
        const auto output = shop.bench().call("run_query", arguments(sql, 100));
        const auto answer =
            output.structured.empty() ? json::object() : json::parse(output.structured);
        if (answer.contains("rows")) {
            CHECK(answer["rows"]["result"].empty());
        }
    }
    // What may be seen is as it was, in the order that was asked for.
    const json visible =
        ask(shop,
            "select r.rolname, s.setting from pg_catalog.pg_roles r, pg_catalog.pg_settings s "
            "where s.name in ('work_mem', 'jit') and r.rolname = 'pg_monitor' order by s.name desc"
        );
    CHECK(visible["rows"]["result"][0]["setting"] == "8192");
    CHECK(visible["rows"]["result"][1]["setting"] == "off");
    const json all =
        ask(shop,
            "select name, setting from pg_settings where name in "
            "('work_mem', 'search_path', 'log_line_prefix') order by name");
    CHECK(all["rows"]["result"][2]["setting"] == "8192");
    CHECK(all["not_examined"].size() == 1); // that a session reads its own
    CHECK(ask(shop, "show max_connections")["not_examined"].empty());
    CHECK(
        ask(shop, "select current_setting('search_path') as q")["rows"]["result"][0]["q"] ==
        "pg_catalog"
    );
    for (const char* setting : {"primary_conninfo", "restore_command"}) {
        database.sql(std::string{"alter system reset "} + setting);
    }
    database.sql("select pg_reload_conf()");
}

TEST_CASE("a session's own settings are not taken for the server's", "[tools][postgres][live]") {
    Shop shop;
    const auto told = [&](const std::string& sql) {
        const json packet = shop.bench().ask("run_query", json{{"sql", sql}}.dump());
        return not_examined(packet, "settings of the server");
    };
    CHECK(told("show work_mem"));
    CHECK(told("select name, setting from pg_settings where name = 'lock_timeout'"));
    CHECK_FALSE(told("show max_connections"));
    CHECK_FALSE(told("select 1"));
}

TEST_CASE("a name that the target has not got is the caller's mistake", "[tools][postgres][live]") {
    Shop shop;
    for (const char* sql :
         {"select * from nope", "select nope from pg_class", "select * from nope.nope"}) {
        for (const auto& [tool, argument] :
             {std::pair{"run_query", "sql"}, std::pair{"explain_query", "query"}}) {
            INFO(tool << ": " << sql);
            const auto output = shop.bench().call(tool, json{{argument, sql}}.dump());
            CHECK(output.error_code == "invalid_arguments");
            CHECK_THAT(output.text, Catch::Contains("describe_schema"));
        }
    }
}

TEST_CASE("numbers beyond what a reader of JSON keeps come whole", "[tools][postgres][live]") {
    Shop shop;
    const json packet =
        ask(shop,
            "select 9007199254740993::int8 as big, '90071992547409.93'::money as cash, "
            "123456789012345678901234567890.5::numeric as wide, 'infinity'::float8 as endless");
    const json& row = packet["rows"]["result"][0];
    CHECK(row["big"] == "9007199254740993");
    CHECK_THAT(
        row["cash"].get<std::string>(),
        Catch::EndsWith("90,071,992,547,409.93") || Catch::EndsWith("90071992547409.93")
    );
    CHECK(row["wide"] == "123456789012345678901234567890.5");
    CHECK(row["endless"] == "Infinity");
}
