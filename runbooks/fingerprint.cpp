#include "runbooks/fingerprint.hpp"

#include <limits>

namespace interlock::runbooks {

// A primary's timeline is taken from the log it is writing: the control file still shows the old
// one between a promotion and the first checkpoint after it.
const db::Sql fingerprint_sql{"target_fingerprint", R"sql(
select (select system_identifier from pg_catalog.pg_control_system())::text as system_identifier,
       pg_catalog.current_database()::text as database,
       case when pg_catalog.pg_is_in_recovery()
            then (select timeline_id from pg_catalog.pg_control_checkpoint())
            else ('x' || pg_catalog.substr(
                     pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8
                 ))::bit(32)::int4
       end as timeline,
       pg_catalog.pg_is_in_recovery() as in_recovery,
       pg_catalog.current_setting('server_version_num')::int4 / 10000 as server_major
)sql"};

base::Result<TargetFingerprint>
fingerprint_from(const db::Table& table, const std::string& target) {
    const auto unreadable = [&](const std::string& what) {
        return base::Error{
            base::Errc::not_supported,
            "The identity of target " + target + " could not be read: " + what + ".",
            "Check that the role may call pg_control_system() and pg_control_checkpoint().",
        };
    };
    if (table.rows.size() != 1) {
        return unreadable("expected one row, got " + std::to_string(table.rows.size()));
    }
    TargetFingerprint out;
    out.target = target;
    out.system_identifier = table.text(0, "system_identifier");
    out.database = table.text(0, "database");
    const auto timeline = table.integer(0, "timeline");
    const auto in_recovery = table.boolean(0, "in_recovery");
    const auto server_major = table.integer(0, "server_major");
    if (out.system_identifier.empty() || out.database.empty() || !in_recovery) {
        return unreadable("a value is missing");
    }
    if (!timeline || *timeline < 1 || *timeline > std::numeric_limits<int>::max() ||
        !server_major || *server_major < 1 || *server_major > 999) {
        return unreadable("a number is missing or out of range");
    }
    out.timeline = static_cast<int>(*timeline);
    out.in_recovery = *in_recovery;
    out.server_major = static_cast<int>(*server_major);
    return out;
}

} // namespace interlock::runbooks
