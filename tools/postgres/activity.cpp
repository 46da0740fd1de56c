// get_activity: sessions that need attention, worst first; how many are in which state; how much
// of the connection limit is used.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
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
constexpr std::array sections{&sessions_section, &states_section, &connections_section};

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

/// Judges what was read: `tables` in the order of `sections`.
void assess(const std::vector<std::optional<db::Table>>& tables, Evidence& evidence) {
    const auto& all = tables[0];
    const auto& states = tables[1];
    const auto& use = tables[2];
    Totals totals;
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

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const auto limit = static_cast<std::size_t>(call.arguments.integer("limit"));
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            {.target = target, .tool = tool_name},
            {{.section = sessions_section,
              .parameters =
                  {call.arguments.text("view"),
                   std::to_string(call.arguments.integer("seconds_min")),
                   std::to_string(base::limits::tool_rows_max + 1)}},
             {.section = states_section, .rows_max = 20},
             {.section = connections_section, .rows_max = 1}},
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
        .summary = "Shows sessions that need attention worst first, counts by state, and how much "
                   "of the connection limit is used.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "view",
              .about = "attention: long, waiting or blocking ones; active: all that are not idle; "
                       "all.",
              .choices = {"attention", "active", "all"},
              .fallback = "attention",
              .example = "active"},
             {.name = "seconds_min",
              .type = InputType::integer,
              .about = "In view attention: shortest statement or transaction to list.",
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
        .statements = statements_of(sections),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
