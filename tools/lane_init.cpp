// The SQL that makes the lane and the executor's role and ledger.
#include "tools/lane_check.hpp"

namespace interlock::tools {
namespace {

std::string quoted(const std::string& name, char mark) {
    std::string out(1, mark);
    for (const char c : name) {
        out += c;
        if (c == mark) {
            out += c;
        }
    }
    return out + mark;
}
std::string identifier(const std::string& name) {
    return quoted(name, '"');
}
std::string literal(const std::string& text) {
    return quoted(text, '\'');
}

/// CREATE ROLE has no IF NOT EXISTS.
std::string create_role(const std::string& role, const char* options) {
    return "do $interlock$ begin\n"
           "    if not exists (select from pg_catalog.pg_roles where rolname = " +
           literal(role) +
           ") then\n"
           "        create role " +
           identifier(role) + " " + options +
           ";\n"
           "    end if;\n"
           "end $interlock$;\n";
}

std::string diag_sql(const InitOptions& options) {
    const std::string role = identifier(options.diag_role);
    std::string sql = "-- The role that looks: pg_monitor and nothing else.\n";
    sql += create_role(options.diag_role, "login");
    sql += "alter role " + role + " login connection limit " +
           std::to_string(options.connection_limit) + ";\n";
    sql += "grant pg_monitor to " + role + ";\n";
    sql += "grant connect on database " + identifier(options.database) + " to " + role + ";\n";
    for (const char* setting :
         {"default_transaction_read_only = on",
          "statement_timeout = '30s'",
          "lock_timeout = '500ms'",
          "idle_in_transaction_session_timeout = '10s'",
          "search_path = pg_catalog"}) {
        sql += "alter role " + role + " set " + setting + ";\n";
    }
    sql += "-- Advised: lets it see which sequences near their end, and reads no table. For each\n"
           "-- schema S: grant select on all sequences in schema S to " +
           role + ";\n";
    // Only a superuser may bound this, and no session may set it for itself.
    sql += "do $interlock$ begin\n"
           "    alter role " +
           role +
           " set temp_file_limit = '1GB';\n"
           "exception when insufficient_privilege then\n"
           "    raise notice 'temp_file_limit is for a superuser to set';\n"
           "end $interlock$;\n";
    sql += "\n"
           "-- Up to version 14 everybody may create objects in schema public, this role too. The\n"
           "-- lane needs that right gone. An application that creates tables in public without\n"
           "-- owning it needs a grant of its own first: grant create on schema public to ...;\n"
           "do $interlock$ begin\n"
           "    if exists (select from pg_catalog.pg_namespace where nspname = 'public') and\n"
           "       pg_catalog.has_schema_privilege(" +
           literal(options.diag_role) +
           ", 'public', 'create') then\n"
           "        revoke create on schema public from public;\n"
           "    end if;\n"
           "end $interlock$;\n";
    return sql;
}

std::string read_sql(const InitOptions& options) {
    if (options.read_role.empty()) {
        return {};
    }
    const std::string role = identifier(options.read_role);
    return "\n-- The role that reads approved views, taken by SET ROLE for callers mapped to "
           "it.\n" +
           create_role(options.read_role, "nologin") + "grant " + role + " to " +
           identifier(options.diag_role) +
           ";\n"
           "-- For each approved view: grant usage on schema S to " +
           role + "; grant select on S.V to " + role + ";\n";
}

std::string executor_sql(const InitOptions& options) {
    const std::string role = identifier(options.executor_role);
    return "\n-- The role of the executor, which alone may act: it signals client sessions and\n"
           "-- keeps a ledger of what it did, so that nothing is done twice.\n" +
           create_role(options.executor_role, "login") + "alter role " + role +
           " login connection limit " + std::to_string(options.connection_limit) +
           ";\n"
           "grant pg_monitor to " +
           role +
           ";\n"
           "grant pg_signal_backend to " +
           role +
           ";\n"
           "grant connect on database " +
           identifier(options.database) + " to " + role +
           ";\n"
           "create schema if not exists interlock_exec;\n"
           "create table if not exists interlock_exec.ledger (\n"
           "    plan_digest text not null,\n"
           "    step int not null,\n"
           "    direction text not null,\n"
           "    fence bigint not null,\n"
           "    executor text not null,\n"
           "    at timestamptz not null default pg_catalog.clock_timestamp(),\n"
           "    primary key (plan_digest, step, direction)\n"
           ");\n"
           "revoke all on schema interlock_exec from public;\n"
           "revoke all on interlock_exec.ledger from public;\n"
           "alter schema interlock_exec owner to " +
           role +
           ";\n"
           "alter table interlock_exec.ledger owner to " +
           role + ";\n";
}

} // namespace

std::string init_sql(const InitOptions& options) {
    return "-- The narrow lane of Interlock to database " + identifier(options.database) +
           ", for PostgreSQL 14 to 18.\n"
           "-- Run it connected to that database, as a superuser or the provider's administrator.\n"
           "-- It may be run again.\n"
           "set client_min_messages = warning;\n\n" +
           diag_sql(options) + read_sql(options) + executor_sql(options) +
           "\n-- Passwords: set them in psql, where they are sent hashed and stay out of files:\n"
           "--   \\password " +
           options.diag_role +
           "\n"
           "--   \\password " +
           options.executor_role +
           "\n"
           "-- Advised where applications allow it; they hold for everybody:\n"
           "--   revoke temporary on database " +
           identifier(options.database) +
           " from public;\n"
           "--   revoke create on database " +
           identifier(options.database) + " from public;\n";
}

} // namespace interlock::tools
