// What `interlock doctor` tries on a target, expecting refusals.
#include "base/text.hpp"
#include "tools/lane_check.hpp"

#include <chrono>

namespace interlock::tools {
namespace {

/// An attempt that must be refused. Every one is harmless even where it is allowed: nothing is
/// executed by a plain EXPLAIN, and the transaction is read only and always rolled back.
struct Attempt {
    std::string name;
    bool required;
    std::string sql;
    std::string means;
    std::string remedy;
};

// An EXPLAIN of DELETE takes the lock that a DELETE would: nobody may queue behind ours for long.
constexpr std::chrono::milliseconds lock_patience{100};

// Tables whose lock is held or awaited are left alone: that is somebody's incident.
constexpr db::Sql tables_to_try{"tables_to_try", R"sql(
    select pg_catalog.format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relpersistence <> 't'
      and not exists (select from pg_catalog.pg_locks l
                      where l.relation = c.oid and (not l.granted or l.mode in (
                          'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                          'AccessExclusiveLock')))
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_toast'
    order by n.nspname = 'pg_catalog', pg_catalog.has_schema_privilege(n.oid, 'USAGE') desc,
             c.reltuples desc, c.oid
    limit 3)sql"};

std::vector<Attempt> attempts(const std::vector<std::string>& tables) {
    std::vector<Attempt> out;
    for (const std::string& table : tables) {
        // Plain EXPLAIN runs nothing but checks the right to do it.
        out.push_back(
            {"refuses_delete",
             true,
             "explain delete from " + table + " where false",
             "the right to delete rows of " + base::sanitize(table),
             "REVOKE DELETE from the role."}
        );
    }
    if (!tables.empty()) {
        out.push_back(
            {"transaction_is_read_only",
             true,
             "explain analyze delete from " + tables.front() + " where false",
             "running a change in our transaction",
             "Report this defect of Interlock."}
        );
    }
    out.push_back(
        {"transaction_stays_read_only",
         true,
         "select pg_catalog.set_config('transaction_read_only', 'off', true)",
         "making our transaction read-write",
         "Report this defect of Interlock."}
    );
    out.push_back(
        {"refuses_ddl",
         true,
         "create table interlock_must_not_exist (x int)",
         "sending a CREATE TABLE",
         "Report this defect of Interlock."}
    );
    out.push_back(
        {"refuses_server_files",
         true,
         "select pg_catalog.pg_read_file('PG_VERSION')",
         "reading a file of the server",
         "REVOKE EXECUTE on pg_read_file from the role."}
    );
    out.push_back(
        {"refuses_large_objects",
         false,
         "select pg_catalog.lo_create(0)",
         "making a large object (rolled back)",
         "REVOKE EXECUTE ON FUNCTION pg_catalog.lo_create(oid) FROM PUBLIC, if no application "
         "needs large objects."}
    );
    return out;
}

LaneCheck try_it(db::ReaderConnection& connection, const Attempt& attempt) {
    LaneCheck check;
    check.name = attempt.name;
    check.required = attempt.required;
    check.remedy = attempt.remedy;
    db::LaneSettings settings;
    settings.application_name = "interlock:doctor";
    settings.lock_timeout = lock_patience;
    const auto results = connection.read(
        settings,
        {{.sql = {.name = "attempt", .text = attempt.sql}, .parameters = {}, .rows_max = 1}},
        {}
    );
    const std::string tried = "tried " + attempt.means + ": ";
    if (!results) {
        check.proof = tried + "no answer: " + results.error().what;
    } else if (results->front()) {
        check.proof = tried + "it was allowed";
    } else {
        const base::Error& error = results->front().error();
        if (error.what.find("55P03") != std::string::npos) {
            check.required = false;
            check.proof = "not tried: " + attempt.means +
                          " met a lock, and waited no longer than " +
                          std::to_string(lock_patience.count()) + " ms for it";
            check.remedy = "Run doctor again when the locks are gone; get_blocking shows them.";
            return check;
        }
        check.passed = error.code == base::Errc::permission_denied ||
                       error.code == base::Errc::refused_by_guard;
        check.proof = tried + (check.passed ? "refused. " : "failed otherwise. ") + error.what;
    }
    return check;
}

base::Result<std::vector<std::string>> find_tables(db::ReaderConnection& connection) {
    db::LaneSettings settings;
    settings.application_name = "interlock:doctor";
    INTERLOCK_TRY(
        const auto results,
        connection.read(settings, {{.sql = tables_to_try, .parameters = {}, .rows_max = 3}}, {})
    );
    if (!results.front()) {
        return results.front().error();
    }
    std::vector<std::string> names;
    const db::Table& table = results.front()->table;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        names.push_back(table.text(row, "name"));
    }
    return names;
}

} // namespace

base::Result<std::vector<LaneCheck>> check_lane_by_trying(const db::TargetAddress& address) {
    INTERLOCK_TRY(const auto connection, db::ReaderConnection::open(address));
    INTERLOCK_TRY(std::vector<LaneCheck> checks, check_lane(*connection));
    INTERLOCK_TRY(const std::vector<std::string> tables, find_tables(*connection));
    for (const Attempt& attempt : attempts(tables)) {
        checks.push_back(try_it(*connection, attempt));
    }
    return checks;
}

} // namespace interlock::tools
