// get_connections: who holds connections, against every limit there is (server, database, role);
// how many are idle, not encrypted, or made anew all the time.
#include "base/limits.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/find.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sampler.hpp"
#include "tools/schema.hpp"

#include <array>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_connections";
constexpr std::chrono::seconds window_wanted{60};

// Of what ordinary roles may open, and of a role's or database's own limit.
constexpr Threshold used_percent{70, 85};
// Connections that do nothing, of all that the server takes: a pooler would need a tenth.
constexpr double idle_percent = 20;
constexpr double idle_min = 20;
// Idle for so long, a connection is forgotten rather than pooled.
constexpr double idle_seconds = 3'600;
// One client that holds this many, or half of all, has a pool too large or leaks.
constexpr double client_sessions = 50;
constexpr double client_percent = 50;
// A connection costs a process; one for each request costs more than the request.
constexpr Threshold sessions_per_second{5, 50};
// Sessions that ended by a lost client, an error or an administrator, of all that ended.
constexpr double lost_percent = 10;
constexpr double lost_min = 10;
// Each connection takes some memory of its own, and any may take work_mem more than once.
constexpr double connections_without_pooler = 500;

constexpr db::Sql limits_sql{"connection_limits", R"sql(
    with sessions as materialized (
        select a.pid, a.usesysid, a.datid, a.datname, a.state,
               a.state is null or a.state = 'disabled' as unknown,
               extract(epoch from pg_catalog.clock_timestamp() - a.state_change) as state_seconds
        from pg_catalog.pg_stat_activity a
        where a.usesysid is not null and coalesce(a.backend_type, 'client backend')
                                         = 'client backend'
    ), server as (
        select pg_catalog.current_setting('max_connections')::int
               - pg_catalog.current_setting('superuser_reserved_connections')::int
               - coalesce(nullif(pg_catalog.current_setting('reserved_connections', true),
                                 '')::int, 0) as usable
    ), used as (
        select 'server' as kind, '' as name, pg_catalog.count(*) as used,
               (select s.usable from server s) as allowed, pg_catalog.count(*) filter (
                   where c.state = 'idle') as idle,
               pg_catalog.count(*) filter (where c.state = 'active') as active,
               pg_catalog.count(*) filter (where c.state like 'idle in transaction%')
                   as idle_in_transaction,
               pg_catalog.max(c.state_seconds) filter (where c.state = 'idle')
                   as longest_idle_seconds,
               pg_catalog.count(*) filter (where c.unknown) as unknown
        from sessions c
        union all
        select 'role', r.rolname, pg_catalog.count(*), nullif(r.rolconnlimit, -1),
               pg_catalog.count(*) filter (where c.state = 'idle'),
               pg_catalog.count(*) filter (where c.state = 'active'),
               pg_catalog.count(*) filter (where c.state like 'idle in transaction%'),
               pg_catalog.max(c.state_seconds) filter (where c.state = 'idle'),
               pg_catalog.count(*) filter (where c.unknown)
        from sessions c
        join pg_catalog.pg_roles r on r.oid = c.usesysid
        group by r.rolname, r.rolconnlimit
        union all
        select 'database', d.datname, pg_catalog.count(*), nullif(d.datconnlimit, -1),
               pg_catalog.count(*) filter (where c.state = 'idle'),
               pg_catalog.count(*) filter (where c.state = 'active'),
               pg_catalog.count(*) filter (where c.state like 'idle in transaction%'),
               pg_catalog.max(c.state_seconds) filter (where c.state = 'idle'),
               pg_catalog.count(*) filter (where c.unknown)
        from sessions c
        join pg_catalog.pg_database d on d.oid = c.datid
        group by d.datname, d.datconnlimit
    )
    select u.kind, u.name, u.used, u.allowed,
           pg_catalog.round(100.0 * u.used / nullif(u.allowed, 0), 1) as used_percent,
           case when u.unknown = 0 then u.active else nullif(u.active, 0) end as active,
           case when u.unknown = 0 then u.idle else nullif(u.idle, 0) end as idle,
           case when u.unknown = 0 then u.idle_in_transaction
                else nullif(u.idle_in_transaction, 0) end as idle_in_transaction,
           u.unknown, pg_catalog.round(u.longest_idle_seconds) as longest_idle_seconds
    from used u
    order by u.kind <> 'server', used_percent desc nulls last, u.used desc
    limit 30)sql"};

constexpr db::Sql clients_sql{"connection_clients", R"sql(
    with clients as (
        select coalesce(pg_catalog.host(a.client_addr), 'local socket') as client,
               pg_catalog.left(a.application_name, 64) as application_name,
               a.usename as "user", a.datname as database, pg_catalog.count(*) as sessions,
               pg_catalog.count(*) filter (where a.state = 'active') as active,
               pg_catalog.count(*) filter (where a.state = 'idle') as idle,
               pg_catalog.count(*) filter (where a.state like 'idle in transaction%')
                   as idle_in_transaction,
               pg_catalog.count(*) filter (where a.state is null or a.state = 'disabled')
                   as unknown,
               pg_catalog.count(*) filter (
                   where a.backend_start > pg_catalog.clock_timestamp() - interval '1 minute')
                   as started_last_minute,
               pg_catalog.count(*) filter (where not s.ssl and a.client_addr is not null)
                   as unencrypted,
               pg_catalog.round(pg_catalog.max(extract(epoch from pg_catalog.clock_timestamp()
                   - a.state_change)) filter (where a.state = 'idle')) as longest_idle_seconds
        from pg_catalog.pg_stat_activity a
        left join pg_catalog.pg_stat_ssl s on s.pid = a.pid
        where a.usesysid is not null
          and coalesce(a.backend_type, 'client backend') = 'client backend'
        group by 1, 2, 3, 4
    )
    select c.client, c.application_name, c."user", c.database, c.sessions,
           case when c.unknown = 0 then c.active else nullif(c.active, 0) end as active,
           case when c.unknown = 0 then c.idle else nullif(c.idle, 0) end as idle,
           case when c.unknown = 0 then c.idle_in_transaction
                else nullif(c.idle_in_transaction, 0) end as idle_in_transaction,
           c.unknown, c.started_last_minute, c.unencrypted, c.longest_idle_seconds
    from clients c
    order by c.sessions desc
    limit 30)sql"};

constexpr db::Sql settings_sql{"connection_settings", R"sql(
    select pg_catalog.current_setting('max_connections')::int as max_connections,
           pg_catalog.current_setting('superuser_reserved_connections')::int
               as superuser_reserved,
           coalesce(nullif(pg_catalog.current_setting('reserved_connections', true), '')::int, 0)
               as reserved,
           (select pg_catalog.count(*) from pg_catalog.pg_stat_activity a
            where a.usesysid is not null and a.state = 'disabled') as untracked,
           pg_catalog.current_setting('ssl') as ssl,
           pg_catalog.current_setting('idle_session_timeout') as idle_session_timeout,
           pg_catalog.current_setting('tcp_keepalives_idle') as tcp_keepalives_idle,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all)sql"};

const std::vector<Column>& limit_columns() {
    static const std::vector<Column> declared{
        {.name = "kind", .about = "Whose limit: server, role or database"},
        {.name = "name", .untrusted = true},
        {.name = "used", .type = ColumnType::integer},
        {.name = "allowed",
         .type = ColumnType::integer,
         .about = "To ordinary roles; absent: no limit of its own"},
        {.name = "used_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "active", .type = ColumnType::integer, .about = "Absent: not known"},
        {.name = "idle", .type = ColumnType::integer, .about = "Absent: not known"},
        {.name = "idle_in_transaction", .type = ColumnType::integer, .about = "Absent: not known"},
        {.name = "unknown",
         .type = ColumnType::integer,
         .about = "State hidden or not tracked; the other counts are at least"},
        {.name = "longest_idle_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& client_columns() {
    static const std::vector<Column> declared{
        {.name = "client"},
        {.name = "application_name", .untrusted = true},
        {.name = "user", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "sessions", .type = ColumnType::integer},
        {.name = "active", .type = ColumnType::integer, .about = "Absent: not known"},
        {.name = "idle", .type = ColumnType::integer, .about = "Absent: not known"},
        {.name = "idle_in_transaction", .type = ColumnType::integer, .about = "Absent: not known"},
        {.name = "unknown",
         .type = ColumnType::integer,
         .about = "State hidden or not tracked; the other counts are at least"},
        {.name = "started_last_minute", .type = ColumnType::integer},
        {.name = "unencrypted", .type = ColumnType::integer, .about = "Over the network"},
        {.name = "longest_idle_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& setting_columns() {
    static const std::vector<Column> declared{
        {.name = "max_connections", .type = ColumnType::integer},
        {.name = "superuser_reserved", .type = ColumnType::integer},
        {.name = "reserved", .type = ColumnType::integer},
        {.name = "ssl"},
        {.name = "idle_session_timeout"},
        {.name = "tcp_keepalives_idle"},
    };
    return declared;
}

const std::vector<Column>& churn_columns() {
    static const std::vector<Column> declared{
        {.name = "database", .untrusted = true},
        {.name = "sessions_per_second", .type = ColumnType::real, .about = "Made in the window"},
        {.name = "sessions", .type = ColumnType::integer, .about = "Made in the window"},
        {.name = "abandoned", .type = ColumnType::integer, .about = "Ended by a lost client"},
        {.name = "fatal", .type = ColumnType::integer, .about = "Ended by an error"},
        {.name = "killed", .type = ColumnType::integer, .about = "Ended by an administrator"},
    };
    return declared;
}

constexpr Section limits_section{
    .name = "limits",
    .columns = limit_columns,
    .editions = {{{.sql = limits_sql}}},
    .would_tell = "how near each connection limit is"};
constexpr Section clients_section{
    .name = "clients",
    .columns = client_columns,
    .editions = {{{.sql = clients_sql}}},
    .would_tell = "who holds the connections"};
constexpr Section settings_section{
    .name = "settings",
    .columns = setting_columns,
    .editions = {{{.sql = settings_sql}}},
    .would_tell = "what limits connections"};
constexpr std::array sections{&limits_section, &clients_section, &settings_section};
constexpr std::array counted_sections{&server_counters, &database_counters};

std::string output_schema() {
    static const std::string schema = packet_schema(
        {{"limits", &limit_columns()},
         {"clients", &client_columns()},
         {"settings", &setting_columns()},
         {"churn", &churn_columns()}}
    );
    return schema;
}

std::string states_text(const db::Table& table, std::size_t row) {
    std::string out;
    for (const auto& [column, words] :
         {std::pair{"active", " active"},
          std::pair{"idle", " idle"},
          std::pair{"idle_in_transaction", " idle in a transaction"}}) {
        if (const std::string count = table.text(row, column); !count.empty() && count != "0") {
            out += (out.empty() ? "" : ", ") + count + words;
        }
    }
    const std::string unknown = table.text(row, "unknown");
    return unknown.empty() || unknown == "0"
               ? out
               : out + (out.empty() ? "" : ", ") + unknown + " of unknown state";
}

void judge_limit(const db::Table& table, std::size_t row, Evidence& evidence) {
    const std::string kind = table.text(row, "kind");
    const std::string object =
        kind == "server" ? "connections" : kind + " " + table.text(row, "name");
    const double percent = table.real(row, "used_percent").value_or(0);
    if (const auto severity = judge(percent, used_percent)) {
        find(
            evidence,
            *severity,
            object,
            table.text(row, "used") + " of " + table.text(row, "allowed") + " (" +
                table.text(row, "used_percent") + " %): " + states_text(table, row),
            number_text(used_percent.passed(*severity)) + " %",
            "New sessions are refused at the limit; get_activity and get_blocking say what the "
            "active ones wait for."
        );
    }
}

/// Idle sessions of the whole server, the first row of `limits`.
void judge_idle(const db::Table& limits, Evidence& evidence) {
    const double idle = limits.real(0, "idle").value_or(0);
    const double allowed = limits.real(0, "allowed").value_or(0);
    if (idle >= idle_min && allowed > 0 && 100 * idle >= idle_percent * allowed) {
        find(
            evidence,
            Severity::notice,
            "idle connections",
            number_text(idle) + " of " + number_text(allowed) + " that may be open",
            number_text(idle_percent) + " %",
            "Pools are larger than their work: a pooler in transaction mode needs far fewer."
        );
    }
}

void judge_client(const db::Table& clients, std::size_t row, double used, Evidence& evidence) {
    const double sessions = clients.real(row, "sessions").value_or(0);
    const std::string object = "client " + clients.text(row, "client") + " (" +
                               clients.text(row, "application_name") + ", " +
                               clients.text(row, "user") + ")";
    const double longest = clients.real(row, "longest_idle_seconds").value_or(0);
    if (sessions >= client_sessions ||
        (used >= idle_min && 100 * sessions >= client_percent * used)) {
        find(
            evidence,
            Severity::notice,
            object,
            counted(static_cast<long long>(sessions), "session", "sessions") + ", " +
                states_text(clients, row),
            number_text(client_sessions) + ", or " + number_text(client_percent) + " % of all",
            longest >= idle_seconds
                ? "One client holds them, some idle for " + seconds_text(longest) + ": a leak."
                : "One client holds them: its pool is large for its work, or it leaks."
        );
    }
    if (const double plain = clients.real(row, "unencrypted").value_or(0);
        plain > 0 && clients.text(row, "client") != "127.0.0.1" &&
        clients.text(row, "client") != "::1") {
        find(
            evidence,
            Severity::warning,
            object,
            counted(static_cast<long long>(plain), "session", "sessions") +
                " over the network without TLS",
            "0",
            "What they send and read can be seen on the way; hostssl in pg_hba.conf demands TLS."
        );
    }
}

EvidenceRows judge_churn(const Window& window, Evidence& evidence) {
    EvidenceRows rows{.name = "churn", .columns = &churn_columns(), .cells = {}};
    const auto count = [](std::optional<double> value) {
        return value ? db::Cell{number_text(*value)} : std::nullopt;
    };
    for (const std::string& name : window.newer.objects("databases")) {
        const auto of = [&](std::string_view counter) {
            return window.grown("databases", name, counter);
        };
        const auto made = of("sessions");
        const double lost = of("sessions_abandoned").value_or(0) +
                            of("sessions_fatal").value_or(0) + of("sessions_killed").value_or(0);
        if (made.value_or(0) + lost <= 0) {
            continue;
        }
        const auto rate = window.per_second("databases", name, "sessions");
        rows.cells.push_back(
            {name,
             rate ? db::Cell{number_text(*rate, 2)} : std::nullopt,
             count(made),
             count(of("sessions_abandoned")),
             count(of("sessions_fatal")),
             count(of("sessions_killed"))}
        );
        if (const auto severity = judge(rate.value_or(0), sessions_per_second)) {
            find(
                evidence,
                *severity,
                "database " + name,
                number_text(*rate, 1) + " new sessions a second in " + window.text(),
                number_text(sessions_per_second.passed(*severity)),
                "A connection for each request: a pool or a pooler saves a process start and a "
                "login each time."
            );
        }
        if (lost >= lost_min && 100 * lost >= lost_percent * made.value_or(0)) {
            find(
                evidence,
                Severity::warning,
                "database " + name,
                counted(static_cast<long long>(lost), "session", "sessions") + " lost in " +
                    window.text() + " (" + number_text(of("sessions_abandoned").value_or(0)) +
                    " abandoned, " + number_text(of("sessions_fatal").value_or(0)) +
                    " by an error, " + number_text(of("sessions_killed").value_or(0)) + " killed)",
                number_text(lost_percent) + " % of those made",
                "Clients crash or drop connections, or a timeout or a person ends them; the log "
                "says which."
            );
        }
    }
    return rows;
}

void judge_settings(const db::Table& settings, Evidence& evidence) {
    const double allowed = settings.real(0, "max_connections").value_or(0);
    if (allowed > connections_without_pooler) {
        find(
            evidence,
            Severity::notice,
            "max_connections",
            number_text(allowed),
            number_text(connections_without_pooler),
            "Each connection costs memory and each snapshot looks at all: a pooler in front serves "
            "more clients with fewer."
        );
    }
    if (settings.text(0, "ssl") == "off") {
        find(
            evidence,
            Severity::notice,
            "ssl",
            "off",
            "on",
            "No session over the network can be encrypted."
        );
    }
}

void assess(
    const std::vector<std::optional<db::Table>>& tables, const Window& window, Evidence& evidence
) {
    const auto& limits = tables[0];
    const auto& clients = tables[1];
    const auto& settings = tables[2];
    double used = 0;
    if (limits && !limits->empty()) {
        used = limits->real(0, "used").value_or(0);
        for (std::size_t row = 0; row < limits->rows.size(); ++row) {
            judge_limit(*limits, row, evidence);
        }
        judge_idle(*limits, evidence);
    }
    for (std::size_t row = 0; clients && row < clients->rows.size(); ++row) {
        judge_client(*clients, row, used, evidence);
    }
    evidence.rows.push_back(judge_churn(window, evidence));
    if (settings && !settings->empty()) {
        judge_settings(*settings, evidence);
        if (!settings->boolean(0, "sees_all").value_or(false)) {
            NotExamined gap = hidden_sessions_gap();
            gap.would_tell = "which sessions are idle, from where, and whether encrypted";
            evidence.not_examined.push_back(std::move(gap));
        }
        if (const auto untracked = settings->integer(0, "untracked").value_or(0); untracked > 0) {
            evidence.not_examined.push_back(untracked_sessions_gap(untracked));
        }
    }
    const auto made = window.grown_in_all("databases", "sessions");
    evidence.summary =
        (limits && !limits->empty()
             ? limits->text(0, "used") + " of " + limits->text(0, "allowed") +
                   " connections used (" + limits->text(0, "used_percent") + " %)"
             : "Connections could not be counted") +
        (made ? ", " + number_text(*made) + " made in " + window.text() : "") + ": " +
        counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") + ".";
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(
        const Window window,
        read_window(context, call, request, counted_sections, window_wanted, evidence)
    );
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            request,
            {{.section = limits_section},
             {.section = clients_section},
             {.section = settings_section, .rows_max = 1}},
            evidence
        )
    );
    assess(tables, window, evidence);
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_connections() {
    return {
        .name = tool_name,
        .title = "Connections",
        .summary = "Shows how many connections are used of the limits of server, roles and "
                   "databases, by which client, and how often they are made anew.",
        .domain = "postgres",
        .inputs = {target_input()},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(sections, counted_sections),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
