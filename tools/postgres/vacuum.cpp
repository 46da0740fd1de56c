// get_vacuum: what holds the vacuum horizon back, ranked; how near transaction ids are to their
// end; which tables wait for vacuum, who works on them, and what slows the workers down.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sql_text.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_vacuum";

// Of transaction ids and of multixact ids. The server refuses new ones 3 million before 2^31;
// these are operators' levels: a day, an hour, and no time to think about it. Half of the warning
// is a notice.
constexpr Threshold id_age{1'000'000'000, 1'500'000'000};
constexpr double id_age_notice = 500'000'000;
// Transactions since the oldest snapshot: each may have left a dead row that vacuum must keep.
constexpr Threshold horizon_age{100'000, 10'000'000};
// Who holds the horizon for so long does harm by his age alone as soon as others write.
constexpr Threshold holder_seconds{15 * 60, 60 * 60};
constexpr double holder_age_min = 1'000; // a quiet server pins nothing worth a word
// A prepared transaction is finished by its coordinator within seconds, or forgotten.
constexpr Threshold prepared_seconds{5 * 60, 60 * 60};
// Dead rows: a share alone is noise on a small table, and hides 10 million rows of a large one.
constexpr double rows_min = 100'000;
constexpr Threshold dead_percent{20, 40};
constexpr double times_due_warning = 2;
constexpr double dead_warning = 10'000'000;
constexpr double recently_vacuumed_seconds = 60 * 60;
// What all workers together may dirty; PostgreSQL's defaults allow some 40 MB/s, those before
// version 12 allowed 4, which large servers outgrew.
constexpr double dirty_mb_per_second_min = 8;

// Every kind of holder. A vacuum's own snapshot holds nobody back; a walsender's is its standby's
// and stands in pg_stat_replication; a parallel worker's is its leader's.
constexpr db::Sql holders_sql{"vacuum_holders", R"sql(
    with holders as (
        select 'backend' as kind, a.pid::text as name, a.datname as database,
               a.usename::text as owner, a.state,
               greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) as xid_age,
               null::int as catalog_xid_age,
               extract(epoch from pg_catalog.clock_timestamp() - a.xact_start) as seconds,
               pg_catalog.left(a.query, 2000) as query
        from pg_catalog.pg_stat_activity a
        where (a.backend_xmin is not null or a.backend_xid is not null)
          and a.pid <> pg_catalog.pg_backend_pid()
          and a.backend_type is distinct from 'walsender'
          and not coalesce(a.backend_type = 'parallel worker' and a.leader_pid is not null, false)
          and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
        union all
        select 'prepared transaction', p.gid, p.database, p.owner, 'prepared',
               pg_catalog.age(p.transaction), null,
               extract(epoch from pg_catalog.clock_timestamp() - p.prepared), null
        from pg_catalog.pg_prepared_xacts p
        union all
        select s.slot_type || ' slot', s.slot_name, s.database, null,
               case when s.active then 'active' else 'inactive' end
               || coalesce(', ' || s.wal_status, ''),
               pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin), null, null
        from pg_catalog.pg_replication_slots s
        where s.xmin is not null or s.catalog_xmin is not null
        union all
        select 'standby', coalesce(nullif(r.application_name, ''), r.pid::text), null,
               r.usename, r.state, pg_catalog.age(r.backend_xmin), null, null, null
        from pg_catalog.pg_stat_replication r
        where r.backend_xmin is not null
    )
    select h.kind, h.name, h.database, h.owner, h.state, h.xid_age, h.catalog_xid_age,
           pg_catalog.round(h.seconds, 3) as seconds,
           coalesce(h.database = pg_catalog.current_database(), true) as holds_here,
           h.query
    from holders h
    order by greatest(h.xid_age, h.catalog_xid_age) desc nulls last, h.seconds desc nulls last
    limit $1::int)sql"};

constexpr db::Sql databases_sql{"vacuum_databases", R"sql(
    select d.datname as database, pg_catalog.age(d.datfrozenxid) as xid_age,
           pg_catalog.mxid_age(d.datminmxid) as mxid_age,
           2147483648 - pg_catalog.age(d.datfrozenxid) as xids_left,
           d.datname = pg_catalog.current_database() as is_here
    from pg_catalog.pg_database d
    order by greatest(pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid)) desc
    limit $1::int)sql"};

// Thresholds as autovacuum computes them: the table's own settings before the server's, a TOAST
// table without settings of its own under those of its table; autovacuum_vacuum_max_threshold
// exists from version 18 on. Counters are read by function, one row of pg_class each: the views
// join indexes to it. Ranked by how far past a threshold.
constexpr db::Sql tables_sql{"vacuum_tables", R"sql(
    with base as materialized (
        select pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8 as threshold,
               pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8 as factor,
               nullif(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true),
                      '')::float8 as ceiling,
               pg_catalog.current_setting('autovacuum_vacuum_insert_threshold')::float8
                   as insert_threshold,
               pg_catalog.current_setting('autovacuum_vacuum_insert_scale_factor')::float8
                   as insert_factor,
               pg_catalog.current_setting('autovacuum_freeze_max_age')::float8 as freeze,
               pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::float8
                   as multixact_freeze
    ), relations as (
        select c.oid, c.relname, c.relnamespace, c.relkind, c.relpages,
               greatest(c.reltuples, 0)::float8 as counted_rows,
               (case when c.reltuples >= 0 then c.reltuples
                     else pg_catalog.pg_stat_get_live_tuples(c.oid) end)::float8 as rows,
               c.reltuples < 0 as never_analyzed, c.relallvisible,
               pg_catalog.age(c.relfrozenxid) as xid_age,
               case when c.relminmxid <> '0' then pg_catalog.mxid_age(c.relminmxid) end
                   as mxid_age,
               pg_catalog.pg_stat_get_dead_tuples(c.oid) as dead,
               pg_catalog.pg_stat_get_ins_since_vacuum(c.oid) as inserted,
               m.oid as main, m.relname as main_name, m.relnamespace as main_namespace,
               case when c.relkind = 't' then coalesce(c.reloptions, m.reloptions)
                    else c.reloptions end as options
        from pg_catalog.pg_class c
        left join pg_catalog.pg_class m on c.relkind = 't' and m.reltoastrelid = c.oid
        where c.relkind in ('r', 'm', 't') and c.relpersistence <> 't'
    ), set_apart as (
        select r.oid,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_vacuum_threshold') as threshold,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_vacuum_scale_factor') as factor,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_vacuum_max_threshold') as ceiling,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_vacuum_insert_threshold') as insert_threshold,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_vacuum_insert_scale_factor') as insert_factor,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_freeze_max_age') as freeze,
               max(o.option_value::float8) filter (
                   where o.option_name = 'autovacuum_multixact_freeze_max_age')
                   as multixact_freeze,
               coalesce(bool_and(o.option_value::bool) filter (
                   where o.option_name = 'autovacuum_enabled'), true) as enabled
        from relations r
        cross join lateral pg_catalog.pg_options_to_table(r.options) o
        where r.options is not null and o.option_name like 'autovacuum\_%'
          and o.option_name <> 'autovacuum_vacuum_cost_delay'
        group by r.oid
    ), judged as (
        select r.*, coalesce(s.enabled, true) as enabled,
               case when coalesce(s.ceiling, b.ceiling) >= 0
                    then least(t.due_at, coalesce(s.ceiling, b.ceiling)) else t.due_at
               end as vacuum_at,
               case when coalesce(s.insert_threshold, b.insert_threshold) >= 0
                    then coalesce(s.insert_threshold, b.insert_threshold)
                         + coalesce(s.insert_factor, b.insert_factor) * r.counted_rows
               end as insert_at,
               least(s.freeze, b.freeze) as freeze_at,
               least(s.multixact_freeze, b.multixact_freeze) as multixact_freeze_at
        from relations r
        cross join base b
        left join set_apart s on s.oid = r.oid
        cross join lateral (select coalesce(s.threshold, b.threshold)
                                   + coalesce(s.factor, b.factor) * r.counted_rows) t(due_at)
    ), ranked as (
        select j.*, u.times_due, u.times_due_by_inserts, v.never_vacuumed,
               greatest(case when j.dead >= 1000 then j.dead / greatest(j.vacuum_at, 1) end,
                        case when j.inserted >= 1000 and j.enabled
                             then 0.5 * j.inserted / greatest(j.insert_at, 1) end,
                        j.xid_age / j.freeze_at, j.mxid_age / j.multixact_freeze_at,
                        case when not j.enabled and greatest(j.rows, j.dead) >= 10000
                             then 1 end,
                        case when v.never_vacuumed then 0.5 end) as rank
        from judged j
        cross join lateral (
            select j.dead / greatest(j.vacuum_at, 1) as times_due,
                   case when j.enabled then j.inserted / greatest(j.insert_at, 1)
                   end as times_due_by_inserts) u
        cross join lateral (
            select case when j.relkind <> 't' and j.relallvisible = 0 and j.rows >= 100000
                        then pg_catalog.pg_stat_get_last_vacuum_time(j.oid) is null
                             and pg_catalog.pg_stat_get_last_autovacuum_time(j.oid) is null
                        else false end as never_vacuumed) v
        order by rank desc nulls last, j.dead desc
        limit $1::int
    )
    select pg_catalog.format('%I.%I', coalesce(mn.nspname, n.nspname),
                             coalesce(k.main_name, k.relname)) as relation,
           case k.relkind when 't' then 'toast' when 'm' then 'materialized view'
                          else 'table' end as kind,
           k.dead, k.rows::bigint as rows,
           pg_catalog.round((100 * k.dead / greatest(k.rows + k.dead, 1))::numeric, 1)
               as dead_percent,
           k.vacuum_at::bigint as vacuum_at,
           pg_catalog.round(greatest(k.times_due, k.times_due_by_inserts)::numeric, 2)
               as times_due,
           pg_catalog.round(k.times_due::numeric, 2) as times_due_by_dead,
           k.never_analyzed, k.never_vacuumed, k.oid as relid,
           k.inserted as inserted_since_vacuum, k.insert_at::bigint as insert_vacuum_at,
           k.xid_age, k.freeze_at::bigint as freeze_at,
           k.mxid_age, k.multixact_freeze_at::bigint as multixact_freeze_at,
           k.enabled as autovacuum,
           case when k.relpages > 0 or not k.never_analyzed
                then k.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
           end as bytes,
           pg_catalog.pg_stat_get_last_vacuum_time(k.oid) as last_vacuum,
           pg_catalog.pg_stat_get_last_autovacuum_time(k.oid) as last_autovacuum,
           extract(epoch from pg_catalog.clock_timestamp()
               - greatest(pg_catalog.pg_stat_get_last_vacuum_time(k.oid),
                          pg_catalog.pg_stat_get_last_autovacuum_time(k.oid)))::bigint
               as vacuumed_seconds_ago,
           pg_catalog.pg_stat_get_autovacuum_count(k.oid) as autovacuums,
           pg_catalog.array_to_string(k.options, ', ') as options
    from ranked k
    join pg_catalog.pg_namespace n on n.oid = k.relnamespace
    left join pg_catalog.pg_namespace mn on mn.oid = k.main_namespace
    where k.rank >= 0.5
    order by k.rank desc)sql"};

constexpr std::string_view workers_head = R"sql(
    select a.pid, a.backend_type, coalesce(p.datname, a.datname) as database,
           case when p.datid = (select d.oid from pg_catalog.pg_database d
                                where d.datname = pg_catalog.current_database())
                then (select pg_catalog.format('%I.%I', n.nspname, c.relname)
                      from pg_catalog.pg_class c
                      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                      where c.oid = p.relid) end as relation,
           case when p.datid = (select d.oid from pg_catalog.pg_database d
                                where d.datname = pg_catalog.current_database())
                then p.relid end as relid,
           p.phase,
           pg_catalog.round(100.0 * p.heap_blks_scanned / nullif(p.heap_blks_total, 0), 1)
               as scanned_percent,
           p.heap_blks_total * pg_catalog.current_setting('block_size')::bigint as bytes,
           p.index_vacuum_count as index_passes,
           pg_catalog.round(100.0 * )sql";
// Version 17 keeps dead rows in a tree and counts its bytes.
constexpr std::string_view workers_memory_14 = R"sql(p.num_dead_tuples
                            / nullif(p.max_dead_tuples, 0))sql";
constexpr std::string_view workers_memory_17 = R"sql(p.dead_tuple_bytes
                            / nullif(p.max_dead_tuple_bytes, 0))sql";
constexpr std::string_view workers_tail = R"sql(, 1) as memory_percent,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - a.xact_start), 3) as seconds,
           a.wait_event_type || ': ' || a.wait_event as wait_event,
           a.query like '%(to prevent wraparound)' as prevents_wraparound
    from pg_catalog.pg_stat_activity a
    left join pg_catalog.pg_stat_progress_vacuum p on p.pid = a.pid
    where a.backend_type = 'autovacuum worker' or p.pid is not null
    order by a.xact_start nulls last
    limit $1::int)sql";
constexpr db::Sql workers_14{
    "vacuum_workers_14", joined<workers_head, workers_memory_14, workers_tail>};
constexpr db::Sql workers_17{
    "vacuum_workers_17", joined<workers_head, workers_memory_17, workers_tail>};

constexpr db::Sql throttle_sql{"vacuum_throttle", R"sql(
    with set_to as materialized (
        select pg_catalog.jsonb_object_agg(s.name, s.setting) as value
        from pg_catalog.pg_settings s
        where s.name in ('autovacuum', 'track_counts', 'autovacuum_max_workers',
                         'autovacuum_naptime', 'autovacuum_vacuum_cost_delay',
                         'vacuum_cost_delay', 'autovacuum_vacuum_cost_limit',
                         'vacuum_cost_limit', 'vacuum_cost_page_dirty',
                         'autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor',
                         'maintenance_work_mem', 'autovacuum_work_mem', 'block_size')
    ), numbers as (
        select s.value,
               coalesce(nullif((s.value ->> 'autovacuum_vacuum_cost_delay')::float8, -1),
                        (s.value ->> 'vacuum_cost_delay')::float8) as delay,
               coalesce(nullif((s.value ->> 'autovacuum_vacuum_cost_limit')::float8, -1),
                        (s.value ->> 'vacuum_cost_limit')::float8) as budget,
               coalesce(nullif((s.value ->> 'autovacuum_work_mem')::bigint, -1),
                        (s.value ->> 'maintenance_work_mem')::bigint) as memory_kb
        from set_to s
    )
    select n.value ->> 'autovacuum' = 'on' as autovacuum,
           n.value ->> 'track_counts' = 'on' as track_counts,
           (n.value ->> 'autovacuum_max_workers')::int as workers_max,
           (n.value ->> 'autovacuum_naptime')::int as naptime_seconds,
           n.delay as cost_delay_ms, n.budget as cost_limit,
           case when n.delay > 0 then pg_catalog.round((
               n.budget / greatest((n.value ->> 'vacuum_cost_page_dirty')::float8, 1)
               * (n.value ->> 'block_size')::float8 / n.delay / 1000)::numeric, 1)
           end as dirty_mb_per_second,
           (n.value ->> 'autovacuum_vacuum_threshold')::bigint as threshold,
           (n.value ->> 'autovacuum_vacuum_scale_factor')::float8 as scale_factor,
           n.memory_kb,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions
    from numbers n)sql"};

const std::vector<Column>& holder_columns() {
    static const std::vector<Column> declared{
        {.name = "kind"},
        {.name = "name", .about = "Pid, gid, slot or standby", .untrusted = true},
        {.name = "xid_age",
         .type = ColumnType::integer,
         .about = "Transactions whose dead rows must stay"},
        {.name = "catalog_xid_age",
         .type = ColumnType::integer,
         .about = "The same, of system catalogs only"},
        {.name = "seconds", .type = ColumnType::real, .unit = "s", .about = "Its age"},
        {.name = "holds_here",
         .type = ColumnType::boolean,
         .about = "False: it holds another database and shared catalogs"},
        {.name = "state"},
        {.name = "owner", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "query", .about = "Last statement, literals masked", .sql_text = true},
    };
    return declared;
}

const std::vector<Column>& database_columns() {
    static const std::vector<Column> declared{
        {.name = "database", .untrusted = true},
        {.name = "xid_age", .type = ColumnType::integer},
        {.name = "mxid_age", .type = ColumnType::integer, .about = "Of multixact ids"},
        {.name = "xids_left", .type = ColumnType::integer, .about = "To 2^31"},
    };
    return declared;
}

const std::vector<Column>& table_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .about = "Of TOAST: the table it belongs to", .untrusted = true},
        {.name = "kind"},
        {.name = "dead", .type = ColumnType::integer, .unit = "rows"},
        {.name = "rows", .type = ColumnType::integer, .about = "Estimate"},
        {.name = "never_analyzed",
         .type = ColumnType::boolean,
         .about = "Autovacuum takes it for empty; rows are those counted since"},
        {.name = "dead_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "vacuum_at", .type = ColumnType::integer, .about = "Its own threshold"},
        {.name = "times_due",
         .type = ColumnType::real,
         .about = "The larger of dead / vacuum_at and inserted_since_vacuum / insert_vacuum_at"},
        {.name = "inserted_since_vacuum", .type = ColumnType::integer},
        {.name = "insert_vacuum_at",
         .type = ColumnType::integer,
         .about = "Upper bound from version 18 on"},
        {.name = "xid_age", .type = ColumnType::integer},
        {.name = "freeze_at", .type = ColumnType::integer},
        {.name = "mxid_age", .type = ColumnType::integer},
        {.name = "multixact_freeze_at", .type = ColumnType::integer},
        {.name = "autovacuum", .type = ColumnType::boolean},
        {.name = "bytes", .type = ColumnType::integer, .about = "As of the last vacuum or analyze"},
        {.name = "last_vacuum", .type = ColumnType::timestamp},
        {.name = "last_autovacuum", .type = ColumnType::timestamp},
        {.name = "autovacuums", .type = ColumnType::integer},
        {.name = "options", .about = "Settings of its own"},
    };
    return declared;
}

const std::vector<Column>& worker_columns() {
    static const std::vector<Column> declared{
        {.name = "pid", .type = ColumnType::integer},
        {.name = "relation", .about = "Absent: of another database", .untrusted = true},
        {.name = "phase", .about = "Absent: between tables, or analyzing"},
        {.name = "scanned_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "bytes", .type = ColumnType::integer},
        {.name = "index_passes", .type = ColumnType::integer},
        {.name = "memory_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Of the memory for dead rows; full: another pass over all indexes"},
        {.name = "seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "wait_event"},
        {.name = "prevents_wraparound", .type = ColumnType::boolean},
        {.name = "backend_type"},
        {.name = "database", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& throttle_columns() {
    static const std::vector<Column> declared{
        {.name = "autovacuum", .type = ColumnType::boolean},
        {.name = "track_counts", .type = ColumnType::boolean},
        {.name = "workers_max", .type = ColumnType::integer},
        {.name = "naptime_seconds", .type = ColumnType::integer, .unit = "s"},
        {.name = "cost_delay_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "cost_limit", .type = ColumnType::real},
        {.name = "dirty_mb_per_second",
         .type = ColumnType::real,
         .unit = "MB/s",
         .about = "Most that all workers together may dirty; absent: no limit"},
        {.name = "threshold", .type = ColumnType::integer},
        {.name = "scale_factor", .type = ColumnType::real},
        {.name = "memory_kb", .type = ColumnType::integer, .unit = "kB"},
    };
    return declared;
}

constexpr Section holders_section{
    .name = "holders",
    .columns = holder_columns,
    .editions = {{{.sql = holders_sql}}},
    .would_tell = "who keeps vacuum from removing dead rows"};
constexpr Section databases_section{
    .name = "databases",
    .columns = database_columns,
    .editions = {{{.sql = databases_sql}}},
    .would_tell = "how near transaction ids are to their end"};
constexpr Section tables_section{
    .name = "tables",
    .columns = table_columns,
    .editions = {{{.sql = tables_sql}}},
    .would_tell = "which tables wait for vacuum"};
constexpr Section workers_section{
    .name = "workers",
    .columns = worker_columns,
    .editions = {{{.sql = workers_14}, {.since = 170000, .sql = workers_17}}},
    .would_tell = "what vacuum works on now"};
constexpr Section throttle_section{
    .name = "throttle",
    .columns = throttle_columns,
    .editions = {{{.sql = throttle_sql}}},
    .would_tell = "what slows autovacuum down"};
constexpr std::array sections{
    &holders_section, &databases_section, &tables_section, &workers_section, &throttle_section};

std::string output_schema() {
    static const std::string schema = packet_schema(sections);
    return schema;
}

std::string whole(double value) {
    return std::to_string(static_cast<long long>(value));
}

/// The holder that keeps dead rows of this database alive, oldest first: its row.
struct Horizon {
    std::string holder; // "physical slot standby_1"
    double age = 0;
    bool held = false;
};

std::string holder_name(const db::Table& holders, std::size_t row) {
    const std::string kind = holders.text(row, "kind");
    return kind + " " + base::sanitize(holders.text(row, "name"));
}

std::string remedy_for_holder(const std::string& kind, const std::string& state) {
    if (kind == "prepared transaction") {
        return "It survives restarts until its coordinator commits or rolls it back.";
    }
    if (kind.ends_with("slot")) {
        return state.starts_with("inactive")
                   ? "Nobody reads from the slot: bring its reader back, or drop it with approval."
                   : "Its reader lags or holds a snapshot: look there, with get_replication.";
    }
    if (kind == "standby") {
        return "A query on the standby holds it, through hot_standby_feedback: look there.";
    }
    return state.starts_with("idle in transaction")
               ? "It does nothing: a candidate for ending it, with approval."
               : "It holds its snapshot as long as the transaction lasts: get_activity shows it.";
}

Horizon judge_holders(const db::Table& holders, Evidence& evidence) {
    Horizon horizon;
    for (std::size_t row = 0; row < holders.rows.size(); ++row) {
        const std::string kind = holders.text(row, "kind");
        const std::string state = holders.text(row, "state");
        const double data = holders.real(row, "xid_age").value_or(0);
        const double age = std::max(data, holders.real(row, "catalog_xid_age").value_or(0));
        const double seconds = holders.real(row, "seconds").value_or(0);
        const bool prepared = kind == "prepared transaction";
        if (!horizon.held && data > 0 && holders.boolean(row, "holds_here").value_or(false)) {
            horizon = {.holder = holder_name(holders, row), .age = data, .held = true};
        }
        std::string passed;
        auto severity = judge(age, horizon_age);
        if (severity) {
            passed = whole(horizon_age.passed(*severity)) + " transactions";
        }
        const Threshold& patience = prepared ? prepared_seconds : holder_seconds;
        const auto by_time =
            prepared || age >= holder_age_min ? judge(seconds, patience) : std::nullopt;
        if (by_time && (!severity || *by_time < *severity)) {
            severity = by_time;
            passed = seconds_text(patience.passed(*by_time));
        }
        if (severity) {
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = holder_name(holders, row),
                 .value = "holds the horizon " + whole(age) + " transactions back" +
                          (data == 0 ? " for catalogs" : "") +
                          (seconds > 0 ? ", " + seconds_text(seconds) + " old" : ""),
                 .threshold = passed,
                 .meaning = remedy_for_holder(kind, state)}
            );
        }
    }
    return horizon;
}

/// Severity by the age of ids, a notice included.
std::optional<Severity> judge_id_age(double age) {
    const auto severity = judge(age, id_age);
    return severity || age < id_age_notice ? severity : std::optional{Severity::notice};
}

void judge_ids(
    const db::Table& table,
    std::size_t row,
    const std::string& object,
    const char* meaning,
    Evidence& evidence
) {
    for (const auto& [column, ids] :
         {std::pair{"xid_age", "transaction"}, std::pair{"mxid_age", "multixact"}}) {
        const double age = table.real(row, column).value_or(0);
        if (const auto severity = judge_id_age(age)) {
            const double passed =
                *severity == Severity::notice ? id_age_notice : id_age.passed(*severity);
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = object,
                 .value = "oldest " + std::string{ids} + " id is " + whole(age) + " back",
                 .threshold = whole(passed),
                 .meaning = meaning}
            );
        }
    }
}

void judge_databases(const db::Table& databases, Evidence& evidence) {
    for (std::size_t row = 0; row < databases.rows.size(); ++row) {
        judge_ids(
            databases,
            row,
            "database " + base::sanitize(databases.text(row, "database")),
            "At 2^31 less 3 million the server takes no more writes; only vacuum brings it back.",
            evidence
        );
    }
}

/// The worker at this table, as "backend 42 vacuums it now (scanning heap)"; "" when there is none.
std::string worker_text(const db::Table& tables, std::size_t row, const db::Table* workers) {
    for (std::size_t i = 0; workers != nullptr && i < workers->rows.size(); ++i) {
        if (!workers->text(i, "relid").empty() &&
            workers->text(i, "relid") == tables.text(row, "relid")) {
            return "backend " + workers->text(i, "pid") + " vacuums it now (" +
                   base::sanitize(workers->text(i, "phase")) + ")";
        }
    }
    return {};
}

/// Why dead rows are still there.
std::string why_dead(
    const db::Table& tables, std::size_t row, const Horizon& horizon, const std::string& worker
) {
    if (!worker.empty()) {
        return "They are being cleaned up: " + worker + ".";
    }
    const auto vacuumed = tables.real(row, "vacuumed_seconds_ago");
    if (!tables.boolean(row, "autovacuum").value_or(true)) {
        return "Autovacuum is switched off for it.";
    }
    if (vacuumed && *vacuumed <= recently_vacuumed_seconds && horizon.held &&
        horizon.age >= holder_age_min) {
        return "Vacuum ran " + seconds_text(*vacuumed) +
               " ago and they are still there: " + horizon.holder + " holds the horizon.";
    }
    if (tables.boolean(row, "never_analyzed").value_or(false)) {
        return "It was never analyzed, so autovacuum takes it for empty and is due at " +
               tables.text(row, "vacuum_at") + " dead rows: ANALYZE it, and look at workers.";
    }
    if (!vacuumed) {
        return "It was never vacuumed: look at workers and throttle.";
    }
    return "The last vacuum was " + seconds_text(*vacuumed) + " ago: look at workers and throttle.";
}

/// Rows that were inserted into a table and never seen by a vacuum.
void judge_inserts(
    const db::Table& tables,
    std::size_t row,
    const std::string& object,
    const std::string& worker,
    Evidence& evidence
) {
    const double inserted = tables.real(row, "inserted_since_vacuum").value_or(0);
    const double at = tables.real(row, "insert_vacuum_at").value_or(0);
    const bool on = tables.boolean(row, "autovacuum").value_or(true);
    const double times = on && at > 0 ? inserted / at : 0;
    const bool never = tables.boolean(row, "never_vacuumed").value_or(false);
    const bool due = inserted >= rows_min && times >= times_due_warning;
    if (!due && !never) {
        return;
    }
    evidence.findings.push_back(
        {.severity = due ? Severity::warning : Severity::notice,
         .object = object,
         .value = due ? whole(inserted) + " rows inserted since its last vacuum, " +
                            number_text(times, 1) + " times its threshold"
                      : tables.text(row, "rows") + " rows, never vacuumed",
         .threshold =
             due ? tables.text(row, "insert_vacuum_at") + " rows" : whole(rows_min) + " rows",
         .meaning = !worker.empty()
                        ? "It is being cleaned up: " + worker + "."
                        : std::string{never ? "It was never vacuumed: index" : "Index"} +
                              "-only scans read its pages all the same, and its rows wait to be "
                              "frozen in one large vacuum later."}
    );
}

/// How many tables are past a threshold of theirs.
long long judge_tables(
    const db::Table& tables, const db::Table* workers, const Horizon& horizon, Evidence& evidence
) {
    long long due = 0;
    for (std::size_t row = 0; row < tables.rows.size(); ++row) {
        const std::string object =
            tables.text(row, "kind") + " " + base::sanitize(tables.text(row, "relation"));
        const double dead = tables.real(row, "dead").value_or(0);
        const double rows = tables.real(row, "rows").value_or(0);
        const double percent = tables.real(row, "dead_percent").value_or(0);
        const double times = tables.real(row, "times_due_by_dead").value_or(0);
        due += tables.real(row, "times_due").value_or(0) >= 1 ? 1 : 0;
        const bool large = rows + dead >= rows_min;
        const bool uncounted = tables.boolean(row, "never_analyzed").value_or(false);
        const std::string worker = worker_text(tables, row, workers);
        if (large && times >= 1 &&
            (percent >= dead_percent.warning || times >= times_due_warning || dead >= dead_warning
            )) {
            evidence.findings.push_back(
                {.severity = percent >= dead_percent.critical ||
                                     (horizon.held && horizon.age >= horizon_age.critical)
                                 ? Severity::critical
                                 : Severity::warning,
                 .object = object,
                 .value = whole(dead) + " dead rows (" + tables.text(row, "dead_percent") + " %)" +
                          (uncounted ? ", never analyzed"
                                     : ", " + number_text(times, 2) + " times its threshold"),
                 .threshold = tables.text(row, "vacuum_at") + " rows",
                 .meaning = why_dead(tables, row, horizon, worker)}
            );
        } else if (!tables.boolean(row, "autovacuum").value_or(true) && large) {
            evidence.findings.push_back(
                {.severity = Severity::warning,
                 .object = object,
                 .value = "autovacuum switched off, " + whole(dead) + " dead rows",
                 .threshold = "on",
                 .meaning = "Dead rows and stale statistics gather until somebody runs VACUUM; "
                            "only the vacuum against wraparound still comes."}
            );
        } else {
            judge_inserts(tables, row, object, worker, evidence);
        }
        judge_ids(
            tables,
            row,
            object,
            "The oldest rows of a database decide its age: this table needs a vacuum that freezes.",
            evidence
        );
    }
    return due;
}

/// How many autovacuum workers run.
long long judge_workers(const db::Table& workers, Evidence& evidence) {
    long long automatic = 0;
    for (std::size_t row = 0; row < workers.rows.size(); ++row) {
        automatic += workers.text(row, "backend_type") == "autovacuum worker" ? 1 : 0;
        const std::string object = "backend " + workers.text(row, "pid");
        const std::string relation = base::sanitize(workers.text(row, "relation", "a table"));
        if (workers.integer(row, "index_passes").value_or(0) > 1) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = object,
                 .value =
                     workers.text(row, "index_passes") + " passes over the indexes of " + relation,
                 .threshold = "1",
                 .meaning = "The memory for dead rows was full; each pass reads every index: "
                            "raise autovacuum_work_mem or maintenance_work_mem."}
            );
        }
        if (workers.boolean(row, "prevents_wraparound").value_or(false)) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = object,
                 .value = "vacuums " + relation + " to prevent wraparound",
                 .threshold = "",
                 .meaning = "Do not end it: it gives way to nobody and would start again."}
            );
        }
    }
    return automatic;
}

void judge_throttle(
    const db::Table& throttle, long long due, std::optional<long long> busy, Evidence& evidence
) {
    for (const char* setting : {"autovacuum", "track_counts"}) {
        if (!throttle.boolean(0, setting).value_or(true)) {
            evidence.findings.push_back(
                {.severity = Severity::critical,
                 .object = std::string{"setting "} + setting,
                 .value = "off",
                 .threshold = "on",
                 .meaning = "Nothing is vacuumed or analyzed but against wraparound."}
            );
        }
    }
    const long long workers = throttle.integer(0, "workers_max").value_or(0);
    if (due > 0 && busy && *busy >= workers && workers > 0) {
        evidence.findings.push_back(
            {.severity = Severity::warning,
             .object = "autovacuum workers",
             .value = std::to_string(*busy) + " of " + std::to_string(workers) + " busy while " +
                      counted(due, "table is", "tables are") + " due",
             .threshold = std::to_string(workers),
             .meaning = "Due tables wait for a worker; more workers share one cost limit, so "
                        "raise that too."}
        );
    }
    const auto dirty = throttle.real(0, "dirty_mb_per_second");
    if (dirty && *dirty < dirty_mb_per_second_min) {
        evidence.findings.push_back(
            {.severity = due > 0 ? Severity::warning : Severity::notice,
             .object = "autovacuum cost limit",
             .value = throttle.text(0, "dirty_mb_per_second") + " MB/s for all workers together",
             .threshold = whole(dirty_mb_per_second_min) + " MB/s",
             .meaning = "Vacuum sleeps most of its time: autovacuum_vacuum_cost_delay and "
                        "autovacuum_vacuum_cost_limit decide it."}
        );
    }
}

void tell_gaps(const std::optional<db::Table>& throttle, Evidence& evidence) {
    if (throttle && !throttle->empty() &&
        !throttle->boolean(0, "sees_all_sessions").value_or(false)) {
        NotExamined gap = hidden_sessions_gap();
        gap.would_tell = "whether one of them holds the vacuum horizon";
        evidence.not_examined.push_back(std::move(gap));
    }
    if (evidence.source.in_recovery) {
        evidence.not_examined.push_back(
            {"dead rows and vacuums",
             "a standby does not vacuum and does not have its primary's counters",
             "which tables wait for vacuum: ask the primary"}
        );
    }
    evidence.not_examined.push_back(
        {"tables of other databases",
         "a session sees the tables of its own database only",
         "which of their tables wait for vacuum: one target for each database"}
    );
}

/// Judges what was read: `tables` in the order of `sections`.
void assess(const std::vector<std::optional<db::Table>>& tables, Evidence& evidence) {
    const auto& holders = tables[0];
    const auto& relations = tables[2];
    const auto& throttle = tables[4];
    const Horizon horizon = holders ? judge_holders(*holders, evidence) : Horizon{};
    if (tables[1]) {
        judge_databases(*tables[1], evidence);
    }
    const long long due =
        relations ? judge_tables(*relations, tables[3] ? &*tables[3] : nullptr, horizon, evidence)
                  : 0;
    std::optional<long long> busy;
    if (tables[3]) {
        busy = judge_workers(*tables[3], evidence);
    }
    if (throttle && !throttle->empty()) {
        judge_throttle(*throttle, due, busy, evidence);
    }
    tell_gaps(throttle, evidence);
    evidence.summary = !holders ? "The holders of the horizon could not be read; see not examined."
                       : horizon.held ? "Dead rows of the last " + whole(horizon.age) +
                                            " transactions must stay, for " + horizon.holder + "; "
                                      : "Nobody holds the vacuum horizon back; ";
    evidence.summary +=
        !relations
            ? "tables could not be read."
            : counted(due, "table is past its vacuum threshold", "tables are past theirs") + ".";
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const auto limit = static_cast<std::size_t>(call.arguments.integer("limit"));
    const std::vector<db::Cell> one_more{std::to_string(limit + 1)};
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            {.target = target, .tool = tool_name},
            {{.section = holders_section, .parameters = one_more, .rows_max = limit},
             {.section = databases_section, .parameters = one_more, .rows_max = limit},
             {.section = tables_section, .parameters = one_more, .rows_max = limit},
             {.section = workers_section, .parameters = one_more, .rows_max = limit},
             {.section = throttle_section, .rows_max = 1}},
            evidence
        )
    );
    assess(tables, evidence);
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_vacuum() {
    return {
        .name = tool_name,
        .title = "Vacuum",
        .summary = "Ranks what holds the vacuum horizon back, id wraparound, tables past their "
                   "vacuum threshold, running vacuums and throttles.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most rows of a section.",
              .min = 1,
              .max = static_cast<long long>(base::limits::tool_rows_max),
              .fallback = "20",
              .example = "50"}},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(sections),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
