#include "tools/lane_check.hpp"

#include "base/text.hpp"

#include <array>

namespace interlock::tools {
namespace {

// The login role, and every role it could become by SET ROLE without having its rights already:
// what any of them may do, a caller of this credential may do.
constexpr std::string_view judged_roles = R"sql(
    with judged as (
        select r.oid, r.rolname from pg_catalog.pg_roles r where r.rolname = session_user
        union all
        select r.oid, r.rolname from pg_catalog.pg_roles r
        where r.rolname <> session_user
          and pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
          and not pg_catalog.pg_has_role(session_user, r.oid, 'USAGE')
    ), reachable as (
        select r.* from pg_catalog.pg_roles r
        where pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
    ), looked_at(name, bad) as ()sql";

// A check that looked at nothing proves nothing: how many things were looked at is part of it.
constexpr std::string_view verdict = R"sql()
    select pg_catalog.count(*) as examined,
           pg_catalog.count(*) filter (where bad) as offences,
           pg_catalog.left(pg_catalog.string_agg(name, ', ') filter (where bad), 300) as names
    from looked_at)sql";

/// One question to the catalogs; `looked_at` selects (name, bad).
struct Question {
    const char* name;
    bool required;
    int version_min; // server_version_num; 0 = every supported
    std::string_view looked_at;
    const char* meaning; // what the names are
    const char* remedy;
};

constexpr std::array questions{
    Question{
        "not_superuser",
        true,
        0,
        "select r.rolname::text, r.rolsuper from reachable r",
        "superuser roles",
        "Use a role of its own: interlock init prints the SQL."},
    Question{
        "cannot_create_roles_or_databases",
        true,
        0,
        "select r.rolname::text, r.rolcreatedb or r.rolcreaterole from reachable r",
        "roles with CREATEDB or CREATEROLE",
        "ALTER ROLE ... NOCREATEDB NOCREATEROLE, or use a role of its own."},
    Question{
        "cannot_replicate",
        true,
        0,
        "select r.rolname::text, r.rolreplication from reachable r",
        "roles with REPLICATION",
        "ALTER ROLE ... NOREPLICATION."},
    Question{
        "cannot_bypass_row_security",
        true,
        0,
        "select r.rolname::text, r.rolbypassrls from reachable r",
        "roles with BYPASSRLS",
        "ALTER ROLE ... NOBYPASSRLS."},
    Question{
        "no_powerful_membership",
        true,
        0,
        R"sql(select r.rolname::text, pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
                   from pg_catalog.pg_roles r
                   where r.rolname in (
                       'pg_signal_backend', 'pg_signal_autovacuum_worker', 'pg_write_all_data',
                       'pg_read_server_files', 'pg_write_server_files',
                       'pg_execute_server_program', 'pg_checkpoint', 'pg_maintain',
                       'pg_create_subscription'))sql",
        "predefined roles that act or read files",
        "REVOKE the membership."},
    Question{
        "owns_nothing",
        true,
        0,
        R"sql(select d.classid::pg_catalog.regclass::text, true
                   from pg_catalog.pg_shdepend d
                   where d.deptype = 'o' and d.refclassid = 'pg_catalog.pg_authid'::regclass
                     and d.refobjid in (select oid from reachable)
                   union all
                   select rolname::text, false from reachable)sql",
        "objects owned (by catalog)",
        "REASSIGN OWNED to the application's owner, or use a role of its own."},
    Question{
        "cannot_create_in_databases",
        true,
        0,
        R"sql(select d.datname::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_database_privilege(j.oid, d.oid, 'CREATE'))
                   from pg_catalog.pg_database d)sql",
        "databases with CREATE",
        "REVOKE CREATE ON DATABASE ... FROM the role (or PUBLIC)."},
    Question{
        "cannot_create_in_schemas",
        true,
        0,
        R"sql(select n.nspname::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_schema_privilege(j.oid, n.oid, 'CREATE'))
                   from pg_catalog.pg_namespace n
                   where n.nspname !~ '^pg_(toast_)?temp_')sql",
        "schemas with CREATE",
        "REVOKE CREATE ON SCHEMA ... FROM the role, or FROM PUBLIC (the default of schema "
        "public up to version 14)."},
    // pg_settings alone is writable by everybody: an UPDATE of it is a SET of one's own session.
    // Who asks for rights pays for each table and column, 6 s for 100,000 tables: where nothing was
    // granted, only the owner has any. (So has who may do all; other questions find that.)
    Question{
        "cannot_write_tables",
        true,
        0,
        R"sql(with by_column as materialized (
                       select a.attrelid from pg_catalog.pg_attribute a where a.attacl is not null)
                   select c.oid::pg_catalog.regclass::text,
                          case when c.relacl is null
                                    and c.relowner not in (select r.oid from reachable r)
                                    and c.oid not in (select b.attrelid from by_column b)
                               then false
                               else exists (
                                   select from judged j
                                   where pg_catalog.has_table_privilege(j.oid, c.oid,
                                             'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER, '
                                             'REFERENCES')
                                      or c.oid in (select b.attrelid from by_column b)
                                         and pg_catalog.has_any_column_privilege(j.oid, c.oid,
                                                 'INSERT, UPDATE, REFERENCES'))
                          end
                   from pg_catalog.pg_class c
                   where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
                     and c.oid <> 'pg_catalog.pg_settings'::regclass)sql",
        "tables and views with a right to write",
        "REVOKE INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES ON ... FROM the role."},
    Question{
        "cannot_maintain_tables",
        true,
        170'000,
        R"sql(select c.oid::pg_catalog.regclass::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_table_privilege(j.oid, c.oid, 'MAINTAIN'))
                   from pg_catalog.pg_class c
                   where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't')sql",
        "tables with MAINTAIN",
        "REVOKE MAINTAIN ON ... FROM the role."},
    Question{
        "cannot_write_sequences",
        true,
        0,
        R"sql(select c.oid::pg_catalog.regclass::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_sequence_privilege(j.oid, c.oid,
                                                                          'USAGE, UPDATE'))
                   from pg_catalog.pg_class c
                   where c.relkind = 'S' and c.relpersistence <> 't'
                   union all
                   select rolname::text, false from judged)sql",
        "sequences with USAGE or UPDATE",
        "REVOKE USAGE, UPDATE ON SEQUENCE ... FROM the role."},
    Question{
        "cannot_run_server_functions",
        true,
        0,
        R"sql(select p.oid::pg_catalog.regprocedure::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_function_privilege(j.oid, p.oid, 'EXECUTE'))
                   from pg_catalog.pg_proc p
                   where p.pronamespace = 'pg_catalog'::regnamespace
                     and p.proname in (
                         'pg_reload_conf', 'pg_rotate_logfile', 'pg_switch_wal', 'pg_promote',
                         'pg_create_restore_point', 'pg_wal_replay_pause', 'pg_wal_replay_resume',
                         'pg_start_backup', 'pg_stop_backup', 'pg_backup_start', 'pg_backup_stop',
                         'pg_stat_reset', 'pg_stat_reset_shared', 'pg_stat_reset_slru',
                         'pg_read_file', 'pg_read_binary_file', 'pg_stat_file', 'pg_ls_dir',
                         'lo_import', 'lo_export', 'pg_log_backend_memory_contexts',
                         'pg_replication_origin_create', 'pg_replication_origin_drop',
                         'pg_replication_origin_advance')
                     -- Version 14 grants it to all, and refuses who is no superuser when called.
                     and (p.proname <> 'pg_log_backend_memory_contexts'
                          or pg_catalog.current_setting('server_version_num')::int >= 150000))sql",
        "server functions with EXECUTE",
        "REVOKE EXECUTE ON FUNCTION ... FROM the role."},
    Question{
        "cannot_alter_system",
        true,
        150'000,
        R"sql(select p.parname,
                          exists (select 1 from judged j
                                  where pg_catalog.has_parameter_privilege(j.oid, p.parname,
                                                                           'ALTER SYSTEM'))
                   from pg_catalog.pg_parameter_acl p
                   union all
                   select rolname::text, false from judged)sql",
        "settings with ALTER SYSTEM",
        "REVOKE ALTER SYSTEM ON PARAMETER ... FROM the role."},
    // The rest weakens the lane without breaking it: our statements are fixed, read only and
    // always rolled back.
    Question{
        "cannot_create_temporary_tables",
        false,
        0,
        R"sql(select d.datname::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_database_privilege(j.oid, d.oid, 'TEMP'))
                   from pg_catalog.pg_database d
                   where d.datname = pg_catalog.current_database())sql",
        "databases with TEMPORARY",
        "REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC."},
    Question{
        "cannot_make_large_objects",
        false,
        0,
        R"sql(select p.oid::pg_catalog.regprocedure::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_function_privilege(j.oid, p.oid, 'EXECUTE'))
                          and pg_catalog.current_setting('server_version_num')::int < 160000
                   from pg_catalog.pg_proc p
                   where p.pronamespace = 'pg_catalog'::regnamespace
                     and p.proname in ('lo_create', 'lo_creat', 'lo_from_bytea', 'lo_put',
                                       'lo_unlink', 'lo_truncate'))sql",
        "large-object functions that a read-only transaction of this version allows",
        "REVOKE EXECUTE ON FUNCTION ... FROM PUBLIC, if no application needs large objects."},
    Question{
        "cannot_run_with_owner_rights",
        false,
        0,
        R"sql(select p.oid::pg_catalog.regprocedure::text,
                          exists (select 1 from judged j
                                  where pg_catalog.has_function_privilege(j.oid, p.oid, 'EXECUTE'))
                   from pg_catalog.pg_proc p
                   where p.prosecdef or p.proname ~ '^dblink'
                   union all
                   select rolname::text, false from judged)sql",
        "SECURITY DEFINER and dblink functions with EXECUTE",
        "REVOKE EXECUTE ON FUNCTION ... FROM PUBLIC and grant it to who needs it."},
    Question{
        "reads_no_user_tables",
        false,
        0,
        R"sql(select c.oid::pg_catalog.regclass::text,
                          case when c.relacl is null
                                    and c.relowner not in (select r.oid from reachable r)
                                    and not exists (select from reachable r
                                                    where r.rolname = 'pg_read_all_data')
                               then false
                               else exists (
                                   select from judged j
                                   where pg_catalog.has_table_privilege(j.oid, c.oid, 'SELECT'))
                          end
                   from pg_catalog.pg_class c
                   join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                   where c.relkind in ('r', 'p', 'm', 'f') and c.relpersistence <> 't'
                     and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
                   union all
                   select rolname::text, false from judged)sql",
        "tables of users that can be read",
        "Diagnosis needs no table data: leave the role with pg_monitor only."},
    Question{
        "sees_all_sessions",
        false,
        0,
        R"sql(select 'pg_read_all_stats',
                          not pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'))sql",
        "missing memberships",
        "GRANT pg_monitor TO the role."},
};

std::string question_text(const Question& question) {
    return std::string{judged_roles} + std::string{question.looked_at} + std::string{verdict};
}

LaneCheck answer(const Question& question, const base::Result<db::Rows>& result) {
    LaneCheck check;
    check.name = question.name;
    check.required = question.required;
    check.remedy = question.remedy;
    if (!result) {
        check.proof = "could not be asked: " + result.error().what;
        check.remedy = result.error().remedy;
        check.unanswered = result.error();
        return check;
    }
    const db::Table& table = result->table;
    const long long examined = table.empty() ? 0 : table.integer(0, "examined").value_or(0);
    const long long offences = table.empty() ? 0 : table.integer(0, "offences").value_or(0);
    check.passed = examined > 0 && offences == 0;
    check.proof = std::to_string(offences) + " " + question.meaning + ", of " +
                  std::to_string(examined) + " looked at";
    if (offences > 0) {
        check.proof += ": " + base::sanitize(table.text(0, "names"));
    }
    return check;
}

} // namespace

base::Result<std::vector<LaneCheck>> check_lane(db::ReaderConnection& connection) {
    const int version = connection.facts().version_number;
    std::vector<const Question*> asked;
    std::vector<std::string> texts;
    for (const Question& question : questions) {
        if (version >= question.version_min) {
            asked.push_back(&question);
            texts.push_back(question_text(question));
        }
    }
    std::vector<db::Query> queries;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        queries.push_back(
            {.sql = {.name = asked[i]->name, .text = texts[i]}, .parameters = {}, .rows_max = 1}
        );
    }
    db::LaneSettings settings;
    settings.application_name = "interlock:lane_check";
    INTERLOCK_TRY(const db::ReadResults results, connection.read(settings, queries, {}));
    std::vector<LaneCheck> checks;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        checks.push_back(answer(*asked[i], results[i]));
    }
    return checks;
}

base::Status require_narrow(const std::string& target, const std::vector<LaneCheck>& checks) {
    const LaneCheck* unanswered = nullptr;
    for (const LaneCheck& check : checks) {
        if (!check.required || check.passed) {
            continue;
        }
        if (check.unanswered) {
            unanswered = &check;
            continue;
        }
        return base::Error{
            base::Errc::permission_denied,
            "The credential of target " + target + " is not narrow (" + check.name +
                "): " + check.proof + ".",
            check.remedy + " interlock doctor prints every check."};
    }
    if (unanswered != nullptr) {
        return base::Error{
            unanswered->unanswered->code,
            "Whether the credential of target " + target + " is narrow (" + unanswered->name +
                ") " + unanswered->proof,
            "It is not used before that is known, and asked again with the next call. " +
                unanswered->remedy};
    }
    return base::done;
}

} // namespace interlock::tools
