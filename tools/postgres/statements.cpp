// get_statements: which statements take the server's time, blocks, temporary files or WAL, as
// pg_stat_statements counts them: since its counters began, or between two samples.
#include "base/db/sql_guard.hpp"
#include "base/db/sql_text.hpp"
#include "base/limits.hpp"
#include "base/pause.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/lock_facts.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <tuple>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_statements";
constexpr std::size_t query_chars_max = 2'000;  // as statements_sql cuts it
constexpr std::size_t sampled_rows_max = 5'000; // pg_stat_statements.max as it comes

// One statement that takes this much of all statements' time is where to look first.
constexpr double share_percent = 30;
// One execution: people notice after a second; of a statement that takes little in all, nobody
// does.
constexpr Threshold mean_ms{1'000, 10'000};
constexpr double share_percent_min = 5;
// Executions that differ this much have more than one plan, wait for locks, or read cold data.
constexpr double deviations = 5;
constexpr double deviating_mean_ms = 10;
constexpr double deviating_calls_min = 100;
// Blocks that an execution reads, and their share of the blocks it needs.
constexpr double read_blocks_per_call = 1'000;
constexpr double cache_hit_percent = 90;
// Blocks of temporary files that an execution writes: 8 MB.
constexpr double temp_blocks_per_call = 1'000;
// Rows that an execution returns to its client; more is no page of a list.
constexpr double rows_per_call = 10'000;
constexpr double rows_calls_min = 10;
// Totals of a shorter time may be those of one job.
constexpr double age_seconds_min = 3'600;

constexpr db::Sql extension_sql{"statements_extension", R"sql(
    select (select n.nspname from pg_catalog.pg_extension e
            join pg_catalog.pg_namespace n on n.oid = e.extnamespace
            where e.extname = 'pg_stat_statements') as schema,
           (select e.extversion from pg_catalog.pg_extension e
            where e.extname = 'pg_stat_statements') as version,
           exists (select from pg_catalog.pg_settings s
                   where s.name = 'pg_stat_statements.max') as loaded,
           pg_catalog.current_setting('pg_stat_statements.max', true) as statements_max,
           pg_catalog.current_setting('pg_stat_statements.track', true) as track,
           pg_catalog.current_setting('pg_stat_statements.track_planning', true)
               as track_planning,
           pg_catalog.current_setting('track_io_timing') as track_io_timing,
           pg_catalog.current_database() as database,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_texts)sql"};

constexpr db::Sql coverage_sql{"statements_coverage", R"sql(
    select c.kept, i.dealloc as evictions,
           pg_catalog.to_char(i.stats_reset at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
               as since,
           pg_catalog.round(extract(epoch from
               pg_catalog.clock_timestamp() - i.stats_reset)) as age_seconds
    from @schema.pg_stat_statements_info i
    cross join (select pg_catalog.count(*) as kept from @schema.pg_stat_statements(false)) c)sql"};

// The texts lie in a file that is read whole, so it is read once, and cut before anything is sent.
// A statement that runs about once for each row of another is shown with that other one.
constexpr db::Sql statements_sql{"statements", R"sql(
    with kept as materialized (
        select s.userid, s.dbid, s.queryid, s.toplevel, s.calls, s.total_exec_time as total_ms,
               s.mean_exec_time as mean_ms, s.max_exec_time as max_ms,
               s.stddev_exec_time as deviation_ms, s.rows, s.shared_blks_hit as hits,
               s.shared_blks_read as reads, s.temp_blks_written as temp_blocks, s.wal_bytes,
               s.plans, s.total_plan_time as plan_ms, @all_io_time as io_ms,
               @since as since, pg_catalog.left(s.query, 2000) as query
        from @schema.pg_stat_statements s
    ), top as (
        select k.*, 100 * k.total_ms
                    / nullif((select pg_catalog.sum(a.total_ms) from kept a), 0) as share_percent
        from kept k
        where $3::bigint[] is null or k.queryid = any ($3::bigint[])
        order by case $1::text
                 when 'mean' then k.mean_ms
                 when 'calls' then k.calls
                 when 'io' then k.reads
                 when 'temp' then k.temp_blocks
                 when 'wal' then k.wal_bytes
                 when 'rows' then k.rows
                 else k.total_ms end desc nulls last
        limit $2::int
    )
    select t.queryid, d.datname as database, pg_catalog.pg_get_userbyid(t.userid) as "user",
           t.toplevel, t.calls, pg_catalog.round(t.total_ms::numeric, 1) as total_ms,
           pg_catalog.round(t.share_percent::numeric, 1) as share_percent,
           pg_catalog.round(t.mean_ms::numeric, 3) as mean_ms,
           pg_catalog.round(t.max_ms::numeric, 1) as max_ms,
           pg_catalog.round(t.deviation_ms::numeric, 3) as deviation_ms,
           pg_catalog.round(t.rows::numeric / nullif(t.calls, 0), 1) as rows_per_call,
           pg_catalog.round(t.reads::numeric / nullif(t.calls, 0), 1) as blocks_read_per_call,
           pg_catalog.round(100.0 * t.hits / nullif(t.hits + t.reads, 0), 1) as cache_hit_percent,
           pg_catalog.round(t.io_ms::numeric, 1) as io_ms,
           pg_catalog.round(t.temp_blocks::numeric / nullif(t.calls, 0), 1)
               as temp_blocks_per_call,
           pg_catalog.round(t.wal_bytes / nullif(t.calls, 0)) as wal_bytes_per_call,
           pg_catalog.round(t.plan_ms::numeric / nullif(t.plans, 0), 3) as plan_ms,
           p.queryid as once_per_row_of,
           pg_catalog.to_char(t.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since,
           t.query
    from top t
    left join pg_catalog.pg_database d on d.oid = t.dbid
    left join lateral (
        select k.queryid from kept k
        where k.dbid = t.dbid and k.userid = t.userid and k.queryid <> t.queryid
          and t.calls >= 1000 and t.rows <= 1.5 * t.calls
          and k.rows >= 10 * k.calls and k.rows between 0.9 * t.calls and 1.1 * t.calls
        order by k.total_ms desc
        limit 1) p on true
    order by case $1::text
             when 'mean' then t.mean_ms
             when 'calls' then t.calls
             when 'io' then t.reads
             when 'temp' then t.temp_blocks
             when 'wal' then t.wal_bytes
             when 'rows' then t.rows
             else t.total_ms end desc nulls last)sql"};

// Counters alone, for two samples.
constexpr db::Sql sample_sql{"statements_sample", R"sql(
    select s.userid, s.dbid, s.queryid, s.toplevel, s.calls, s.total_exec_time as total_ms, s.rows,
           s.shared_blks_hit as hits, s.shared_blks_read as reads,
           s.temp_blks_written as temp_blocks, s.wal_bytes, @io_time as io_ms
    from @schema.pg_stat_statements(false) s
    where s.queryid is not null
    order by s.calls desc
    limit $1::int)sql"};

const std::vector<Column>& extension_columns() {
    static const std::vector<Column> declared{
        {.name = "version", .about = "Of the extension"},
        {.name = "loaded", .type = ColumnType::boolean, .about = "Preloaded by the server"},
        {.name = "statements_max", .type = ColumnType::integer},
        {.name = "track"},
        {.name = "track_planning"},
        {.name = "track_io_timing"},
    };
    return declared;
}

const std::vector<Column>& coverage_columns() {
    static const std::vector<Column> declared{
        {.name = "kept", .type = ColumnType::integer, .about = "Statements counted apart"},
        {.name = "evictions",
         .type = ColumnType::integer,
         .about = "Times that the least used were forgotten"},
        {.name = "since", .type = ColumnType::timestamp},
        {.name = "age_seconds", .type = ColumnType::real, .unit = "s"},
    };
    return declared;
}

const std::vector<Column>& statement_columns() {
    static const std::vector<Column> declared{
        {.name = "queryid"},
        {.name = "calls", .type = ColumnType::integer},
        {.name = "total_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "share_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Of all statements' time"},
        {.name = "mean_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "max_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "deviation_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "rows_per_call", .type = ColumnType::real},
        {.name = "blocks_read_per_call", .type = ColumnType::real},
        {.name = "cache_hit_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "io_ms",
         .type = ColumnType::real,
         .unit = "ms",
         .about = "0 when it is not timed"},
        {.name = "temp_blocks_per_call", .type = ColumnType::real},
        {.name = "wal_bytes_per_call", .type = ColumnType::real, .unit = "B"},
        {.name = "plan_ms",
         .type = ColumnType::real,
         .unit = "ms",
         .about = "Of one planning; absent when it is not tracked"},
        {.name = "once_per_row_of", .about = "Statement that returns as many rows"},
        {.name = "toplevel", .type = ColumnType::boolean, .about = "False: run by a function"},
        {.name = "user", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "since",
         .type = ColumnType::timestamp,
         .about = "Absent: as all (before version 17)"},
        {.name = "query", .about = "Literals masked", .sql_text = true},
    };
    return declared;
}

const std::vector<Column>& sample_columns() {
    static const std::vector<Column> declared{
        {.name = "queryid"},
        {.name = "calls", .type = ColumnType::integer},
        {.name = "calls_per_second", .type = ColumnType::real},
        {.name = "busy_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "Time in it, of the window; 100 is one session all the time"},
        {.name = "mean_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "mean_ms_before",
         .type = ColumnType::real,
         .unit = "ms",
         .about = "From the beginning of its counters to the window"},
        {.name = "rows_per_call", .type = ColumnType::real},
        {.name = "blocks_read_per_call", .type = ColumnType::real},
        {.name = "cache_hit_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "io_ms", .type = ColumnType::real, .unit = "ms"},
        {.name = "temp_blocks_per_call", .type = ColumnType::real},
        {.name = "wal_bytes_per_call", .type = ColumnType::real, .unit = "B"},
    };
    return declared;
}

constexpr Section extension_section{
    .name = "extension",
    .columns = extension_columns,
    .editions = {{{.sql = extension_sql}}},
    .would_tell = "whether statements are counted"};
constexpr Section coverage_section{
    .name = "coverage",
    .columns = coverage_columns,
    .editions = {{{.sql = coverage_sql}}},
    .would_tell = "since when statements are counted, and how many were forgotten"};
constexpr Section statements_section{
    .name = "statements",
    .columns = statement_columns,
    .editions = {{{.sql = statements_sql}}},
    .would_tell = "which statements take the server's time"};
constexpr Section sample_section{
    .name = "window",
    .columns = sample_columns,
    .editions = {{{.sql = sample_sql}}},
    .would_tell = "which statements take the server's time now"};

std::string output_schema() {
    static constexpr std::array sections{
        &extension_section, &coverage_section, &statements_section, &sample_section};
    static const std::string schema = packet_schema(sections);
    return schema;
}

/// What a version of the extension calls things. It is not the server's: an upgraded server keeps
/// the old one until somebody updates it.
struct Names {
    int minor = 0; // of 1.x
    std::string_view io_time;
    std::string_view all_io_time;
    std::string_view since;
};
constexpr std::array<Names, 3> names_by_version{
    {{9,
      "s.blk_read_time + s.blk_write_time",
      "s.blk_read_time + s.blk_write_time",
      "null::timestamptz"},
     {10,
      "s.blk_read_time + s.blk_write_time",
      "s.blk_read_time + s.blk_write_time + s.temp_blk_read_time + s.temp_blk_write_time",
      "null::timestamptz"},
     {11,
      "s.shared_blk_read_time + s.shared_blk_write_time",
      "s.shared_blk_read_time + s.shared_blk_write_time + s.local_blk_read_time "
      "+ s.local_blk_write_time + s.temp_blk_read_time + s.temp_blk_write_time",
      "s.stats_since"}}};

/// Null: too old. What a version after the known ones says is tried with the newest names.
const Names* names_of(const db::Table& extension) {
    const std::string version = extension.text(0, "version");
    int minor = 0;
    if (version.starts_with("1.")) {
        std::from_chars(version.data() + 2, version.data() + version.size(), minor);
    } else {
        minor = version.empty() || version.front() < '2' ? 0 : names_by_version.back().minor;
    }
    const Names* newest = nullptr;
    for (const Names& names : names_by_version) {
        if (names.minor <= minor) {
            newest = &names;
        }
    }
    return newest;
}

std::string quoted(const std::string& name) {
    std::string out = "\"";
    for (const char c : name) {
        out.append(c == '"' ? 2U : 1U, c);
    }
    return out + "\"";
}

/// The statement of a section for the extension that is there.
class Placed {
public:
    Placed(const Section& section, const db::Table& extension, const Names& names)
        : name_{section.editions.front().sql.name}, text_{section.editions.front().sql.text} {
        replace("@schema", quoted(extension.text(0, "schema")));
        replace("@all_io_time", names.all_io_time);
        replace("@io_time", names.io_time);
        replace("@since", names.since);
    }
    db::Sql sql() const { return {name_, text_}; }

private:
    void replace(std::string_view placeholder, std::string_view with) {
        for (auto at = text_.find(placeholder); at != std::string::npos;
             at = text_.find(placeholder, at + with.size())) {
            text_.replace(at, placeholder.size(), with);
        }
    }

    std::string_view name_;
    std::string text_;
};

void add_rows(const Section& section, Evidence& evidence) {
    evidence.rows.push_back(
        {.name = std::string{section.name}, .columns = &section.columns(), .cells = {}}
    );
}

/// Why statements cannot be examined here; nothing when they can.
std::optional<NotExamined> missing(const db::Table& extension) {
    const std::string would_tell{statements_section.would_tell};
    if (extension.text(0, "schema").empty()) {
        return NotExamined{
            "statements",
            "the extension pg_stat_statements is not in database " + extension.text(0, "database") +
                (extension.boolean(0, "loaded").value_or(false)
                     ? "; CREATE EXTENSION pg_stat_statements there (its library is loaded)"
                     : "; put it into shared_preload_libraries, restart, and CREATE EXTENSION "
                       "pg_stat_statements there"),
            would_tell};
    }
    if (!extension.boolean(0, "loaded").value_or(false)) {
        return NotExamined{
            "statements",
            "pg_stat_statements is not in shared_preload_libraries; put it there and restart",
            would_tell};
    }
    if (names_of(extension) == nullptr) {
        return NotExamined{
            "statements",
            "not_supported: version " + extension.text(0, "version") +
                " of the extension is too old; ALTER EXTENSION pg_stat_statements UPDATE",
            would_tell};
    }
    return std::nullopt;
}

void judge_coverage(
    const db::Table& extension, const std::optional<db::Table>& coverage, Evidence& evidence
) {
    if (!extension.boolean(0, "sees_all_texts").value_or(false)) {
        NotExamined gap = hidden_sessions_gap();
        gap.what = "texts of other roles' statements";
        gap.would_tell = "which statements they are";
        evidence.not_examined.push_back(std::move(gap));
    }
    if (extension.text(0, "track_io_timing") == "off") {
        evidence.not_examined.push_back(
            {"times of reads and writes",
             "track_io_timing is off",
             "which statements wait for disk"}
        );
    }
    if (extension.text(0, "track") == "none") {
        evidence.not_examined.push_back(
            {"statements", "pg_stat_statements.track is none", "which statements take the time"}
        );
    }
    if (!coverage || coverage->empty()) {
        return;
    }
    if (const double evictions = coverage->real(0, "evictions").value_or(0); evictions > 0) {
        evidence.not_examined.push_back(
            {"statements that were forgotten",
             "pg_stat_statements.max (" + extension.text(0, "statements_max") + ") was too small " +
                 coverage->text(0, "evictions") + " times",
             "rare statements, and all there is of statements that are never the same"}
        );
    }
    if (coverage->real(0, "age_seconds").value_or(0) < age_seconds_min) {
        evidence.findings.push_back(
            {.severity = Severity::notice,
             .object = "statement counters",
             .value =
                 "begun " + seconds_text(coverage->real(0, "age_seconds").value_or(0)) + " ago",
             .threshold = seconds_text(age_seconds_min),
             .meaning = "Totals of so short a time may be those of one job."}
        );
    }
}

/// Judges one row of `statements`.
class Judgement {
public:
    Judgement(
        const db::Table& table, std::size_t row, const std::string& database, Evidence& evidence
    )
        : table_{table}, row_{row}, database_{database}, evidence_{evidence} {}

    void judge_all() {
        judge_time();
        judge_blocks();
        judge_shape();
    }

private:
    double of(std::string_view column) const { return table_.real(row_, column).value_or(0); }
    void find(Severity severity, std::string value, std::string threshold, std::string meaning) {
        evidence_.findings.push_back(
            {severity,
             "statement " + table_.text(row_, "queryid"),
             std::move(value),
             std::move(threshold),
             std::move(meaning)}
        );
    }
    void judge_time();
    void judge_blocks();
    void judge_shape();
    std::string slow_text() const;

    const db::Table& table_;
    std::size_t row_;
    const std::string& database_; // that the reader is in
    Evidence& evidence_;
};

/// What to do about a slow statement, of what can be done about its kind.
std::string Judgement::slow_text() const {
    const std::string text = table_.text(row_, "query");
    const std::string verb = base::lower_ascii(text.substr(0, text.find_first_of(" \n\t(")));
    const std::string slow = of("calls") > 1 ? "Slow on average" : "Slow the one time that it ran";
    if (verb == "insert" || verb == "update" || verb == "delete" || verb == "merge") {
        return slow +
               ": it writes, and explain_query plans reads only; auto_explain, or EXPLAIN by "
               "a person, shows its plan.";
    }
    const bool may_be_cut = base::count_characters(text) >= query_chars_max;
    const auto answer = db::guard_sql(db::cast_parameters(text));
    const bool plans = answer.statement && answer.statement->kind() == db::StatementKind::select;
    if (table_.text(row_, "database") == database_ &&
        (plans || (may_be_cut && (verb == "select" || verb == "with")))) {
        return slow + ": explain_query with this queryid as its query says where its plan spends "
                      "the time.";
    }
    return slow + ": look in get_activity while it runs for what it waits for.";
}

void Judgement::judge_time() {
    const double share = of("share_percent");
    if (const auto severity = judge(of("mean_ms"), mean_ms);
        severity && share >= share_percent_min) {
        find(
            *severity,
            seconds_text(of("mean_ms") / 1'000) + " on average, " + number_text(share, 1) +
                " % of all statements' time",
            seconds_text(mean_ms.passed(*severity) / 1'000),
            slow_text()
        );
    } else if (share >= share_percent) {
        find(
            Severity::notice,
            number_text(share, 1) + " % of all statements' time",
            number_text(share_percent) + " %",
            of("mean_ms") < 1
                ? "Cheap each time but run very often: fewer calls help, not a better "
                  "plan."
                : "What helps it helps the server most."
        );
    }
    if (of("mean_ms") >= deviating_mean_ms && of("calls") >= deviating_calls_min &&
        of("deviation_ms") >= deviations * of("mean_ms")) {
        find(
            Severity::notice,
            "takes " + seconds_text(of("mean_ms") / 1'000) + " on average, up to " +
                seconds_text(of("max_ms") / 1'000),
            number_text(deviations) + " standard deviations of the mean",
            "Its executions differ widely: by parameters, plans, lock waits or a cold cache."
        );
    }
}

void Judgement::judge_blocks() {
    if (of("blocks_read_per_call") >= read_blocks_per_call &&
        of("cache_hit_percent") < cache_hit_percent) {
        find(
            Severity::warning,
            number_text(of("blocks_read_per_call")) + " blocks read a call, " +
                number_text(of("cache_hit_percent"), 1) + " % cached",
            number_text(read_blocks_per_call) + " blocks and " + number_text(cache_hit_percent) +
                " %",
            "It reads from disk what it needs: a large scan, a missing index or bloat."
        );
    }
    if (of("temp_blocks_per_call") >= temp_blocks_per_call) {
        find(
            Severity::warning,
            bytes_text(of("temp_blocks_per_call") * 8'192) + " of temporary files a call",
            bytes_text(temp_blocks_per_call * 8'192),
            "A sort or a hash outgrows work_mem, or its size was misestimated."
        );
    }
}

void Judgement::judge_shape() {
    if (const std::string parent = table_.text(row_, "once_per_row_of"); !parent.empty()) {
        find(
            Severity::notice,
            table_.text(row_, "calls") + " calls, as many as another returned rows",
            "10 % difference",
            "It looks like one query for each row of another (N+1; once_per_row_of names it): a "
            "join, or a list of keys, "
            "would replace it."
        );
    }
    if (of("rows_per_call") >= rows_per_call && of("calls") >= rows_calls_min) {
        find(
            Severity::notice,
            number_text(of("rows_per_call")) + " rows a call",
            number_text(rows_per_call),
            "It returns or changes far more rows than a person reads: a LIMIT is missing, or it is "
            "a batch."
        );
    }
}

using StatementKey = std::tuple<std::string, std::string, std::string, std::string>;

StatementKey key_of(const db::Table& table, std::size_t row) {
    return {
        table.text(row, "userid"),
        table.text(row, "dbid"),
        table.text(row, "queryid"),
        table.text(row, "toplevel")};
}

/// What a statement did in the window.
struct Grown {
    std::string queryid;
    double calls = 0;
    double total_ms = 0;
    double rows = 0;
    double hits = 0;
    double reads = 0;
    double temp_blocks = 0;
    double wal_bytes = 0;
    double io_ms = 0;
    double calls_before = 0;
    double total_ms_before = 0;

    double by(const std::string& order) const {
        if (order == "mean") {
            return total_ms / calls;
        }
        const std::map<std::string_view, double> orders{
            {"calls", calls},
            {"io", reads},
            {"temp", temp_blocks},
            {"wal", wal_bytes},
            {"rows", rows}};
        const auto found = orders.find(order);
        return found == orders.end() ? total_ms : found->second;
    }
};

/// What was counted between two samples, most by `order` first. What was counted anew since the
/// first is new in all.
std::vector<Grown>
grown(const db::Table& before, const db::Table& after, const std::string& order) {
    std::map<StatementKey, std::size_t> earlier;
    for (std::size_t row = 0; row < before.rows.size(); ++row) {
        earlier.emplace(key_of(before, row), row);
    }
    std::vector<Grown> out;
    for (std::size_t row = 0; row < after.rows.size(); ++row) {
        const auto found = earlier.find(key_of(after, row));
        const auto was = [&](std::string_view column) {
            return found == earlier.end() ? 0 : before.real(found->second, column).value_or(0);
        };
        const auto is = [&](std::string_view column) {
            return after.real(row, column).value_or(0);
        };
        const bool anew = is("calls") < was("calls");
        const auto more = [&](std::string_view column) {
            return anew ? is(column) : is(column) - was(column);
        };
        if (more("calls") > 0) {
            out.push_back(
                {.queryid = after.text(row, "queryid"),
                 .calls = more("calls"),
                 .total_ms = more("total_ms"),
                 .rows = more("rows"),
                 .hits = more("hits"),
                 .reads = more("reads"),
                 .temp_blocks = more("temp_blocks"),
                 .wal_bytes = more("wal_bytes"),
                 .io_ms = more("io_ms"),
                 .calls_before = anew ? 0 : was("calls"),
                 .total_ms_before = anew ? 0 : was("total_ms")}
            );
        }
    }
    std::stable_sort(out.begin(), out.end(), [&](const Grown& left, const Grown& right) {
        return left.by(order) > right.by(order);
    });
    return out;
}

std::vector<db::Cell> window_cells(const Grown& one, double seconds) {
    const auto real = [](double value) { return db::Cell{number_text(value, 2)}; };
    return {
        one.queryid,
        number_text(one.calls),
        real(one.calls / seconds),
        real(one.total_ms / (10 * seconds)),
        number_text(one.total_ms / one.calls, 3),
        one.calls_before > 0 ? db::Cell{number_text(one.total_ms_before / one.calls_before, 3)}
                             : std::nullopt,
        real(one.rows / one.calls),
        real(one.reads / one.calls),
        one.hits + one.reads > 0 ? real(100 * one.hits / (one.hits + one.reads)) : std::nullopt,
        real(one.io_ms),
        real(one.temp_blocks / one.calls),
        real(one.wal_bytes / one.calls)};
}

/// One call, from its arguments to its packet.
class Reading {
public:
    Reading(Context& context, const Call& call, std::string target)
        : context_{context},
          call_{call},
          target_{std::move(target)},
          order_{call.arguments.text("order")},
          limit_{static_cast<std::size_t>(call.arguments.integer("limit"))},
          seconds_{call.arguments.integer("sample_seconds")} {
        evidence_.tool = tool_name;
    }

    base::Result<Output> run();

private:
    LaneRequest request() const { return {.target = target_, .tool = tool_name}; }
    base::Status read_statements(const db::Table& extension);
    base::Result<std::string> read_samples(const db::Table& extension);
    base::Result<db::Table> read_sample(const Placed& placed);

    Context& context_;
    const Call& call_;
    std::string target_;
    std::string order_;
    std::size_t limit_;
    long long seconds_;
    Evidence evidence_;
};

base::Result<db::Table> Reading::read_sample(const Placed& placed) {
    const db::Query query{
        .sql = placed.sql(),
        .parameters = {std::to_string(sampled_rows_max + 1)},
        .rows_max = sampled_rows_max};
    INTERLOCK_TRY(LaneRead read, read_lane(context_, call_, request(), {query}));
    if (!read.results[0]) {
        return read.results[0].error();
    }
    if (read.results[0]->cut) {
        evidence_.not_examined.push_back(
            {"statements beyond the " + std::to_string(sampled_rows_max) + " most called",
             "limit: more than two samples compare",
             std::string{sample_section.would_tell}}
        );
    }
    return std::move(read.results[0]->table);
}

/// The rows of `window`; the identifiers of what they show, as an array of PostgreSQL.
base::Result<std::string> Reading::read_samples(const db::Table& extension) {
    const Placed placed{sample_section, extension, *names_of(extension)};
    INTERLOCK_TRY(const db::Table before, read_sample(placed));
    const auto began = context_.clock.ticks();
    if (!base::pause(call_.stop, std::chrono::seconds{seconds_})) {
        return base::Error{base::Errc::cancelled, "The caller gave up between two samples.", ""};
    }
    INTERLOCK_TRY(const db::Table after, read_sample(placed));
    const double took =
        std::max(0.001, std::chrono::duration<double>(context_.clock.ticks() - began).count());
    auto all = grown(before, after, order_);
    double busy = 0;
    for (const Grown& one : all) {
        busy += one.total_ms / 1'000;
    }
    evidence_.summary = counted(static_cast<long long>(all.size()), "statement", "statements") +
                        " ended in " + seconds_text(took) + " and took " + seconds_text(busy) +
                        " in all";
    all.resize(std::min(all.size(), limit_));
    std::string shown = "{";
    for (const Grown& one : all) {
        evidence_.rows.back().cells.push_back(window_cells(one, took));
        shown += (shown.size() > 1 ? "," : "") + one.queryid;
    }
    return shown + "}";
}

base::Status Reading::read_statements(const db::Table& extension) {
    db::Cell shown; // null: all
    const bool sampled = seconds_ > 0;
    add_rows(sample_section, evidence_);
    if (sampled) {
        INTERLOCK_TRY(shown, read_samples(extension));
    }
    const Names& names = *names_of(extension);
    const Placed coverage{coverage_section, extension, names};
    const Placed statements{statements_section, extension, names};
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context_,
            call_,
            request(),
            {{.section = coverage_section, .rows_max = 1, .sql = coverage.sql()},
             {.section = statements_section,
              .parameters = {order_, std::to_string(limit_), shown},
              .rows_max = limit_,
              .sql = statements.sql()}},
            evidence_
        )
    );
    judge_coverage(extension, tables[0], evidence_);
    if (!tables[1]) {
        evidence_.summary = "Statements could not be read; see not examined.";
        return base::done;
    }
    const std::string database = extension.text(0, "database");
    for (std::size_t row = 0; row < tables[1]->rows.size(); ++row) {
        Judgement{*tables[1], row, database, evidence_}.judge_all();
    }
    if (!sampled) {
        evidence_.summary =
            "Since " +
            (tables[0] && !tables[0]->empty() ? tables[0]->text(0, "since") : "the counters began"
            ) +
            ": " +
            (tables[0] && !tables[0]->empty() ? tables[0]->text(0, "kept") + " statements kept"
                                              : "statements");
    }
    evidence_.summary +=
        "; the first " + std::to_string(tables[1]->rows.size()) + " by " + order_ + ": " +
        counted(static_cast<long long>(evidence_.findings.size()), "finding", "findings") + ".";
    return base::done;
}

base::Result<Output> Reading::run() {
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context_, call_, request(), {{.section = extension_section, .rows_max = 1}}, evidence_
        )
    );
    const auto& extension = tables[0];
    std::optional<NotExamined> gap;
    if (extension && !extension->empty()) {
        gap = missing(*extension);
    }
    if (gap || !extension || extension->empty()) {
        if (gap) {
            evidence_.not_examined.push_back(std::move(*gap));
        }
        add_rows(sample_section, evidence_);
        add_rows(coverage_section, evidence_);
        add_rows(statements_section, evidence_);
        evidence_.summary = "Statements are not counted here; see not examined.";
    } else {
        INTERLOCK_CHECK(read_statements(*extension));
    }
    return publish(context_, call_, std::move(evidence_));
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(std::string target, context.targets.resolve(call.arguments.text("target")));
    return Reading{context, call, std::move(target)}.run();
}

} // namespace

Tool get_statements() {
    static constexpr std::array declared{&extension_section};
    return {
        .name = tool_name,
        .title = "Top statements",
        .summary = "Shows the statements that take most, from pg_stat_statements, with what is "
                   "unusual about them.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "order",
              .about = "Most of what first.",
              .choices = {"time", "mean", "calls", "io", "temp", "wal", "rows"},
              .fallback = "time",
              .example = "io"},
             {.name = "sample_seconds",
              .type = InputType::integer,
              .about = "Compare two samples so far apart; 0: totals.",
              .min = 0,
              .max = 30,
              .fallback = "0",
              .example = "5"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most statements to list.",
              .min = 1,
              .max = 50,
              .fallback = "10",
              .example = "20"}},
        .output_schema = output_schema,
        .run = run,
        .statements = statements_of(declared),
        .needs = {
            {.kind = NeedKind::extension,
             .name = "pg_stat_statements",
             .would_tell = statements_section.would_tell,
             .told_by_tool = true},
            hidden_sessions_need()}};
}

} // namespace interlock::tools
