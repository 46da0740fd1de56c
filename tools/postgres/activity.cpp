// get_activity: sessions that need attention, worst first; how many are in which state, and wait
// for what; how far maintenance commands are; how much of the connection limit is used.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sql_text.hpp"
#include "tools/targets.hpp"

#include <optional>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_activity";

// Idle in a transaction: holds locks and the vacuum horizon for nothing.
constexpr Threshold idle_in_transaction_seconds{5 * 60, 15 * 60};
// Blocking others for this long makes an idle transaction a candidate for ending it.
constexpr double idle_and_blocking_seconds = 2 * 60;
// One statement: people notice after a minute.
constexpr Threshold statement_seconds{60, 300};
// One transaction at work: an OLTP one takes seconds; an hour pins vacuum in any case.
constexpr Threshold transaction_seconds{5 * 60, 60 * 60};
// Client sessions against what ordinary roles may open: all states count, idle ones hold a slot.
constexpr Threshold connections_percent{70, 85};
// More open idle transactions than this is a habit of an application.
constexpr long long idle_in_transaction_count = 10;
// Sessions on one lightweight lock at one moment: they take turns at a structure of the server.
constexpr Threshold sessions_on_one_latch{5, 20};
// Commits that wait for a synchronous standby at one moment: any wait there is the standby's.
constexpr Threshold sessions_on_sync_standby{1, 10};
// A command that nobody may read beside (VACUUM FULL, CLUSTER), and an index build that waits for
// other transactions: as long as people notice.
constexpr Threshold exclusive_seconds{10, 60};
constexpr Threshold build_waits_seconds{60, 600};
// One call of a function of users, on average: as for a statement.
constexpr Threshold function_ms{1'000, 10'000};
constexpr double function_calls_min = 10;

// Sessions of our own readers are left out everywhere. Those that are not asked for are read all
// the same when they may deserve a finding: a finding depends on no argument. Without
// pg_read_all_stats PostgreSQL hides backend_type and state of other roles' sessions; those are
// counted, not judged.
constexpr db::Sql activity_sessions{"activity_sessions", R"sql(
    with locks as materialized (
        select l.pid, l.granted, l.waitstart, l.locktype from pg_catalog.pg_locks l
        where l.pid is not null
    ), waiting as materialized (
        select l.pid, pg_catalog.pg_blocking_pids(l.pid) as blockers
        from (select w.pid from locks w where not w.granted
              order by w.waitstart nulls last limit 100) l
    ), blocking as materialized (
        select distinct b.pid
        from waiting w
        cross join lateral pg_catalog.unnest(w.blockers) b(pid)
    ), held as materialized (
        select l.pid, pg_catalog.count(*) as locks from locks l
        where l.granted and l.locktype not in ('virtualxid', 'transactionid')
        group by l.pid
    ), sessions as (
        select a.*, a.pid in (select b.pid from blocking b) as blocks_others,
               extract(epoch from pg_catalog.clock_timestamp() - a.xact_start) as xact_seconds,
               extract(epoch from pg_catalog.clock_timestamp() - a.query_start) as query_seconds,
               extract(epoch from pg_catalog.clock_timestamp() - a.state_change) as state_seconds
        from pg_catalog.pg_stat_activity a
        left join pg_catalog.pg_roles r on r.oid = a.usesysid
        where a.pid <> pg_catalog.pg_backend_pid()
          and not coalesce(r.rolname = session_user
                           and a.application_name ~ '^interlock(:|$)', false)
          and (a.backend_type in ('client backend', 'parallel worker', 'autovacuum worker',
                                  'logical replication worker',
                                  'logical replication apply worker')
               or a.backend_type is null and a.usesysid is not null)
    )
    select s.pid, s.datname as database, s.usename as "user",
           pg_catalog.left(s.application_name, 64) as application_name,
           pg_catalog.host(s.client_addr) as client, s.backend_type, s.state,
           s.wait_event_type || ': ' || s.wait_event as wait_event,
           pg_catalog.round(s.xact_seconds, 3) as xact_seconds,
           pg_catalog.round(s.query_seconds, 3) as query_seconds,
           pg_catalog.round(s.state_seconds, 3) as state_seconds,
           s.blocks_others,
           case when s.backend_type is not null then pg_catalog.left(s.query, 2000) end as query,
           s.asked, s.backend_xid is not null as has_xid,
           s.backend_xid is not null or s.backend_xmin is not null as holds_horizon,
           (select h.locks from held h where h.pid = s.pid) as locks_held,
           (select pg_catalog.array_to_string(w.blockers[1:3], ', ')
            from waiting w where w.pid = s.pid limit 1) as waits_behind
    from (
        select a.*,
               case $1::text
               when 'all' then true
               when 'active' then coalesce(a.state <> 'idle', false)
               else a.blocks_others
                    or coalesce(a.state <> 'idle'
                                and (a.xact_seconds >= $2::float8
                                     or a.query_seconds >= $2::float8
                                     or a.wait_event_type = 'Lock'), false)
               end as asked
        from sessions a
    ) s
    where s.asked or s.blocks_others
          or (s.state <> 'idle' and (s.xact_seconds >= 60 or s.query_seconds >= 60))
    order by s.blocks_others desc, s.xact_start nulls last, s.query_start nulls last
    limit $3::int)sql"};

constexpr db::Sql activity_states{"activity_states", R"sql(
    select case when a.backend_type is null then 'hidden' else coalesce(a.state, 'unknown')
           end as state,
           pg_catalog.count(*) as sessions,
           pg_catalog.count(*) filter (where a.wait_event_type = 'Lock') as wait_for_lock,
           pg_catalog.round(pg_catalog.max(extract(epoch from
               pg_catalog.clock_timestamp() - a.xact_start)), 3) as oldest_xact_seconds,
           pg_catalog.round(pg_catalog.max(extract(epoch from
               pg_catalog.clock_timestamp() - a.state_change)), 3) as longest_in_state_seconds
    from pg_catalog.pg_stat_activity a
    left join pg_catalog.pg_roles r on r.oid = a.usesysid
    where a.pid <> pg_catalog.pg_backend_pid()
      and not coalesce(r.rolname = session_user and a.application_name ~ '^interlock(:|$)', false)
      and (a.backend_type = 'client backend'
           or a.backend_type is null and a.usesysid is not null)
    group by 1
    order by 2 desc
    limit 20)sql"};

// reserved_connections exists from version 16 on.
constexpr db::Sql connection_use{"connection_use", R"sql(
    with used as (
        select pg_catalog.count(*) as used
        from pg_catalog.pg_stat_activity a
        where a.usesysid is not null
          and coalesce(a.backend_type, 'client backend') = 'client backend'
    ), limits as (
        select pg_catalog.current_setting('max_connections')::int as max_connections,
               pg_catalog.current_setting('superuser_reserved_connections')::int
               + coalesce(nullif(pg_catalog.current_setting('reserved_connections', true),
                                 '')::int, 0) as reserved
    )
    select used, max_connections, reserved,
           pg_catalog.round(100.0 * used
                            / greatest(max_connections - reserved, 1), 1) as used_percent,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions
    from used, limits)sql"};

constexpr std::string_view waits_head = R"sql(
    select coalesce(a.wait_event_type, 'on a processor') as wait_type, a.wait_event,
           pg_catalog.count(*) as sessions,
           pg_catalog.round(pg_catalog.max(extract(epoch from pg_catalog.clock_timestamp()
               - a.query_start)) filter (where a.state = 'active'), 3) as longest_seconds,)sql";
constexpr std::string_view waits_meaning_14 = R"sql(
           null::text as meaning
    from pg_catalog.pg_stat_activity a)sql";
constexpr std::string_view waits_meaning_17 = R"sql(
           pg_catalog.max(w.description) as meaning
    from pg_catalog.pg_stat_activity a
    left join pg_catalog.pg_wait_events w
        on w.type = a.wait_event_type and w.name = a.wait_event)sql";
// Processes of the server itself count when they work; at rest they wait in their main loops.
constexpr std::string_view waits_tail = R"sql(
    left join pg_catalog.pg_roles r on r.oid = a.usesysid
    where a.pid <> pg_catalog.pg_backend_pid() and a.backend_type is not null
      and case when a.state is null then coalesce(a.wait_event_type <> 'Activity', false)
               else a.state not in ('idle', 'disabled') end
      and not coalesce(r.rolname = session_user and a.application_name ~ '^interlock(:|$)', false)
    group by a.wait_event_type, a.wait_event
    order by 3 desc, 1, 2
    limit 12)sql";
constexpr db::Sql activity_waits{
    "activity_waits", joined<waits_head, waits_meaning_14, waits_tail>};
constexpr db::Sql activity_waits_17{
    "activity_waits_17", joined<waits_head, waits_meaning_17, waits_tail>};

// Every command that tells how far it is. Vacuum counts blocks of its first phase; an index build
// that waits counts transactions; the rest what there is.
constexpr db::Sql activity_progress{"activity_progress", R"sql(
    with running as (
        select p.pid, p.datid, p.relid, 'vacuum' as command, p.phase, p.heap_blks_scanned as done,
               p.heap_blks_total as total, 'blocks' as unit, null::bigint as waits_for_pid
        from pg_catalog.pg_stat_progress_vacuum p
        union all
        select p.pid, p.datid, p.relid, pg_catalog.lower(p.command), p.phase, p.heap_blks_scanned,
               p.heap_blks_total, 'blocks', null
        from pg_catalog.pg_stat_progress_cluster p
        union all
        select p.pid, p.datid, p.relid, pg_catalog.lower(p.command), p.phase,
               case when p.lockers_total > 0 then p.lockers_done
                    when p.blocks_total > 0 then p.blocks_done else p.tuples_done end,
               case when p.lockers_total > 0 then p.lockers_total
                    when p.blocks_total > 0 then p.blocks_total else p.tuples_total end,
               case when p.lockers_total > 0 then 'transactions'
                    when p.blocks_total > 0 then 'blocks' else 'rows' end,
               nullif(p.current_locker_pid, 0)
        from pg_catalog.pg_stat_progress_create_index p
        union all
        select p.pid, p.datid, p.relid, 'analyze', p.phase, p.sample_blks_scanned,
               p.sample_blks_total, 'blocks', null
        from pg_catalog.pg_stat_progress_analyze p
        union all
        select p.pid, p.datid, nullif(p.relid, 0), pg_catalog.lower(p.command),
               pg_catalog.lower(p.type), p.bytes_processed, nullif(p.bytes_total, 0), 'bytes', null
        from pg_catalog.pg_stat_progress_copy p
        union all
        select p.pid, null, null, 'base backup', p.phase, p.backup_streamed, p.backup_total,
               'bytes', null
        from pg_catalog.pg_stat_progress_basebackup p
    )
    select r.pid, r.command,
           case when d.datname = pg_catalog.current_database()
                then pg_catalog.format('%I.%I', n.nspname, c.relname) end as relation,
           d.datname as database, r.phase, r.done, r.total, r.unit,
           pg_catalog.round(100.0 * r.done / nullif(r.total, 0), 1) as percent,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - coalesce(a.query_start, a.xact_start)), 1) as seconds,
           r.waits_for_pid
    from running r
    left join pg_catalog.pg_stat_activity a on a.pid = r.pid
    left join pg_catalog.pg_database d on d.oid = r.datid
    left join pg_catalog.pg_class c on c.oid = r.relid
    left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    order by 10 desc nulls last, r.pid
    limit 50)sql"};

// Counted since the statistics of the database began, where track_functions says so.
constexpr db::Sql activity_functions{"activity_functions", R"sql(
    select pg_catalog.format('%I.%I', n.nspname, f.proname) as function, f.calls,
           pg_catalog.round(f.total::numeric, 1) as total_ms,
           pg_catalog.round(f.self::numeric, 1) as self_ms,
           pg_catalog.round((f.total / f.calls)::numeric, 3) as mean_ms,
           (select pg_catalog.to_char(d.stats_reset at time zone 'UTC',
                                      'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            from pg_catalog.pg_stat_database d
            where d.datname = pg_catalog.current_database()) as since
    from (select q.proname, q.pronamespace,
                 pg_catalog.pg_stat_get_function_calls(q.oid) as calls,
                 pg_catalog.pg_stat_get_function_total_time(q.oid) as total,
                 pg_catalog.pg_stat_get_function_self_time(q.oid) as self
          from pg_catalog.pg_proc q
          where q.prolang <> 12) f
    join pg_catalog.pg_namespace n on n.oid = f.pronamespace
    where f.calls > 0
    order by f.self desc
    limit $1::int)sql"};

constexpr db::Sql activity_tracking{"activity_tracking", R"sql(
    select pg_catalog.current_setting('track_functions') as track_functions)sql"};

const std::vector<Column>& session_columns() {
    static const std::vector<Column> declared{
        {.name = "pid", .type = ColumnType::integer},
        {.name = "state"},
        {.name = "xact_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "Age of the transaction"},
        {.name = "query_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "Since the last statement began"},
        {.name = "state_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "Time in this state"},
        {.name = "wait_event", .about = "Absent: on CPU or not waiting"},
        {.name = "blocks_others", .type = ColumnType::boolean},
        {.name = "user", .untrusted = true},
        {.name = "application_name", .untrusted = true},
        {.name = "client"},
        {.name = "database", .untrusted = true},
        {.name = "backend_type"},
        {.name = "query", .about = "Last statement, literals masked", .sql_text = true},
    };
    return declared;
}

const std::vector<Column>& state_columns() {
    static const std::vector<Column> declared{
        {.name = "state", .about = "'hidden': not visible to this role; 'disabled': not tracked"},
        {.name = "sessions", .type = ColumnType::integer},
        {.name = "wait_for_lock", .type = ColumnType::integer},
        {.name = "oldest_xact_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "longest_in_state_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& connection_columns() {
    static const std::vector<Column> declared{
        {.name = "used", .type = ColumnType::integer, .about = "Client sessions in every state"},
        {.name = "max_connections", .type = ColumnType::integer},
        {.name = "reserved", .type = ColumnType::integer, .about = "Kept for privileged roles"},
        {.name = "used_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Of what ordinary roles may use"},
    };
    return declared;
}

const std::vector<Column>& wait_columns() {
    static const std::vector<Column> declared{
        {.name = "wait_type"},
        {.name = "wait_event"},
        {.name = "sessions", .type = ColumnType::integer},
        {.name = "longest_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "meaning"},
    };
    return declared;
}

const std::vector<Column>& progress_columns() {
    static const std::vector<Column> declared{
        {.name = "pid", .type = ColumnType::integer},
        {.name = "command"},
        {.name = "relation", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "phase"},
        {.name = "done", .type = ColumnType::integer},
        {.name = "total", .type = ColumnType::integer},
        {.name = "unit"},
        {.name = "percent", .type = ColumnType::real, .unit = "%"},
        {.name = "seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "waits_for_pid", .type = ColumnType::integer},
    };
    return declared;
}

const std::vector<Column>& function_columns() {
    static const std::vector<Column> declared{
        {.name = "function", .untrusted = true},
        {.name = "calls", .type = ColumnType::integer},
        {.name = "total_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "self_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "mean_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "since", .type = ColumnType::timestamp},
    };
    return declared;
}

const std::vector<Column>& tracking_columns() {
    static const std::vector<Column> declared{{.name = "track_functions"}};
    return declared;
}

constexpr Section sessions_section{
    .name = "sessions",
    .columns = session_columns,
    .editions = {{{.sql = activity_sessions}}},
    .would_tell = "who needs attention"};
constexpr Section states_section{
    .name = "states",
    .columns = state_columns,
    .editions = {{{.sql = activity_states}}},
    .would_tell = "how many sessions are in which state"};
constexpr Section connections_section{
    .name = "connections",
    .columns = connection_columns,
    .editions = {{{.sql = connection_use}}},
    .would_tell = "how near the connection limit is"};
constexpr Section waits_section{
    .name = "waits",
    .columns = wait_columns,
    .editions = {{{.sql = activity_waits}, {.since = 170'000, .sql = activity_waits_17}}},
    .would_tell = "what sessions wait for"};
constexpr Section progress_section{
    .name = "progress",
    .columns = progress_columns,
    .editions = {{{.sql = activity_progress}}},
    .would_tell = "how far vacuums, index builds, rewrites, copies and backups are"};
constexpr Section functions_section{
    .name = "functions",
    .columns = function_columns,
    .editions = {{{.sql = activity_functions}}},
    .would_tell = "which functions of users take time"};
constexpr Section tracking_section{
    .name = "tracking",
    .columns = tracking_columns,
    .editions = {{{.sql = activity_tracking}}},
    .would_tell = "whether functions are counted"};
constexpr std::array sections{
    &sessions_section,
    &states_section,
    &connections_section,
    &waits_section,
    &progress_section,
    &functions_section};
constexpr std::array unlisted_sections{&tracking_section};

std::string output_schema() {
    static const std::string schema = packet_schema(sections);
    return schema;
}

std::string threshold_text(const Threshold& threshold, Severity severity) {
    return seconds_text(threshold.passed(severity));
}

/// What an open transaction keeps from others; "" when the server shows nothing of the kind.
std::string kept_text(const db::Table& sessions, std::size_t row) {
    const bool locks = sessions.integer(row, "locks_held").value_or(0) > 0 ||
                       sessions.boolean(row, "has_xid").value_or(false);
    const bool horizon = sessions.boolean(row, "holds_horizon").value_or(false);
    return locks && horizon ? "keeps its locks and holds vacuum back"
           : locks          ? "keeps its locks"
           : horizon        ? "holds vacuum back"
                            : "";
}

std::string idle_meaning(const db::Table& sessions, std::size_t row, bool blocks) {
    if (blocks) {
        return "It blocks others while it does nothing.";
    }
    if (const std::string kept = kept_text(sessions, row); !kept.empty()) {
        return "It blocks nobody now, but " + kept + ".";
    }
    return sessions.text(row, "state") == "idle in transaction (aborted)"
               ? "Its transaction has failed, which released what it held; it occupies a "
                 "connection until the application rolls back."
               : "It holds neither locks nor vacuum back; it occupies a connection.";
}

void judge_idle_in_transaction(
    const db::Table& sessions, std::size_t row, const std::string& object, Evidence& evidence
) {
    const double idle = sessions.real(row, "state_seconds").value_or(0);
    const bool blocks = sessions.boolean(row, "blocks_others").value_or(false);
    if (blocks && idle >= idle_and_blocking_seconds) {
        evidence.findings.push_back(
            {.severity = Severity::critical,
             .object = object,
             .value = seconds_text(idle) + " idle in a transaction",
             .threshold = seconds_text(idle_and_blocking_seconds),
             .meaning = "It blocks others while it does nothing: a candidate for ending it, with "
                        "approval; diagnose names the runbook."}
        );
    } else if (const auto severity = judge(idle, idle_in_transaction_seconds)) {
        const bool harms = blocks || !kept_text(sessions, row).empty();
        evidence.findings.push_back(
            {.severity = harms ? *severity : Severity::notice,
             .object = object,
             .value = seconds_text(idle) + " idle in a transaction",
             .threshold = threshold_text(idle_in_transaction_seconds, *severity),
             .meaning = idle_meaning(sessions, row, blocks)}
        );
    } else if (blocks) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = object,
             .value = seconds_text(idle) + " idle in a transaction",
             .threshold = seconds_text(idle_and_blocking_seconds),
             .meaning = "It blocks others, but not for long yet; diagnose says what hangs on it."}
        );
    }
}

/// Who waits for a lock is no culprit, however long it takes.
void judge_victim(
    const db::Table& sessions, std::size_t row, const std::string& object, Evidence& evidence
) {
    const double statement = sessions.real(row, "query_seconds").value_or(0);
    if (!judge(statement, statement_seconds)) {
        return;
    }
    const std::string behind = sessions.text(row, "waits_behind");
    evidence.findings.push_back(
        {.severity = Severity::notice,
         .object = object,
         .value = seconds_text(statement) + " in one statement, waiting for a lock",
         .threshold = threshold_text(statement_seconds, Severity::warning),
         .meaning = behind.empty() ? "It waits for a lock: get_blocking says behind whom."
                    : behind == "0"
                        ? "It waits behind a prepared transaction; get_blocking names it."
                        : "It waits behind pid " + behind + ", not by its own doing."}
    );
}

void judge_at_work(
    const db::Table& sessions, std::size_t row, const std::string& object, Evidence& evidence
) {
    const double statement = sessions.real(row, "query_seconds").value_or(0);
    const double transaction = sessions.real(row, "xact_seconds").value_or(0);
    const std::string wait = base::sanitize(sessions.text(row, "wait_event"));
    if (wait.starts_with("Lock:")) {
        judge_victim(sessions, row, object, evidence);
    } else if (const auto severity = judge(statement, statement_seconds)) {
        evidence.findings.push_back(
            {.severity = *severity,
             .object = object,
             .value = seconds_text(statement) + " in one statement",
             .threshold = threshold_text(statement_seconds, *severity),
             .meaning = wait.empty() ? "It is on a processor, not waiting: look at its plan."
                                     : "It waits now (" + wait + ")."}
        );
    } else if (const auto long_severity = judge(transaction, transaction_seconds)) {
        const std::string kept = kept_text(sessions, row);
        evidence.findings.push_back(
            {.severity = *long_severity,
             .object = object,
             .value = seconds_text(transaction) + " in one transaction",
             .threshold = threshold_text(transaction_seconds, *long_severity),
             .meaning = "Its statements are short but its transaction is long" +
                        (kept.empty() ? "." : ": it " + kept + ".")}
        );
    }
}

void judge_sessions(const db::Table& sessions, Evidence& evidence) {
    for (std::size_t row = 0; row < sessions.rows.size(); ++row) {
        const std::string state = sessions.text(row, "state");
        const std::string object = "backend " + sessions.text(row, "pid");
        if (state.starts_with("idle in transaction")) {
            judge_idle_in_transaction(sessions, row, object, evidence);
        } else if (state == "active" && sessions.text(row, "backend_type") == "client backend") {
            judge_at_work(sessions, row, object, evidence);
        } else if (state == "disabled" && sessions.boolean(row, "blocks_others").value_or(false)) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = object,
                 .value = "state not known",
                 .threshold = "",
                 .meaning = "It blocks others; track_activities is off for it, so whether it is "
                            "idle or at work cannot be told."}
            );
        }
    }
}

struct Totals {
    long long sessions = 0;
    long long hidden = 0;
    long long untracked = 0;
    long long waiting = 0;
    long long idle_in_transaction = 0;
};

Totals judge_states(const db::Table& states, Evidence& evidence) {
    Totals totals;
    for (std::size_t row = 0; row < states.rows.size(); ++row) {
        const std::string state = states.text(row, "state");
        const long long sessions = states.integer(row, "sessions").value_or(0);
        totals.sessions += sessions;
        totals.waiting += states.integer(row, "wait_for_lock").value_or(0);
        totals.hidden += state == "hidden" ? sessions : 0;
        totals.untracked += state == "disabled" ? sessions : 0;
        totals.idle_in_transaction += state.starts_with("idle in transaction") ? sessions : 0;
    }
    if (totals.idle_in_transaction > idle_in_transaction_count) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = "client sessions",
             .value = std::to_string(totals.idle_in_transaction) + " idle in a transaction",
             .threshold = std::to_string(idle_in_transaction_count),
             .meaning = "An application leaves transactions open as a habit."}
        );
    }
    if (totals.waiting > 0) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = "client sessions",
             .value = std::to_string(totals.waiting) + " waiting for a lock",
             .threshold = "",
             .meaning = "get_blocking shows on whom, diagnose says why."}
        );
    }
    return totals;
}

void judge_connections(const db::Table& use, Evidence& evidence) {
    const double percent = use.real(0, "used_percent").value_or(0);
    if (const auto severity = judge(percent, connections_percent)) {
        evidence.findings.push_back(
            {.severity = *severity,
             .object = "connections",
             .value = use.text(0, "used") + " of " + use.text(0, "max_connections") + " (" +
                      use.text(0, "used_percent") + " % of what ordinary roles may use)",
             .threshold =
                 std::to_string(static_cast<int>(connections_percent.passed(*severity))) + " %",
             .meaning = "New sessions are refused once the limit is reached; idle ones count."}
        );
    }
}

void judge_waits(const db::Table& waits, Evidence& evidence) {
    for (std::size_t row = 0; row < waits.rows.size(); ++row) {
        const std::string type = waits.text(row, "wait_type");
        const std::string event = base::sanitize(waits.text(row, "wait_event"));
        const bool latch = type == "LWLock";
        if (!latch && event != "SyncRep") {
            continue;
        }
        const Threshold& threshold = latch ? sessions_on_one_latch : sessions_on_sync_standby;
        const long long sessions = waits.integer(row, "sessions").value_or(0);
        if (const auto severity = judge(static_cast<double>(sessions), threshold)) {
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = "wait event " + event,
                 .value = counted(sessions, "session", "sessions") + " at this moment",
                 .threshold = number_text(threshold.passed(*severity)),
                 .meaning = latch ? "They take turns at one structure of the server: many "
                                    "sessions do the same thing at once."
                                  : "Commits wait for a synchronous standby to confirm: "
                                    "get_replication says how far it is."}
            );
        }
    }
}

void judge_progress(const db::Table& progress, Evidence& evidence) {
    for (std::size_t row = 0; row < progress.rows.size(); ++row) {
        const std::string command = progress.text(row, "command");
        const double seconds = progress.real(row, "seconds").value_or(0);
        const bool rewrites = command == "vacuum full" || command == "cluster";
        const bool waits = progress.text(row, "phase").starts_with("waiting for");
        if (!rewrites && !waits) {
            continue;
        }
        const Threshold& threshold = rewrites ? exclusive_seconds : build_waits_seconds;
        if (const auto severity = judge(seconds, threshold)) {
            const std::string awaited = progress.text(row, "waits_for_pid");
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = "backend " + progress.text(row, "pid"),
                 .value = command + " for " + seconds_text(seconds) + ", " +
                          progress.text(row, "phase") + ", " + progress.text(row, "percent", "?") +
                          " % of it done",
                 .threshold = threshold_text(threshold, *severity),
                 .meaning = rewrites ? "It holds ACCESS EXCLUSIVE: nobody reads or writes the "
                                       "table until it ends; ended early it changes nothing."
                            : awaited.empty()
                                ? "It waits for transactions that are older than itself."
                                : "It goes on when the transaction of pid " + awaited + " ends."}
            );
        }
    }
}

void judge_functions(const db::Table& functions, Evidence& evidence) {
    for (std::size_t row = 0; row < functions.rows.size(); ++row) {
        const double mean = functions.real(row, "mean_ms").value_or(0);
        const double calls = functions.real(row, "calls").value_or(0);
        const auto severity = judge(mean, function_ms);
        if (severity && calls >= function_calls_min) {
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = "function " + functions.text(row, "function"),
                 .value = seconds_text(mean / 1'000) + " a call on average, " + number_text(calls) +
                          " calls",
                 .threshold = seconds_text(function_ms.passed(*severity) / 1'000),
                 .meaning = "Its statements stand in pg_stat_statements where "
                            "pg_stat_statements.track is all: get_statements."}
            );
        }
    }
}

/// Judges what was read: `tables` in the order of `sections`.
void assess(const std::vector<std::optional<db::Table>>& tables, Evidence& evidence) {
    const auto& all = tables[0];
    const auto& states = tables[1];
    const auto& use = tables[2];
    Totals totals;
    if (tables[3]) {
        judge_waits(*tables[3], evidence);
    }
    if (tables[4]) {
        judge_progress(*tables[4], evidence);
    }
    if (all) {
        judge_sessions(*all, evidence);
    }
    if (states) {
        totals = judge_states(*states, evidence);
    }
    const bool used_known = use && !use->empty();
    if (used_known) {
        judge_connections(*use, evidence);
    }
    if (totals.hidden > 0 ||
        (used_known && !use->boolean(0, "sees_all_sessions").value_or(false))) {
        NotExamined gap = hidden_sessions_gap();
        gap.what += " (" + std::to_string(totals.hidden) + " hidden)";
        gap.would_tell = "which of them are long, idle in a transaction or waiting";
        evidence.not_examined.push_back(std::move(gap));
    }
    if (totals.untracked > 0) {
        evidence.not_examined.push_back(untracked_sessions_gap(totals.untracked));
    }
    evidence.summary =
        !states
            ? "Sessions could not be counted; see not examined."
            : counted(
                  totals.sessions - totals.hidden - totals.untracked,
                  "client session",
                  "client sessions"
              ) + " examined" +
                  (totals.hidden > 0 ? ", " + std::to_string(totals.hidden) + " hidden" : "") +
                  (totals.untracked > 0 ? ", " + std::to_string(totals.untracked) + " not tracked"
                                        : "") +
                  ": " +
                  counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
                  (used_known ? "; " + use->text(0, "used") + " of " +
                                    use->text(0, "max_connections") + " connections used."
                              : ".");
}

/// Leaves of the sessions that were read those that the caller asked for.
void list_asked(const db::Table& sessions, std::size_t limit, Evidence& evidence) {
    auto& cells = evidence.rows[0].cells;
    std::vector<std::vector<db::Cell>> kept;
    bool more = false;
    for (std::size_t row = 0; row < sessions.rows.size() && row < cells.size(); ++row) {
        if (!sessions.boolean(row, "asked").value_or(false)) {
            continue;
        }
        if (kept.size() == limit) {
            more = true;
            break;
        }
        kept.push_back(std::move(cells[row]));
    }
    cells = std::move(kept);
    if (more && limit < base::limits::tool_rows_max) {
        evidence.not_examined.push_back(
            {"sessions beyond the first " + std::to_string(limit),
             "limit: more than this call lists; they were judged for findings",
             std::string{sessions_section.would_tell}}
        );
    }
}

/// View functions: nothing of sessions, which come and go; what functions took in all.
base::Result<Output>
show_functions(Context& context, const Call& call, const LaneRequest& request, std::size_t limit) {
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            request,
            {{.section = functions_section,
              .parameters = {std::to_string(limit + 1)},
              .rows_max = limit},
             {.section = tracking_section, .rows_max = 1}},
            evidence
        )
    );
    evidence.rows.pop_back(); // the setting is told in words
    const bool off = tables[1] && tables[1]->text(0, "track_functions") == "none";
    if (off) {
        evidence.not_examined.push_back(
            {"time of functions",
             "track_functions is none: nothing is counted now",
             std::string{functions_section.would_tell}}
        );
    }
    if (tables[0]) {
        judge_functions(*tables[0], evidence);
    }
    const auto count = tables[0] ? static_cast<long long>(tables[0]->rows.size()) : 0;
    evidence.summary =
        counted(count, "function of users was", "functions of users were") + " counted" +
        (off ? ", and none is now" : "") + ": " +
        counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") + ".";
    return publish(context, call, std::move(evidence));
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const auto limit = static_cast<std::size_t>(call.arguments.integer("limit"));
    const LaneRequest request{.target = target, .tool = tool_name};
    if (call.arguments.text("view") == "functions") {
        return show_functions(context, call, request, limit);
    }
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            request,
            {{.section = sessions_section,
              .parameters =
                  {call.arguments.text("view"),
                   std::to_string(call.arguments.integer("seconds_min")),
                   std::to_string(base::limits::tool_rows_max + 1)}},
             {.section = states_section, .rows_max = 20},
             {.section = connections_section, .rows_max = 1},
             {.section = waits_section},
             {.section = progress_section}},
            evidence
        )
    );
    assess(tables, evidence);
    if (tables[0]) {
        list_asked(*tables[0], limit, evidence);
    }
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_activity() {
    return {
        .name = tool_name,
        .title = "Sessions and connections",
        .summary = "Shows sessions that need attention, counts by state and wait event, progress "
                   "of maintenance, and connections used.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "view",
              .about = "attention: long, waiting or blocking; active: not idle; functions: time of "
                       "users' functions.",
              .choices = {"attention", "active", "all", "functions"},
              .fallback = "attention",
              .example = "active"},
             {.name = "seconds_min",
              .type = InputType::integer,
              .about = "In attention: shortest statement or transaction.",
              .min = 0,
              .max = 86'400,
              .fallback = "5",
              .example = "30"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most sessions to list.",
              .min = 1,
              .max = static_cast<long long>(base::limits::tool_rows_max),
              .fallback = "50",
              .example = "20"}},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(sections, unlisted_sections),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
