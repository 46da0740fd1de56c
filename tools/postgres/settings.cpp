// get_settings: settings that an expert would object to, and why; what waits for a restart; what
// was changed; extensions and collations that are not what the installed files say.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/find.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"

#include <array>
#include <cstdlib>
#include <map>
#include <set>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_settings";
constexpr double kilo = 1'024;

// A session's own settings (our lane's among them) are left out by asking for what it began with.
constexpr db::Sql judged_sql{"settings_judged", R"sql(
    select s.name, s.reset_val as value, s.boot_val, s.unit, s.pending_restart,
           exists (select from pg_catalog.pg_db_role_setting r
                   join pg_catalog.pg_roles o on o.oid = r.setrole
                   cross join lateral pg_catalog.unnest(r.setconfig) c(setting)
                   where o.rolname = session_user
                     and pg_catalog.split_part(c.setting, '=', 1) = s.name) as ours
    from pg_catalog.pg_settings s)sql"};

constexpr db::Sql settings_sql{"settings_changed", R"sql(
    select s.name,
           case when s.vartype = 'string' and s.reset_val <> ''
                     and s.name ~ '(command|conninfo|passphrase|password|secret|token|_key$)'
                then '(set; not shown)' else pg_catalog.left(s.reset_val, 500) end as value,
           s.unit, pg_catalog.left(s.boot_val, 500) as "default",
           s.context as takes_effect, s.pending_restart,
           o.ours as of_reader
    from pg_catalog.pg_settings s
    cross join lateral (
        select exists (select from pg_catalog.pg_db_role_setting r
                       join pg_catalog.pg_roles u on u.oid = r.setrole
                       cross join lateral pg_catalog.unnest(r.setconfig) c(setting)
                       where u.rolname = session_user
                         and pg_catalog.split_part(c.setting, '=', 1) = s.name) as ours) o
    where case when $1::text <> '' then pg_catalog.strpos(s.name, pg_catalog.lower($1::text)) > 0
               else s.reset_val is distinct from s.boot_val and s.context <> 'internal'
                    and not o.ours
                    and s.name not in (
                        'application_name', 'client_encoding', 'config_file', 'data_directory',
                        'DateStyle', 'default_text_search_config', 'dynamic_shared_memory_type',
                        'hba_file', 'ident_file', 'lc_messages', 'lc_monetary', 'lc_numeric',
                        'lc_time', 'log_timezone', 'max_stack_depth', 'TimeZone',
                        'transaction_deferrable', 'transaction_isolation',
                        'transaction_read_only', 'unix_socket_directories')
          end
    order by s.pending_restart desc, s.name
    limit 120)sql"};

constexpr db::Sql overrides_sql{"settings_overrides", R"sql(
    select d.datname as database, o.rolname as "role",
           pg_catalog.split_part(c.setting, '=', 1) as setting,
           case when c.setting ~ '^[^=]*(passphrase|password|secret|token|_key=)'
                then '(set; not shown)'
                else pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1, 300)
           end as value
    from pg_catalog.pg_db_role_setting r
    left join pg_catalog.pg_database d on d.oid = r.setdatabase
    left join pg_catalog.pg_roles o on o.oid = r.setrole
    cross join lateral pg_catalog.unnest(r.setconfig) c(setting)
    where o.rolname is distinct from session_user
    order by 1 nulls first, 2 nulls first, 3
    limit 50)sql"};

constexpr db::Sql server_sql{"settings_server", R"sql(
    select pg_catalog.current_setting('server_version') as version,
           pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS"Z"') as started,
           pg_catalog.to_char(pg_catalog.pg_conf_load_time() at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS"Z"') as configuration_loaded,
           pg_catalog.current_setting('data_checksums') as data_checksums)sql"};

constexpr db::Sql extensions_sql{"settings_extensions", R"sql(
    select e.extname as name, e.extversion as installed, a.default_version as available,
           n.nspname as schema
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    left join pg_catalog.pg_available_extensions() a on a.name = e.extname
    order by a.default_version is not distinct from e.extversion, 1
    limit 50)sql"};

// Collations that nothing uses are left alone: there are hundreds, and each must be opened.
constexpr db::Sql collations_sql{"settings_collations", R"sql(
    select 'collation' as kind, c.collname as name, c.collversion as recorded,
           pg_catalog.pg_collation_actual_version(c.oid) as actual
    from pg_catalog.pg_collation c
    where c.collversion is not null
      and exists (select from pg_catalog.pg_depend d
                  where d.refclassid = 'pg_catalog.pg_collation'::regclass
                    and d.refobjid = c.oid and d.deptype = 'n')
      and c.collversion <> pg_catalog.pg_collation_actual_version(c.oid)
    limit 20)sql"};

constexpr db::Sql collations_sql_15{"settings_collations_15", R"sql(
    select 'database' as kind, d.datname as name, d.datcollversion as recorded,
           pg_catalog.pg_database_collation_actual_version(d.oid) as actual
    from pg_catalog.pg_database d
    where d.datallowconn
      and d.datcollversion <> pg_catalog.pg_database_collation_actual_version(d.oid)
    union all
    select 'collation', c.collname, c.collversion,
           pg_catalog.pg_collation_actual_version(c.oid)
    from pg_catalog.pg_collation c
    where c.collversion is not null
      and exists (select from pg_catalog.pg_depend p
                  where p.refclassid = 'pg_catalog.pg_collation'::regclass
                    and p.refobjid = c.oid and p.deptype = 'n')
      and c.collversion <> pg_catalog.pg_collation_actual_version(c.oid)
    limit 20)sql"};

const std::vector<Column>& setting_columns() {
    static const std::vector<Column> declared{
        {.name = "name"},
        {.name = "value", .untrusted = true},
        {.name = "unit"},
        {.name = "default", .untrusted = true},
        {.name = "takes_effect", .about = "postmaster: at a restart; sighup: at a reload"},
        {.name = "pending_restart", .type = ColumnType::boolean},
        {.name = "of_reader",
         .type = ColumnType::boolean,
         .about = "True: the role that looks has its own, which hides the server's"},
    };
    return declared;
}

const std::vector<Column>& override_columns() {
    static const std::vector<Column> declared{
        {.name = "database", .about = "Absent: of every one", .untrusted = true},
        {.name = "role", .about = "Absent: of every one", .untrusted = true},
        {.name = "setting", .untrusted = true},
        {.name = "value", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& server_columns() {
    static const std::vector<Column> declared{
        {.name = "version"},
        {.name = "started", .type = ColumnType::timestamp},
        {.name = "configuration_loaded",
         .type = ColumnType::timestamp,
         .about = "Nothing in the files took effect later"},
        {.name = "data_checksums"},
    };
    return declared;
}

const std::vector<Column>& extension_columns() {
    static const std::vector<Column> declared{
        {.name = "name", .untrusted = true},
        {.name = "installed"},
        {.name = "available", .about = "Absent: its files are gone"},
        {.name = "schema", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& collation_columns() {
    static const std::vector<Column> declared{
        {.name = "kind"},
        {.name = "name", .untrusted = true},
        {.name = "recorded", .about = "Version that indexes were built with"},
        {.name = "actual", .about = "Version of the library now"},
    };
    return declared;
}

constexpr Section settings_section{
    .name = "settings",
    .columns = setting_columns,
    .editions = {{{.sql = settings_sql}}},
    .would_tell = "which settings differ from what PostgreSQL comes with"};
constexpr Section overrides_section{
    .name = "overrides",
    .columns = override_columns,
    .editions = {{{.sql = overrides_sql}}},
    .would_tell = "which databases and roles have settings of their own"};
constexpr Section server_section{
    .name = "server",
    .columns = server_columns,
    .editions = {{{.sql = server_sql}}},
    .would_tell = "the version, and since when the configuration stands"};
constexpr Section extensions_section{
    .name = "extensions",
    .columns = extension_columns,
    .editions = {{{.sql = extensions_sql}}},
    .would_tell = "which extensions there are, and which were not updated with their files"};
constexpr Section collations_section{
    .name = "changed_collations",
    .columns = collation_columns,
    .editions = {{{.sql = collations_sql}, {.since = 150'000, .sql = collations_sql_15}}},
    .would_tell = "whether the order of texts changed under their indexes"};
constexpr std::array sections{
    &settings_section,
    &overrides_section,
    &server_section,
    &extensions_section,
    &collations_section};

std::string output_schema() {
    static const std::string schema = packet_schema(sections);
    return schema;
}

struct Setting {
    std::string value;
    std::string as_it_comes;
    std::string unit;
    bool ours = false; // our login role has its own: the server's is not seen
};

/// What the rules look at.
class Settings {
public:
    explicit Settings(const db::Table& table) {
        for (std::size_t row = 0; row < table.rows.size(); ++row) {
            all_[table.text(row, "name")] = {
                table.text(row, "value"),
                table.text(row, "boot_val"),
                table.text(row, "unit"),
                table.boolean(row, "ours").value_or(false)};
        }
    }
    /// Null: this server has it not, or it cannot be seen.
    const Setting* find(std::string_view name) const {
        const auto found = all_.find(name);
        return found == all_.end() ? nullptr : &found->second;
    }
    bool is(std::string_view name, std::string_view value) const {
        const Setting* setting = find(name);
        return setting != nullptr && setting->value == value;
    }
    /// In its unit's base: bytes or milliseconds.
    double number(std::string_view name) const {
        const Setting* setting = find(name);
        if (setting == nullptr) {
            return 0;
        }
        static const std::map<std::string_view, double> units{
            {"B", 1},
            {"kB", kilo},
            {"8kB", 8 * kilo},
            {"16MB", 16 * kilo * kilo},
            {"MB", kilo * kilo},
            {"ms", 1},
            {"s", 1'000},
            {"min", 60'000}};
        const auto unit = units.find(setting->unit);
        const double value = std::strtod(setting->value.c_str(), nullptr);
        return value > 0 && unit != units.end() ? value * unit->second : value;
    }
    std::string text(std::string_view name) const {
        const Setting* setting = find(name);
        return setting == nullptr ? "" : base::sanitize(setting->value);
    }

private:
    std::map<std::string, Setting, std::less<>> all_;
};

/// One thing that an expert would not let stand without a reason.
struct Rule {
    std::string_view setting;
    Severity severity;
    bool (*broken)(const Settings&);
    std::string_view expected;
    std::string_view meaning;
    std::string_view source; // a chapter of PostgreSQL's documentation
};

constexpr auto critical = Severity::critical;
constexpr auto warning = Severity::warning;
constexpr auto notice = Severity::notice;

// clang-format off
const std::array rules = std::to_array<Rule>({
    {"fsync", critical, [](const Settings& s) { return s.is("fsync", "off"); }, "on",
     "A crash of the system leaves the data damaged beyond repair.", "runtime-config-wal"},
    {"full_page_writes", critical,
     [](const Settings& s) { return s.is("full_page_writes", "off"); }, "on",
     "A crash leaves pages half written, unless the file system promises otherwise.",
     "runtime-config-wal"},
    {"autovacuum", critical, [](const Settings& s) { return s.is("autovacuum", "off"); }, "on",
     "Dead rows stay, statistics age, and the server stops before transaction ids wrap around.",
     "routine-vacuuming"},
    {"track_counts", critical, [](const Settings& s) { return s.is("track_counts", "off"); }, "on",
     "Autovacuum does not see what to clean.", "runtime-config-statistics"},
    {"zero_damaged_pages", critical,
     [](const Settings& s) { return s.is("zero_damaged_pages", "on"); }, "off",
     "Damaged pages are replaced by empty ones, and their rows are lost without an error.",
     "runtime-config-developer"},
    {"ignore_checksum_failure", critical,
     [](const Settings& s) { return s.is("ignore_checksum_failure", "on"); }, "off",
     "Damaged data is read and passed on.", "runtime-config-developer"},
    {"session_replication_role", critical,
     [](const Settings& s) { return s.is("session_replication_role", "replica"); }, "origin",
     "Foreign keys and ordinary triggers do not fire.", "runtime-config-client"},
    {"archive_command", critical,
     [](const Settings& s) {
         return !s.is("archive_mode", "off") && s.find("archive_mode") != nullptr &&
                (s.is("archive_command", "") || s.is("archive_command", "(disabled)")) &&
                (s.find("archive_library") == nullptr || s.is("archive_library", ""));
     },
     "a command or an archive_library", "archive_mode is on and nothing archives: WAL piles up.",
     "continuous-archiving"},
    {"synchronous_commit", warning,
     [](const Settings& s) { return s.is("synchronous_commit", "off"); }, "on",
     "A crash loses the last commits that clients were told of.", "runtime-config-wal"},
    {"wal_level", warning, [](const Settings& s) { return s.is("wal_level", "minimal"); },
     "replica or logical", "Neither archiving nor a standby is possible.", "runtime-config-wal"},
    {"allow_system_table_mods", warning,
     [](const Settings& s) { return s.is("allow_system_table_mods", "on"); }, "off",
     "System catalogs can be changed by a slip.", "runtime-config-developer"},
    {"track_activities", warning, [](const Settings& s) { return s.is("track_activities", "off"); },
     "on", "Nobody sees what sessions do, these tools included.", "runtime-config-statistics"},
    {"password_encryption", warning,
     [](const Settings& s) { return s.is("password_encryption", "md5"); }, "scram-sha-256",
     "New passwords are stored in a form that is broken.", "auth-password"},
    {"idle_in_transaction_session_timeout", warning,
     [](const Settings& s) { return s.is("idle_in_transaction_session_timeout", "0"); },
     "minutes", "A forgotten transaction keeps its locks and holds vacuum back for ever.",
     "runtime-config-client"},
    {"autovacuum_freeze_max_age", warning,
     [](const Settings& s) { return s.number("autovacuum_freeze_max_age") > 1e9; }, "200000000",
     "Little is left between the vacuum that must run and the stop of all writes.",
     "routine-vacuuming"},
    {"autovacuum_naptime", warning,
     [](const Settings& s) { return s.number("autovacuum_naptime") > 300'000; }, "1 min",
     "Busy tables wait that long before anybody looks at them.", "runtime-config-autovacuum"},
    {"autovacuum_vacuum_cost_delay", warning,
     [](const Settings& s) { return s.number("autovacuum_vacuum_cost_delay") >= 20; }, "2 ms",
     "Vacuum is throttled as on disks of long ago: it falls behind a busy table.",
     "runtime-config-autovacuum"},
    {"autovacuum_vacuum_scale_factor", warning,
     [](const Settings& s) { return s.number("autovacuum_vacuum_scale_factor") > 0.4; }, "0.2",
     "Nearly half of a table must be dead before it is vacuumed.", "runtime-config-autovacuum"},
    {"checkpoint_completion_target", warning,
     [](const Settings& s) {
         return s.find("checkpoint_completion_target") != nullptr &&
                s.number("checkpoint_completion_target") < 0.7;
     },
     "0.9", "Checkpoints write in bursts.", "wal-configuration"},
    {"checkpoint_timeout", notice,
     [](const Settings& s) {
         return s.find("checkpoint_timeout") != nullptr && s.number("checkpoint_timeout") < 300'000;
     },
     "5 min or more", "Frequent checkpoints write more, and every page whole after each.",
     "wal-configuration"},
    {"effective_cache_size", warning,
     [](const Settings& s) {
         return s.find("effective_cache_size") != nullptr &&
                s.number("effective_cache_size") < s.number("shared_buffers");
     },
     "more than shared_buffers", "The planner thinks indexes cost more than they do.",
     "runtime-config-query"},
    {"vacuum_defer_cleanup_age", warning,
     [](const Settings& s) { return s.number("vacuum_defer_cleanup_age") > 0; }, "0",
     "Dead rows are kept in every table; hot_standby_feedback does it only when needed.",
     "runtime-config-replication"},
    {"old_snapshot_threshold", warning,
     [](const Settings& s) {
         return s.find("old_snapshot_threshold") != nullptr &&
                !s.is("old_snapshot_threshold", "-1");
     },
     "-1", "Queries may fail with \"snapshot too old\"; the feature was removed in version 17.",
     "runtime-config-resource"},
    {"superuser_reserved_connections", warning,
     [](const Settings& s) { return s.is("superuser_reserved_connections", "0"); }, "3",
     "When connections run out nobody gets in to help.", "runtime-config-connection"},
    {"restart_after_crash", notice,
     [](const Settings& s) { return s.is("restart_after_crash", "off"); }, "on",
     "After one backend's crash the server stays down, unless a cluster manager starts it.",
     "runtime-config-error-handling"},
    {"shared_buffers", notice,
     [](const Settings& s) {
         return s.find("shared_buffers") != nullptr &&
                s.number("shared_buffers") <= 128 * kilo * kilo;
     },
     "about a quarter of memory", "It is as small as it comes.", "runtime-config-resource"},
    {"random_page_cost", notice, [](const Settings& s) { return s.is("random_page_cost", "4"); },
     "about 1.1 on SSD", "The planner avoids indexes as if on a spinning disk.",
     "runtime-config-query"},
    {"archive_mode", notice, [](const Settings& s) { return s.is("archive_mode", "off"); }, "on",
     "No WAL is archived: recovery to a point in time needs another way, as pg_receivewal.",
     "continuous-archiving"},
    {"data_checksums", notice, [](const Settings& s) { return s.is("data_checksums", "off"); },
     "on", "Damage by the storage stays unseen.", "checksums"},
    {"temp_file_limit", notice, [](const Settings& s) { return s.is("temp_file_limit", "-1"); },
     "a bound", "One query can fill the disk with temporary files.", "runtime-config-resource"},
    {"lock_timeout", notice, [](const Settings& s) { return s.is("lock_timeout", "0"); },
     "set by migrations", "A schema change that waits makes all behind it wait.",
     "runtime-config-client"},
    {"statement_timeout", notice, [](const Settings& s) { return s.is("statement_timeout", "0"); },
     "set for each role", "A runaway statement runs until somebody ends it.",
     "runtime-config-client"},
    {"track_io_timing", notice, [](const Settings& s) { return s.is("track_io_timing", "off"); },
     "on", "Nobody can tell time on disk from time on a processor.", "runtime-config-statistics"},
    {"log_lock_waits", notice, [](const Settings& s) { return s.is("log_lock_waits", "off"); },
     "on", "Lock waits leave no trace once they are over.", "runtime-config-logging"},
    {"log_checkpoints", notice, [](const Settings& s) { return s.is("log_checkpoints", "off"); },
     "on", "What checkpoints cost leaves no trace.", "runtime-config-logging"},
    {"log_temp_files", notice, [](const Settings& s) { return s.is("log_temp_files", "-1"); },
     "a size", "Which statements spill to disk leaves no trace.", "runtime-config-logging"},
    {"log_autovacuum_min_duration", notice,
     [](const Settings& s) { return s.is("log_autovacuum_min_duration", "-1"); }, "10 min or less",
     "What autovacuum does leaves no trace.", "runtime-config-logging"},
    {"log_statement", notice, [](const Settings& s) { return s.is("log_statement", "all"); },
     "ddl", "Every statement is written to the log, with the data in it.",
     "runtime-config-logging"},
});
// clang-format on

// Methods that only a session should switch off, to try something.
constexpr std::array planner_switches{
    "enable_bitmapscan",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_partition_pruning",
    "enable_seqscan",
    "enable_sort"};

/// When a major gets no more fixes.
struct EndOfLife {
    int major;
    std::string_view date;
};
constexpr std::array<EndOfLife, 5> ends_of_life{
    {{14, "2026-11-12"},
     {15, "2027-11-11"},
     {16, "2028-11-09"},
     {17, "2029-11-08"},
     {18, "2030-11-14"}}};

class Judgement {
public:
    Judgement(const db::Table& table, Evidence& evidence)
        : table_{table}, settings_{table}, evidence_{evidence} {}

    void rules();
    void pending_restart();
    void planner();
    void memory();

private:
    const db::Table& table_;
    Settings settings_;
    Evidence& evidence_;
};

/// "128MB", as the setting is written; never the value of what may hold a secret.
std::string shown(const Settings& settings, std::string_view name) {
    const Setting* setting = settings.find(name);
    if (setting == nullptr || name == "archive_command") {
        return "empty";
    }
    if (setting->unit == "8kB" || setting->unit == "kB" || setting->unit == "MB" ||
        setting->unit == "B") {
        const double bytes = settings.number(name);
        return bytes >= 0 ? bytes_text(bytes) : settings.text(name);
    }
    return settings.text(name) + (setting->unit.empty() ? "" : " " + setting->unit);
}

void Judgement::rules() {
    std::set<std::string> hidden;
    for (const Rule& rule : tools::rules) {
        const Setting* setting = settings_.find(rule.setting);
        if (setting != nullptr && setting->ours) {
            hidden.insert(std::string{rule.setting});
        } else if (setting != nullptr && rule.broken(settings_)) {
            find(
                evidence_,
                rule.severity,
                std::string{rule.setting},
                shown(settings_, rule.setting),
                std::string{rule.expected},
                std::string{rule.meaning} +
                    " (PostgreSQL documentation: " + std::string{rule.source} + ")"
            );
        }
    }
    for (const std::string& name : hidden) {
        evidence_.not_examined.push_back(
            {name,
             "the role that looks has its own, which hides the server's",
             "whether the server's is sound"}
        );
    }
    if (settings_.find("data_directory") == nullptr) {
        evidence_.not_examined.push_back(
            {"settings for superusers",
             "permission_denied: the role is not a member of pg_read_all_settings (pg_monitor)",
             "which libraries are loaded, and what only they may see"}
        );
    }
}

void Judgement::pending_restart() {
    for (std::size_t row = 0; row < table_.rows.size(); ++row) {
        if (table_.boolean(row, "pending_restart").value_or(false)) {
            find(
                evidence_,
                warning,
                table_.text(row, "name"),
                "changed in the configuration, not in effect",
                "in effect",
                "It takes effect at the next restart, whoever causes that and whenever."
            );
        }
    }
}

void Judgement::planner() {
    for (const char* name : planner_switches) {
        if (settings_.is(name, "off")) {
            find(
                evidence_,
                warning,
                name,
                "off",
                "on",
                "A way to run queries is switched off for all of them; that is for trying "
                "something in one session. (PostgreSQL documentation: runtime-config-query)"
            );
        }
    }
}

/// The server cannot say how much memory the machine has; its effective_cache_size, once somebody
/// has set it, says what they think: some three quarters of it.
void Judgement::memory() {
    const double each =
        settings_.number("work_mem") * std::max(1.0, settings_.number("hash_mem_multiplier"));
    double maintenance = settings_.number("autovacuum_work_mem");
    maintenance = maintenance > 0 ? maintenance : settings_.number("maintenance_work_mem");
    const double most = settings_.number("shared_buffers") +
                        settings_.number("max_connections") * each +
                        settings_.number("autovacuum_max_workers") * maintenance;
    const Setting* cache = settings_.find("effective_cache_size");
    if (cache == nullptr || cache->value == cache->as_it_comes) {
        evidence_.not_examined.push_back(
            {"memory against connections",
             "the machine's memory is not known: effective_cache_size is as it comes",
             "whether " + bytes_text(most) +
                 " (shared_buffers, one hash in each connection, and "
                 "autovacuum) fit"}
        );
        return;
    }
    const double machine = settings_.number("effective_cache_size") / 0.75;
    if (most > machine) {
        find(
            evidence_,
            warning,
            "memory",
            bytes_text(most) + " when every connection sorts or hashes once",
            bytes_text(machine) + " (effective_cache_size is three quarters of it)",
            "work_mem (" + shown(settings_, "work_mem") + ") times max_connections (" +
                settings_.text("max_connections") +
                ") does not fit: many busy sessions run the machine out of memory."
        );
    }
}

void judge_version(const db::Table& server, base::Clock& clock, Evidence& evidence) {
    const int major = std::atoi(server.text(0, "version").c_str());
    const std::string today = base::format_time(clock.now()).substr(0, 10);
    for (const EndOfLife& end : ends_of_life) {
        if (end.major == major && today >= end.date) {
            evidence.findings.push_back(
                {warning,
                 "PostgreSQL " + std::to_string(major),
                 "without fixes since " + std::string{end.date},
                 "a version that gets fixes",
                 "Its last security fixes came out then."}
            );
        }
    }
}

void judge_collations(const db::Table& collations, Evidence& evidence) {
    for (std::size_t row = 0; row < collations.rows.size(); ++row) {
        evidence.findings.push_back(
            {warning,
             collations.text(row, "kind") + " " + collations.text(row, "name"),
             "version " + collations.text(row, "actual") + " of the library",
             "version " + collations.text(row, "recorded") + ", as recorded",
             "The order of texts may have changed: indexes on them can miss rows until they are "
             "rebuilt, and unique ones let duplicates in."}
        );
    }
}

void judge_extensions(const db::Table& extensions, Evidence& evidence) {
    for (std::size_t row = 0; row < extensions.rows.size(); ++row) {
        if (!extensions.at(row, "available")) {
            evidence.findings.push_back(
                {warning,
                 "extension " + extensions.text(row, "name"),
                 "version " + extensions.text(row, "installed"),
                 "files of it",
                 "Its files are not on this server: what it provides fails, as does a dump that is "
                 "restored here."}
            );
            continue;
        }
        if (extensions.text(row, "available") == extensions.text(row, "installed")) {
            continue;
        }
        evidence.findings.push_back(
            {notice,
             "extension " + extensions.text(row, "name"),
             "version " + extensions.text(row, "installed"),
             extensions.text(row, "available"),
             "Its files are newer than what was created from them; ALTER EXTENSION ... UPDATE."}
        );
    }
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    Evidence evidence;
    evidence.tool = tool_name;
    constexpr std::size_t settings_max = 1'000; // some 400, and those of extensions
    INTERLOCK_TRY(
        const LaneRead judged,
        read_lane(
            context,
            call,
            request,
            {{.sql = judged_sql, .parameters = {}, .rows_max = settings_max}}
        )
    );
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            request,
            {{.section = settings_section, .parameters = {call.arguments.text("name")}},
             {.section = overrides_section},
             {.section = server_section, .rows_max = 1},
             {.section = extensions_section},
             {.section = collations_section}},
            evidence
        )
    );
    if (const auto& result = judged.results[0]; result) {
        Judgement judgement{result->table, evidence};
        judgement.rules();
        judgement.pending_restart();
        judgement.planner();
        judgement.memory();
    } else {
        evidence.not_examined.push_back(
            failed_check("settings against rules", result.error(), "which of them are dangerous")
        );
    }
    if (tables[2] && !tables[2]->empty()) {
        judge_version(*tables[2], context.clock, evidence);
    }
    if (tables[3]) {
        judge_extensions(*tables[3], evidence);
    }
    if (tables[4]) {
        judge_collations(*tables[4], evidence);
    }
    evidence.summary =
        counted(
            judged.results[0] ? static_cast<long long>(judged.results[0]->table.rows.size()) : 0,
            "setting",
            "settings"
        ) +
        " examined: " +
        counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
        (tables[2] && !tables[2]->empty() ? "; the configuration was loaded last at " +
                                                tables[2]->text(0, "configuration_loaded")
                                          : "") +
        ".";
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_settings() {
    std::vector<ToolStatement> statements = statements_of(sections);
    statements.push_back({.sql = judged_sql, .would_tell = "which settings are dangerous"});
    return {
        .name = tool_name,
        .title = "Settings",
        .summary = "Shows dangerous and changed settings, pending restarts, outdated extensions "
                   "and changed collations.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "name",
              .about = "Show the settings with this in their names, changed or not.",
              .length_max = 63,
              .example = "autovacuum"}},
        .output_schema = output_schema,
        .run = run,
        .statements = std::move(statements)};
}

} // namespace interlock::tools
