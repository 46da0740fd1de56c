// get_indexes: indexes that cost more than they give (unused, redundant, invalid, bloated), and
// where one is missing (foreign keys, tables read whole and the columns that they are searched by).
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/bloat.hpp"
#include "tools/postgres/index_advice.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sql_text.hpp"
#include "tools/targets.hpp"

#include <array>
#include <optional>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_indexes";

// A month holds the monthly report; less proves nothing about use.
constexpr double days_counted_min = 30;
// Smaller ones are not worth a change.
constexpr double unused_bytes_min = 10e6;
constexpr double rare_bytes_min = 1e9;
// A row deleted from the referenced table reads the referencing one whole.
constexpr double key_rows_min = 10'000;
constexpr double key_rows_warning = 100'000;

// Never what enforces or identifies: unique, exclusion and constraint indexes and replica
// identities. Indexes of partitions are counted with the topmost that they belong to, for they can
// only go together: one that is read on one partition is in use. The definition is left out where
// reading it would wait for a lock.
constexpr std::string_view unused_head = R"sql(
    with recursive standbys as (
        select pg_catalog.count(*) as standbys
        from pg_catalog.pg_stat_replication r
        where not exists (select from pg_catalog.pg_replication_slots s
                          where s.active_pid = r.pid and s.slot_type = 'logical')
    ), family as (
        select c.oid as root, c.oid as member
        from pg_catalog.pg_class c
        where c.relkind = 'I' and not c.relispartition
        union all
        select f.root, h.inhrelid
        from family f
        join pg_catalog.pg_inherits h on h.inhparent = f.member
    ), sized as (
        select coalesce(f.root, i.indexrelid) as indexrelid,
               pg_catalog.array_agg(i.indexrelid) as members,
               pg_catalog.array_agg(i.indrelid) as tables,
               sum(c.relpages::bigint)::bigint as pages, pg_catalog.count(f.root) as parts
        from pg_catalog.pg_index i
        join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
                                      and c.relpersistence <> 't'
                                      and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
                                      and c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
        left join family f on f.member = i.indexrelid
        where i.indisvalid and not i.indisunique and not i.indisexclusion and not i.indisreplident
        group by 1
        having sum(c.relpages::bigint) >= $1::int
    ), used as (
        select s.*, (select sum(pg_catalog.pg_stat_get_numscans(m.oid))::bigint
                     from pg_catalog.unnest(s.members) m(oid)) as scans
        from sized s
    ), candidates as (
        select u.*, i.indrelid, i.indisclustered, i.indexprs is not null as has_expression
        from used u
        join pg_catalog.pg_index i on i.indexrelid = u.indexrelid
        join pg_catalog.pg_class t on t.oid = i.indrelid
        where u.scans < 10
          and not exists (select from pg_catalog.pg_constraint k where k.conindid = u.indexrelid)
        order by u.scans = 0 desc, u.pages desc
        limit $2::int
    ), locked as materialized (
        select distinct l.relation
        from pg_catalog.pg_locks l
        where l.mode = 'AccessExclusiveLock' and l.relation is not null
    )
    select pg_catalog.format('%I.%I', n.nspname, x.relname) as index,
           pg_catalog.format('%I.%I', tn.nspname, t.relname) as relation,
           c.scans, c.pages * pg_catalog.current_setting('block_size')::bigint as bytes,
           c.parts as partitions,)sql";
// Version 16 remembers when an index was last used.
constexpr std::string_view unused_last_14 = R"sql(
           null::timestamptz as last_scan,)sql";
constexpr std::string_view unused_last_16 = R"sql(
           (select max(pg_catalog.pg_stat_get_lastscan(m.oid))
            from pg_catalog.unnest(c.members) m(oid)) as last_scan,)sql";
constexpr std::string_view unused_tail = R"sql(
           (select sum(pg_catalog.pg_stat_get_tuples_inserted(w.oid)
                       + pg_catalog.pg_stat_get_tuples_updated(w.oid)
                       - pg_catalog.pg_stat_get_tuples_hot_updated(w.oid))::bigint
            from pg_catalog.unnest(c.tables) w(oid)) as writes,
           pg_catalog.concat_ws(', ',
               case when c.has_expression then 'its expression has statistics of its own' end,
               case when c.indisclustered then 'the table is clustered on it' end,
               (select 'supports foreign key '
                       || pg_catalog.string_agg(pg_catalog.quote_ident(k.conname), ', '
                                                order by k.conname)
                from pg_catalog.pg_constraint k
                where k.conrelid = c.indrelid and k.contype = 'f'
                  and k.conkey[1] = (select i.indkey[0] from pg_catalog.pg_index i
                                     where i.indexrelid = c.indexrelid))) as note,
           case when k.relation is null
                then pg_catalog.left(pg_catalog.pg_get_indexdef(c.indexrelid), 1000)
           end as definition
    from candidates c
    join pg_catalog.pg_class x on x.oid = c.indexrelid
    join pg_catalog.pg_namespace n on n.oid = x.relnamespace
    join pg_catalog.pg_class t on t.oid = c.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    left join locked k on k.relation = t.oid
    order by c.scans = 0 desc, c.pages desc)sql";
constexpr db::Sql unused_14{"indexes_unused_14", joined<unused_head, unused_last_14, unused_tail>};
constexpr db::Sql unused_16{"indexes_unused_16", joined<unused_head, unused_last_16, unused_tail>};

// `index` can go because every use of it can use `covered_by`: the same access method, columns,
// operator classes, collations, directions and predicate; the same expressions; its included
// columns are there too. A prefix must be a B-tree without expressions. Unique ones only beside a
// unique one over the same columns, and none that a constraint, also a foreign key elsewhere,
// stands on.
constexpr db::Sql redundant_sql{"indexes_redundant", R"sql(
    with indexes as not materialized (
        select i.indexrelid, i.indrelid, i.indnkeyatts, i.indnatts, i.indkey, i.indclass,
               i.indcollation, i.indoption, i.indisunique, i.indimmediate, i.indisprimary,
               i.indisreplident, i.indisclustered, i.indpred, i.indexprs, c.relname,
               c.relnamespace, c.relam, c.relpages, c.relispartition, c.relkind
        from pg_catalog.pg_index i
        join pg_catalog.pg_class c on c.oid = i.indexrelid
        where i.indisvalid and i.indisready and not i.indisexclusion
          and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
          and c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace
    ), pairs as (
        select a.indexrelid as a, b.indexrelid as b,
               a.indnkeyatts = b.indnkeyatts and a.indnatts = b.indnatts
                   and a.indkey = b.indkey as same
        from indexes a
        join indexes b on b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid
                          and b.indkey[0] = a.indkey[0] and b.indclass[0] = a.indclass[0]
                          and b.relam = a.relam and b.relkind = a.relkind
                          and b.indnkeyatts >= a.indnkeyatts
        where not a.relispartition and not a.indisprimary and not a.indisreplident
          and (not a.indisunique
               or b.indisunique and a.indnkeyatts = b.indnkeyatts
                  and a.indimmediate = b.indimmediate)
          and (a.indnkeyatts = b.indnkeyatts
               or a.indexprs is null
                  and a.relam = (select m.oid from pg_catalog.pg_am m where m.amname = 'btree'))
          and not exists (
              select from pg_catalog.generate_series(0, a.indnkeyatts - 1) g(k)
              where a.indkey[g.k] <> b.indkey[g.k] or a.indclass[g.k] <> b.indclass[g.k]
                 or a.indcollation[g.k] <> b.indcollation[g.k]
                 or a.indoption[g.k] <> b.indoption[g.k])
          and not exists (
              select from pg_catalog.generate_series(a.indnkeyatts, a.indnatts - 1) g(k)
              where a.indkey[g.k] <> all (b.indkey))
          and pg_catalog.regexp_replace(a.indpred::text, ':location -?\d+', '', 'g')
              is not distinct from
              pg_catalog.regexp_replace(b.indpred::text, ':location -?\d+', '', 'g')
          and (a.indnkeyatts < b.indnkeyatts
               or pg_catalog.regexp_replace(a.indexprs::text, ':location -?\d+', '', 'g')
                  is not distinct from
                  pg_catalog.regexp_replace(b.indexprs::text, ':location -?\d+', '', 'g'))
    ), told as (
        select p.a, p.b, p.same, ia.indisunique as unique_a, ib.indisunique as unique_b
        from pairs p
        join indexes ia on ia.indexrelid = p.a
        join indexes ib on ib.indexrelid = p.b
        join pg_catalog.pg_index fa on fa.indexrelid = p.a
        join pg_catalog.pg_index fb on fb.indexrelid = p.b
        where not exists (select from pg_catalog.pg_constraint k where k.conindid = p.a)
          and (not ia.indisunique
               or pg_catalog.to_jsonb(fa) ->> 'indnullsnotdistinct'
                  is not distinct from pg_catalog.to_jsonb(fb) ->> 'indnullsnotdistinct')
          -- of two that could each replace the other, the one less used, then the younger, goes
          and not (p.same and ia.indisunique = ib.indisunique
                   and not ib.indisprimary and not ib.indisreplident
                   and not exists (select from pg_catalog.pg_constraint k where k.conindid = p.b)
                   and (ia.indisclustered and not ib.indisclustered
                        or ia.indisclustered = ib.indisclustered
                        and (pg_catalog.pg_stat_get_numscans(p.a), -p.a::bigint)
                            > (pg_catalog.pg_stat_get_numscans(p.b), -p.b::bigint)))
    ), best as (
        select distinct on (t.a) t.*
        from told t
        order by t.a, t.same desc, t.b
    )
    select pg_catalog.format('%I.%I', na.nspname, a.relname) as index,
           pg_catalog.format('%I.%I', nb.nspname, b.relname) as covered_by,
           pg_catalog.format('%I.%I', tn.nspname, tc.relname) as relation,
           case when t.same then 'duplicate' else 'prefix' end as how,
           t.unique_b as covered_by_unique,
           pg_catalog.pg_stat_get_numscans(t.a) as scans,
           pg_catalog.pg_stat_get_numscans(t.b) as covered_by_scans,
           a.relpages::bigint * pg_catalog.current_setting('block_size')::bigint as bytes,
           b.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
               as covered_by_bytes
    from best t
    join indexes a on a.indexrelid = t.a
    join indexes b on b.indexrelid = t.b
    join pg_catalog.pg_namespace na on na.oid = a.relnamespace
    join pg_catalog.pg_namespace nb on nb.oid = b.relnamespace
    join pg_catalog.pg_class tc on tc.oid = a.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = tc.relnamespace
    order by a.relpages desc, t.a
    limit $1::int)sql"};

constexpr db::Sql invalid_sql{"indexes_invalid", R"sql(
    select pg_catalog.format('%I.%I', n.nspname, c.relname) as index,
           pg_catalog.format('%I.%I', tn.nspname, t.relname) as relation,
           i.indisready as is_written,
           p.pid is not null as is_building, p.pid, p.phase,
           pg_catalog.round(coalesce(100.0 * p.blocks_done / nullif(p.blocks_total, 0),
                                     100.0 * p.tuples_done / nullif(p.tuples_total, 0)), 1)
               as percent,
           p.current_locker_pid as waits_for_pid,
           c.relkind = 'I' as is_partitioned,
           c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint as bytes
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    left join pg_catalog.pg_stat_progress_create_index p
        on p.datname = pg_catalog.current_database()
           and (p.index_relid = i.indexrelid or p.index_relid = 0 and p.relid = i.indrelid)
    where not i.indisvalid or not i.indisready or not i.indislive
    order by p.pid is not null, c.relpages desc, c.oid
    limit $1::int)sql"};

// An index serves a foreign key when its first columns are those of the key, in any order; one that
// leaves out nulls does too, because the check never asks for null.
constexpr db::Sql keys_sql{"indexes_foreign_keys", R"sql(
    with recursive family as (
        select c.oid as root, c.oid as member
        from pg_catalog.pg_class c
        where c.relkind = 'p'
        union all
        select f.root, i.inhrelid
        from family f
        join pg_catalog.pg_inherits i on i.inhparent = f.member
    ), whole as (
        select f.root,
               sum(greatest(m.reltuples, pg_catalog.pg_stat_get_live_tuples(m.oid), 0))::bigint
                   as rows,
               sum(pg_catalog.pg_stat_get_tuples_deleted(m.oid))::bigint as deleted,
               sum(pg_catalog.pg_stat_get_tuples_updated(m.oid))::bigint as updated
        from family f
        join pg_catalog.pg_class m on m.oid = f.member and m.relkind = 'r'
        group by f.root
    ), keys as (
        select k.oid, k.conname, k.conrelid, k.confrelid, k.conkey,
               coalesce(w.rows,
                        greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::bigint)
                   as rows,
               coalesce(r.deleted, pg_catalog.pg_stat_get_tuples_deleted(k.confrelid)) as deleted,
               coalesce(r.updated, pg_catalog.pg_stat_get_tuples_updated(k.confrelid)) as updated,
               c.relpages, c.relname, c.relnamespace
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        left join whole w on w.root = k.conrelid
        left join whole r on r.root = k.confrelid
        where k.contype = 'f' and k.conparentid = 0
    )
    select pg_catalog.quote_ident(k.conname) as constraint,
           pg_catalog.format('%I.%I', n.nspname, k.relname) as relation,
           (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by o.at)
            from pg_catalog.unnest(k.conkey) with ordinality o(key, at)
            join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = o.key)
               as columns,
           pg_catalog.format('%I.%I', pn.nspname, pc.relname) as referenced,
           k.rows,
           k.deleted as referenced_deleted, k.updated as referenced_updated
    from keys k
    join pg_catalog.pg_namespace n on n.oid = k.relnamespace
    join pg_catalog.pg_class pc on pc.oid = k.confrelid
    join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
    where k.rows >= $1::bigint
      and not exists (
        select from pg_catalog.pg_index i
        join pg_catalog.pg_class x on x.oid = i.indexrelid
        join pg_catalog.pg_am m on m.oid = x.relam and m.amname in ('btree', 'hash')
        where i.indrelid = k.conrelid and i.indisvalid
          and i.indnkeyatts >= pg_catalog.cardinality(k.conkey)
          and k.conkey <@ (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1]
          and (i.indpred is null
               or i.indpred::text like '{NULLTEST %:nulltesttype 1 %'))
    order by (k.deleted > 0) desc, k.rows desc, k.oid
    limit $2::int)sql"};

constexpr db::Sql missing_sql{"indexes_missing", R"sql(
    with scanned as (
        select c.oid, c.relname, c.relnamespace, c.relpages,
               greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid), 0)::bigint as rows,
               pg_catalog.pg_stat_get_numscans(c.oid) as seq_scans,
               pg_catalog.pg_stat_get_tuples_returned(c.oid) as seq_rows
        from pg_catalog.pg_class c
        where c.relkind in ('r', 'm') and c.relpersistence <> 't'
          and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
    )
    select pg_catalog.format('%I.%I', n.nspname, s.relname) as relation, s.rows,
           s.relpages::bigint * pg_catalog.current_setting('block_size')::bigint as bytes,
           s.seq_scans, s.seq_rows / s.seq_scans as rows_per_scan,
           coalesce(i.scans, 0) as index_scans
    from scanned s
    join pg_catalog.pg_namespace n on n.oid = s.relnamespace
    left join lateral (
        select sum(pg_catalog.pg_stat_get_numscans(i.indexrelid))::bigint as scans
        from pg_catalog.pg_index i
        where i.indrelid = s.oid
    ) i on true
    where s.rows >= 10000 and s.seq_scans >= 100 and s.seq_rows / s.seq_scans >= 10000
      and s.seq_scans > coalesce(i.scans, 0)
    order by s.seq_rows desc
    limit $1::int)sql"};

// Entries that would fit on pages of the fillfactor against the file there is, for the hundred
// largest B-trees. Entries are as many as rows of the table, by its counters where a vacuum or
// ANALYZE has set them right; else, and of a partial index, as many as the catalog has, while the
// file is about as large as it was then. Deduplicated entries take less, so that the estimate errs
// on the mild side.
constexpr db::Sql bloat_sql{"indexes_bloat", R"sql(
    with locked as materialized (
        select distinct l.relation
        from pg_catalog.pg_locks l
        where l.mode = 'AccessExclusiveLock' and l.relation is not null
          and l.database = (select d.oid from pg_catalog.pg_database d
                            where d.datname = pg_catalog.current_database())
    ), largest as materialized (
        select c.oid, c.relname, c.relnamespace, c.relpages, c.reltuples::float8 as reltuples,
               i.indrelid, i.indkey::int2[] as key, i.indexprs is not null as has_expression,
               i.indpred is not null as is_partial,
               pg_catalog.pg_stat_get_live_tuples(i.indrelid)::float8 as live,
               coalesce(pg_catalog.pg_stat_get_last_analyze_time(i.indrelid),
                        pg_catalog.pg_stat_get_last_autoanalyze_time(i.indrelid),
                        pg_catalog.pg_stat_get_last_vacuum_time(i.indrelid),
                        pg_catalog.pg_stat_get_last_autovacuum_time(i.indrelid)) is not null
                   as counted,
               pg_catalog.current_setting('block_size')::float8 as block,
               coalesce((select o.option_value::float8
                         from pg_catalog.pg_options_to_table(c.reloptions) o
                         where o.option_name = 'fillfactor'), 90) as fill
        from pg_catalog.pg_class c
        join pg_catalog.pg_am a on a.oid = c.relam and a.amname = 'btree'
        join pg_catalog.pg_index i on i.indexrelid = c.oid and i.indisvalid
        where c.relkind = 'i' and c.relpersistence <> 't'
          and greatest(c.relpages, pg_catalog.pg_stat_get_live_tuples(i.indrelid) / 400) >= 128
        order by greatest(c.relpages, pg_catalog.pg_stat_get_live_tuples(i.indrelid) / 400) desc,
                 c.oid
        limit 100
    ), sized as materialized (
        select l.*, k.is_locked,
               case when not k.is_locked
                    then pg_catalog.pg_relation_size(l.oid) / l.block end as pages
        from largest l
        cross join lateral (
            select exists (select from locked x where x.relation in (l.oid, l.indrelid))
                   as is_locked) k
    ), counted as (
        select z.*,
               case when z.counted and not z.is_partial
                    then case when z.live <= 1.2 * z.pages
                                             * (z.reltuples + 100) / greatest(z.relpages, 1)
                              then z.live end
                    when pg_catalog.abs(z.pages - z.relpages) <= 0.2 * z.pages
                    then z.reltuples end as entries
        from sized z
    ), widths as (
        select l.oid,
               sum(case when a.attlen > 0 then a.attlen
                        else s.avg_width * (1 - s.null_frac) end) as width,
               pg_catalog.count(*) filter (where a.attlen < 0 and s.avg_width is null) as unknown
        from largest l
        join pg_catalog.pg_class t on t.oid = l.indrelid
        join pg_catalog.pg_namespace n on n.oid = t.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = l.indrelid and a.attnum = any (l.key)
        left join pg_catalog.pg_stats s on a.attlen < 0 and s.schemaname = n.nspname
                                           and s.tablename = t.relname
                                           and s.attname = a.attname and not s.inherited
        group by l.oid
    ), expected as (
        select c.*,
               case when c.is_locked then 'locked'
                    when c.entries is null then 'old'
                    when coalesce(w.unknown, 1) > 0 or c.has_expression then 'widths' end
                   as unknown,
               1 + pg_catalog.ceil(c.entries
                   / greatest(pg_catalog.floor((c.block - 40) * c.fill / 100
                       / (4 + 8 + pg_catalog.ceil(w.width::float8 / 8) * 8)), 1)) as needed
        from counted c
        left join widths w on w.oid = c.oid
    )
    select pg_catalog.format('%I.%I', n.nspname, e.relname) as index,
           pg_catalog.format('%I.%I', tn.nspname, t.relname) as relation,
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
    join pg_catalog.pg_class t on t.oid = e.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    order by 6 desc nulls last, 5 desc
    limit $1::int)sql"};

constexpr db::Sql totals_sql{"indexes_totals", R"sql(
    select (select pg_catalog.count(*) from pg_catalog.pg_index i
            join pg_catalog.pg_class c on c.oid = i.indexrelid
            where c.relkind = 'i'
              and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
              and c.relnamespace <> 'pg_toast'::pg_catalog.regnamespace) as indexes,
           d.stats_reset as since,
           pg_catalog.round((extract(epoch from pg_catalog.clock_timestamp() - coalesce(
               d.stats_reset, pg_catalog.pg_postmaster_start_time())) / 86400)::numeric, 1)
               as days_counted,
           (select pg_catalog.count(*) from pg_catalog.pg_stat_replication r
            where not exists (select from pg_catalog.pg_replication_slots s
                              where s.active_pid = r.pid and s.slot_type = 'logical'))
               as standbys,
           pg_catalog.current_setting('track_counts') = 'on' as track_counts,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions
    from pg_catalog.pg_stat_database d
    where d.datname = pg_catalog.current_database())sql"};

constexpr BloatMeasure measure{
    .function = "pgstatindex",
    .wasted = "s.index_size - pg_catalog.current_setting('block_size')::bigint * "
              "(1 + s.internal_pages + s.leaf_pages * "
              "coalesce(nullif(s.avg_leaf_density, 'NaN'), 0) / 100)",
    .bytes = "s.index_size"};

const std::vector<Column>& unused_columns() {
    static const std::vector<Column> declared{
        {.name = "index", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "scans", .type = ColumnType::integer, .about = "Since totals.since"},
        {.name = "last_scan", .type = ColumnType::timestamp, .about = "From version 16 on"},
        {.name = "bytes", .type = ColumnType::integer, .about = "As of the last vacuum or analyze"},
        {.name = "writes",
         .type = ColumnType::integer,
         .about = "Rows of the table that had to be entered"},
        {.name = "partitions", .type = ColumnType::integer, .about = "Counted together"},
        {.name = "note", .about = "What speaks for it all the same", .untrusted = true},
        {.name = "definition", .about = "To make it again", .untrusted = true},
    };
    return declared;
}

const std::vector<Column>& redundant_columns() {
    static const std::vector<Column> declared{
        {.name = "index", .untrusted = true},
        {.name = "covered_by", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "how", .about = "duplicate or prefix"},
        {.name = "covered_by_unique", .type = ColumnType::boolean},
        {.name = "scans", .type = ColumnType::integer},
        {.name = "covered_by_scans", .type = ColumnType::integer},
        {.name = "bytes", .type = ColumnType::integer},
        {.name = "covered_by_bytes", .type = ColumnType::integer},
    };
    return declared;
}

const std::vector<Column>& invalid_columns() {
    static const std::vector<Column> declared{
        {.name = "index", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "is_written", .type = ColumnType::boolean, .about = "Writes pay for it"},
        {.name = "is_building", .type = ColumnType::boolean},
        {.name = "pid", .type = ColumnType::integer},
        {.name = "phase"},
        {.name = "percent", .type = ColumnType::real, .unit = "%", .about = "Of the phase"},
        {.name = "waits_for_pid", .type = ColumnType::integer},
        {.name = "is_partitioned", .type = ColumnType::boolean},
        {.name = "bytes", .type = ColumnType::integer},
    };
    return declared;
}

const std::vector<Column>& key_columns() {
    static const std::vector<Column> declared{
        {.name = "constraint", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "columns", .untrusted = true},
        {.name = "referenced", .untrusted = true},
        {.name = "rows", .type = ColumnType::integer, .about = "Of the relation, estimate"},
        {.name = "referenced_deleted", .type = ColumnType::integer, .unit = "rows"},
        {.name = "referenced_updated", .type = ColumnType::integer, .unit = "rows"},
    };
    return declared;
}

const std::vector<Column>& missing_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .untrusted = true},
        {.name = "rows", .type = ColumnType::integer, .about = "Estimate"},
        {.name = "bytes", .type = ColumnType::integer},
        {.name = "seq_scans", .type = ColumnType::integer, .about = "Since totals.since"},
        {.name = "rows_per_scan", .type = ColumnType::integer},
        {.name = "index_scans", .type = ColumnType::integer},
    };
    return declared;
}

const std::vector<Column>& bloat_columns() {
    static const std::vector<Column> declared{
        {.name = "index", .untrusted = true},
        {.name = "relation", .untrusted = true},
        {.name = "bytes", .type = ColumnType::integer},
        {.name = "wasted_bytes", .type = ColumnType::integer},
        {.name = "wasted_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "exact",
         .type = ColumnType::boolean,
         .about = "False: estimated from statistics; true: measured by pgstatindex"},
    };
    return declared;
}

const std::vector<Column>& total_columns() {
    static const std::vector<Column> declared{
        {.name = "indexes", .type = ColumnType::integer},
        {.name = "since",
         .type = ColumnType::timestamp,
         .about = "Start of the counters; absent: never reset"},
        {.name = "days_counted",
         .type = ColumnType::real,
         .unit = "d",
         .about = "At least: since the reset, else since the server's start"},
        {.name = "standbys", .type = ColumnType::integer},
    };
    return declared;
}

constexpr Section unused_section{
    .name = "unused",
    .columns = unused_columns,
    .editions = {{{.sql = unused_14}, {.since = 160000, .sql = unused_16}}},
    .would_tell = "which indexes nobody reads"};
constexpr Section redundant_section{
    .name = "redundant",
    .columns = redundant_columns,
    .editions = {{{.sql = redundant_sql}}},
    .would_tell = "which indexes another one makes superfluous"};
constexpr Section invalid_section{
    .name = "invalid",
    .columns = invalid_columns,
    .editions = {{{.sql = invalid_sql}}},
    .would_tell = "which indexes are being built, or were left behind by a failed build"};
constexpr Section keys_section{
    .name = "foreign_keys",
    .columns = key_columns,
    .editions = {{{.sql = keys_sql}}},
    .would_tell = "which foreign keys have no index"};
constexpr Section missing_section{
    .name = "missing",
    .columns = missing_columns,
    .editions = {{{.sql = missing_sql}}},
    .would_tell = "which large tables are read whole by habit"};
constexpr Section bloat_section{
    .name = "bloat",
    .columns = bloat_columns,
    .editions = {{{.sql = bloat_sql}}},
    .would_tell = "which indexes are larger than their entries"};
constexpr Section totals_section{
    .name = "totals",
    .columns = total_columns,
    .editions = {{{.sql = totals_sql}}},
    .would_tell = "how long the counters have counted, and whether there are standbys"};
constexpr std::array sections{
    &unused_section,
    &redundant_section,
    &invalid_section,
    &keys_section,
    &missing_section,
    &bloat_section,
    &totals_section};

std::string output_schema() {
    static constexpr std::array shown{
        &unused_section,
        &redundant_section,
        &invalid_section,
        &keys_section,
        &missing_section,
        &candidates_section,
        &bloat_section,
        &totals_section};
    static const std::string schema = packet_schema(shown);
    return schema;
}

std::string whole(double value) {
    return std::to_string(static_cast<long long>(value));
}

std::string named(const db::Table& table, std::size_t row, std::string_view column) {
    return base::sanitize(table.text(row, column));
}

/// How far the counters of this server can be trusted about use.
struct Counted {
    double days = 0;
    long long standbys = 0;
    bool in_recovery = false;

    bool enough() const { return days >= days_counted_min; }
    std::string days_text() const { return whole(days) + " days"; }
    std::string doubt() const {
        if (in_recovery) {
            return " Unused on this standby; the primary and other standbys were not examined.";
        }
        return standbys > 0
                   ? " Unused here; " + counted(standbys, "standby", "standbys") + " not examined."
                   : "";
    }
};

void judge_unused(const db::Table& unused, const Counted& use, Evidence& evidence) {
    for (std::size_t row = 0; row < unused.rows.size(); ++row) {
        const double scans = unused.real(row, "scans").value_or(0);
        const double bytes = unused.real(row, "bytes").value_or(0);
        if (bytes < (scans == 0 ? unused_bytes_min : rare_bytes_min)) {
            continue;
        }
        const std::string note = named(unused, row, "note");
        const bool sure = scans == 0 && use.enough() && note.empty();
        std::string meaning =
            use.enough()
                ? "Writes pay for it and nobody reads it: a candidate for DROP INDEX CONCURRENTLY."
                : "Counted for " + use.days_text() + " only: no ground to drop it yet.";
        meaning += use.doubt();
        meaning += note.empty() ? "" : " But " + note + ".";
        evidence.findings.push_back(
            {.severity = sure ? Severity::warning : Severity::notice,
             .object = "index " + named(unused, row, "index"),
             .value = whole(scans) + " scans in " + use.days_text() + ", " + whole(bytes) +
                      " bytes, " + unused.text(row, "writes", "0") + " rows entered",
             .threshold = whole(days_counted_min) + " days",
             .meaning = std::move(meaning)}
        );
    }
}

void judge_redundant(const db::Table& redundant, Evidence& evidence) {
    for (std::size_t row = 0; row < redundant.rows.size(); ++row) {
        const bool same = redundant.text(row, "how") == "duplicate";
        const std::string other = named(redundant, row, "covered_by");
        evidence.findings.push_back(
            {.severity = same ? Severity::warning : Severity::notice,
             .object = "index " + named(redundant, row, "index"),
             .value = (same ? "duplicate of " : "prefix of ") + other,
             .threshold = "",
             .meaning =
                 same ? "Both cost every write and serve the same searches; keep " + other + "."
                      : "Every search that uses it can use " + other +
                            "; it may be worth its size where that one is much wider."}
        );
    }
}

void judge_invalid(const db::Table& invalid, bool sees_builds, Evidence& evidence) {
    for (std::size_t row = 0; row < invalid.rows.size(); ++row) {
        const std::string object = "index " + named(invalid, row, "index");
        if (invalid.boolean(row, "is_building").value_or(false)) {
            const std::string waits = invalid.text(row, "waits_for_pid", "0");
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = object,
                 .value = "being built by backend " + invalid.text(row, "pid") + ": " +
                          invalid.text(row, "phase"),
                 .threshold = "",
                 .meaning = waits == "0" ? "It becomes valid when the build ends."
                                         : "The build waits for backend " + waits + " to end."}
            );
        } else if (invalid.boolean(row, "is_partitioned").value_or(false)) {
            evidence.findings.push_back(
                {.severity = Severity::notice,
                 .object = object,
                 .value = "invalid, of a partitioned table",
                 .threshold = "valid",
                 .meaning = "A partition has no index attached to it yet."}
            );
        } else if (sees_builds) {
            evidence.findings.push_back(
                {.severity = Severity::warning,
                 .object = object,
                 .value = "invalid, and nobody builds it",
                 .threshold = "valid",
                 .meaning =
                     invalid.boolean(row, "is_written").value_or(false)
                         ? "A concurrent build failed: writes pay for it, no search uses it. Drop "
                           "it, then build again; IF NOT EXISTS would take it for done."
                         : "A concurrent build or drop failed: it serves nothing. Drop it."}
            );
        }
    }
}

void judge_keys(const db::Table& keys, Evidence& evidence) {
    for (std::size_t row = 0; row < keys.rows.size(); ++row) {
        const double rows = keys.real(row, "rows").value_or(0);
        const double deleted = keys.real(row, "referenced_deleted").value_or(0);
        const std::string referenced = named(keys, row, "referenced");
        evidence.findings.push_back(
            {.severity =
                 rows >= key_rows_warning && deleted > 0 ? Severity::warning : Severity::notice,
             .object = "foreign key " + named(keys, row, "constraint") + " of " +
                       named(keys, row, "relation"),
             .value = "no index on (" + named(keys, row, "columns") + "), " + whole(rows) +
                      " rows; " + whole(deleted) + " deleted from " + referenced,
             .threshold = whole(key_rows_min) + " rows",
             .meaning = "Each row deleted from " + referenced +
                        ", or whose key changes, reads all of them while it holds its locks."}
        );
    }
}

void judge_missing(const db::Table& missing, Evidence& evidence) {
    for (std::size_t row = 0; row < missing.rows.size(); ++row) {
        evidence.findings.push_back(
            {.severity = Severity::warning,
             .object = "table " + named(missing, row, "relation"),
             .value = missing.text(row, "seq_scans") + " sequential scans of " +
                      missing.text(row, "rows_per_scan") + " rows each, " +
                      missing.text(row, "index_scans") + " index scans",
             .threshold = "100 scans of 10000 rows",
             .meaning = "An index may be missing; counters do not know on which columns: view "
                        "missing looks for them in the statements."}
        );
    }
}

Counted counted_of(const std::optional<db::Table>& totals, const Evidence& evidence) {
    Counted out;
    out.in_recovery = evidence.source.in_recovery;
    if (totals && !totals->empty()) {
        out.days = totals->real(0, "days_counted").value_or(0);
        out.standbys = totals->integer(0, "standbys").value_or(0);
    }
    return out;
}

void tell_gaps(
    const std::optional<db::Table>& totals, const Counted& use, bool sees_builds, Evidence& evidence
) {
    if (use.in_recovery || use.standbys > 0) {
        evidence.not_examined.push_back(
            {"use of indexes on other servers",
             use.in_recovery ? "this is a standby"
                             : counted(use.standbys, "standby reads", "standbys read") + " beside",
             "whether an index unused here is used there: ask there too"}
        );
    }
    if (!sees_builds) {
        NotExamined gap = hidden_sessions_gap();
        gap.what = "index builds under way";
        gap.would_tell = "whether an invalid index is being built or was left behind";
        evidence.not_examined.push_back(std::move(gap));
    }
    if (totals && !totals->empty() && !totals->boolean(0, "track_counts").value_or(true)) {
        evidence.not_examined.push_back(
            {"use of indexes and tables", "track_counts is off", "what is unused or missing"}
        );
    }
}

/// What was read; a section that the view leaves out is nothing.
struct Read {
    std::optional<db::Table> unused;
    std::optional<db::Table> redundant;
    std::optional<db::Table> invalid;
    std::optional<db::Table> keys;
    std::optional<db::Table> missing;
    std::optional<db::Table> bloat;
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
    const auto want = [&](const Section& section,
                          std::vector<db::Cell> parameters,
                          std::optional<db::Table>& place) {
        reader.want(
            all || view == section.name || &section == &totals_section,
            {.section = section, .parameters = std::move(parameters), .rows_max = limit},
            place
        );
    };
    constexpr const char* unused_pages_min = "1280"; // 10 MB
    want(unused_section, {all ? unused_pages_min : "0", one_more}, out.unused);
    want(redundant_section, {one_more}, out.redundant);
    want(invalid_section, {one_more}, out.invalid);
    want(keys_section, {whole(key_rows_min), one_more}, out.keys);
    want(missing_section, {one_more}, out.missing);
    want(bloat_section, {one_more}, out.bloat);
    want(totals_section, {}, out.totals);
    INTERLOCK_CHECK(reader.read(context, call, request));
    return out;
}

void assess(const Read& read, Evidence& evidence) {
    const Counted use = counted_of(read.totals, evidence);
    const bool sees_builds = read.totals && !read.totals->empty() &&
                             read.totals->boolean(0, "sees_all_sessions").value_or(false);
    if (read.invalid) {
        judge_invalid(*read.invalid, sees_builds, evidence);
    }
    if (read.unused) {
        judge_unused(*read.unused, use, evidence);
    }
    if (read.redundant) {
        judge_redundant(*read.redundant, evidence);
    }
    if (read.keys) {
        judge_keys(*read.keys, evidence);
    }
    if (read.missing) {
        judge_missing(*read.missing, evidence);
    }
    if (read.bloat) {
        judge_bloat(
            *read.bloat,
            "index",
            "index",
            "REINDEX CONCURRENTLY makes it small again; vacuum that keeps up keeps it small.",
            evidence
        );
    }
    tell_gaps(read.totals, use, sees_builds, evidence);
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    const std::string view = call.arguments.text("view");
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_TRY(Read read, read_view(context, call, request, view, evidence));
    if (view == "bloat" && read.bloat) {
        INTERLOCK_CHECK(
            measure_bloat(context, call, request, measure, bloat_section, *read.bloat, evidence)
        );
    }
    assess(read, evidence);
    if (view == "missing" && read.missing) {
        std::vector<std::string> relations;
        for (std::size_t row = 0; row < read.missing->rows.size(); ++row) {
            relations.push_back(read.missing->text(row, "relation"));
        }
        advise_indexes(context, call, request, relations, evidence);
    }
    const long long indexes =
        read.totals && !read.totals->empty() ? read.totals->integer(0, "indexes").value_or(0) : 0;
    evidence.summary =
        counted(indexes, "index", "indexes") + " examined by view " + view + ": " +
        counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
        "; use counted for " + counted_of(read.totals, evidence).days_text() + ".";
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_indexes() {
    std::vector<ToolStatement> statements = statements_of(sections);
    for (ToolStatement& statement : advice_statements()) {
        statements.push_back(statement);
    }
    return {
        .name = tool_name,
        .title = "Indexes",
        .summary = "Finds unused, redundant, invalid and bloated indexes, foreign keys without "
                   "index, and tables that may lack one.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "view",
              .about = "One of these only; attention: all.",
              .choices =
                  {"attention",
                   "unused",
                   "redundant",
                   "invalid",
                   "foreign_keys",
                   "missing",
                   "bloat"},
              .fallback = "attention",
              .example = "unused"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most rows of a section.",
              .min = 1,
              .max = static_cast<long long>(base::limits::tool_rows_max),
              .fallback = "20",
              .example = "50"}},
        .output_schema = output_schema,
        .run = run,
        .statements = std::move(statements),
        .needs = {hidden_sessions_need()}};
}

} // namespace interlock::tools
