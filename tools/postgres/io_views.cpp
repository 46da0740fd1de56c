#include "tools/postgres/io_views.hpp"

#include "base/limits.hpp"
#include "tools/postgres/find.hpp"
#include "tools/render.hpp"
#include "tools/sampler.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace interlock::tools {
namespace {

// The same as for databases: below 97 % an OLTP database reads more than it should, below 90 % its
// working set does not fit. Told as misses, so that more is worse.
constexpr Threshold cache_miss_percent{3, 10};
constexpr double cache_blocks_min = 10'000; // of fewer blocks a share says nothing
// One relation that makes this share of all reads, and misses the cache itself, is where to look.
constexpr double most_reads_percent = 30;
// One session that makes half of what all read and write, and as much as a disk notices.
constexpr double most_bytes_percent = 50;
constexpr double busy_bytes_per_second = 10e6;
constexpr std::size_t relations_max = 30;
constexpr std::size_t sessions_max = 30;
constexpr std::size_t backends_max = 2'000; // that are looked at
constexpr std::size_t databases_max = 50;   // each is a walk through its files

// Counters as they stand: two samples of every table would cost a large schema twice.
constexpr db::Sql relations_sql{"io_relations", R"sql(
    with counted as materialized (
        select c.oid, c.relkind, pg_catalog.pg_stat_get_blocks_fetched(c.oid) as fetched,
               pg_catalog.pg_stat_get_blocks_hit(c.oid) as hit
        from pg_catalog.pg_class c
        where c.relkind in ('r', 'm', 'i', 't')
    ), kinds as (
        select case k.relkind when 'i' then 'indexes' when 't' then 'toast' else 'tables' end
                   as kind,
               pg_catalog.sum(k.fetched) as fetched, pg_catalog.sum(k.hit) as hit
        from counted k
        group by 1
    ), busy as (
        select k.oid, k.fetched, k.hit,
               100.0 * (k.fetched - k.hit)
                   / nullif(pg_catalog.sum(k.fetched - k.hit) over (), 0) as share
        from counted k
        where k.fetched > 0
        order by k.fetched - k.hit desc, k.fetched desc
        limit $1::int
    ), rows as (
        select null::text as relation, k.kind, null::text as belongs_to,
               k.fetched - k.hit as blocks_read, k.hit as blocks_hit,
               pg_catalog.round(100.0 * k.hit / nullif(k.fetched, 0), 1) as hit_percent,
               null::numeric as share_percent,
               (select pg_catalog.to_char(d.stats_reset at time zone 'UTC',
                                          'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                from pg_catalog.pg_stat_database d
                where d.datname = pg_catalog.current_database()) as since
        from kinds k
        union all
        select pg_catalog.format('%I.%I', n.nspname, c.relname),
               case c.relkind when 'r' then 'table' when 'm' then 'materialized view'
                              when 'i' then 'index' else 'toast table' end,
               o.relation, b.fetched - b.hit, b.hit,
               pg_catalog.round(100.0 * b.hit / b.fetched, 1), pg_catalog.round(b.share, 1), null
        from busy b
        join pg_catalog.pg_class c on c.oid = b.oid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join lateral (
            select pg_catalog.format('%I.%I', m.nspname, r.relname) as relation
            from pg_catalog.pg_class r
            join pg_catalog.pg_namespace m on m.oid = r.relnamespace
            where r.oid = case when c.relkind = 'i'
                               then (select i.indrelid from pg_catalog.pg_index i
                                     where i.indexrelid = c.oid)
                               when c.relkind = 't' and c.relname ~ '^pg_toast_[0-9]{1,10}$'
                               then pg_catalog.substr(c.relname::text, 10)::oid end) o on true
    )
    select r.* from rows r
    order by r.relation is not null, r.blocks_read desc, r.relation)sql"};

// A session's own counters end with it: these are since it began.
constexpr db::Sql backends_sql{"io_backends_18", R"sql(
    select a.pid::text as object, i.read_bytes, i.write_bytes, i.extend_bytes, w.wal_bytes
    from pg_catalog.pg_stat_activity a
    left join pg_catalog.pg_roles r on r.oid = a.usesysid
    cross join lateral (
        select pg_catalog.sum(s.read_bytes) as read_bytes,
               pg_catalog.sum(s.write_bytes) as write_bytes,
               pg_catalog.sum(s.extend_bytes) as extend_bytes
        from pg_catalog.pg_stat_get_backend_io(a.pid) s
        where s.object <> 'wal') i
    cross join lateral (
        select pg_catalog.max(s.wal_bytes) as wal_bytes
        from pg_catalog.pg_stat_get_backend_wal(a.pid) s) w
    where i.read_bytes is not null and a.pid <> pg_catalog.pg_backend_pid()
      and not coalesce(r.rolname = session_user and a.application_name ~ '^interlock(:|$)', false)
    limit 2000)sql"};

constexpr db::Sql owners_sql{"io_backend_owners", R"sql(
    select a.pid, a.usename as "user", pg_catalog.left(a.application_name, 64) as application_name,
           a.datname as database, a.backend_type, a.state,
           case when a.backend_type is not null then pg_catalog.left(a.query, 2000) end as query
    from pg_catalog.pg_stat_activity a
    limit 2000)sql"};

constexpr db::Sql databases_sql{"io_database_sizes", R"sql(
    select d.datname as database,
           case when pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
                     or pg_catalog.has_database_privilege(d.oid, 'CONNECT')
                then pg_catalog.pg_database_size(d.oid) end as bytes
    from (select b.oid, b.datname
          from pg_catalog.pg_database b
          where b.datallowconn
          order by b.datname <> pg_catalog.current_database(), b.datname
          limit $1::int) d
    order by 2 desc nulls last, 1)sql"};

// Those of one's own: pg_default is what the databases take.
constexpr db::Sql tablespaces_sql{"io_tablespaces", R"sql(
    select t.spcname as tablespace, pg_catalog.pg_tablespace_location(t.oid) as location,
           case when pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
                     or pg_catalog.has_tablespace_privilege(t.oid, 'CREATE')
                then pg_catalog.pg_tablespace_size(t.oid) end as bytes
    from pg_catalog.pg_tablespace t
    where t.spcname not in ('pg_default', 'pg_global')
    order by 3 desc nulls last, 1
    limit 20)sql"};

const std::vector<Column>& relation_columns() {
    static const std::vector<Column> declared{
        {.name = "relation", .about = "Absent: all of the kind", .untrusted = true},
        {.name = "kind"},
        {.name = "belongs_to", .about = "Table of an index or TOAST table", .untrusted = true},
        {.name = "blocks_read", .type = ColumnType::integer, .about = "Not found in the cache"},
        {.name = "blocks_hit", .type = ColumnType::integer},
        {.name = "hit_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "share_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Of all blocks read"},
        {.name = "since", .type = ColumnType::timestamp},
    };
    return declared;
}

const std::vector<Column>& backend_columns() {
    static const std::vector<Column> declared{
        {.name = "object"},
        {.name = "read_bytes", .type = ColumnType::real},
        {.name = "write_bytes", .type = ColumnType::real},
        {.name = "extend_bytes", .type = ColumnType::real},
        {.name = "wal_bytes", .type = ColumnType::real},
    };
    return declared;
}

const std::vector<Column>& owner_columns() {
    static const std::vector<Column> declared{
        {.name = "pid", .type = ColumnType::integer},
        {.name = "user", .untrusted = true},
        {.name = "application_name", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "backend_type"},
        {.name = "state"},
        {.name = "query", .about = "Last statement, literals masked", .sql_text = true},
    };
    return declared;
}

/// Whose it is, and what it moved.
const std::vector<Column>& session_columns() {
    static const std::vector<Column> declared = [] {
        std::vector<Column> columns = owner_columns();
        for (const std::string_view name :
             {"read_bytes_per_second",
              "write_bytes_per_second",
              "extend_bytes_per_second",
              "wal_bytes_per_second"}) {
            columns.push_back({.name = name, .type = ColumnType::real, .unit = "B/s"});
        }
        for (const std::string_view name : {"read_bytes", "write_bytes", "wal_bytes"}) {
            columns.push_back(
                {.name = name, .type = ColumnType::integer, .unit = "B", .about = "Since it began"}
            );
        }
        return columns;
    }();
    return declared;
}

const std::vector<Column>& database_columns() {
    static const std::vector<Column> declared{
        {.name = "database", .untrusted = true},
        {.name = "bytes",
         .type = ColumnType::integer,
         .unit = "B",
         .about = "Absent: the role may not know"},
    };
    return declared;
}

const std::vector<Column>& tablespace_columns() {
    static const std::vector<Column> declared{
        {.name = "tablespace", .untrusted = true},
        {.name = "location", .untrusted = true},
        {.name = "bytes",
         .type = ColumnType::integer,
         .unit = "B",
         .about = "Absent: the role may not know"},
    };
    return declared;
}

constexpr Section relations_section{
    .name = "relations",
    .columns = relation_columns,
    .editions = {{{.sql = relations_sql}}},
    .would_tell = "which tables and indexes are read from disk"};
constexpr Section backends_section{
    .name = "backends",
    .columns = backend_columns,
    .editions = {{{.since = 180'000, .sql = backends_sql}}},
    .would_tell = "which session reads and writes"};
constexpr Section owners_section{
    .name = "sessions",
    .columns = owner_columns,
    .editions = {{{.sql = owners_sql}}},
    .would_tell = "whose session it is"};
constexpr Section databases_section{
    .name = "database_sizes",
    .columns = database_columns,
    .editions = {{{.sql = databases_sql}}},
    .would_tell = "which database takes the space"};
constexpr Section tablespaces_section{
    .name = "tablespaces",
    .columns = tablespace_columns,
    .editions = {{{.sql = tablespaces_sql}}},
    .would_tell = "what lies outside of the data directory"};
constexpr std::array view_sections{
    &relations_section,
    &backends_section,
    &owners_section,
    &databases_section,
    &tablespaces_section};

void judge_kind(const db::Table& table, std::size_t row, Evidence& evidence) {
    const double read = table.real(row, "blocks_read").value_or(0);
    const double blocks = read + table.real(row, "blocks_hit").value_or(0);
    const double missed = blocks > 0 ? 100 * read / blocks : 0;
    if (const auto severity = judge(missed, cache_miss_percent);
        severity && blocks >= cache_blocks_min) {
        find(
            evidence,
            *severity,
            "all " + table.text(row, "kind"),
            number_text(100 - missed, 1) + " % of blocks found in the cache since " +
                table.text(row, "since", "the counters began"),
            number_text(100 - cache_miss_percent.passed(*severity)) + " %",
            "The rows below say which are read; since the beginning, not now: without a view this "
            "tool tells the rate of the last minutes."
        );
    }
}

void judge_relation(const db::Table& table, std::size_t row, Evidence& evidence) {
    const double share = table.real(row, "share_percent").value_or(0);
    const double read = table.real(row, "blocks_read").value_or(0);
    const double found = table.real(row, "hit_percent").value_or(100);
    if (share >= most_reads_percent && read >= cache_blocks_min &&
        100 - found >= cache_miss_percent.critical) {
        find(
            evidence,
            Severity::notice,
            table.text(row, "kind") + " " + table.text(row, "relation"),
            number_text(share) + " % of all blocks read, " + number_text(found, 1) +
                " % of its own found in the cache",
            number_text(most_reads_percent) + " %",
            "Most reads are of it: get_tables says whether it is read whole by habit, "
            "get_statements (by io) who does."
        );
    }
}

double moved(const Window& window, const std::string& object) {
    double sum = 0;
    for (const Column& column : backend_columns()) {
        if (column.type == ColumnType::real) {
            sum += window.per_second("backends", object, column.name).value_or(0);
        }
    }
    return sum;
}

/// A session's row: whose it is, completed by what it moved.
std::vector<db::Cell> session_row(std::vector<db::Cell> row, const Window& window) {
    const std::string object = row[0].value_or("");
    const auto cell = [](std::optional<double> value) {
        return value ? db::Cell{number_text(*value)} : std::nullopt;
    };
    for (const char* counter : {"read_bytes", "write_bytes", "extend_bytes", "wal_bytes"}) {
        row.push_back(cell(window.per_second("backends", object, counter)));
    }
    for (const char* counter : {"read_bytes", "write_bytes", "wal_bytes"}) {
        row.push_back(cell(window.newer.value("backends", object, counter)));
    }
    return row;
}

void judge_session(const std::vector<db::Cell>& row, double bytes, double all, Evidence& evidence) {
    if (bytes < busy_bytes_per_second || 100 * bytes < most_bytes_percent * all) {
        return;
    }
    find(
        evidence,
        Severity::notice,
        "backend " + row[0].value_or(""),
        bytes_text(bytes) + "/s, " + number_text(100 * bytes / all) + " % of all sessions'",
        number_text(most_bytes_percent) + " % and " + bytes_text(busy_bytes_per_second) + "/s",
        "It alone makes most of the reads and writes."
    );
}

} // namespace

std::vector<RowsShape> io_view_shapes() {
    return {
        {relations_section.name, &relation_columns()},
        {owners_section.name, &session_columns()},
        {databases_section.name, &database_columns()},
        {tablespaces_section.name, &tablespace_columns()}};
}

std::vector<ToolStatement> io_view_statements() {
    return statements_of(view_sections);
}

base::Status look_at_relations(
    Context& context, const Call& call, const LaneRequest& request, Evidence& evidence
) {
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            request,
            {{.section = relations_section, .parameters = {std::to_string(relations_max)}}},
            evidence
        )
    );
    long long shown = 0;
    for (std::size_t row = 0; tables[0] && row < tables[0]->rows.size(); ++row) {
        if (tables[0]->at(row, "relation")) {
            ++shown;
            judge_relation(*tables[0], row, evidence);
        } else {
            judge_kind(*tables[0], row, evidence);
        }
    }
    evidence.summary =
        tables[0]
            ? counted(shown, "table or index", "tables and indexes") +
                  " by blocks read from disk: " +
                  counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
                  "."
            : "Blocks read and hit could not be counted; see not examined.";
    return base::done;
}

base::Status look_at_sessions(
    Context& context, const Call& call, const LaneRequest& request, Evidence& evidence
) {
    // Nobody samples sessions: two looks, whatever else is known of the past.
    Context unsampled = context;
    unsampled.sampler = nullptr;
    static constexpr std::array counted_sections{&backends_section};
    INTERLOCK_TRY(
        const Window window,
        read_window(unsampled, call, request, counted_sections, std::chrono::seconds{1}, evidence)
    );
    const std::vector<std::string> objects = window.newer.objects("backends");
    EvidenceRows rows{
        .name = std::string{owners_section.name}, .columns = &session_columns(), .cells = {}};
    if (!objects.empty()) {
        INTERLOCK_CHECK(read_sections(
            context,
            call,
            request,
            {{.section = owners_section, .rows_max = backends_max}},
            evidence
        ));
        EvidenceRows read = std::move(evidence.rows.back());
        evidence.rows.pop_back();
        for (auto& row : read.cells) {
            if (std::binary_search(objects.begin(), objects.end(), row[0].value_or(""))) {
                rows.cells.push_back(session_row(std::move(row), window));
            }
        }
    }
    const auto bytes = [&](const std::vector<db::Cell>& row) {
        return moved(window, row[0].value_or(""));
    };
    std::stable_sort(rows.cells.begin(), rows.cells.end(), [&](const auto& a, const auto& b) {
        return bytes(a) > bytes(b);
    });
    double all = 0;
    for (const auto& row : rows.cells) {
        all += bytes(row);
    }
    for (const auto& row : rows.cells) {
        judge_session(row, bytes(row), all, evidence);
    }
    if (!objects.empty()) {
        evidence.not_examined.push_back(
            {"statements that still run",
             "PostgreSQL counts what a session read and wrote when its statement ends",
             "what a long statement reads and writes meanwhile"}
        );
    }
    const auto seen = static_cast<long long>(rows.cells.size());
    if (rows.cells.size() > sessions_max) {
        evidence.not_examined.push_back(
            {"sessions beyond the first " + std::to_string(sessions_max),
             "limit: more than this call lists; they were judged for findings",
             "who else reads and writes"}
        );
        rows.cells.resize(sessions_max);
    }
    evidence.rows.push_back(std::move(rows));
    evidence.summary =
        objects.empty()
            ? "What single sessions read and write is not known here; see not examined."
            : counted(seen, "session", "sessions") + " read and wrote " + bytes_text(all) +
                  "/s in " + window.text() + ": " +
                  counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
                  ".";
    return base::done;
}

base::Result<std::vector<std::optional<db::Table>>> look_at_space(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    std::vector<SectionRequest> more,
    Evidence& evidence
) {
    std::vector<SectionRequest> wanted{
        {.section = databases_section,
         .parameters = {std::to_string(databases_max + 1)},
         .rows_max = databases_max},
        {.section = tablespaces_section, .rows_max = 20}};
    std::move(more.begin(), more.end(), std::back_inserter(wanted));
    INTERLOCK_TRY(auto tables, read_sections(context, call, request, wanted, evidence));
    double bytes = 0;
    for (std::size_t row = 0; tables[0] && row < tables[0]->rows.size(); ++row) {
        bytes += tables[0]->real(row, "bytes").value_or(0);
    }
    evidence.not_examined.push_back(
        {"free space of the disks",
         "PostgreSQL does not tell it; the machine's own monitoring does",
         "how long until a disk is full"}
    );
    evidence.summary =
        (tables[0]
             ? counted(static_cast<long long>(tables[0]->rows.size()), "database", "databases") +
                   " of " + bytes_text(bytes)
             : std::string{"Databases could not be measured"});
    tables.erase(tables.begin(), tables.begin() + 2);
    return tables;
}

} // namespace interlock::tools
