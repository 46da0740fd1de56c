// get_io: what the server reads, writes, caches, checkpoints and archives, as rates over a window;
// what of it is more than it should be; and, in views of their own (io_views.cpp), which relations
// and sessions it is for, and what takes the space.
#include "base/limits.hpp"
#include "tools/catalog.hpp"
#include "tools/postgres/find.hpp"
#include "tools/postgres/io_views.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/sampler.hpp"
#include "tools/schema.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace interlock::tools {
namespace {

constexpr std::string_view tool_name = "get_io";
constexpr double block_bytes = 8'192;

// Blocks found in the cache: below 97 % an OLTP database reads more than it should, below 90 % its
// working set does not fit. Told as misses, so that more is worse.
constexpr Threshold cache_miss_percent{3, 10};
constexpr double cache_blocks_min = 10'000; // of fewer blocks a share says nothing
// Transactions that were rolled back: errors, timeouts, retries. Each read of Interlock ends by
// ROLLBACK, as COMMIT would let settings of a session outlive it: as many as it may have made are
// not counted. Its sampler and a few diligent agents make less, in the long run and in a burst.
constexpr Threshold rollback_percent{10, 50};
constexpr double own_rollbacks_per_second = 5;
constexpr double own_rollbacks_at_once = 200;
constexpr double transactions_min = 100;
// Temporary files: sorts and hashes that outgrow work_mem.
constexpr Threshold temporary_bytes_per_second{10e6, 100e6};
// Checkpoints forced by WAL volume or by hand, of all since the counters began.
constexpr double forced_checkpoints_percent = 20;
constexpr double checkpoints_min = 10;
// Dirty pages that backends must write themselves, of all that are written.
constexpr Threshold backend_writes_percent{50, 80};
constexpr double written_blocks_min = 1'000;
// Full page images in WAL: the first change of a page after each checkpoint.
constexpr double full_pages_percent = 50;
constexpr double wal_bytes_min = 64.0 * 1'024 * 1'024;
// One flush of WAL, which each commit waits for; an SSD takes below a millisecond.
constexpr Threshold wal_sync_ms{10, 50};
// One block read: from a disk that is not overloaded it takes a few milliseconds.
constexpr Threshold read_ms{10, 50};
constexpr double timed_reads_min = 100;
// Misses of an SLRU cache each hold up a transaction under a lock that all share.
constexpr Threshold slru_misses_per_second{100, 1'000};
// WAL segments (16 MB) that wait for the archiver.
constexpr Threshold segments_waiting{32, 256};
// Temporary files that exist now.
constexpr Threshold temporary_bytes_now{10e9, 100e9};
// WAL on disk, of max_wal_size and what wal_keep_size keeps besides: checkpoints remove the rest,
// unless somebody still needs it.
constexpr Threshold wal_kept_times{2, 5};

constexpr db::Sql io_state{"io_state", R"sql(
    select pg_catalog.current_setting('track_io_timing')::bool as track_io_timing,
           pg_catalog.current_setting('track_wal_io_timing')::bool as track_wal_io_timing,
           pg_catalog.current_setting('archive_mode') as archive_mode,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers'))
               as shared_buffers_bytes,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size'))
               as max_wal_size_bytes,
           pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_keep_size'))
               as wal_keep_size_bytes,
           pg_catalog.to_char(a.last_archived_time at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last_archived_time,
           pg_catalog.to_char(a.last_failed_time at time zone 'UTC',
                              'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last_failed_time,
           a.last_failed_wal,
           coalesce(a.last_failed_time > a.last_archived_time,
                    a.last_failed_time is not null) as archiver_fails
    from pg_catalog.pg_stat_archiver a)sql"};

// Directory listings: as many entries as there are segments and temporary files.
constexpr db::Sql io_files{"io_files", R"sql(
    select w.wal_bytes, w.wal_files, s.segments_waiting, t.temporary_bytes, t.temporary_files
    from (select coalesce(pg_catalog.sum(l.size), 0) as wal_bytes,
                 pg_catalog.count(*) as wal_files
          from pg_catalog.pg_ls_waldir() l) w
    cross join (select pg_catalog.count(*) as segments_waiting
                from pg_catalog.pg_ls_archive_statusdir() l
                where l.name like '%.ready') s
    cross join (select coalesce(pg_catalog.sum(l.size), 0) as temporary_bytes,
                       pg_catalog.count(*) as temporary_files
                from pg_catalog.pg_ls_tmpdir() l) t)sql"};

const std::vector<Column>& state_columns() {
    static const std::vector<Column> declared{
        {.name = "track_io_timing", .type = ColumnType::boolean},
        {.name = "track_wal_io_timing", .type = ColumnType::boolean},
        {.name = "archive_mode"},
        {.name = "shared_buffers_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "max_wal_size_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "wal_keep_size_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "last_archived_time", .type = ColumnType::timestamp},
        {.name = "last_failed_time", .type = ColumnType::timestamp},
        {.name = "last_failed_wal"},
        {.name = "archiver_fails",
         .type = ColumnType::boolean,
         .about = "Its last attempt did not work"},
    };
    return declared;
}

const std::vector<Column>& file_columns() {
    static const std::vector<Column> declared{
        {.name = "wal_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "wal_files", .type = ColumnType::integer},
        {.name = "segments_waiting", .type = ColumnType::integer, .about = "For the archiver"},
        {.name = "temporary_bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "temporary_files", .type = ColumnType::integer},
    };
    return declared;
}

const std::vector<Column>& database_columns() {
    static const std::vector<Column> declared{
        {.name = "database", .about = "'': shared catalogs", .untrusted = true},
        {.name = "transactions_per_second", .type = ColumnType::real},
        {.name = "rollback_percent",
         .type = ColumnType::real,
         .unit = "%",
         .about = "With Interlock's own reads, which end by ROLLBACK"},
        {.name = "blocks_read_per_second", .type = ColumnType::real},
        {.name = "cache_hit_percent", .type = ColumnType::real, .unit = "%"},
        {.name = "read_ms", .type = ColumnType::real, .unit = "ms", .about = "Of one block"},
        {.name = "temp_bytes_per_second", .type = ColumnType::real, .unit = "B/s"},
        {.name = "deadlocks", .type = ColumnType::integer, .about = "In the window"},
        {.name = "conflicts", .type = ColumnType::integer, .about = "With recovery, in the window"},
        {.name = "deadlocks_in_all", .type = ColumnType::integer, .about = "Since `since`"},
        {.name = "checksum_failures",
         .type = ColumnType::integer,
         .about = "Since `since`; absent: checksums are off"},
        {.name = "since", .type = ColumnType::timestamp},
    };
    return declared;
}

const std::vector<Column>& wal_columns() {
    static const std::vector<Column> declared{
        {.name = "bytes_per_second", .type = ColumnType::real, .unit = "B/s"},
        {.name = "records_per_second", .type = ColumnType::real},
        {.name = "full_pages_percent", .type = ColumnType::real, .unit = "%", .about = "Of bytes"},
        {.name = "writes_per_second", .type = ColumnType::real},
        {.name = "syncs_per_second", .type = ColumnType::real},
        {.name = "sync_ms", .type = ColumnType::real, .unit = "ms", .about = "Of one sync"},
        {.name = "buffers_full_per_second", .type = ColumnType::real},
    };
    return declared;
}

const std::vector<Column>& checkpoint_columns() {
    static const std::vector<Column> declared{
        {.name = "timed", .type = ColumnType::integer, .about = "In the window"},
        {.name = "requested", .type = ColumnType::integer, .about = "In the window"},
        {.name = "timed_in_all", .type = ColumnType::integer, .about = "Since `since`"},
        {.name = "requested_in_all", .type = ColumnType::integer, .about = "Since `since`"},
        {.name = "checkpointer_blocks_per_second", .type = ColumnType::real},
        {.name = "background_writer_blocks_per_second", .type = ColumnType::real},
        {.name = "backend_blocks_per_second", .type = ColumnType::real},
        {.name = "backend_syncs", .type = ColumnType::integer, .about = "In the window"},
        {.name = "background_writer_stops",
         .type = ColumnType::integer,
         .about = "Rounds in the window that ended at bgwriter_lru_maxpages"},
        {.name = "write_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "sync_seconds", .type = ColumnType::real, .unit = "s"},
        {.name = "since", .type = ColumnType::timestamp},
    };
    return declared;
}

const std::vector<Column>& archiver_columns() {
    static const std::vector<Column> declared{
        {.name = "archived", .type = ColumnType::integer, .about = "In the window"},
        {.name = "failed", .type = ColumnType::integer, .about = "In the window"},
        {.name = "archived_in_all", .type = ColumnType::integer, .about = "Since `since`"},
        {.name = "failed_in_all", .type = ColumnType::integer, .about = "Since `since`"},
        {.name = "since", .type = ColumnType::timestamp},
    };
    return declared;
}

const std::vector<Column>& slru_columns() {
    static const std::vector<Column> declared{
        {.name = "cache", .about = "Transaction status, subtransactions, multixacts, ..."},
        {.name = "hits_per_second", .type = ColumnType::real},
        {.name = "misses_per_second", .type = ColumnType::real},
        {.name = "writes_per_second", .type = ColumnType::real},
    };
    return declared;
}

const std::vector<Column>& io_columns() {
    static const std::vector<Column> declared{
        {.name = "who", .about = "Backend type/object/context"},
        {.name = "read_bytes_per_second", .type = ColumnType::real, .unit = "B/s"},
        {.name = "read_ms", .type = ColumnType::real, .unit = "ms", .about = "Of one read"},
        {.name = "write_bytes_per_second", .type = ColumnType::real, .unit = "B/s"},
        {.name = "write_ms", .type = ColumnType::real, .unit = "ms", .about = "Of one write"},
        {.name = "extend_bytes_per_second", .type = ColumnType::real, .unit = "B/s"},
        {.name = "hits_per_second", .type = ColumnType::real},
        {.name = "evictions_per_second", .type = ColumnType::real},
        {.name = "syncs_per_second", .type = ColumnType::real},
    };
    return declared;
}

constexpr Section state_section{
    .name = "state",
    .columns = state_columns,
    .editions = {{{.sql = io_state}}},
    .would_tell = "whether WAL is archived, and whether I/O is timed"};
constexpr Section files_section{
    .name = "files",
    .columns = file_columns,
    .editions = {{{.sql = io_files}}},
    .would_tell = "how much space WAL and temporary files take, and what waits for the archiver"};

std::string output_schema() {
    static const std::string schema = [] {
        std::vector<RowsShape> shapes{
            {"databases", &database_columns()},
            {"wal", &wal_columns()},
            {"checkpoints", &checkpoint_columns()},
            {"archiver", &archiver_columns()},
            {"slru", &slru_columns()},
            {"io", &io_columns()},
            {"state", &state_columns()},
            {"files", &file_columns()}};
        for (const RowsShape& shape : io_view_shapes()) {
            shapes.push_back(shape);
        }
        return packet_schema(shapes);
    }();
    return schema;
}

using Number = std::optional<double>;

db::Cell real_cell(Number value) {
    return value ? db::Cell{number_text(*value, 2)} : std::nullopt;
}

db::Cell count_cell(Number value) {
    return value ? db::Cell{number_text(*value)} : std::nullopt;
}

/// Seconds since 1970 as RFC 3339.
db::Cell time_cell(Number seconds) {
    if (!seconds) {
        return std::nullopt;
    }
    const auto micros = std::chrono::microseconds{static_cast<long long>(*seconds * 1e6)};
    return base::format_time(base::Time{micros});
}

Number share(Number part, Number rest) {
    return part && rest && *part + *rest > 0 ? Number{100 * *part / (*part + *rest)} : std::nullopt;
}

Number ratio(Number value, Number of) {
    return value && of && *of > 0 ? Number{*value / *of} : std::nullopt;
}

/// The judgements of one call, on what was counted in its window.
class Judgement {
public:
    Judgement(const Window& window, Evidence& evidence) : window_{window}, evidence_{evidence} {}

    void databases();
    void wal();
    void checkpoints();
    void archiver();
    void slru();
    void io();
    void state(const std::optional<db::Table>& state);

private:
    Number grown(std::string_view view, std::string_view object, std::string_view counter) const {
        return window_.grown(view, object, counter);
    }
    Number rate(std::string_view view, std::string_view object, std::string_view counter) const {
        return window_.per_second(view, object, counter);
    }
    Number in_all(std::string_view view, std::string_view object, std::string_view counter) const {
        return window_.newer.value(view, object, counter);
    }
    EvidenceRows& add_rows(const char* name, const std::vector<Column>& columns) {
        return evidence_.rows.emplace_back(EvidenceRows{
            .name = name, .columns = &columns, .cells = {}});
    }
    void database(const std::string& name);

    const Window& window_;
    Evidence& evidence_;
};

void Judgement::database(const std::string& name) {
    const std::string object = name.empty() ? "shared catalogs" : "database " + name;
    const auto of = [&](std::string_view counter) { return grown("databases", name, counter); };
    const Number missed = share(of("blks_read"), of("blks_hit"));
    const double blocks = of("blks_read").value_or(0) + of("blks_hit").value_or(0);
    if (const auto severity = judge(missed.value_or(0), cache_miss_percent);
        severity && blocks >= cache_blocks_min) {
        find(
            evidence_,
            *severity,
            object,
            number_text(100 - *missed, 1) + " % of blocks found in the cache",
            number_text(100 - cache_miss_percent.passed(*severity)) + " %",
            "It reads from disk or the system's cache: large scans, or a working set that does not "
            "fit; get_statements (by io) names the statements."
        );
    }
    const double own = own_rollbacks_at_once + own_rollbacks_per_second * window_.seconds();
    const double others = std::max(0.0, of("xact_rollback").value_or(0) - own);
    const double transactions = others + of("xact_commit").value_or(0);
    const Number rolled_back = share(Number{others}, of("xact_commit"));
    if (const auto severity = judge(rolled_back.value_or(0), rollback_percent);
        severity && transactions >= transactions_min) {
        find(
            evidence_,
            *severity,
            object,
            number_text(*rolled_back, 1) + " % of transactions rolled back, with " +
                number_text(own) + " left out that may be Interlock's own reads",
            number_text(rollback_percent.passed(*severity)) + " %",
            "Statements fail, time out or are retried; read_logs shows the errors."
        );
    }
    const double temporary = rate("databases", name, "temp_bytes").value_or(0);
    if (const auto severity = judge(temporary, temporary_bytes_per_second)) {
        find(
            evidence_,
            *severity,
            object,
            bytes_text(temporary) + "/s into temporary files",
            bytes_text(temporary_bytes_per_second.passed(*severity)) + "/s",
            "Sorts or hashes outgrow work_mem; get_statements (by temp) names the statements."
        );
    }
    if (const double deadlocks = of("deadlocks").value_or(0); deadlocks > 0) {
        find(
            evidence_,
            Severity::warning,
            object,
            counted(static_cast<long long>(deadlocks), "deadlock", "deadlocks") + " in the window",
            "0",
            "Transactions take locks in different orders; the log names both sides."
        );
    }
    if (const double conflicts = of("conflicts").value_or(0); conflicts > 0) {
        find(
            evidence_,
            Severity::warning,
            object,
            counted(static_cast<long long>(conflicts), "query", "queries") +
                " cancelled by recovery in the window",
            "0",
            "Replay on this standby removed rows or locks that they needed; get_replication says "
            "which kind."
        );
    }
    if (const double failures = in_all("databases", name, "checksum_failures").value_or(0);
        failures > 0) {
        find(
            evidence_,
            Severity::critical,
            object,
            counted(static_cast<long long>(failures), "data page", "data pages") +
                " failed the checksum",
            "0",
            "Data on disk is damaged: keep the backups that exist, and check the storage."
        );
    }
}

void Judgement::databases() {
    EvidenceRows& rows = add_rows("databases", database_columns());
    for (const std::string& name : window_.newer.objects("databases")) {
        const auto of = [&](std::string_view counter) { return grown("databases", name, counter); };
        const Number commits = rate("databases", name, "xact_commit");
        const Number rollbacks = rate("databases", name, "xact_rollback");
        rows.cells.push_back(
            {name,
             real_cell(commits && rollbacks ? Number{*commits + *rollbacks} : std::nullopt),
             real_cell(share(of("xact_rollback"), of("xact_commit"))),
             real_cell(rate("databases", name, "blks_read")),
             real_cell(share(of("blks_hit"), of("blks_read"))),
             real_cell(
                 of("blk_read_time").value_or(0) > 0 ? ratio(of("blk_read_time"), of("blks_read"))
                                                     : std::nullopt
             ),
             real_cell(rate("databases", name, "temp_bytes")),
             count_cell(of("deadlocks")),
             count_cell(of("conflicts")),
             count_cell(in_all("databases", name, "deadlocks")),
             count_cell(in_all("databases", name, "checksum_failures")),
             time_cell(in_all("databases", name, "stats_reset"))}
        );
        database(name);
    }
    std::stable_sort(rows.cells.begin(), rows.cells.end(), [](const auto& left, const auto& right) {
        return std::strtod(left[1].value_or("0").c_str(), nullptr) >
               std::strtod(right[1].value_or("0").c_str(), nullptr);
    });
}

void Judgement::wal() {
    const Number bytes = grown("wal", "", "wal_bytes");
    const Number images = grown("wal", "", "wal_fpi");
    // An image may have a hole and be compressed: this is what it is at most.
    const Number full_pages = bytes && images && *bytes > 0
                                  ? Number{std::min(100.0, 100 * *images * block_bytes / *bytes)}
                                  : std::nullopt;
    const Number sync_time = grown("wal", "", "wal_sync_time");
    const Number sync_ms =
        sync_time.value_or(0) > 0 ? ratio(sync_time, grown("wal", "", "wal_sync")) : std::nullopt;
    add_rows("wal", wal_columns())
        .cells.push_back(
            {real_cell(rate("wal", "", "wal_bytes")),
             real_cell(rate("wal", "", "wal_records")),
             real_cell(full_pages),
             real_cell(rate("wal", "", "wal_write")),
             real_cell(rate("wal", "", "wal_sync")),
             real_cell(sync_ms),
             real_cell(rate("wal", "", "wal_buffers_full"))}
        );
    if (full_pages.value_or(0) >= full_pages_percent && bytes.value_or(0) >= wal_bytes_min) {
        find(
            evidence_,
            Severity::notice,
            "WAL",
            number_text(*full_pages) + " % are images of whole pages",
            number_text(full_pages_percent) + " %",
            "Each page's first change after a checkpoint is written whole: checkpoints further "
            "apart (max_wal_size, checkpoint_timeout) or wal_compression write less."
        );
    }
    if (const auto severity = judge(sync_ms.value_or(0), wal_sync_ms)) {
        find(
            evidence_,
            *severity,
            "WAL",
            number_text(*sync_ms, 1) + " ms for one sync",
            number_text(wal_sync_ms.passed(*severity)) + " ms",
            "Every commit waits for it: the WAL's disk is slow or overloaded."
        );
    }
    if (const double full = rate("wal", "", "wal_buffers_full").value_or(0); full >= 1) {
        find(
            evidence_,
            Severity::notice,
            "WAL",
            number_text(full, 1) + " times a second the WAL buffers were full",
            "1",
            "Backends wait to write WAL before they may go on: wal_buffers is small for this load."
        );
    }
}

void Judgement::checkpoints() {
    const auto of = [&](std::string_view counter) { return grown("checkpoints", "", counter); };
    const auto all = [&](std::string_view counter) { return in_all("checkpoints", "", counter); };
    const auto per_second = [&](std::string_view counter) {
        return rate("checkpoints", "", counter);
    };
    const Number write_ms = of("write_time");
    const Number sync_ms = of("sync_time");
    add_rows("checkpoints", checkpoint_columns())
        .cells.push_back(
            {count_cell(of("num_timed")),
             count_cell(of("num_requested")),
             count_cell(all("num_timed")),
             count_cell(all("num_requested")),
             real_cell(per_second("buffers_written")),
             real_cell(per_second("buffers_clean")),
             real_cell(per_second("buffers_backend")),
             count_cell(of("buffers_backend_fsync")),
             count_cell(of("maxwritten_clean")),
             real_cell(write_ms ? Number{*write_ms / 1'000} : std::nullopt),
             real_cell(sync_ms ? Number{*sync_ms / 1'000} : std::nullopt),
             time_cell(all("stats_reset"))}
        );
    const double requested = of("num_requested").value_or(0);
    const Number forced = share(all("num_requested"), all("num_timed"));
    if (requested > of("num_timed").value_or(0)) {
        find(
            evidence_,
            Severity::warning,
            "checkpoints",
            number_text(requested) + " requested in the window, " +
                number_text(of("num_timed").value_or(0)) + " timed",
            "more requested than timed",
            "WAL fills max_wal_size before checkpoint_timeout ends, or somebody asks for "
            "checkpoints: each brings a burst of writes and of full page images."
        );
    } else if (forced.value_or(0) > forced_checkpoints_percent &&
               all("num_requested").value_or(0) + all("num_timed").value_or(0) >= checkpoints_min) {
        find(
            evidence_,
            Severity::notice,
            "checkpoints",
            number_text(*forced) + " % requested since " +
                time_cell(all("stats_reset")).value_or("the start"),
            number_text(forced_checkpoints_percent) + " %",
            "None in the window, but in the long run WAL often fills max_wal_size, or backups and "
            "people ask for checkpoints."
        );
    }
    const double written = of("buffers_written").value_or(0) + of("buffers_clean").value_or(0) +
                           of("buffers_backend").value_or(0);
    const double by_backends = written > 0 ? 100 * of("buffers_backend").value_or(0) / written : 0;
    if (const auto severity = judge(by_backends, backend_writes_percent);
        severity && written >= written_blocks_min) {
        find(
            evidence_,
            Severity::warning,
            "dirty pages",
            number_text(by_backends) + " % are written by backends themselves",
            number_text(backend_writes_percent.passed(*severity)) + " %",
            "Queries wait for writes that the checkpointer and the background writer should do; "
            "bulk loads and index builds do so too."
        );
    }
    if (const double syncs = of("buffers_backend_fsync").value_or(0); syncs > 0) {
        find(
            evidence_,
            Severity::warning,
            "dirty pages",
            counted(static_cast<long long>(syncs), "sync", "syncs") +
                " by backends themselves in the window",
            "0",
            "The checkpointer's queue of syncs was full: queries wait for the disk."
        );
    }
}

void Judgement::archiver() {
    const Number failed = grown("archiver", "", "failed_count");
    add_rows("archiver", archiver_columns())
        .cells.push_back(
            {count_cell(grown("archiver", "", "archived_count")),
             count_cell(failed),
             count_cell(in_all("archiver", "", "archived_count")),
             count_cell(in_all("archiver", "", "failed_count")),
             time_cell(in_all("archiver", "", "stats_reset"))}
        );
}

void Judgement::slru() {
    EvidenceRows& rows = add_rows("slru", slru_columns());
    for (const std::string& name : window_.newer.objects("slru")) {
        const Number misses = rate("slru", name, "blks_read");
        const Number hits = rate("slru", name, "blks_hit");
        const Number writes = rate("slru", name, "blks_written");
        if (misses.value_or(0) + hits.value_or(0) + writes.value_or(0) > 0) {
            rows.cells.push_back({name, real_cell(hits), real_cell(misses), real_cell(writes)});
        }
        if (const auto severity = judge(misses.value_or(0), slru_misses_per_second)) {
            find(
                evidence_,
                *severity,
                "SLRU cache " + name,
                number_text(*misses) + " misses a second",
                number_text(slru_misses_per_second.passed(*severity)),
                "Old transactions' states are read from disk again and again: look for a "
                "transaction that is open long, many savepoints, or many lockers of one row."
            );
        }
    }
}

void Judgement::io() {
    EvidenceRows& rows = add_rows("io", io_columns());
    for (const std::string& name : window_.newer.objects("io")) {
        const auto of = [&](std::string_view counter) { return grown("io", name, counter); };
        const auto per_second = [&](std::string_view counter) { return rate("io", name, counter); };
        const double moved = of("read_bytes").value_or(0) + of("write_bytes").value_or(0) +
                             of("extend_bytes").value_or(0) + of("hits").value_or(0) +
                             of("fsyncs").value_or(0);
        if (moved <= 0) {
            continue;
        }
        const auto timed = [&](std::string_view time, std::string_view count) {
            return of(time).value_or(0) > 0 ? ratio(of(time), of(count)) : std::nullopt;
        };
        const Number one_read = timed("read_time", "reads");
        rows.cells.push_back(
            {name,
             real_cell(per_second("read_bytes")),
             real_cell(one_read),
             real_cell(per_second("write_bytes")),
             real_cell(timed("write_time", "writes")),
             real_cell(per_second("extend_bytes")),
             real_cell(per_second("hits")),
             real_cell(per_second("evictions")),
             real_cell(per_second("fsyncs"))}
        );
        if (const auto severity = judge(one_read.value_or(0), read_ms);
            severity && of("reads").value_or(0) >= timed_reads_min) {
            find(
                evidence_,
                *severity,
                name,
                number_text(*one_read, 1) + " ms for one read",
                number_text(read_ms.passed(*severity)) + " ms",
                "The disk is slow or overloaded."
            );
        }
    }
    const auto bytes = [](const std::vector<db::Cell>& row) {
        double sum = 0;
        for (const std::size_t column : {1U, 3U, 5U}) {
            sum += std::strtod(row[column].value_or("0").c_str(), nullptr);
        }
        return sum;
    };
    std::stable_sort(
        rows.cells.begin(),
        rows.cells.end(),
        [&](const auto& left, const auto& right) { return bytes(left) > bytes(right); }
    );
}

void Judgement::state(const std::optional<db::Table>& state) {
    if (!state || state->empty()) {
        return;
    }
    if (!state->boolean(0, "track_io_timing").value_or(false)) {
        evidence_.not_examined.push_back(
            {"times of reads and writes", "track_io_timing is off", "whether the disk is slow"}
        );
    }
    if (!state->boolean(0, "track_wal_io_timing").value_or(false)) {
        evidence_.not_examined.push_back(
            {"times of WAL syncs",
             "track_wal_io_timing is off",
             "whether commits wait for the WAL's disk"}
        );
    }
    const double failed = grown("archiver", "", "failed_count").value_or(0);
    if (state->boolean(0, "archiver_fails").value_or(false) || failed > 0) {
        find(
            evidence_,
            Severity::critical,
            "archiver",
            "last failed at " + state->text(0, "last_failed_time") + ", last worked " +
                (state->text(0, "last_archived_time").empty()
                     ? "never"
                     : "at " + state->text(0, "last_archived_time")),
            "no failure after the last success",
            "Point-in-time recovery has stopped there, and WAL piles up until the disk is "
            "full; the log holds the archive command's error."
        );
    }
}

/// What lies on disk: WAL, what waits for the archiver, temporary files.
void judge_files(
    const std::optional<db::Table>& state, const std::optional<db::Table>& files, Evidence& evidence
) {
    if (!files || files->empty()) {
        return;
    }
    if (state && !state->empty()) {
        const double wal = files->real(0, "wal_bytes").value_or(0);
        const double expected = state->real(0, "max_wal_size_bytes").value_or(0) +
                                state->real(0, "wal_keep_size_bytes").value_or(0);
        const auto severity = expected > 0 ? judge(wal / expected, wal_kept_times) : std::nullopt;
        if (severity) {
            find(
                evidence,
                *severity,
                "WAL",
                bytes_text(wal) + " on disk",
                bytes_text(wal_kept_times.passed(*severity) * expected),
                "Checkpoints remove what is beyond max_wal_size and wal_keep_size, unless a slot "
                "or a failing archiver still needs it: get_replication names the slots."
            );
        }
    }
    const double waiting = files->real(0, "segments_waiting").value_or(0);
    if (const auto severity = judge(waiting, segments_waiting)) {
        find(
            evidence,
            *severity,
            "archiver",
            number_text(waiting) + " WAL segments wait to be archived",
            number_text(segments_waiting.passed(*severity)),
            "It fails or is slower than WAL is written: the disk fills meanwhile."
        );
    }
    const double temporary = files->real(0, "temporary_bytes").value_or(0);
    if (const auto severity = judge(temporary, temporary_bytes_now)) {
        find(
            evidence,
            *severity,
            "temporary files",
            bytes_text(temporary) + " on disk now",
            bytes_text(temporary_bytes_now.passed(*severity)),
            "Running statements sort or hash more than work_mem holds."
        );
    }
}

std::string summary(const Window& window, const Evidence& evidence) {
    const auto wal = window.per_second("wal", "", "wal_bytes");
    const auto read = window.grown_in_all("databases", "blks_read");
    const auto hit = window.grown_in_all("databases", "blks_hit");
    std::string text = "In " + window.text() + ": ";
    if (wal) {
        text += bytes_text(*wal) + "/s of WAL, ";
    }
    if (read && hit) {
        text += bytes_text(*read * block_bytes / window.seconds()) + "/s read";
        if (const auto found = share(hit, read)) {
            text += " (" + number_text(*found, 1) + " % of blocks were cached)";
        }
        text += ", ";
    }
    return text + counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
           ".";
}

base::Status
look_at_rates(Context& context, const Call& call, const LaneRequest& request, Evidence& evidence) {
    INTERLOCK_TRY(
        const Window window,
        read_window(
            context,
            call,
            request,
            all_counters(),
            std::chrono::seconds{call.arguments.integer("window_seconds")},
            evidence
        )
    );
    Judgement judgement{window, evidence};
    judgement.databases();
    judgement.wal();
    judgement.checkpoints();
    judgement.archiver();
    judgement.slru();
    judgement.io();
    INTERLOCK_TRY(
        const auto tables,
        read_sections(
            context,
            call,
            request,
            {{.section = state_section, .rows_max = 1}, {.section = files_section, .rows_max = 1}},
            evidence
        )
    );
    judgement.state(tables[0]);
    judge_files(tables[0], tables[1], evidence);
    evidence.summary = summary(window, evidence);
    evidence.not_examined.push_back(
        {"relations, sessions, database_sizes and tablespaces",
         "view rates leaves them out; views relations, sessions and space read them",
         "which table or session reads and writes, and what takes the space"}
    );
    return base::done;
}

base::Status
look_at_files(Context& context, const Call& call, const LaneRequest& request, Evidence& evidence) {
    INTERLOCK_TRY(
        const auto tables,
        look_at_space(
            context,
            call,
            request,
            {{.section = state_section, .rows_max = 1}, {.section = files_section, .rows_max = 1}},
            evidence
        )
    );
    judge_files(tables[0], tables[1], evidence);
    if (tables[1] && !tables[1]->empty()) {
        evidence.summary +=
            ", " + bytes_text(tables[1]->real(0, "wal_bytes").value_or(0)) + " of WAL, " +
            bytes_text(tables[1]->real(0, "temporary_bytes").value_or(0)) + " of temporary files";
    }
    evidence.summary +=
        ": " + counted(static_cast<long long>(evidence.findings.size()), "finding", "findings") +
        ".";
    return base::done;
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const LaneRequest request{.target = target, .tool = tool_name};
    const std::string view = call.arguments.text("view");
    const auto look = view == "relations"  ? look_at_relations
                      : view == "sessions" ? look_at_sessions
                      : view == "space"    ? look_at_files
                                           : look_at_rates;
    Evidence evidence;
    evidence.tool = tool_name;
    INTERLOCK_CHECK(look(context, call, request, evidence));
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool get_io() {
    static constexpr std::array own{&state_section, &files_section};
    std::vector<ToolStatement> statements = statements_of(all_counters());
    for (const auto& more : {statements_of(own), io_view_statements()}) {
        statements.insert(statements.end(), more.begin(), more.end());
    }
    return {
        .name = tool_name,
        .title = "Reads, writes, checkpoints, WAL and disk space",
        .summary = "Shows rates of reads, cache hits, WAL, checkpoints, archiving, temporary files "
                   "and deadlocks over a window, or what they are for.",
        .domain = "postgres",
        .inputs =
            {target_input(),
             {.name = "view",
              .about = "rates: of the whole server; relations: tables and indexes by cache hits; "
                       "sessions: what each reads and writes (version 18); space: sizes of "
                       "databases, WAL and temporary files on disk.",
              .choices = {"rates", "relations", "sessions", "space"},
              .fallback = "rates",
              .example = "relations"},
             {.name = "window_seconds",
              .type = InputType::integer,
              .about = "In view rates: how far back.",
              .min = 1,
              .max = 3'600,
              .fallback = "60",
              .example = "600"}},
        .output_schema = output_schema,
        .run = run,
        .statements = std::move(statements)};
}

} // namespace interlock::tools
