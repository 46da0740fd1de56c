// read_logs: what the server wrote into its log in a window of time, by kind of entry with counts,
// then samples. The files are read where this machine sees them, never through the database: a
// server that is down is when logs are wanted most.
#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/assess.hpp"
#include "tools/catalog.hpp"
#include "tools/lane.hpp"
#include "tools/postgres/log_mask.hpp"
#include "tools/postgres/log_reader.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/schema.hpp"
#include "tools/targets.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

constexpr std::string_view tool_name = "read_logs";

constexpr db::Sql log_settings{"log_settings", R"sql(
    select pg_catalog.current_setting('log_line_prefix') as line_prefix,
           pg_catalog.current_setting('lc_messages') as messages_in,
           pg_catalog.current_setting('log_min_duration_statement') as min_duration,
           pg_catalog.current_setting('log_lock_waits') as lock_waits,
           pg_catalog.current_setting('log_temp_files') as temp_files,
           extract(epoch from pg_catalog.clock_timestamp()) as now,
           pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions)sql"};

// When log_timezone was so far ahead of UTC: one row, and one for each change.
constexpr db::Sql log_zone{"log_zone", R"sql(
    select extract(epoch from moment) as since, ahead
    from (
        select moment, ahead, pg_catalog.lag(ahead) over (order by moment) as ahead_before
        from (
            select g.moment,
                   extract(epoch from
                       pg_catalog.timezone(
                           pg_catalog.current_setting('log_timezone'), g.moment)
                       - pg_catalog.timezone('UTC', g.moment)) as ahead
            from pg_catalog.generate_series(
                     pg_catalog.to_timestamp($1::float8), pg_catalog.to_timestamp($2::float8),
                     interval '1 hour') g(moment)
        ) offsets
    ) changes
    where ahead is distinct from ahead_before
    order by moment
    limit 20)sql"};

const std::vector<Column>& kind_columns() {
    static const std::vector<Column> declared{
        {.name = "count", .type = ColumnType::integer},
        {.name = "severity"},
        {.name = "sqlstate"},
        {.name = "fingerprint",
         .about = "Message without names, numbers and literals",
         .untrusted = true},
        {.name = "first_at", .type = ColumnType::timestamp},
        {.name = "last_at", .type = ColumnType::timestamp},
        {.name = "too_high",
         .type = ColumnType::integer,
         .about = "The count is too high by at most so much"},
    };
    return declared;
}

const std::vector<Column>& sample_columns() {
    static const std::vector<Column> declared{
        {.name = "at", .type = ColumnType::timestamp},
        {.name = "severity"},
        {.name = "sqlstate"},
        {.name = "pid"},
        {.name = "user", .untrusted = true},
        {.name = "database", .untrusted = true},
        {.name = "application_name", .untrusted = true},
        {.name = "message", .about = "Values masked", .untrusted = true},
        {.name = "detail", .untrusted = true},
        {.name = "hint", .untrusted = true},
        {.name = "context", .untrusted = true},
        {.name = "statement", .about = "Literals masked", .sql_text = true},
    };
    return declared;
}

const std::vector<Column>& severity_columns() {
    static const std::vector<Column> declared{
        {.name = "severity"},
        {.name = "entries",
         .type = ColumnType::integer,
         .about = "In the window, whatever else was asked for"},
    };
    return declared;
}

const std::vector<Column>& file_columns() {
    static const std::vector<Column> declared{
        {.name = "file", .untrusted = true},
        {.name = "format"},
        {.name = "entries", .type = ColumnType::integer, .about = "In the window"},
        {.name = "first_at", .type = ColumnType::timestamp},
        {.name = "last_at", .type = ColumnType::timestamp},
        {.name = "bytes", .type = ColumnType::integer, .unit = "B"},
        {.name = "bytes_read",
         .type = ColumnType::integer,
         .unit = "B",
         .about = "The rest is outside of the window"},
    };
    return declared;
}

std::string output_schema() {
    static const std::string schema = packet_schema(std::vector<RowsShape>{
        {"kinds", &kind_columns()},
        {"samples", &sample_columns()},
        {"severities", &severity_columns()},
        {"files", &file_columns()}});
    return schema;
}

/// Kinds of entries that an operator is to hear of, from so many in the window on.
struct Sign {
    std::string_view object;
    std::vector<std::string_view> sqlstates; // a beginning is enough
    std::vector<std::string_view> texts;     // or one of these, in the fingerprint
    Threshold entries;
    std::string_view meaning;
};
constexpr double never = 1e18;

// Errors of one kind so often are no matter of single requests: an application, or what it stands
// on, fails as a whole.
constexpr double errors_per_minute = 10;
constexpr long long errors_min = 100;      // in a burst
constexpr std::size_t masses_told_max = 5; // the most frequent
// An end of the window without an entry is told from this share of it on, and from this time on: a
// server that works writes of its checkpoints at least.
constexpr double silent_share = 0.25;
constexpr std::chrono::minutes silent_min{10};

const std::vector<Sign>& signs() {
    static const std::vector<Sign> table{
        {"server crash",
         {},
         {"was terminated by signal"},
         {1, 1},
         "A server process was killed or crashed, and all sessions were ended; signal 9 is often "
         "the kernel short of memory."},
        {"data corruption",
         {"XX001", "XX002"},
         {"invalid page in block", "could not read block", "checksum verification failed"},
         {1, 1},
         "A page on disk is not what was written: stop writes, keep the files, ask an expert."},
        {"disk space", {"53100"}, {"no space left on device"}, {1, 1}, "A disk is full."},
        {"memory", {"53200"}, {"out of memory"}, {1, 10}, "Memory could not be had."},
        {"transaction ids",
         {},
         {"must be vacuumed within", "is not accepting commands"},
         {1, 1},
         "Transaction ids run out: get_vacuum says what holds them back."},
        {"restart after a crash",
         {},
         {"was not properly shut down", "database system was interrupted"},
         {1, never},
         "The server came back by recovery from WAL; caches and statistics began anew."},
        {"connection limit",
         {"53300"},
         {"too many clients already", "connection slots are reserved", "too many connections for"},
         {1, 100},
         "Sessions were refused: get_activity says who holds the connections."},
        {"WAL archiving",
         {},
         {"archive command failed", "archiving write-ahead log file"},
         {1, 20},
         "WAL is kept until it is archived: the disk fills."},
        {"lost WAL",
         {},
         {"has already been removed", "invalidating obsolete replication slot"},
         {1, never},
         "A standby or slot fell so far behind that it must be made anew."},
        {"deadlocks",
         {"40P01"},
         {"deadlock detected"},
         {1, 30},
         "Transactions were undone to "
         "resolve deadlocks; the samples "
         "show who waited for whom."},
        {"authentication",
         {"28"},
         {"authentication failed", "no pg_hba.conf entry"},
         {10, 1'000},
         "Logins fail again and again: a wrong secret in an application, or somebody tries."},
        {"checkpoints",
         {},
         {"checkpoints are occurring too frequently"},
         {1, never},
         "max_wal_size is small for the load: each checkpoint makes full pages be written again."},
        {"statement timeouts",
         {},
         {"due to statement timeout"},
         {20, never},
         "Statements run into their time-out: get_statements and get_blocking say which and why."},
        {"lock timeouts",
         {"55P03"},
         {"due to lock timeout"},
         {20, never},
         "Lock waits run into "
         "their time-out."},
        {"recovery conflicts",
         {},
         {"due to conflict with recovery"},
         {10, never},
         "Queries on the standby are cancelled because of what the primary replays."},
        {"lock waits",
         {},
         {"still waiting for"},
         {10, never},
         "Sessions waited longer than deadlock_timeout for locks."},
    };
    return table;
}

bool shows(const Sign& sign, const LogKind& kind) {
    const bool by_state =
        std::any_of(sign.sqlstates.begin(), sign.sqlstates.end(), [&](std::string_view state) {
            return kind.sqlstate.starts_with(state);
        });
    return by_state ||
           std::any_of(sign.texts.begin(), sign.texts.end(), [&](std::string_view text) {
               return LogPattern{text}.matches(kind.fingerprint);
           });
}

std::string time_text(const std::optional<base::Time>& at) {
    return at ? base::format_time(*at) : std::string{};
}

db::Cell time_cell(const std::optional<base::Time>& at) {
    return at ? db::Cell{base::format_time(*at)} : std::nullopt;
}

db::Cell text_cell(const std::string& text) {
    return text.empty() ? db::Cell{} : db::Cell{base::sanitize(text)};
}

void judge_signs(const std::vector<const LogKind*>& kinds, Evidence& evidence) {
    const auto tell = [&](std::string_view object,
                          std::string_view meaning,
                          const Threshold& limit,
                          const auto& belongs) {
        long long count = 0;
        std::optional<base::Time> last;
        for (const LogKind* kind : kinds) {
            if (belongs(*kind)) {
                count += kind->count;
                last = std::max(last, kind->last);
            }
        }
        if (const auto severity = judge(static_cast<double>(count), limit)) {
            evidence.findings.push_back(
                {.severity = *severity,
                 .object = std::string{object},
                 .value = counted(count, "entry", "entries") +
                          (last ? ", the last at " + time_text(last) : ""),
                 .threshold = std::to_string(std::llround(limit.passed(*severity))),
                 .meaning = std::string{meaning}}
            );
        }
    };
    tell(
        "PANIC",
        "The server stopped itself; all sessions were ended and it recovered from WAL.",
        {1, 1},
        [](const LogKind& kind) { return kind.level == LogLevel::panic; }
    );
    for (const Sign& sign : signs()) {
        tell(sign.object, sign.meaning, sign.entries, [&](const LogKind& kind) {
            return shows(sign, kind);
        });
    }
}

/// Many errors of one kind in a short time, whatever they are; no message is quoted here.
void judge_masses(const std::vector<const LogKind*>& kinds, Evidence& evidence) {
    std::size_t told = 0;
    for (std::size_t i = 0; i < kinds.size() && told < masses_told_max; ++i) {
        const LogKind& kind = *kinds[i];
        const long long count = kind.count - kind.too_high;
        const bool known = std::any_of(signs().begin(), signs().end(), [&](const Sign& sign) {
            return shows(sign, kind);
        });
        if (kind.level < log_level("ERROR") || count < errors_min || known || !kind.first ||
            !kind.last) {
            continue;
        }
        const double minutes =
            std::max(1.0, std::chrono::duration<double>(*kind.last - *kind.first).count() / 60);
        const double rate = static_cast<double>(count) / minutes;
        if (rate < errors_per_minute) {
            continue;
        }
        ++told;
        evidence.findings.push_back(
            {.severity = Severity::warning,
             .object = "errors of one kind (row " + std::to_string(i + 1) + " of kinds)",
             .value = std::to_string(count) + " entries " + std::string{name(kind.level)} +
                      (kind.sqlstate.empty() ? "" : " " + base::sanitize(kind.sqlstate)) + ", " +
                      number_text(rate) + " a minute, the last at " + time_text(kind.last),
             .threshold = number_text(errors_per_minute) + " a minute",
             .meaning = "So many failures of one kind are one fault, of an application or of what "
                        "it relies on; the samples show one of them."}
        );
    }
}

std::vector<db::Cell> kind_row(const LogKind& kind) {
    return {
        std::to_string(kind.count),
        std::string{name(kind.level)},
        text_cell(kind.sqlstate),
        base::sanitize(kind.fingerprint),
        time_cell(kind.first),
        time_cell(kind.last),
        std::to_string(kind.too_high)};
}

std::vector<db::Cell> sample_row(const LogEntry& entry) {
    return {
        time_cell(entry.at),
        std::string{name(entry.level)},
        text_cell(entry.sqlstate),
        text_cell(entry.pid),
        text_cell(entry.user),
        text_cell(entry.database),
        text_cell(entry.application),
        text_cell(shown_log_message(entry.message)),
        text_cell(shown_log_detail(entry.detail)),
        text_cell(shown_log_detail(entry.hint)),
        text_cell(shown_log_detail(entry.context)),
        entry.statement.empty() ? db::Cell{} : db::Cell{shown_log_statement(entry.statement)}};
}

struct Shown {
    std::size_t kinds = 0;
    std::size_t samples = 0;
};

void put_rows(const LogReading& reading, const Shown& most, Evidence& evidence) {
    const auto ranked = reading.tally.ranked();
    EvidenceRows kinds{.name = "kinds", .columns = &kind_columns(), .cells = {}};
    EvidenceRows samples{.name = "samples", .columns = &sample_columns(), .cells = {}};
    for (std::size_t i = 0; i < std::min(ranked.size(), most.kinds); ++i) {
        kinds.cells.push_back(kind_row(*ranked[i]));
        if (i < most.samples) {
            samples.cells.push_back(sample_row(ranked[i]->sample));
        }
    }
    EvidenceRows severities{.name = "severities", .columns = &severity_columns(), .cells = {}};
    for (std::size_t i = log_levels; i-- > 0;) {
        if (reading.levels[i] > 0) {
            severities.cells.push_back(
                {std::string{name(static_cast<LogLevel>(i))}, std::to_string(reading.levels[i])}
            );
        }
    }
    EvidenceRows files{.name = "files", .columns = &file_columns(), .cells = {}};
    for (const LogFileRead& file : reading.files) {
        if (files.cells.size() < limits::log_files_told_max) {
            files.cells.push_back(
                {base::sanitize(file.name),
                 std::string{name(file.format)},
                 std::to_string(file.entries),
                 time_cell(file.first),
                 time_cell(file.last),
                 std::to_string(file.bytes),
                 std::to_string(file.read)}
            );
        }
    }
    judge_signs(ranked, evidence);
    judge_masses(ranked, evidence);
    if (ranked.size() > most.kinds) {
        evidence.not_examined.push_back(
            {"kinds beyond the first " + std::to_string(most.kinds) + " of " +
                 std::to_string(ranked.size()),
             "limit: more than this call lists",
             "rarer and less urgent kinds of entries; all of them were judged for findings"}
        );
    }
    evidence.rows = {std::move(kinds), std::move(samples), std::move(severities), std::move(files)};
}

/// What was not read, or could not be understood.
void put_gaps(const LogReading& reading, const LogQuestion& question, Evidence& evidence) {
    const auto gap = [&](std::string what, std::string why, std::string would_tell) {
        evidence.not_examined.push_back({std::move(what), std::move(why), std::move(would_tell)});
    };
    for (const RefusedFile& file : reading.refused) {
        gap("log file " + base::sanitize(file.name), file.why, "its entries");
    }
    if (reading.refused_more > 0 || reading.more_files) {
        gap("more log files",
            "limit: the directory has more of them than are listed",
            "their entries");
    }
    if (reading.time_up) {
        gap("the rest of the log",
            "timeout: reading took longer than " + std::to_string(limits::log_read_max.count()) +
                " s",
            "counts of the whole window; ask for a narrower one");
    }
    if (reading.tally.gave_way() > 0) {
        gap("kinds of entries beyond the " + std::to_string(reading.tally.size()) +
                " most frequent",
            "limit: " + counted(reading.tally.gave_way(), "kind", "kinds") + " gave way to others",
            "rare kinds; a count is too high by at most its too_high");
    }
    if (!reading.unknown_zone.empty()) {
        gap("entries in time zone " + reading.unknown_zone,
            "what it means is not known while the target does not say: they count as in the "
            "window",
            "when they were written");
    } else if (reading.untimed > 0) {
        gap(counted(reading.untimed, "entry", "entries") + " without a time",
            "log_line_prefix has no %m: they count as in the window",
            "when they were written");
    }
    if (reading.unreadable > 0) {
        gap(counted(reading.unreadable, "line", "lines") + " outside of entries",
            "not in the server's format: torn, too long, or of another program",
            "what they say");
    }
    if (reading.torn) {
        gap("the last line of a file", "it was being written, or was torn", "its entry");
    }
    if (reading.no_sqlstates && !question.sqlstate.empty()) {
        gap("SQLSTATE of entries in the text format",
            "not_supported: log_line_prefix has no %e",
            "which of them are " + question.sqlstate);
    }
    const auto other = reading.levels[static_cast<std::size_t>(LogLevel::other)];
    if (other > 0) {
        gap("severity of " + counted(other, "entry", "entries"),
            "not in English: see lc_messages",
            "how urgent they are");
    }
}

/// Where the window holds no entries: nothing happened, or nobody wrote it down, or it was deleted.
void put_silence(const LogReading& reading, const LogQuestion& question, Evidence& evidence) {
    const auto gap = [&](std::string what) {
        evidence.not_examined.push_back(
            {std::move(what),
             "the log holds no entry of that time: nothing was written, or its files are elsewhere "
             "or were deleted, or the server was down",
             "what happened then; silence is no sign of health"}
        );
    };
    if (reading.files.empty() || reading.time_up) {
        return; // told already
    }
    if (reading.entries == 0) {
        gap("the whole window, from " + base::format_time(question.from) + " to " +
            base::format_time(question.to));
        return;
    }
    std::optional<base::Time> first;
    std::optional<base::Time> last;
    for (const LogFileRead& file : reading.files) {
        if (file.first) {
            first = first ? std::min(*first, *file.first) : *file.first;
        }
        if (file.last) {
            last = last ? std::max(*last, *file.last) : *file.last;
        }
    }
    const auto silent = [&](base::Time from, base::Time to) {
        const std::chrono::duration<double> length = to - from;
        const std::chrono::duration<double> whole = question.to - question.from;
        return length >= silent_min && length >= silent_share * whole;
    };
    if (first && silent(question.from, *first)) {
        gap("the window before the first entry, at " + base::format_time(*first));
    }
    if (last && silent(*last, question.to)) {
        gap("the window after the last entry, at " + base::format_time(*last));
    }
}

/// What the log cannot show because the server does not write it.
void put_switched_off(const db::Table& settings, Evidence& evidence) {
    struct Switch {
        const char* column;
        std::string_view off;
        const char* setting;
        const char* would_tell;
    };
    for (const Switch& each : std::initializer_list<Switch>{
             {"min_duration", "-1", "log_min_duration_statement", "slow statements"},
             {"lock_waits", "off", "log_lock_waits", "long waits for locks"},
             {"temp_files", "-1", "log_temp_files", "spills to disk"}}) {
        if (settings.text(0, each.column) == each.off) {
            evidence.not_examined.push_back(
                {each.would_tell,
                 std::string{"the server does not log them: "} + each.setting + " is " +
                     std::string{each.off},
                 each.would_tell}
            );
        }
    }
}

/// The server's part of the answer, if it gives one.
struct Server {
    std::optional<db::Table> settings;
    LogSettings log;
    std::optional<base::Time> now;
    Source source;
    std::optional<base::Error> away;
};

std::string epoch_text(base::Time time) {
    return std::to_string(base::microseconds_since_epoch(time) / 1'000'000);
}

base::Time time_of(double seconds) {
    return base::Time{base::Duration{std::llround(seconds * 1e6)}};
}

Server ask_server(
    Context& context, const Call& call, const std::string& target, const LogQuestion& about
) {
    Server server;
    constexpr std::chrono::hours zones{24}; // people's times are of any zone
    auto read = read_lane(
        context,
        call,
        {.target = target, .tool = tool_name},
        {{.sql = log_settings, .parameters = {}, .rows_max = 1},
         {.sql = log_zone,
          .parameters = {epoch_text(about.from - zones), epoch_text(about.to + zones)},
          .rows_max = 20}}
    );
    if (!read) {
        server.away = read.error();
        server.source.target = target;
        return server;
    }
    server.source = std::move(read->source);
    if (!read->results[0]) {
        server.away = read->results[0].error();
        return server;
    }
    server.settings = std::move(read->results[0]->table);
    server.log.line_prefix = server.settings->text(0, "line_prefix");
    if (const auto now = server.settings->real(0, "now")) {
        server.now = time_of(*now);
    }
    if (read->results[1]) {
        std::vector<ZoneSpan> spans;
        const db::Table& rows = read->results[1]->table;
        for (std::size_t row = 0; row < rows.rows.size(); ++row) {
            spans.push_back(
                {time_of(rows.real(row, "since").value_or(0)),
                 std::chrono::seconds{std::llround(rows.real(row, "ahead").value_or(0))}}
            );
        }
        server.log.zone = LogZone{std::move(spans)};
    }
    return server;
}

/// A moment as a caller writes it: RFC 3339, or without a zone and then of log_timezone.
base::Result<base::Time> read_moment(const std::string& text, const LogZone& zone) {
    if (const auto exact = base::parse_time(text)) {
        return *exact;
    }
    if (const auto local = LogTimeReader{zone}.read_local(text)) {
        return *local;
    }
    return Error{
        Errc::invalid_arguments,
        "A time was given that is none.",
        "Write 2026-11-21T03:00:00Z, or 2026-11-21 03:00:00 in the server's log_timezone."};
}

base::Result<LogQuestion>
question_of(const Arguments& arguments, base::Time now, const LogZone& zone) {
    LogQuestion question;
    const std::chrono::minutes minutes{arguments.integer("minutes")};
    question.to = now;
    if (arguments.has("to")) {
        INTERLOCK_TRY(question.to, read_moment(arguments.text("to"), zone));
    }
    question.from = question.to - minutes;
    if (arguments.has("from")) {
        INTERLOCK_TRY(question.from, read_moment(arguments.text("from"), zone));
    }
    if (question.from > question.to || question.to - question.from > limits::log_window_max) {
        return Error{
            Errc::invalid_arguments,
            "The window from " + base::format_time(question.from) + " to " +
                base::format_time(question.to) + " ends before it begins or is too long.",
            "Ask for at most 31 days, with from before to."};
    }
    const std::string& least = arguments.text("severity");
    question.level_min = least == "log" ? LogLevel::other
                                        : log_level(
                                              least == "warning" ? "WARNING"
                                              : least == "error" ? "ERROR"
                                              : least == "fatal" ? "FATAL"
                                                                 : "PANIC"
                                          );
    question.pattern = arguments.text("pattern");
    for (const char c : arguments.text("sqlstate")) {
        question.sqlstate += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return question;
}

/// Whose texts a role may not see in the server's views it may not see in its log either. Where the
/// server cannot be asked, only the login role, which everybody shares, is let through.
base::Status may_read(const Server& server, const Call& call) {
    const bool may = server.settings
                         ? server.settings->boolean(0, "sees_all_sessions").value_or(false)
                         : call.identity.database_role.empty();
    if (may) {
        return base::done;
    }
    return Error{
        Errc::permission_denied,
        server.settings ? "The database role of this caller may not see other sessions, and the "
                          "log is full of them."
                        : "The target does not answer, so it cannot be asked what the database "
                          "role of this caller may see.",
        server.settings ? "Have the role granted pg_monitor; interlock init prints the SQL."
                        : "Have somebody look whose identity is mapped to no role."};
}

std::string summary_of(const LogReading& reading, const LogQuestion& question, std::size_t found) {
    const std::string window =
        " from " + base::format_time(question.from) + " to " + base::format_time(question.to);
    if (reading.files.empty()) {
        return "No log file was examined" + window + "; see not examined.";
    }
    if (reading.entries == 0) {
        return "No log entry" + window + ", which tells nothing; see not examined.";
    }
    std::string levels;
    for (std::size_t i = log_levels; i-- > 0;) {
        if (reading.levels[i] > 0) {
            levels += (levels.empty() ? ": " : ", ") + std::to_string(reading.levels[i]) + " " +
                      std::string{name(static_cast<LogLevel>(i))};
        }
    }
    return counted(reading.entries, "log entry", "log entries") + window + levels + "; " +
           std::to_string(reading.matched) + " as asked for, of " +
           counted(static_cast<long long>(reading.tally.size()), "kind", "kinds") + "; " +
           counted(static_cast<long long>(found), "finding", "findings") + ".";
}

base::Result<Output> run(Context& context, const Call& call) {
    INTERLOCK_TRY(const std::string target, context.targets.resolve(call.arguments.text("target")));
    const db::TargetAddress* address = context.targets.address(target);
    if (address == nullptr || address->logs.empty()) {
        return Error{
            Errc::not_supported,
            "No log directory is configured for target " + target + ".",
            "Have `logs: DIRECTORY` added to the target in this server's configuration, where it "
            "can read the log files; get_activity and diagnose work without."};
    }
    // Roughly, before the server has said what its clock and its zone are.
    INTERLOCK_TRY(LogQuestion question, question_of(call.arguments, context.clock.now(), {}));
    Server server = ask_server(context, call, target, question);
    if (server.away && server.away->code == Errc::suspended) {
        return *server.away;
    }
    INTERLOCK_CHECK(may_read(server, call));
    INTERLOCK_TRY(
        question,
        question_of(call.arguments, server.now.value_or(context.clock.now()), server.log.zone)
    );
    INTERLOCK_TRY(
        const LogReading reading,
        read_logs_directory(address->logs, question, server.log, context.clock, call.stop)
    );
    if (reading.stopped) {
        return Error{Errc::cancelled, "The caller gave up while the log was read.", ""};
    }
    Evidence evidence;
    evidence.tool = tool_name;
    evidence.source = std::move(server.source);
    put_rows(
        reading,
        {.kinds = static_cast<std::size_t>(call.arguments.integer("limit")),
         .samples = static_cast<std::size_t>(call.arguments.integer("samples"))},
        evidence
    );
    put_gaps(reading, question, evidence);
    put_silence(reading, question, evidence);
    if (server.settings) {
        put_switched_off(*server.settings, evidence);
    } else {
        evidence.not_examined.push_back(failed_check(
            "the server's log settings",
            *server.away,
            "its log_line_prefix, time zone and clock; usual ones were assumed"
        ));
    }
    evidence.summary = summary_of(reading, question, evidence.findings.size());
    return publish(context, call, std::move(evidence));
}

} // namespace

Tool read_logs() {
    return {
        .name = tool_name,
        .title = "Server log",
        .summary = "Reads the PostgreSQL log of a window: kinds of entries with counts, worst "
                   "first, then samples.",
        .domain = "postgres",
        .may_become_task = true,
        .inputs =
            {target_input(),
             {.name = "minutes",
              .type = InputType::integer,
              .about = "Length of the window that ends now or at to.",
              .min = 1,
              .max = 44'640,
              .fallback = "60",
              .example = "30"},
             {.name = "from",
              .about = "RFC 3339; without zone: log_timezone.",
              .length_max = 40,
              .example = "2026-11-21T03:00:00Z"},
             {.name = "to", .length_max = 40, .example = "2026-11-21T03:30:00Z"},
             {.name = "severity",
              .about = "The least urgent to count by kind.",
              .choices = {"log", "warning", "error", "fatal", "panic"},
              .fallback = "log",
              .example = "error"},
             {.name = "sqlstate",
              .about = "Code, or its first two characters.",
              .length_max = 5,
              .example = "40P01"},
             {.name = "pattern",
              .about = "Part of a text; * is anything.",
              .length_max = 100,
              .example = "deadlock*app.orders"},
             {.name = "limit",
              .type = InputType::integer,
              .about = "Most kinds to list.",
              .min = 1,
              .max = static_cast<long long>(limits::tool_rows_max),
              .fallback = "20",
              .example = "20"},
             {.name = "samples",
              .type = InputType::integer,
              .min = 0,
              .max = 50,
              .fallback = "5",
              .example = "5"}},
        .output_schema = output_schema,
        .run = run,
        .statements = {
            {log_settings, "how the server writes its log"},
            {log_zone, "the time zone of the log"}}};
}

} // namespace interlock::tools
