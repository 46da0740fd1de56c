// get_tables: which tables are in trouble, and why: dead rows, stale statistics, whole scans,
// bloat, churn, and what their definitions lack.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/bloat.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sampler.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_tables";

// A share of a small table is noise.
constexpr double rows_min = 100'000;
constexpr Threshold dead_percent{20, 40};
// Rows changed since ANALYZE. Autovacuum analyzes at 10 % by default; past a half the planner
// works from another table's statistics.
constexpr Threshold modified_percent{15, 50};
constexpr double never_analyzed_rows = 10'000;
// Whole scans that are a habit and not small: an index, or another statement, may be missing.
constexpr double scanned_rows_min = 10'000;
constexpr double scans_min = 100;
// Updates that found no room on their page touch every index of the table.
constexpr double hot_percent_min = 50;
constexpr double updated_min = 100'000;
// Of a TOAST table: half of it dead.
constexpr double toast_dead_min = 100'000;
// What a sequence has used up: three quarters leave time to widen a column, a tenth hardly.
constexpr Threshold sequence_percent{75, 90};
constexpr double keyless_rows_min = 10'000;
// Of a table with its indexes: a disk of 1 TB is filled in six weeks.
constexpr double growth_bytes_per_hour = 1e9;
// Growth without rows is free space; autovacuum's ordinary ups and downs stay below.
constexpr double hollow_bytes_per_hour = 100e6;
// A shorter window may be one batch, one vacuum.
constexpr double growth_seconds_min = 600;

// Counters come by function, one row of pg_class each; sizes only of the rows shown, and not of a
// table that somebody holds or wants in ACCESS EXCLUSIVE mode: looking at its size would queue.
constexpr db::Sql tables_sql{"table_trouble", R"sql(
    with relations as (
        select c.oid, c.relname, c.relnamespace, c.relkind, c.reltoastrelid, c.relpages,
               c.reltuples::float8 as planned,
               pg_catalog.age(c.relfrozenxid)
                   / pg_catalog.current_setting('autovacuum_freeze_max_age')::float8 as freeze_due,
               pg_catalog.pg_stat_get_live_tuples(c.oid) as live,
               pg_catalog.pg_stat_get_dead_tuples(c.oid) as dead,
               pg_catalog.pg_stat_get_mod_since_analyze(c.oid) as modified,
               pg_catalog.pg_stat_get_numscans(c.oid) as seq_scans,
               pg_catalog.pg_stat_get_tuples_returned(c.oid) as seq_rows
        from pg_catalog.pg_class c
        where c.relkind in ('r', 'm') and c.relpersistence <> 't'
          and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
          and c.relnamespace <> 'information_schema'::pg_catalog.regnamespace
    ), sized as (
        select r.*, greatest(r.live, r.planned, 0) as rows
        from relations r
    ), ranked as (
        select s.*,
               case when s.rows + s.dead < 1000 then 0
                    else s.dead / (s.rows + s.dead) / 0.2 end as dead_rank,
               case when s.rows < 1000 then 0
                    when s.planned < 0 then 1 + pg_catalog.log(s.rows::numeric)::float8 / 100
                    else s.modified / s.rows / 0.2 end as stale_rank,
               case when s.rows < 10000 or s.seq_scans < 100 or s.seq_rows < 1000000 then 0
                    else pg_catalog.log((s.seq_rows / 1000000.0)::numeric)::float8 end
                   as scan_rank
        from sized s
    ), worst as (
        select w.*
        from ranked w
        order by case $1::text
                 when 'dead' then w.dead_rank * (w.rows + w.dead)
                 when 'statistics' then w.stale_rank * w.rows
                 when 'scans' then w.seq_rows
                 when 'size' then w.relpages
                 else greatest(least(w.dead_rank, 10), least(w.stale_rank, 10),
                               least(w.scan_rank, 10), w.freeze_due)
                      * pg_catalog.ln(10 + w.rows + w.dead) end desc,
                 w.relpages desc, w.oid
        limit $2::int
    ), locked as materialized (
        select distinct l.relation
        from pg_catalog.pg_locks l
        where l.mode = 'AccessExclusiveLock' and l.relation is not null
          and l.database = (select d.oid from pg_catalog.pg_database d
                            where d.datname = pg_catalog.current_database())
    )
    select pg_catalog.format('%I.%I', n.nspname, w.relname) as relation,
           w.rows::bigint as rows, w.dead,
           pg_catalog.round((100 * w.dead / greatest(w.rows + w.dead, 1))::numeric, 1)
               as dead_percent,
           w.modified as modified_since_analyze,
           pg_catalog.round((100 * w.modified / greatest(w.rows, 1))::numeric, 1)
               as modified_percent,
           w.planned < 0 as never_analyzed,
           greatest(pg_catalog.pg_stat_get_last_analyze_time(w.oid),
                    pg_catalog.pg_stat_get_last_autoanalyze_time(w.oid)) as last_analyze,
           w.seq_scans, w.seq_rows / nullif(w.seq_scans, 0) as rows_per_seq_scan,
           i.scans as index_scans,
           pg_catalog.round((100.0 * pg_catalog.pg_stat_get_tuples_hot_updated(w.oid)
               / nullif(pg_catalog.pg_stat_get_tuples_updated(w.oid), 0))::numeric, 1)
               as hot_percent,
           pg_catalog.pg_stat_get_tuples_updated(w.oid) as updated,
           case when x.relation is null then pg_catalog.pg_relation_size(w.oid) end as heap_bytes,
           case when x.relation is null then pg_catalog.pg_indexes_size(w.oid) end as index_bytes,
           case when x.relation is null and w.reltoastrelid <> 0
                then pg_catalog.pg_total_relation_size(w.reltoastrelid) end as toast_bytes,
           case when w.reltoastrelid <> 0
                then pg_catalog.pg_stat_get_dead_tuples(w.reltoastrelid) end as toast_dead,
           case when w.reltoastrelid <> 0
                then pg_catalog.pg_stat_get_live_tuples(w.reltoastrelid) end as toast_live,
           pg_catalog.round((100 * w.freeze_due)::numeric, 1) as freeze_percent,
           x.relation is not null as is_locked
    from worst w
    join pg_catalog.pg_namespace n on n.oid = w.relnamespace
    left join locked x on x.relation = w.oid
    left join lateral (
        select sum(pg_catalog.pg_stat_get_numscans(i.indexrelid)) as scans
        from pg_catalog.pg_index i
        where i.indrelid = w.oid
    ) i on true)sql"};

// Rows that would fit on full pages against the file there is, for the hundred largest. Rows are
// those of the counters where a vacuum or ANALYZE has set them right and the file has room for them
// (a load and its ANALYZE in one session are counted twice), else those of the catalog while the
// file is about as large as it was then; otherwise nobody knows. Columns are laid out as PostgreSQL
// aligns them, by what stands in front of each; widths of variable ones stand in
// pg_stats only for who may read the column.
constexpr db::Sql bloat_sql{"table_bloat", R"sql(
    with locked as materialized (
        select distinct l.relation
        from pg_catalog.pg_locks l
        where l.mode = 'AccessExclusiveLock' and l.relation is not null
          and l.database = (select d.oid from pg_catalog.pg_database d
                            where d.datname = pg_catalog.current_database())
    ), largest as materialized (
        select c.oid, c.relname, c.relnamespace, c.relpages, c.reltuples::float8 as reltuples,
               pg_catalog.pg_stat_get_live_tuples(c.oid)::float8 as live,
               coalesce(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
                        pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid),
                        pg_catalog.pg_stat_get_last_vacuum_time(c.oid),
                        pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)) is not null
                   as counted,
               pg_catalog.current_setting('block_size')::float8 as block,
               coalesce((select o.option_value::float8
                         from pg_catalog.pg_options_to_table(c.reloptions) o
                         where o.option_name = 'fillfactor'), 100) as fill
        from pg_catalog.pg_class c
        join pg_catalog.pg_am a on a.oid = c.relam and a.amname = 'heap'
        where c.relkind in ('r', 'm') and c.relpersistence <> 't'
          and greatest(c.relpages, pg_catalog.pg_stat_get_live_tuples(c.oid) / 100) >= 128
        order by greatest(c.relpages, pg_catalog.pg_stat_get_live_tuples(c.oid) / 100) desc, c.oid
        limit 100
    ), sized as materialized (
        select l.*, k.relation is not null as is_locked,
               case when k.relation is null
                    then pg_catalog.pg_relation_size(l.oid) / l.block end as pages
        from largest l
        left join locked k on k.relation = l.oid
    ), counted as (
        select z.*,
               case when z.reltuples < 0 then null
                    when z.counted
                    then case when z.live <= 1.2 * z.pages
                                             * (z.reltuples + 100) / greatest(z.relpages, 1)
                              then z.live end
                    when pg_catalog.abs(z.pages - z.relpages) <= 0.2 * z.pages
                    then z.reltuples end as rows
        from sized z
    ), laid_out as (
        select l.oid, a.attlen, a.attnotnull, s.null_frac,
               case when a.attlen > 0 then a.attlen else s.avg_width end as width,
               case a.attalign when 'd' then 8 when 'i' then 4 when 's' then 2 else 1 end
                   as alignment,
               pg_catalog.lag(a.attlen) over (partition by l.oid order by a.attnum) as in_front
        from largest l
        join pg_catalog.pg_namespace n on n.oid = l.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = l.oid and a.attnum > 0
                                          and not a.attisdropped
        left join pg_catalog.pg_stats s on s.schemaname = n.nspname
                                           and s.tablename = l.relname
                                           and s.attname = a.attname and not s.inherited
    ), widths as (
        select o.oid, pg_catalog.count(*) as columns,
               sum((o.width + case when o.attlen < 0 or o.in_front is null then 0
                                   when o.in_front < 0 then (o.alignment - 1) / 2.0
                                   else (o.alignment - o.in_front % o.alignment) % o.alignment end)
                   * (1 - coalesce(o.null_frac, 0))) as width,
               pg_catalog.count(*) filter (where o.width is null) as unknown,
               bool_or(coalesce(o.null_frac > 0, not o.attnotnull)) as nullable
        from laid_out o
        group by o.oid
    ), expected as (
        select c.*,
               case when c.is_locked then 'locked'
                    when c.reltuples < 0 then 'never analyzed'
                    when c.rows is null then 'old'
                    when w.unknown > 0 then 'widths' end as unknown,
               pg_catalog.ceil(c.rows
                   / greatest(pg_catalog.floor((c.block - 24) * c.fill / 100
                       / (4 + pg_catalog.ceil((23 + case when w.nullable
                                                         then (w.columns + 7) / 8 else 0 end)
                                              / 8.0) * 8
                            + pg_catalog.ceil(w.width::float8 / 8) * 8)), 1)) as needed
        from counted c
        join widths w on w.oid = c.oid
    )
    select pg_catalog.format('%I.%I', n.nspname, e.relname) as relation,
           e.oid::bigint as oid, e.unknown,
           (coalesce(e.pages, e.relpages) * e.block)::bigint as bytes,
           case when e.unknown is null
                then (greatest(e.pages - e.needed, 0) * e.block)::bigint end as wasted_bytes,
           case when e.unknown is null
                then pg_catalog.round((100 * greatest(e.pages - e.needed, 0)
                                       / greatest(e.pages, 1))::numeric, 1) end as wasted_percent,
           false as exact
    from expected e
    join pg_catalog.pg_namespace n on n.oid = e.relnamespace
    order by 5 desc nulls last, 4 desc
    limit $1::int)sql"};

// A partitioned table holds nothing itself: what its partitions hold in all, down to the last. Its
// own statistics, over all partitions, come from ANALYZE of it alone, which no autovacuum does.
constexpr db::Sql partitioned_sql{"table_partitioned", R"sql(
    with recursive tree as (
        select c.oid as root, c.oid as member
        from pg_catalog.pg_class c
        where c.relkind = 'p' and not c.relispartition and c.relpersistence <> 't'
        union all
        select t.root, i.inhrelid
        from tree t
        join pg_catalog.pg_inherits i on i.inhparent = t.member
    ), leaves as (
        select t.root, c.oid, c.relname, c.relnamespace, c.relpages, c.reltuples,
               greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::float8 as rows,
               pg_catalog.pg_stat_get_dead_tuples(c.oid) as dead,
               pg_catalog.pg_stat_get_mod_since_analyze(c.oid) as modified
        from tree t
        join pg_catalog.pg_class c on c.oid = t.member and c.relkind = 'r'
    ), summed as (
        select l.root, pg_catalog.count(*) as partitions, sum(l.rows)::bigint as rows,
               sum(l.dead)::bigint as dead, sum(l.modified)::bigint as modified,
               sum(l.relpages::bigint)::bigint as pages,
               pg_catalog.count(*) filter (where l.reltuples < 0 and l.rows > 0)
                   as partitions_never_analyzed,
               (pg_catalog.array_agg(l.oid order by l.dead desc, l.oid))[1] as worst
        from leaves l
        group by l.root
    )
    select pg_catalog.format('%I.%I', n.nspname, c.relname) as relation, s.partitions, s.rows,
           s.dead, pg_catalog.round(100.0 * s.dead / greatest(s.rows + s.dead, 1), 1)
               as dead_percent,
           s.modified as modified_since_analyze,
           s.pages * pg_catalog.current_setting('block_size')::bigint as heap_bytes,
           c.reltuples < 0 as never_analyzed,
           pg_catalog.pg_stat_get_last_analyze_time(c.oid) as last_analyze,
           s.partitions_never_analyzed,
           case when s.dead > 0 then pg_catalog.format('%I.%I', wn.nspname, w.relname) end
               as worst_partition
    from summed s
    join pg_catalog.pg_class c on c.oid = s.root
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class w on w.oid = s.worst
    join pg_catalog.pg_namespace wn on wn.oid = w.relnamespace
    order by case $1::text when 'dead' then s.dead when 'size' then s.pages
                           else s.rows + s.dead end desc, s.root
    limit $2::int)sql"};

// Sequences by the type of the column that they feed: a bigint sequence of an integer column ends
// with the column. Those that cannot end in a lifetime are left out.
constexpr db::Sql gaps_sql{"table_gaps", R"sql(
    with recursive family as (
        select c.oid as root, c.oid as member
        from pg_catalog.pg_class c
        where c.relkind = 'p' and not c.relispartition
        union all
        select f.root, i.inhrelid
        from family f
        join pg_catalog.pg_inherits i on i.inhparent = f.member
    ), whole as (
        select f.root,
               sum(greatest(m.reltuples, pg_catalog.pg_stat_get_live_tuples(m.oid), 0))::float8
                   as rows
        from family f
        join pg_catalog.pg_class m on m.oid = f.member and m.relkind = 'r'
        group by f.root
    ), tables as materialized (
        select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) as relation,
               coalesce(w.rows,
                        greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)
                            ::float8) as rows,
               c.relkind, c.relispartition, c.relreplident
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join whole w on w.root = c.oid
        where c.relkind in ('r', 'p') and c.relpersistence <> 't'
          and n.nspname <> 'pg_catalog' and n.nspname <> 'information_schema'
    ), keyless as (
        select 'no primary key' as kind, t.relation, null::text as object,
               case when t.relreplident in ('d', 'n')
                    then 'updates and deletes cannot be replicated logically' end as detail,
               null::numeric as percent, t.rows
        from tables t
        where not t.relispartition
          and not exists (select from pg_catalog.pg_index i
                          where i.indrelid = t.oid and i.indisprimary)
        order by t.rows desc, t.oid
        limit $1::int
    ), unchecked as (
        select 'constraint not validated', t.relation, c.conname::text,
               case c.contype when 'f' then 'foreign key' when 'c' then 'check'
                              when 'n' then 'not null' else c.contype::text end
               || case pg_catalog.to_jsonb(c) ->> 'conenforced' when 'false'
                       then ', not enforced' else '' end,
               null::numeric, t.rows
        from pg_catalog.pg_constraint c
        join tables t on t.oid = c.conrelid
        where not c.convalidated
        order by t.rows desc, c.oid
        limit $1::int
    ), bounded as (
        select s.seqrelid, n.nspname, q.relname, t.relation, t.rows, a.attname,
               least(s.seqmax, case a.atttypid when 21 then 32767 when 23 then 2147483647
                                               else s.seqmax end)::numeric as ending,
               pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') as visible
        from pg_catalog.pg_sequence s
        join pg_catalog.pg_class q on q.oid = s.seqrelid and q.relpersistence = 'p'
        join pg_catalog.pg_namespace n on n.oid = q.relnamespace
        left join pg_catalog.pg_depend d
            on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = s.seqrelid
               and d.refclassid = d.classid and d.refobjsubid > 0 and d.deptype in ('a', 'i')
        left join lateral (
            select f.adrelid, f.adnum
            from pg_catalog.pg_depend x
            join pg_catalog.pg_attrdef f on f.oid = x.objid
            join pg_catalog.pg_attribute y on y.attrelid = f.adrelid and y.attnum = f.adnum
            where d.refobjid is null
              and x.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
              and x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              and x.refobjid = s.seqrelid
            order by y.attlen, f.adrelid
            limit 1) f on true
        left join pg_catalog.pg_attribute a
            on a.attrelid = coalesce(d.refobjid, f.adrelid)
               and a.attnum = coalesce(d.refobjsubid, f.adnum)
        left join tables t on t.oid = a.attrelid
        where s.seqincrement > 0 and not s.seqcycle
          and least(s.seqmax, case a.atttypid when 21 then 32767 when 23 then 2147483647
                                              else s.seqmax end) <= 9007199254740992
        order by t.rows / least(s.seqmax, case a.atttypid when 21 then 32767
                                               when 23 then 2147483647
                                               else s.seqmax end) desc nulls last, s.seqrelid
        limit 1000
    ), sequences as (
        select 'sequence', b.relation, pg_catalog.format('%I.%I', b.nspname, b.relname),
               case when b.visible then 'last value of ' || b.ending
                    else 'at least, by the rows of its table, of ' || b.ending end,
               pg_catalog.round(100 * case when b.visible
                   then coalesce(pg_catalog.pg_sequence_last_value(b.seqrelid), 0)
                   else b.rows::bigint end / b.ending, 1) as percent,
               b.rows
        from bounded b
        order by percent desc nulls last, b.seqrelid
        limit $1::int
    )
    select * from keyless
    union all
    select * from unchecked
    union all
    select * from sequences s where s.percent >= 10)sql"};

constexpr db::Sql totals_sql{"table_totals", R"sql(
    select pg_catalog.count(*) filter (where c.relkind = 'r') as tables,
           pg_catalog.count(*) filter (where c.relkind = 'p') as partitioned_tables,
           pg_catalog.count(*) filter (where c.relkind = 'm') as materialized_views,
           pg_catalog.count(*) filter (where c.relkind in ('r', 'm') and c.reltuples < 0)
               as never_analyzed,
           pg_catalog.count(*) filter (where c.relpersistence = 'u') as unlogged,
           sum(c.relpages::bigint) filter (where c.relkind in ('r', 'm', 't', 'i'))::bigint
               * pg_catalog.current_setting('block_size')::bigint as bytes,
           (select d.stats_reset from pg_catalog.pg_stat_database d
            where d.datname = pg_catalog.current_database()) as since,
           extract(epoch from pg_catalog.clock_timestamp() - coalesce(
               (select d.stats_reset from pg_catalog.pg_stat_database d
                where d.datname = pg_catalog.current_database()),
               pg_catalog.pg_postmaster_start_time()))::bigint as since_seconds,
           pg_catalog.current_setting('track_counts') = 'on' as track_counts,
           (select pg_catalog.count(*) from pg_catalog.pg_sequence s
            join pg_catalog.pg_class q on q.oid = s.seqrelid and q.relpersistence = 'p'
            where s.seqincrement > 0 and not s.seqcycle
              and not pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT'))
               as unread_sequences,
           pg_catalog.quote_ident(current_user) as reader
    from pg_catalog.pg_class c
    where c.relpersistence <> 't'
      and (c.relkind in ('i', 't')
           or c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
           and c.relnamespace <> 'information_schema'::pg_catalog.regnamespace))sql"};

constexpr BloatMeasure measure{
    .function = "pgstattuple_approx",
    .wasted = "s.dead_tuple_len + s.approx_free_space",
    .bytes = "s.table_len"};

const std::vector<Column>& table_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .untrusted = true},
        {.name = "rows", .type = ColumnType::integer, .about = "Estimate"},
        {.name = "dead", .type = ColumnType::integer, .unit = "rows"},
        {.name = "dead_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "modified_since_analyze", .type = ColumnType::integer, .unit = "rows"},
        {.name = "modified_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "never_analyzed", .type = ColumnType::boolean},
        {.name = "last_analyze", .type = ColumnType::timestamp},
        {.name = "seq_scans", .type = ColumnType::integer, .about = "Since totals.since"},
        {.name = "rows_per_seq_scan", .type = ColumnType::integer},
        {.name = "index_scans", .type = ColumnType::integer},
        {.name = "hot_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Of updates: without new index entries"},
        {.name = "updated", .type = ColumnType::integer, .unit = "rows"},
        {.name = "heap_bytes",
         .type = ColumnType::integer,
         .about = "Absent where is_locked: not looked at"},
        {.name = "index_bytes", .type = ColumnType::integer},
        {.name = "toast_bytes", .type = ColumnType::integer},
        {.name = "toast_dead", .type = ColumnType::integer, .unit = "rows"},
        {.name = "toast_live", .type = ColumnType::integer, .unit = "rows"},
        {.name = "freeze_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Age against autovacuum_freeze_max_age"},
        {.name = "is_locked",
         .type = ColumnType::boolean,
         .about = "ACCESS EXCLUSIVE is held or wanted"},
    };
    return declared;
}

const std::vector<Column>& bloat_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .untrusted = true},
        {.name = "bytes", .type = ColumnType::integer, .about = "Of the file"},
        {.name = "wasted_bytes", .type = ColumnType::integer},
        {.name = "wasted_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "exact",
         .type = ColumnType::boolean,
         .about = "False: estimated from statistics; true: measured by pgstattuple_approx"},
    };
    return declared;
}

const std::vector<Column>& partitioned_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .untrusted = true},
        {.name = "partitions", .type = ColumnType::integer, .about = "That hold rows, all levels"},
        {.name = "rows", .type = ColumnType::integer, .about = "Of all partitions, estimate"},
        {.name = "dead", .type = ColumnType::integer, .unit = "rows"},
        {.name = "dead_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "modified_since_analyze", .type = ColumnType::integer, .unit = "rows"},
        {.name = "heap_bytes",
         .type = ColumnType::integer,
         .about = "Of all partitions, as of their last vacuum or analyze"},
        {.name = "never_analyzed",
         .type = ColumnType::boolean,
         .about = "Itself: statistics over all partitions"},
        {.name = "last_analyze", .type = ColumnType::timestamp},
        {.name = "partitions_never_analyzed", .type = ColumnType::integer},
        {.name = "worst_partition", .about = "Most dead rows", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& growth_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .untrusted = true},
        {.name = "bytes", .type = ColumnType::integer, .about = "With TOAST and indexes"},
        {.name = "bytes_per_hour", .type = ColumnType::integer},
        {.name = "rows_per_hour",
         .type = ColumnType::integer,
         .about = "Inserted less deleted; not known on a standby"},
        {.name = "window_seconds",
         .type = ColumnType::real,
         .unit = "s",
         .about = "What the rates are of"},
    };
    return declared;
}

const std::vector<Column>& gap_columns() {
    static const std::vector<Column> declared{
        {.name = "kind"},
        {.name = "relation", .untrusted = true},
        {.name = "object", .about = "Constraint or sequence", .untrusted = true},
        {.name = "detail"},
        {.name = "percent", .type = ColumnType::real, .unit = "%", .about = "Used up"},
        {.name = "rows", .type = ColumnType::real, .about = "Of the table, estimate"},
    };
    return declared;
}

const std::vector<Column>& total_columns() {
    static const std::vector<Column> declared{
        {.name = "tables", .type = ColumnType::integer},
        {.name = "partitioned_tables", .type = ColumnType::integer},
        {.name = "materialized_views", .type = ColumnType::integer},
        {.name = "never_analyzed", .type = ColumnType::integer},
        {.name = "unlogged", .type = ColumnType::integer},
        {.name = "bytes", .type = ColumnType::integer, .about = "As of the last vacuum or analyze"},
        {.name = "since",
         .type = ColumnType::timestamp,
         .about = "Start of the counters; absent: never reset"},
    };
    return declared;
}

constexpr Section tables_section{
    .name = "tables",
    .columns = table_columns,
    .editions = {{{.sql = tables_sql}}},
    .would_tell = "which tables are in trouble"};
constexpr Section bloat_section{
    .name = "bloat",
    .columns = bloat_columns,
    .editions = {{{.sql = bloat_sql}}},
    .would_tell = "which tables are larger than their rows"};
constexpr Section partitioned_section{
    .name = "partitioned",
    .columns = partitioned_columns,
    .editions = {{{.sql = partitioned_sql}}},
    .would_tell = "what partitioned tables hold in all, and whether they were analyzed"};
constexpr Section gaps_section{
    .name = "schema_gaps",
    .columns = gap_columns,
    .editions = {{{.sql = gaps_sql}}},
    .would_tell = "missing primary keys, sequences near their end, unchecked constraints"};
constexpr Section totals_section{
    .name = "totals",
    .columns = total_columns,
    .editions = {{{.sql = totals_sql}}},
    .would_tell = "how many tables there are, and since when counters count"};
/// Not read by a statement of its own: from the sampler's history.
constexpr Section growth_section{
    .name = "growth",
    .columns = growth_columns,
    .editions = {},
    .would_tell = "which tables grow, and which beyond their rows"};
constexpr std::array sections{
    &tables_section, &bloat_section, &partitioned_section, &gaps_section, &totals_section};

std::string output_schema() {
    static constexpr std::array shown{
        &tables_section,
        &bloat_section,
        &partitioned_section,
        &growth_section,
        &gaps_section,
        &totals_section};
    static const std::string schema = packet_schema(shown);
    return schema;
}

std::string percent_text(double value) {
    return std::to_string(static_cast<long long>(value)) + " %";
}

std::string count_text(double value) {
    return std::to_string(static_cast<long long>(value));
}

void judge_statistics(
    const db::Table& tables, std::size_t row, const std::string& object, Evidence& evidence
) {
    const double rows = tables.real(row, "rows").value_or(0);
    const double modified = tables.real(row, "modified_percent").value_or(0);
    if (tables.boolean(row, "never_analyzed").value_or(false)) {
        if (rows >= never_analyzed_rows) {
            evidence.findings.push_back(
                {.severity = Severity::warning,
                 .object = object,
                 .value = "never analyzed, " + count_text(rows) + " rows",
                 .threshold = count_text(never_analyzed_rows) + " rows",
                 .meaning = "The planner guesses: every plan over it is a guess too."}
            );
        }
    } else if (const auto severity = judge(modified, modified_percent);
               severity && rows >= rows_min) {
        evidence.findings.push_back(
            {.severity = *severity,
             .object = object,
             .value = tables.text(row, "modified_percent") + " % of rows changed since ANALYZE",
             .threshold = percent_text(modified_percent.passed(*severity)),
             .meaning = "Its statistics are stale; plans over it may be wrong."}
        );
    }
}

void judge_scans(
    const db::Table& tables,
    std::size_t row,
    const std::string& object,
    const std::string& since,
    Evidence& evidence
) {
    const double scans = tables.real(row, "seq_scans").value_or(0);
    const double scanned = tables.real(row, "rows_per_seq_scan").value_or(0);
    const double index_scans = tables.real(row, "index_scans").value_or(0);
    if (scans >= scans_min && scanned >= scanned_rows_min && scans > index_scans) {
        evidence.findings.push_back(
            {.severity = Severity::warning,
             .object = object,
             .value = count_text(scans) + " sequential scans of " + count_text(scanned) +
                      " rows each, " + count_text(index_scans) + " index scans " + since,
             .threshold =
                 count_text(scans_min) + " scans of " + count_text(scanned_rows_min) + " rows",
             .meaning = "Statements read it whole by habit: find them with get_statements, and "
                        "their filters with explain_query."}
        );
    }
}

void judge_churn(
    const db::Table& tables, std::size_t row, const std::string& object, Evidence& evidence
) {
    const double updated = tables.real(row, "updated").value_or(0);
    const auto hot = tables.real(row, "hot_percent");
    if (hot && *hot < hot_percent_min && updated >= updated_min) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = object,
             .value = tables.text(row, "hot_percent") + " % of " + count_text(updated) +
                      " updates were HOT",
             .threshold = percent_text(hot_percent_min),
             .meaning = "The others wrote to every index: an indexed column changes, or pages "
                        "have no room (fillfactor)."}
        );
    }
    const double dead = tables.real(row, "toast_dead").value_or(0);
    const double live = tables.real(row, "toast_live").value_or(0);
    if (dead >= toast_dead_min && dead >= live) {
        evidence.findings.push_back(
            {.severity = Severity::warning,
             .object = object + " (TOAST)",
             .value = count_text(dead) + " dead and " + count_text(live) + " live chunks",
             .threshold = count_text(toast_dead_min) + " and half",
             .meaning = "Large values are replaced faster than they are vacuumed."}
        );
    }
}

void judge_tables(const db::Table& tables, const std::string& since, Evidence& evidence) {
    for (std::size_t row = 0; row < tables.rows.size(); ++row) {
        const std::string object = "table " + base::sanitize(tables.text(row, "relation"));
        const double dead = tables.real(row, "dead_percent").value_or(0);
        const double rows =
            tables.real(row, "rows").value_or(0) + tables.real(row, "dead").value_or(0);
        if (const auto severity = judge(dead, dead_percent); severity && rows >= rows_min) {
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = object,
                 .value = tables.text(row, "dead_percent") + " % dead rows",
                 .threshold = percent_text(dead_percent.passed(*severity)),
                 .meaning = "get_vacuum says whether vacuum is late, slow, off or held back."}
            );
        }
        judge_statistics(tables, row, object, evidence);
        judge_scans(tables, row, object, since, evidence);
        judge_churn(tables, row, object, evidence);
        if (const double freeze = tables.real(row, "freeze_percent").value_or(0); freeze >= 100) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = object,
                 .value = tables.text(row, "freeze_percent") + " % of autovacuum_freeze_max_age",
                 .threshold = "100 %",
                 .meaning = "A vacuum against wraparound is due; get_vacuum has the ages."}
            );
        }
    }
}

void judge_partitioned(const db::Table& partitioned, Evidence& evidence) {
    for (std::size_t row = 0; row < partitioned.rows.size(); ++row) {
        const std::string object =
            "partitioned table " + base::sanitize(partitioned.text(row, "relation"));
        const double rows = partitioned.real(row, "rows").value_or(0);
        const double all = rows + partitioned.real(row, "dead").value_or(0);
        const double dead = partitioned.real(row, "dead_percent").value_or(0);
        if (const auto severity = judge(dead, dead_percent); severity && all >= rows_min) {
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = object,
                 .value = partitioned.text(row, "dead_percent") + " % dead rows in all; most in " +
                          base::sanitize(partitioned.text(row, "worst_partition")),
                 .threshold = percent_text(dead_percent.passed(*severity)),
                 .meaning = "get_vacuum says of its partitions whether vacuum is late, slow, off "
                            "or held back."}
            );
        }
        if (partitioned.boolean(row, "never_analyzed").value_or(false) &&
            rows >= never_analyzed_rows) {
            evidence.findings.push_back(
                {.severity = rows >= rows_min ? Severity::warning : Severity::notice,
                 .object = object,
                 .value = "itself never analyzed, " + count_text(rows) + " rows in " +
                          partitioned.text(row, "partitions") + " partitions",
                 .threshold = count_text(never_analyzed_rows) + " rows",
                 .meaning = "Autovacuum analyzes partitions only: joins and groups over all of "
                            "them are guessed. A job must ANALYZE the table itself."}
            );
        }
    }
}

/// What a table did in a window of the sampler's.
struct Growth {
    std::string relation;
    double bytes = 0;
    double bytes_per_hour = 0;
    std::optional<double> rows_per_hour;
};

/// The fastest first.
std::vector<Growth> growth_of(const Window& window, bool with_rows) {
    const double hours = window.seconds() / 3'600;
    std::vector<Growth> out;
    for (const std::string& relation : window.newer.objects(table_counters.name)) {
        const auto change = [&](std::string_view counter) -> std::optional<double> {
            const auto before = window.older.value(table_counters.name, relation, counter);
            const auto now = window.newer.value(table_counters.name, relation, counter);
            return before && now ? std::optional{*now - *before} : std::nullopt;
        };
        const auto bytes = change("bytes");
        if (!bytes) {
            continue; // came in between, or was locked
        }
        const auto inserted = change("inserted");
        const auto deleted = change("deleted");
        Growth growth{
            .relation = relation,
            .bytes = window.newer.value(table_counters.name, relation, "bytes").value_or(0),
            .bytes_per_hour = *bytes / hours,
            .rows_per_hour = {}};
        if (with_rows && inserted && deleted && *inserted >= 0 && *deleted >= 0) {
            growth.rows_per_hour = (*inserted - *deleted) / hours;
        }
        if (*bytes != 0 || growth.rows_per_hour.value_or(0) != 0) {
            out.push_back(std::move(growth));
        }
    }
    std::stable_sort(out.begin(), out.end(), [](const Growth& left, const Growth& right) {
        return left.bytes_per_hour > right.bytes_per_hour;
    });
    return out;
}

void judge_growth(const Growth& growth, double seconds, Evidence& evidence) {
    const bool hollow = growth.rows_per_hour && *growth.rows_per_hour <= 0 &&
                        growth.bytes_per_hour >= hollow_bytes_per_hour;
    if (seconds < growth_seconds_min ||
        (!hollow && growth.bytes_per_hour < growth_bytes_per_hour)) {
        return;
    }
    evidence.findings.push_back(
        {.severity = hollow ? Severity::warning : Severity::notice,
         .object = "table " + growth.relation,
         .value = "grows by " + bytes_text(growth.bytes_per_hour) + " an hour, over " +
                  seconds_text(seconds) + ", to " + bytes_text(growth.bytes) +
                  (hollow ? ", without more rows" : ""),
         .threshold =
             bytes_text(hollow ? hollow_bytes_per_hour : growth_bytes_per_hour) + " an hour",
         .meaning = hollow ? "It gathers dead rows or free space: get_vacuum says what holds "
                             "vacuum up, view bloat how much is free."
                           : "Know when the disk is full, and whether old rows are to go."}
    );
}

/// The rates of the history that there is; how much is missing of an hour is told in numbers.
base::Status
read_growth(Context& context, const Call& call, const LaneRequest& request, Evidence& evidence) {
    constexpr std::chrono::seconds wanted = base::limits::sampler_history;
    EvidenceRows rows{
        .name = std::string{growth_section.name}, .columns = &growth_columns(), .cells = {}};
    INTERLOCK_TRY(const auto window, read_sizes(context, call, request, wanted, evidence));
    if (window) {
        const auto limit = static_cast<std::size_t>(call.arguments.integer("limit"));
        for (const Growth& growth : growth_of(*window, !evidence.source.in_recovery)) {
            judge_growth(growth, window->seconds(), evidence);
            if (rows.cells.size() < limit) {
                rows.cells.push_back(
                    {growth.relation,
                     number_text(growth.bytes),
                     number_text(growth.bytes_per_hour),
                     growth.rows_per_hour ? db::Cell{number_text(*growth.rows_per_hour)}
                                          : std::nullopt,
                     number_text(window->seconds(), 1)}
                );
            }
        }
    }
    evidence.rows.push_back(std::move(rows));
    return base::done;
}

void judge_gaps(const db::Table& gaps, Evidence& evidence) {
    for (std::size_t row = 0; row < gaps.rows.size(); ++row) {
        const std::string kind = gaps.text(row, "kind");
        const std::string relation = base::sanitize(gaps.text(row, "relation", "no table"));
        const std::string object = base::sanitize(gaps.text(row, "object"));
        const double percent = gaps.real(row, "percent").value_or(0);
        const double rows = gaps.real(row, "rows").value_or(0);
        if (kind == "sequence") {
            if (const auto severity = judge(percent, sequence_percent)) {
                evidence.findings.push_back(
                    {.severity = *severity,
                     .object = "sequence " + object + " of " + relation,
                     .value = gaps.text(row, "percent") + " % used: " + gaps.text(row, "detail"),
                     .threshold = percent_text(sequence_percent.passed(*severity)),
                     .meaning = "Past the last value inserts fail; a column of integer must become "
                                "bigint, which rewrites the table."}
                );
            }
        } else if (kind == "no primary key" && rows >= keyless_rows_min) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = "table " + relation,
                 .value = "no primary key",
                 .threshold = count_text(keyless_rows_min) + " rows",
                 .meaning = "Rows cannot be told apart: " + gaps.text(row, "detail", "") +
                            (gaps.at(row, "detail") ? "." : "duplicates may gather.")}
            );
        } else if (kind == "constraint not validated") {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = "constraint " + object + " on " + relation,
                 .value = gaps.text(row, "detail") + " not validated",
                 .threshold = "",
                 .meaning = "Older rows may break it; VALIDATE CONSTRAINT checks them."}
            );
        }
    }
}

/// "since 2026-11-20 10:00:00+00", or that nobody knows.
std::string since_text(const std::optional<db::Table>& totals) {
    if (!totals || totals->empty()) {
        return "since an unknown moment";
    }
    const std::string since = totals->text(0, "since");
    return since.empty() ? "since the counters began" : "since " + since;
}

/// Last values that the role may not read: the rows of a sequence's table are a lower bound only.
void tell_unread_sequences(const db::Table& totals, Evidence& evidence) {
    const long long unread = totals.integer(0, "unread_sequences").value_or(0);
    if (unread > 0) {
        evidence.not_examined.push_back(
            {"last value of " + counted(unread, "sequence", "sequences"),
             "permission_denied: needs SELECT on them; for each schema S: GRANT SELECT ON ALL "
             "SEQUENCES IN SCHEMA S TO " +
                 totals.text(0, "reader"),
             "whether they near their end"}
        );
    }
}

void tell_gaps(const std::optional<db::Table>& totals, bool with_schema, Evidence& evidence) {
    if (totals && !totals->empty() && with_schema) {
        tell_unread_sequences(*totals, evidence);
    }
    if (totals && !totals->empty() && !totals->boolean(0, "track_counts").value_or(true)) {
        evidence.not_examined.push_back(
            {"counters of tables", "track_counts is off", "dead rows, scans and stale statistics"}
        );
    }
    if (evidence.source.in_recovery) {
        evidence.not_examined.push_back(
            {"changes to tables",
             "a standby does not have its primary's counters",
             "dead rows and stale statistics: ask the primary"}
        );
    }
}

/// What was read: a section that the view leaves out is nothing.
struct Read {
    std::optional<db::Table> tables;
    std::optional<db::Table> bloat;
    std::optional<db::Table> partitioned;
    std::optional<db::Table> gaps;
    std::optional<db::Table> totals;
};

base::Result<Read> read_view(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const std::string& view,
    Evidence& evidence
) {
    const auto limit = static_cast<std::size_t>(call.arguments.integer("limit"));
    const std::string one_more = std::to_string(limit + 1);
    const bool all = view == "attention";
    Read out;
    ViewReader reader(view, evidence);
    reader.want(
        view != "bloat" && view != "schema" && view != "growth",
        {.section = tables_section, .parameters = {view, one_more}, .rows_max = limit},
        out.tables
    );
    reader.want(
        all || view == "bloat",
        {.section = bloat_section, .parameters = {one_more}, .rows_max = limit},
        out.bloat
    );
    reader.want(
        all || view == "dead" || view == "statistics" || view == "size",
        {.section = partitioned_section, .parameters = {view, one_more}, .rows_max = limit},
        out.partitioned
    );
    reader.want(
        all || view == "schema",
        {.section = gaps_section,
         .parameters = {std::to_string(all ? 10 : limit)},
         .rows_max = 3 * limit},
        out.gaps
    );
    reader.want(true, {.section = totals_section, .rows_max = 1}, out.totals);
    INTERLOCK_CHECK(reader.read(context, call, request));
    return out;
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    const std::string view = call.arguments.text("view");
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(Read read, read_view(context, call, request, view, evidence));
    if (view == "attention" || view == "size" || view == "growth") {
        const auto grown = read_growth(context, call, request, evidence);
        if (!grown) {
            evidence.not_examined.push_back(failed_check(
                "growth of tables", grown.error(), std::string{growth_section.would_tell}
            ));
        }
    } else {
        evidence.not_examined.push_back(
            {std::string{growth_section.name},
             "view " + view + " leaves it out",
             std::string{growth_section.would_tell}}
        );
    }
    if (view == "bloat" && read.bloat) {
        INTERLOCK_CHECK(
            measure_bloat(context, call, request, measure, bloat_section, *read.bloat, evidence)
        );
    }
    if (read.tables) {
        judge_tables(*read.tables, since_text(read.totals), evidence);
    }
    if (read.bloat) {
        judge_bloat(
            *read.bloat,
            "table",
            "relation",
            "VACUUM keeps the space for new rows; only a rewrite gives it back, and it comes again "
            "if vacuum stays late.",
            evidence
        );
    }
    if (read.partitioned) {
        judge_partitioned(*read.partitioned, evidence);
    }
    if (read.gaps) {
        judge_gaps(*read.gaps, evidence);
    }
    tell_gaps(read.totals, read.gaps.has_value(), evidence);
    const long long count =
        read.totals && !read.totals->empty() ? read.totals->integer(0, "tables").value_or(0) : 0;
    evidence.summary =
        counted(count, "table", "tables") + " ranked by view " + view + ": " +
        counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
        "; counters " + since_text(read.totals) + ".";
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_tables() {
    return {
        .name = tool_name,
        .title = "Tables in trouble",
        .summary = "Ranks tables in trouble and says why: dead rows, stale statistics, whole "
                   "scans, bloat, growth, missing keys, sequences near their end.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "view",
              .about = "What to rank by; attention: all.",
              .choices =
                  {"attention", "dead", "statistics", "scans", "size", "growth", "bloat", "schema"},
              .fallback = "attention",
              .example = "bloat"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most rows of a section.",
              .min = 1,
              .max = static_cast<long long>(base::limits::tool_rows_max),
              .fallback = "20",
              .example = "50"}},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(sections, size_counters())};
}

} // namespace interlock::tools
