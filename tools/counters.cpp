#include "tools/counters.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace interlock::tools {
namespace {

// An hour of samples compares a server with itself: one that was started anew counts from zero.
constexpr db::Sql server_sql{"counters_server", R"sql(
    select '' as object,
           extract(epoch from pg_catalog.pg_postmaster_start_time())::float8 as started,
           pg_catalog.pg_wal_lsn_diff(
               case when pg_catalog.pg_is_in_recovery()
                    then pg_catalog.pg_last_wal_replay_lsn()
                    else pg_catalog.pg_current_wal_insert_lsn() end, '0/0') as lsn,
           case when pg_catalog.pg_is_in_recovery() then 1 else 0 end as in_recovery)sql"};

// The busiest databases; all others together would cost rows and tell nothing.
constexpr db::Sql databases_sql{"counters_databases", R"sql(
    select coalesce(d.datname, '') as object, d.xact_commit, d.xact_rollback, d.blks_read,
           d.blks_hit, d.tup_returned, d.tup_fetched,
           d.tup_inserted + d.tup_updated + d.tup_deleted as tup_changed, d.conflicts,
           d.temp_files, d.temp_bytes, d.deadlocks, d.checksum_failures, d.blk_read_time,
           d.blk_write_time, d.sessions, d.sessions_abandoned, d.sessions_fatal,
           d.sessions_killed, extract(epoch from d.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_database d
    order by d.datid = 0 desc, d.xact_commit + d.xact_rollback + d.blks_read desc
    limit 20)sql"};

// Sizes are looked up, which waits for whoever alters the table: those that somebody holds or wants
// in ACCESS EXCLUSIVE mode are left out.
constexpr db::Sql tables_sql{"counters_tables", R"sql(
    with tables as materialized (
        select c.oid, c.relname, c.relnamespace, c.relpages,
               pg_catalog.pg_stat_get_tuples_inserted(c.oid) as inserted
        from pg_catalog.pg_class c
        where c.relkind in ('r', 'm') and c.relpersistence <> 't'
          and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
          and c.relnamespace <> 'information_schema'::pg_catalog.regnamespace
    ), picked as (
        (select t.oid from tables t order by t.relpages desc, t.oid limit 60)
        union
        (select t.oid from tables t order by t.inserted desc, t.oid limit 60)
    ), locked as materialized (
        select distinct l.relation
        from pg_catalog.pg_locks l
        where l.mode = 'AccessExclusiveLock' and l.relation is not null
          and l.database = (select d.oid from pg_catalog.pg_database d
                            where d.datname = pg_catalog.current_database())
    )
    select pg_catalog.format('%I.%I', n.nspname, t.relname) as object,
           pg_catalog.pg_total_relation_size(t.oid) as bytes, t.inserted,
           pg_catalog.pg_stat_get_tuples_deleted(t.oid) as deleted
    from picked p
    join tables t on t.oid = p.oid
    join pg_catalog.pg_namespace n on n.oid = t.relnamespace
    where not exists (
        select from locked k
        where k.relation = t.oid
           or k.relation in (select i.indexrelid from pg_catalog.pg_index i
                             where i.indrelid = t.oid)))sql"};

constexpr db::Sql wal_sql{"counters_wal", R"sql(
    select '' as object, w.wal_records, w.wal_fpi, w.wal_bytes, w.wal_buffers_full, w.wal_write,
           w.wal_sync, w.wal_write_time, w.wal_sync_time,
           extract(epoch from w.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_wal w)sql"};

// From 18 on, writes and syncs of WAL are counted with all other I/O.
constexpr db::Sql wal_sql_18{"counters_wal_18", R"sql(
    select '' as object, w.wal_records, w.wal_fpi, w.wal_bytes, w.wal_buffers_full, i.wal_write,
           i.wal_sync, i.wal_write_time, i.wal_sync_time,
           extract(epoch from w.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_wal w
    cross join (select pg_catalog.sum(s.writes) as wal_write,
                       pg_catalog.sum(s.fsyncs) as wal_sync,
                       pg_catalog.sum(s.write_time) as wal_write_time,
                       pg_catalog.sum(s.fsync_time) as wal_sync_time
                from pg_catalog.pg_stat_io s
                where s.object = 'wal' and s.context = 'normal') i)sql"};

constexpr db::Sql checkpoints_sql{"counters_checkpoints", R"sql(
    select '' as object, b.checkpoints_timed as num_timed, b.checkpoints_req as num_requested,
           b.checkpoint_write_time as write_time, b.checkpoint_sync_time as sync_time,
           b.buffers_checkpoint as buffers_written, b.buffers_clean, b.maxwritten_clean,
           b.buffers_backend, b.buffers_backend_fsync, b.buffers_alloc,
           extract(epoch from b.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_bgwriter b)sql"};

// What backends write themselves stands in pg_stat_io since 16, and only there since 17.
constexpr db::Sql checkpoints_sql_17{"counters_checkpoints_17", R"sql(
    select '' as object, c.num_timed, c.num_requested, c.write_time, c.sync_time,
           c.buffers_written, b.buffers_clean, b.maxwritten_clean, i.buffers_backend,
           i.buffers_backend_fsync, b.buffers_alloc,
           extract(epoch from greatest(c.stats_reset, b.stats_reset, i.stats_reset))::float8
               as stats_reset
    from pg_catalog.pg_stat_checkpointer c
    cross join pg_catalog.pg_stat_bgwriter b
    cross join (select pg_catalog.sum(s.writes) as buffers_backend,
                       pg_catalog.sum(s.fsyncs) as buffers_backend_fsync,
                       pg_catalog.max(s.stats_reset) as stats_reset
                from pg_catalog.pg_stat_io s
                where s.backend_type not in ('checkpointer', 'background writer')
                  and s.object = 'relation') i)sql"};

constexpr db::Sql archiver_sql{"counters_archiver", R"sql(
    select '' as object, a.archived_count, a.failed_count,
           extract(epoch from a.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_archiver a)sql"};

constexpr db::Sql slru_sql{"counters_slru", R"sql(
    select s.name as object, s.blks_zeroed, s.blks_hit, s.blks_read, s.blks_written, s.flushes,
           s.truncates, extract(epoch from s.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_slru s)sql"};

constexpr db::Sql io_sql_16{"counters_io_16", R"sql(
    select pg_catalog.concat_ws('/', s.backend_type, s.object, s.context) as object, s.reads,
           s.reads * s.op_bytes as read_bytes, s.read_time, s.writes,
           s.writes * s.op_bytes as write_bytes, s.write_time, s.extends,
           s.extends * s.op_bytes as extend_bytes, s.hits, s.evictions, s.reuses, s.fsyncs,
           s.fsync_time, extract(epoch from s.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_io s)sql"};

constexpr db::Sql io_sql_18{"counters_io_18", R"sql(
    select pg_catalog.concat_ws('/', s.backend_type, s.object, s.context) as object, s.reads,
           s.read_bytes, s.read_time, s.writes, s.write_bytes, s.write_time, s.extends,
           s.extend_bytes, s.hits, s.evictions, s.reuses, s.fsyncs, s.fsync_time,
           extract(epoch from s.stats_reset)::float8 as stats_reset
    from pg_catalog.pg_stat_io s)sql"};

/// `object`, which is text, and counters.
std::vector<Column> counter_columns(std::initializer_list<std::string_view> counters) {
    std::vector<Column> columns{{.name = "object", .untrusted = true}};
    for (const std::string_view counter : counters) {
        columns.push_back({.name = counter, .type = ColumnType::real});
    }
    return columns;
}

const std::vector<Column>& server_columns() {
    static const auto declared = counter_columns({"started", "lsn", "in_recovery"});
    return declared;
}

const std::vector<Column>& database_columns() {
    static const auto declared = counter_columns(
        {"xact_commit",
         "xact_rollback",
         "blks_read",
         "blks_hit",
         "tup_returned",
         "tup_fetched",
         "tup_changed",
         "conflicts",
         "temp_files",
         "temp_bytes",
         "deadlocks",
         "checksum_failures",
         "blk_read_time",
         "blk_write_time",
         "sessions",
         "sessions_abandoned",
         "sessions_fatal",
         "sessions_killed",
         "stats_reset"}
    );
    return declared;
}

const std::vector<Column>& wal_columns() {
    static const auto declared = counter_columns(
        {"wal_records",
         "wal_fpi",
         "wal_bytes",
         "wal_buffers_full",
         "wal_write",
         "wal_sync",
         "wal_write_time",
         "wal_sync_time",
         "stats_reset"}
    );
    return declared;
}

const std::vector<Column>& checkpoint_columns() {
    static const auto declared = counter_columns(
        {"num_timed",
         "num_requested",
         "write_time",
         "sync_time",
         "buffers_written",
         "buffers_clean",
         "maxwritten_clean",
         "buffers_backend",
         "buffers_backend_fsync",
         "buffers_alloc",
         "stats_reset"}
    );
    return declared;
}

const std::vector<Column>& archiver_columns() {
    static const auto declared = counter_columns({"archived_count", "failed_count", "stats_reset"});
    return declared;
}

const std::vector<Column>& slru_columns() {
    static const auto declared = counter_columns(
        {"blks_zeroed",
         "blks_hit",
         "blks_read",
         "blks_written",
         "flushes",
         "truncates",
         "stats_reset"}
    );
    return declared;
}

const std::vector<Column>& table_columns() {
    static const auto declared = counter_columns({"bytes", "inserted", "deleted"});
    return declared;
}

const std::vector<Column>& io_columns() {
    static const auto declared = counter_columns(
        {"reads",
         "read_bytes",
         "read_time",
         "writes",
         "write_bytes",
         "write_time",
         "extends",
         "extend_bytes",
         "hits",
         "evictions",
         "reuses",
         "fsyncs",
         "fsync_time",
         "stats_reset"}
    );
    return declared;
}

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// The counters of one view, by name.
void take_table(
    const Section& section,
    const db::Table& table,
    std::vector<std::pair<CounterName, double>>& counters
) {
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const std::string object = base::sanitize(table.text(row, "object"));
        for (const Column& column : section.columns()) {
            if (column.type == ColumnType::real) {
                counters.emplace_back(
                    CounterName{std::string{section.name}, object, std::string{column.name}},
                    table.real(row, column.name).value_or(unknown)
                );
            }
        }
    }
}

} // namespace

const Section server_counters{
    .name = "server",
    .columns = server_columns,
    .editions = {{{.sql = server_sql}}},
    .would_tell = "whether two samples are of one run of the server"};
const Section database_counters{
    .name = "databases",
    .columns = database_columns,
    .editions = {{{.sql = databases_sql}}},
    .would_tell = "transactions, cache hits, temporary files, deadlocks and conflicts"};
const Section wal_counters{
    .name = "wal",
    .columns = wal_columns,
    .editions = {{{.sql = wal_sql}, {.since = 180'000, .sql = wal_sql_18}}},
    .would_tell = "how much WAL is written and why"};
const Section checkpoint_counters{
    .name = "checkpoints",
    .columns = checkpoint_columns,
    .editions = {{{.sql = checkpoints_sql}, {.since = 170'000, .sql = checkpoints_sql_17}}},
    .would_tell = "whether checkpoints are forced, and who writes dirty pages"};
const Section archiver_counters{
    .name = "archiver",
    .columns = archiver_columns,
    .editions = {{{.sql = archiver_sql}}},
    .would_tell = "whether WAL is archived"};
const Section slru_counters{
    .name = "slru",
    .columns = slru_columns,
    .editions = {{{.sql = slru_sql}}},
    .would_tell = "whether transaction status, subtransactions or multixacts miss their caches"};
const Section table_counters{
    .name = "tables",
    .columns = table_columns,
    .editions = {{{.sql = tables_sql}}},
    .would_tell = "which tables grow, and which beyond their rows"};
const Section io_counters{
    .name = "io",
    .columns = io_columns,
    .editions = {{{.since = 160'000, .sql = io_sql_16}, {.since = 180'000, .sql = io_sql_18}}},
    .would_tell = "which kind of process reads, writes and extends, and how long that takes"};

Sections all_counters() {
    static const std::array sections{
        &server_counters,
        &database_counters,
        &wal_counters,
        &checkpoint_counters,
        &archiver_counters,
        &slru_counters,
        &io_counters};
    return sections;
}

Sections size_counters() {
    static const std::array sections{&server_counters, &table_counters};
    return sections;
}

std::vector<db::Query> counter_queries(Sections sections, const db::ServerFacts& facts) {
    std::vector<db::Query> queries;
    for (const Section* section : sections) {
        if (const db::Sql* sql = edition_for(*section, facts.version_number)) {
            queries.push_back(
                {.sql = *sql, .parameters = {}, .rows_max = base::limits::sampler_rows_max}
            );
        }
    }
    return queries;
}

Sample Sample::decode(
    Sections sections,
    const db::ServerFacts& facts,
    const db::ReadResults& results,
    std::vector<NotExamined>& gaps,
    const Sample* known
) {
    std::vector<std::pair<CounterName, double>> counters;
    auto result = results.begin();
    for (const Section* section : sections) {
        if (edition_for(*section, facts.version_number) == nullptr) {
            gaps.push_back(not_in_this_version(*section, facts));
        } else if (const auto& read = *result++; read) {
            take_table(*section, read->table, counters);
        } else {
            gaps.push_back(failed_check(
                "counters of " + std::string{section->name},
                read.error(),
                std::string{section->would_tell}
            ));
        }
    }
    std::sort(counters.begin(), counters.end(), [](const auto& left, const auto& right) {
        return left.first < right.first;
    });
    Sample sample;
    std::vector<CounterName> names;
    names.reserve(counters.size());
    sample.values_.reserve(counters.size());
    for (auto& [counter, value] : counters) {
        names.push_back(std::move(counter));
        sample.values_.push_back(value);
    }
    sample.names_ = known != nullptr && known->names_ != nullptr && *known->names_ == names
                        ? known->names_
                        : std::make_shared<const std::vector<CounterName>>(std::move(names));
    return sample;
}

std::optional<double>
Sample::value(std::string_view view, std::string_view object, std::string_view counter) const {
    if (names_ == nullptr) {
        return std::nullopt;
    }
    const auto wanted = std::tie(view, object, counter);
    const auto found = std::lower_bound(
        names_->begin(),
        names_->end(),
        wanted,
        [](const CounterName& name, const auto& sought) {
            const std::tuple<std::string_view, std::string_view, std::string_view> key{
                name.view, name.object, name.counter};
            return key < sought;
        }
    );
    if (found == names_->end() || found->view != view || found->object != object ||
        found->counter != counter) {
        return std::nullopt;
    }
    const double value = values_[static_cast<std::size_t>(found - names_->begin())];
    return std::isnan(value) ? std::nullopt : std::optional{value};
}

std::vector<std::string> Sample::objects(std::string_view view) const {
    std::vector<std::string> out;
    if (names_ == nullptr) {
        return out;
    }
    for (const CounterName& name : *names_) {
        if (name.view == view && (out.empty() || out.back() != name.object)) {
            out.push_back(name.object);
        }
    }
    return out;
}

bool comparable(const Sample& older, const Sample& newer) {
    const auto started = older.value("server", "", "started");
    return started.has_value() && started == newer.value("server", "", "started") &&
           older.at < newer.at;
}

double Window::seconds() const {
    return std::chrono::duration<double>(newer.at - older.at).count();
}

std::optional<double>
Window::grown(std::string_view view, std::string_view object, std::string_view counter) const {
    const auto before = older.value(view, object, counter);
    const auto after = newer.value(view, object, counter);
    if (!before || !after || *after < *before ||
        older.value(view, object, "stats_reset") != newer.value(view, object, "stats_reset")) {
        return std::nullopt;
    }
    return *after - *before;
}

std::optional<double>
Window::per_second(std::string_view view, std::string_view object, std::string_view counter) const {
    const auto growth = grown(view, object, counter);
    return growth && seconds() > 0 ? std::optional{*growth / seconds()} : std::nullopt;
}

std::optional<double> Window::grown_in_all(std::string_view view, std::string_view counter) const {
    std::optional<double> sum;
    for (const std::string& object : newer.objects(view)) {
        if (const auto growth = grown(view, object, counter)) {
            sum = sum.value_or(0) + *growth;
        }
    }
    return sum;
}

std::string Window::text() const {
    return seconds_text(seconds()) + " up to now" +
           (history ? "" : " (two samples; the history kept reaches no further back)");
}

} // namespace interlock::tools
